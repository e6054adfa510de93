"""Connections by name: the built-in ``local``, the saved ones, and objects of the notebook."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..errors import AiserError, ConfigError, UnknownConnection, UsageError, nearest
from ..models import LOCAL, Check, Connection, ConnectionConfig
from ..run import Run

if TYPE_CHECKING:
    from ..connectors.base import Stage
    from . import Services

__all__ = ["ConnectionService"]


class ConnectionService:
    """Lists, saves, tests and removes connections of one identity."""

    def __init__(self, services: Services) -> None:
        from ..store.connections import ConnectionRecords
        from ..store.keys import keys_of

        self._services = services
        self._records = ConnectionRecords(services.store, keys_of(services.settings.store))
        self._objects: dict[str, Connection] = {}
        owner = services.identity.name
        self._local = Connection(LOCAL, owner, ConnectionConfig("duckdb", LOCAL), source="builtin")

    def list(self) -> list[Connection]:
        """Return ``local``, then the saved connections by name."""
        return [self._local, *self._records.list(self._services.identity.name)]

    def get(self, name: str) -> Connection:
        """Return the connection called ``name``. Raises `UnknownConnection`."""
        if name == LOCAL:
            return self._local
        if name in self._objects:
            return self._objects[name]
        found = self._records.get(self._services.identity.name, name)
        if found is None:
            known = [LOCAL, *self._objects, *(c.name for c in self.list())]
            raise UnknownConnection(
                f"There is no connection {name!r}.",
                hint=nearest(name, known, noun="connections")
                + " Add one with %aiser connect <url> --alias NAME.",
            )
        return found

    def create(self, config: ConnectionConfig) -> Connection:
        """Validate, test and save a connection; the test's first failure is raised and nothing is saved.

        The same connection again, as when a notebook is run twice, is the one that is there.
        """
        from ..connectors.registry import connector

        kind = connector(config.type)
        values = kind.validate(config.values)
        config = ConnectionConfig(config.type, config.name, values)
        kind.prepare(config)
        checks = self._checks(config)
        for check in checks:
            if not check.ok:
                raise ConfigError(
                    f"{config.name} was not saved: {check.name} failed. {check.message}", hint=check.hint
                )
        known = self._records.get(self._services.identity.name, config.name)
        if known is not None and known.config == config:
            return known
        return self._records.add(
            self._services.identity.name,
            config,
            kind.destination(values),
            kind.secret_fields,
            datetime.now(UTC),
        )

    def delete(self, name: str) -> None:
        """Forget a saved connection. Raises `UnknownConnection`."""
        if name == LOCAL:
            raise UsageError("local is always there; it cannot be removed.")
        connection = self.get(name)
        if self._objects.pop(name, None) is None:
            self._records.delete(self._services.identity.name, connection.name)

    def adopt(self, name: str, obj: object) -> Connection:
        """Use a live object of the notebook as a connection, under its variable's name; never saved.

        Raises
        ------
        UsageError
            The object is none of: DB-API connection, SQLAlchemy engine or connection, DuckDB connection,
            Spark session.
        """
        from ..connectors.objects import recognise

        known = self._objects.get(name)
        if known is not None and known.handle is obj:
            return known
        if recognise(obj) is None:
            raise UsageError(
                f"The variable {name!r} is a {type(obj).__name__}, not a connection.",
                hint="Pass a DB-API or SQLAlchemy connection, a DuckDB connection, or a Spark session.",
            )
        config = ConnectionConfig("object", name, {"object": obj})
        connection = Connection(
            f"object-{id(obj):x}", self._services.identity.name, config, source="object", handle=obj
        )
        self._objects[name] = connection
        return connection

    def test(self, name: str) -> tuple[Check, ...]:
        """Try a connection step by step; a failed step ends the test, and is a `Check`, not an error."""
        return self._checks(self.get(name).config)

    def parse_url(self, url: str, alias: str) -> ConnectionConfig:
        """Read a URL such as ``duckdb:///shop.duckdb`` into allow-listed fields; it is never passed on.

        Raises
        ------
        ConfigError
            A malformed URL, an unknown type, or an option that is not allowed.
        """
        from ..sources.url import parse_url

        return parse_url(url, alias)

    def _checks(self, config: ConnectionConfig) -> tuple[Check, ...]:
        services = self._services
        run = Run("test", timeout=services.settings.preferences.timeout or None)
        future = services.executor.submit(run, lambda: _graded(config, run))
        return services.executor.wait(future, run)


def _graded(config: ConnectionConfig, run: Run) -> tuple[Check, ...]:
    """Take the connector's steps, each timed; the first that fails is the last."""
    from ..connectors.registry import connector

    checks: list[Check] = []
    with closing(connector(config.type).stages(config, run)) as stages:
        for stage in stages:
            checks.append(_timed(stage))
            if not checks[-1].ok:
                break
    return tuple(checks)


def _timed(stage: Stage) -> Check:
    began = time.monotonic()
    try:
        message = stage.run()
    except AiserError as exc:
        return Check(stage.name, False, time.monotonic() - began, exc.message, exc.hint)
    return Check(stage.name, True, time.monotonic() - began, message)
