"""Use cases: the only thing that a front door calls.

``build()`` wires the layers below. It is cheap: nothing is opened and no driver, Arrow or pandas is imported
before the first query asks for it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._version import __version__
from ..models import Availability, HistoryEntry, Identity
from .once import once

if TYPE_CHECKING:
    from ..config import Settings
    from ..connectors.sandbox import Sandbox
    from ..engines.base import Engine
    from ..execution.executor import Executor
    from ..store.database import Store, StoreState
    from .catalog import CatalogService
    from .connections import ConnectionService
    from .failures import FailureLog
    from .health import HealthService
    from .queries import QueryService
    from .sign_in import SignInService
    from .statistics import StatisticsService

__all__ = ["Health", "Services", "build", "os_identity", "share"]


@dataclass(frozen=True, slots=True)
class Health:
    """What works. ``ok`` is false where the store or every engine is not usable."""

    ok: bool
    version: str
    store: StoreState
    engines: tuple[tuple[str, Availability], ...]


def share(*, several: bool) -> None:
    """Say whether several persons use this process: then connections lead to private addresses only where the
    administrator lists them."""
    from ..connectors.hosts import keep_to_public

    keep_to_public(several=several)


def os_identity() -> Identity:
    """Return the operating system's user, by uid: the environment cannot change it."""
    uid = os.getuid()
    try:
        return Identity(pwd.getpwuid(uid).pw_name)
    except KeyError:  # a container may run as a uid without an entry
        return Identity(f"uid-{uid}")


class Services:
    """Everything of one process and one identity, made when first asked for.

    Parameters
    ----------
    settings : Settings, optional
        Read from the configuration files by default.
    identity : Identity, optional
        The operating system's user by default.
    folder : Path, optional
        For a server: DuckDB runs in a process of its own, for this identity, and reads and writes files below
        this folder only. By default it runs in this process, as its person may do anyway whatever it can.

    Attributes
    ----------
    on_end : list of callable
        Each receives the last row of a run of this process and what it failed with, from any thread. It must
        not raise and must not block.
    """

    def __init__(
        self, settings: Settings | None = None, identity: Identity | None = None, folder: Path | None = None
    ) -> None:
        self._given = settings
        self._folder = folder
        self.identity = identity or os_identity()
        self.on_end: list[Callable[[HistoryEntry, BaseException | None], None]] = []

    @once
    def settings(self) -> Settings:
        from ..config import load

        return self._given or load()

    @once
    def store(self) -> Store:
        from ..store.database import Store

        return Store(self.settings.store.path())

    @once
    def executor(self) -> Executor:
        from ..execution.executor import Executor

        limits = self.settings.limits
        return Executor(limits.workers, limits.queue)

    @once
    def engines(self) -> Mapping[str, Engine]:
        from ..engines.registry import engines

        return engines(self.settings)

    @once
    def sandbox(self) -> Sandbox | None:
        """Where DuckDB runs; None is this process."""
        if self._folder is None:
            return None
        from ..connectors.sandbox import Sandbox

        return Sandbox(self.settings.duckdb, self._folder)

    @once
    def connections(self) -> ConnectionService:
        from .connections import ConnectionService

        return ConnectionService(self)

    @once
    def sign_ins(self) -> SignInService:
        from .sign_in import SignInService

        return SignInService(self)

    @once
    def queries(self) -> QueryService:
        from .queries import QueryService

        return QueryService(self)

    @once
    def catalog(self) -> CatalogService:
        from .catalog import CatalogService

        return CatalogService(self)

    @once
    def monitor(self) -> HealthService:
        from .health import HealthService

        return HealthService(self)

    @once
    def statistics(self) -> StatisticsService:
        from .statistics import StatisticsService

        return StatisticsService(self)

    @once
    def failures(self) -> FailureLog:
        from .failures import FailureLog

        return FailureLog(self.store.folder)

    def health(self) -> Health:
        """Look at the store and at every engine, now."""
        engines = tuple((name, engine.available()) for name, engine in self.engines.items())
        store = self.store.state
        return Health(store.ok and any(a.ok for _, a in engines), __version__, store, engines)

    def close(self) -> None:
        """Cancel what runs, write what is pending, and give everything back. Safe to call twice."""
        monitor: HealthService | None = once.taken(self, "monitor")
        if monitor is not None:
            monitor.close()
        executor: Executor | None = once.taken(self, "executor")
        if executor is not None:
            executor.close(wait=True)  # a worker inside a driver at exit can abort the process
        for name in ("sandbox", "queries", "store"):
            part = once.taken(self, name)
            if part is not None:
                part.close()


def build(
    settings: Settings | None = None, identity: Identity | None = None, *, folder: Path | None = None
) -> Services:
    """Wire the layers for one identity; a server names the ``folder`` that its DuckDB is confined to."""
    return Services(settings, identity, folder)
