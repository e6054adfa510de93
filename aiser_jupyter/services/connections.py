"""Connections by name: the built-in ``local``, the saved ones, those of the environment and of the
administrator, and objects of the notebook. Of two with the same name the first in this order counts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, ConfigError, SignInRequired, UnknownConnection, UsageError, nearest
from ..models import LOCAL, Check, Connection, ConnectionConfig
from ..run import Run
from .tokens import signed_in

if TYPE_CHECKING:
    from ..connectors.base import Connector, Stage
    from ..sources.importing import Imported
    from ..store.rotation import Rotation
    from . import Services

__all__ = ["ConnectionService"]


class ConnectionService:
    """Lists, saves, changes, tests and removes connections of one identity."""

    def __init__(self, services: Services) -> None:
        from ..connectors.hosts import allow_hosts, allow_vendor_hosts
        from ..connectors.pool import keep_idle
        from ..connectors.tls import allow_insecure
        from ..store.connections import ConnectionRecords
        from ..store.keys import keys_of

        settings = services.settings
        allow_hosts(settings.connections)
        allow_vendor_hosts(settings.connections)
        allow_insecure(settings.connections)
        keep_idle(settings.connections.idle_seconds)
        self._services = services
        self._records = ConnectionRecords(services.store, keys_of(settings.store))
        self._objects: dict[str, Connection] = {}
        self._owner = services.identity.name
        self._sandbox = services.sandbox.id if services.sandbox else ""
        config = self._placed(ConnectionConfig("duckdb", LOCAL))
        self._local = Connection(LOCAL, self._owner, config, source="builtin")

    def _placed(self, config: ConnectionConfig) -> ConnectionConfig:
        """Say where DuckDB runs: every configuration that is opened comes through here."""
        return replace(config, sandbox=self._sandbox)

    def _located(self, connection: Connection) -> Connection:
        config = signed_in(self._placed(connection.config), connection.id, self._records)
        return replace(connection, config=config)

    # -- finding --------------------------------------------------------------------------------------

    def list(self) -> list[Connection]:
        """Return ``local``, the saved connections by name, then the environment's and the administrator's.

        One that cannot be used is among them, and its ``problem`` says why.
        """
        from ..sources import listed

        found = {known.name.casefold(): known for known in [self._local, *self._records.list(self._owner)]}
        for other in listed():
            found.setdefault(other.name.casefold(), other)
        return [self._located(each) for each in found.values()]

    def get(self, name: str) -> Connection:
        """Return the connection called ``name``.

        Raises
        ------
        UnknownConnection
        ConfigError
            It is there and cannot be used.
        """
        found = self._find(name)
        if found is None:
            known = [LOCAL, *self._objects, *(c.name for c in self.list())]
            raise UnknownConnection(
                f"There is no connection {name!r}.",
                hint=nearest(name, known, noun="connections")
                + " Add one with %aiser connect <url> --alias NAME.",
            )
        if found.problem:
            raise ConfigError(f"{name} cannot be used: {found.problem}")
        return found

    def with_id(self, id: str) -> Connection:
        """Return the connection of an id, one that cannot be used too. Raises `UnknownConnection`."""
        found = next((known for known in self.list() if known.id == id), None)
        if found is None:  # in words that are the same for another person's, and for none at all
            raise UnknownConnection("There is no such connection.", hint="It may have been removed.")
        return found

    def _find(self, name: str) -> Connection | None:
        from ..sources import listed

        if name == LOCAL:
            return self._local
        if name in self._objects:
            return self._objects[name]
        saved = self._records.get(self._owner, name)
        found = saved or next((other for other in listed() if other.name == name), None)
        return None if found is None else self._located(found)

    def kind(self, type: str) -> Connector:
        """Return the connector of a type: its fields, and which of them are secret. Raises `ConfigError`."""
        from ..connectors.registry import connector

        return connector(type)

    def where(self, connection: Connection) -> str:
        """Say in a few words where a connection leads."""
        from ..connectors.registry import connectors
        from ..render import place

        kind = connectors().get(connection.type)  # None where it is of another version, or broken
        return place(connection, kind.url_parts) if kind else place(connection)

    def kinds(self) -> Sequence[Connector]:
        """Return the connectors that a connection can be written down for, by type."""
        from ..connectors.registry import connectors

        fields = {kind: {field.kind for field in kind.fields} for kind in connectors().values()}
        return [kind for kind, used in fields.items() if "object" not in used]

    def draft(self, name: str, type: str, values: Mapping[str, Any], url: str = "") -> ConnectionConfig:
        """Return the checked fields of a connection that is not saved yet.

        Parameters
        ----------
        type : str
            A connector's, or another word for it; "" where there is a ``url``.
        url : str
            Is taken apart into fields; those in ``values`` are stronger.

        Raises
        ------
        ConfigError
        """
        from ..sources.values import checked, kind_of, type_of

        if url:
            read = self.parse_url(url, name)
            if type and type_of(type) != read.type:
                raise ConfigError(f"The URL is of type {read.type}, not {type[:40]!r}.")
            type, values = read.type, {**read.values, **values}
        kind = kind_of(type_of(type))
        return ConnectionConfig(kind.type, name, checked(kind, values))

    def same(self, config: ConnectionConfig) -> Connection | None:
        """Return the saved connection of this name if it differs in its secrets at most; else None."""
        kind = self.kind(config.type)
        known = self._records.get(self._owner, config.name)
        if known is None or known.type != config.type:
            return None
        plain = _without(kind.validate(config.values), kind)
        return known if _without(known.config.values, kind) == plain else None

    # -- saving ---------------------------------------------------------------------------------------

    def create(self, config: ConnectionConfig, *, tested: bool = True) -> Connection:
        """Validate, test and save a connection; the test's first failure is raised and nothing is saved.

        The same connection again, as when a notebook is run twice, is the one that is there.

        Parameters
        ----------
        tested : bool
            False saves it unseen, as an import of many does.

        Raises
        ------
        ConfigError
        """
        kind = self.kind(config.type)
        values = kind.validate(config.values)
        try:
            kind.require_secrets(values)
        except SignInRequired:
            if tested:  # what is saved unseen is signed in to in the panel, later
                raise
        config = ConnectionConfig(config.type, config.name, values)
        if tested:
            kind.prepare(self._placed(config))
            self._require_working(config)
        known = self._records.get(self._owner, config.name)
        if known is not None and known.config == config:
            return known
        return self._records.add(
            self._owner, config, kind.destination(values), kind.secret_fields, datetime.now(UTC)
        )

    def change(self, name: str, values: Mapping[str, Any], *, new_name: str = "") -> Connection:
        """Change fields of a saved connection, once it was tested with them.

        A field that is not named keeps its value, None removes it. Where the connection would lead to another
        server, or be protected in another way, its secrets have to be given again: a saved one is not sent
        anywhere but to where it was saved for.

        Raises
        ------
        UnknownConnection
        ConfigError
            Nothing is changed.
        """
        config = self.changed(name, values, new_name)
        self._require_working(config)
        kind, wanted = self.kind(config.type), config.values
        values = kind.renamed(values)
        kept = {field for field in kind.secret_fields & wanted.keys() if field not in values}
        saved = {field: value for field, value in wanted.items() if field not in kept}
        gone = {field: None for field in kind.secret_fields if field in values and field not in wanted}
        destination = kind.destination(wanted)
        config = ConnectionConfig(config.type, config.name, {**saved, **gone})
        return self._records.change(self._owner, name, config, destination, kind.secret_fields)

    def changed(self, name: str, values: Mapping[str, Any], new_name: str = "") -> ConnectionConfig:
        """Return a saved connection as it would be with ``values``. Raises as `change`."""
        from ..sources.values import checked

        known = self.get(name)
        if known.source != "store":
            raise ConfigError(f"{name} is not yours to change: it comes from the {_origin(known)}.")
        kind = self.kind(known.type)
        values = kind.renamed(values)
        wanted = checked(kind, {**known.config.values, **values})
        kept = {field for field in kind.secret_fields & wanted.keys() if field not in values}
        if kept and kind.destination(wanted) != kind.destination(known.config.values):
            raise ConfigError(
                f"{name} would lead somewhere else: give the secret again ({', '.join(sorted(kept))}).",
                hint="A saved secret is sent only to where it was saved for.",
            )
        return ConnectionConfig(known.type, new_name or name, wanted)

    def delete(self, name: str) -> None:
        """Forget a saved connection, or an object of the notebook.

        Raises
        ------
        UnknownConnection
        UsageError
            It is not one's own.
        """
        if name == LOCAL:
            raise UsageError("local is always there; it cannot be removed.")
        if self._objects.pop(name, None) is not None:
            return
        found = next((known for known in self.list() if known.name == name), None)
        if found is not None and found.source != "store":
            raise UsageError(f"{name} is not yours to remove: it comes from the {_origin(found)}.")
        self._records.delete(self._owner, name)

    def read_file(self, path: str | Path, format: str | None = None) -> Sequence[Imported]:
        """Read the connections of another tool's file; nothing is saved. Raises `ConfigError`."""
        from ..sources.importing import import_connections

        return import_connections(path, format)

    def rotate_key(self) -> Rotation:
        """Seal every saved secret of this store with a new key. Raises `SecretError`, `StoreError`."""
        return self._records.rotate()

    # -- objects of the notebook ----------------------------------------------------------------------

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
        connection = Connection(f"object-{id(obj):x}", self._owner, config, source="object", handle=obj)
        self._objects[name] = connection
        return connection

    # -- testing --------------------------------------------------------------------------------------

    def test(self, name: str) -> tuple[Check, ...]:
        """Try a connection step by step; a failed step ends the test, and is a `Check`, not an error."""
        return self._checks(self.get(name).config)

    def try_out(self, config: ConnectionConfig) -> tuple[Check, ...]:
        """Try a connection that is not saved, step by step, as `test` does. Raises `ConfigError`."""
        return self._checks(config)

    def try_change(self, name: str, values: Mapping[str, Any]) -> tuple[ConnectionConfig, tuple[Check, ...]]:
        """Try a connection with some fields changed; nothing is saved. Raises as `change`.

        Without a change any connection is tried, the administrator's too.
        """
        config = self.changed(name, values) if values else self.get(name).config
        return config, self._checks(config)

    def parse_url(
        self,
        url: str,
        alias: str,
        *,
        insecure: bool = False,
        ca: str | Path | None = None,
        profiles: bool = False,
    ) -> ConnectionConfig:
        """Read a URL such as ``duckdb:///shop.duckdb`` into allow-listed fields; it is never passed on.

        Parameters
        ----------
        insecure : bool
            Go without TLS.
        ca : str or Path, optional
            File with the certificate of the server's authority; its text is kept, not its name.
        profiles : bool
            Whether ``profile=NAME`` may read the user's own files of AWS; never for a request.

        Raises
        ------
        ConfigError
            A malformed URL, an unknown type, or an option that is not allowed.
        UsageError
            The file cannot be read.
        """
        from ..sources.url import parse_url

        config = parse_url(url, alias, profiles=profiles)
        extra: dict[str, Any] = {"ssl_enabled": False} if insecure else {}
        if ca:
            try:
                extra["ssl_ca"] = Path(ca).expanduser().read_text()
            except (OSError, UnicodeDecodeError) as exc:
                raise UsageError(f"The certificate file {str(ca)!r} cannot be read: {exc}") from exc
        return ConnectionConfig(config.type, alias, {**config.values, **extra})

    def _require_working(self, config: ConnectionConfig) -> None:
        for check in self._checks(config):
            if not check.ok:
                raise ConfigError(
                    f"{config.name} was not saved: {check.name} failed. {check.message}", hint=check.hint
                )

    def _checks(self, config: ConnectionConfig) -> tuple[Check, ...]:
        services = self._services
        run = Run("test", timeout=services.settings.preferences.timeout or None)
        future = services.executor.submit(run, lambda: _graded(self._placed(config), run))
        return services.executor.wait(future, run)


def _without(values: Mapping[str, Any], kind: Connector) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in kind.secret_fields}


def _origin(connection: Connection) -> str:
    return {"admin": "administrator's file", "environment": "environment"}.get(
        connection.source, connection.source
    )


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
