"""``AiserExtension``: loads the services into Jupyter Server and holds the threads they block.

The event loop belongs to every kernel and every user of the server, so no service is called on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import PeriodicCallback
from traitlets import Float, Int

from ..memory import give_back
from ..services import os_identity, share
from .admission import Admission, Pace
from .handlers import routes
from .identity import names_several
from .jobs import Jobs
from .monitoring import Monitoring

if TYPE_CHECKING:
    from ..config import Settings
    from ..models import Identity
    from ..services import Services
    from ..services.results import ResultStore

__all__ = ["AiserExtension"]

T = TypeVar("T")

WATCH_SECONDS = 300.0
"""Connections are asked whether they work for so long after somebody looked."""
_GIVE_BACK_SECONDS = 60.0


class AiserExtension(ExtensionApp):
    """Answers below ``<base_url>aiser``; configured with ``c.AiserExtension``."""

    name = "aiser_jupyter"
    app_name = "AISER"
    load_other_extensions = True

    threads = Int(8, min=1, help="Calls to the store that may wait at the same time.").tag(config=True)

    reap_seconds = Float(
        10.0,
        min=0.1,
        help="Seconds between two looks for runs whose kernel died, to stop them at their database.",
    ).tag(config=True)

    sweep_seconds = Float(
        5.0, min=0.1, help="Seconds between two looks for queries and results that nobody waits for."
    ).tag(config=True)

    def initialize_settings(self) -> None:
        assert self.serverapp is not None
        share(several=names_several(self.serverapp.identity_provider))
        self.executor = ThreadPoolExecutor(self.threads, thread_name_prefix="aiser-server")
        # One thread: values that Arrow cannot write are made under Python's lock, which the loop needs.
        self.encoder = ThreadPoolExecutor(1, thread_name_prefix="aiser-encodes")
        self._services: dict[Identity, Services] = {}
        self._jobs: dict[Identity, Jobs] = {}
        self._watched: dict[Identity, float] = {}
        self.monitoring = Monitoring(self)
        self._periodic = [
            PeriodicCallback(self._reap, self.reap_seconds * 1000),
            PeriodicCallback(self._sweep, self.sweep_seconds * 1000),
            PeriodicCallback(self._give_back, _GIVE_BACK_SECONDS * 1000),
        ]
        for each in self._periodic:
            each.start()

    # Read when they are first asked for: an error in the administrator's file is then an answer with a hint.

    @cached_property
    def policy(self) -> Settings:
        """The administrator's settings, as they were when somebody first asked."""
        from ..config import load

        return load()

    @cached_property
    def queries(self) -> Admission:
        """Who may run a query now."""
        limits = self.policy.limits
        return Admission(limits.workers, limits.queue, limits.user_running)

    @cached_property
    def questions(self) -> Admission:
        """Who may ask a database for anything else: browsing does not wait behind queries."""
        limits = self.policy.limits
        return Admission(limits.workers, limits.queue, limits.user_running)

    @cached_property
    def tests(self) -> Pace:
        """How often somebody may try out a connection."""
        return Pace(self.policy.limits.user_tests)

    @cached_property
    def results(self) -> ResultStore:
        """The results that wait to be read."""
        from ..services.results import ResultStore

        return ResultStore(self.policy.results)

    @cached_property
    def _waits(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(2 * self.policy.limits.workers, thread_name_prefix="aiser-waits")

    def initialize_handlers(self) -> None:
        self.handlers.extend(routes())

    def services_for(self, identity: Identity) -> Services:
        """Return the services of one person, built on their first call. Called on the event loop only, so
        that no two calls build them twice; building opens nothing."""
        if (services := self._services.get(identity)) is None:
            from ..services import build

            assert self.serverapp is not None
            folder = Path(self.serverapp.root_dir)
            services = self._services[identity] = build(self.policy, identity, folder=folder)
            self.monitoring.attach(services)
        return services

    def jobs_for(self, identity: Identity) -> Jobs:
        """Return the queries of one person. Called on the event loop only."""
        if (jobs := self._jobs.get(identity)) is None:
            services = self.services_for(identity)
            jobs = self._jobs[identity] = Jobs(services, self.queries, self.results, self.waiting)
        return jobs

    async def waiting(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Await a call that a database may hold up, in a thread; who calls has a place of an `Admission`."""
        return await asyncio.get_running_loop().run_in_executor(self._waits, lambda: call(*args, **kwargs))

    async def watch(self, identity: Identity) -> None:
        """Somebody looks at the connections: ask them in the background, from now on for some minutes."""
        if identity not in self._watched:
            monitor = self.services_for(identity).monitor
            await asyncio.get_running_loop().run_in_executor(self.executor, monitor.start)
        self._watched[identity] = time.monotonic()

    async def _reap(self) -> None:
        """Look for runs that a dead kernel left, of all who were here and of the server's own account."""
        self.services_for(os_identity())
        for services in tuple(self._services.values()):
            await asyncio.get_running_loop().run_in_executor(self.executor, services.queries.reap)

    async def _sweep(self) -> None:
        """Give up the queries, results and looks that nobody waits for any more."""
        loop = asyncio.get_running_loop()
        if self._jobs:
            await loop.run_in_executor(self.executor, self.results.sweep)
        for jobs in tuple(self._jobs.values()):
            await jobs.sweep(self.policy.results.seconds)
        for identity, looked in tuple(self._watched.items()):
            if time.monotonic() - looked > WATCH_SECONDS:
                del self._watched[identity]
                await loop.run_in_executor(self.executor, self.services_for(identity).monitor.stop)

    async def _give_back(self) -> None:
        """Give the memory of what ended back, where there was anything."""
        if self._jobs:
            await asyncio.get_running_loop().run_in_executor(self.executor, give_back)

    async def stop_extension(self) -> None:
        for each in self._periodic:
            each.stop()
        share(several=False)
        self.monitoring.close()
        for jobs in self._jobs.values():
            await jobs.close()
        for services in self._services.values():
            await asyncio.get_running_loop().run_in_executor(self.executor, services.close)
        if self._jobs:
            self.results.close()
            self._waits.shutdown(wait=False, cancel_futures=True)
        for pool in (self.executor, self.encoder):
            pool.shutdown(wait=False, cancel_futures=True)
