"""The seam to a database: ``Connector`` opens a ``Session``; a session runs one statement at a time.

A driver is imported only in this folder, and only when a session is opened. What differs between databases
is declared (``fields``, ``capabilities``, ``dialect``) or a small override in the connector's own file.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import AiserError, ConfigError, EngineUnavailable, QueryFailed, nearest
from ..models import Availability, ConnectionConfig, Estimate, Statistics, Table, TableRef
from ..secret import Secret

if TYPE_CHECKING:
    import pyarrow as pa

    from ..run import Run
    from .state import WarehouseState

__all__ = ["Capabilities", "Connector", "Field", "Parameters", "Session", "Stage"]

Parameters = Mapping[str, Any] | Sequence[Any]
"""Bound values: by name or by position, as the connector's ``capabilities.paramstyle`` says."""


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field of a connection: draws the form, validates, and says what is secret.

    ``kind`` is ``text``, ``document`` (text of several lines), ``integer``, ``boolean``, ``path``,
    ``choice``, ``pem`` (the text of certificates) or ``sign_in`` (see `oauth`). ``choices`` is how a person
    reads each value. ``routing`` marks a field that decides where the connection goes, or how it is
    protected: a secret is sealed for that destination. The value of a ``secret`` field is a `Secret`.
    ``when`` is another field, and its values for which this one is there: ``("sign_in", "iam")``; alone, any.
    """

    name: str
    label: str
    kind: str = "text"
    required: bool = False
    secret: bool = False
    routing: bool = False
    default: Any = None
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    help: str = ""
    when: tuple[str, ...] = ()

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Say whether the field is there, beside the other ``values``."""
        name, *those = self.when or ("",)
        return not name or (values.get(name) in those if those else bool(values.get(name)))


@dataclasses.dataclass(frozen=True, slots=True)
class Capabilities:
    """What a database can do, as data."""

    paramstyle: str = "named"  # named ($x) · pyformat (%(x)s) · qmark (?)
    cancel: bool = True
    read_only: bool = False
    streaming: bool = True
    catalogs: bool = False
    schemas: bool = True
    wakes: bool = False  # a statement starts a machine that costs money: no idle question may be one


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """One step of a connection test. ``run`` returns what to say of it, or raises an `AiserError`."""

    name: str
    run: Callable[[], str]


class Session(ABC):
    """One open driver connection. Only ``cancel`` and ``abort`` may be called from another thread."""

    @abstractmethod
    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        """Run one statement and stream its rows.

        Parameters
        ----------
        sql : str
            One statement in the connector's dialect, placeholders in its ``paramstyle``.
        parameters : mapping or sequence
            Bound by the driver, never pasted.
        run : Run
            Deadline, cancel signal, events.

        Returns
        -------
        pyarrow.RecordBatchReader
            A stable schema from declared types, whatever the number of rows. A statement without a result
            gives an empty schema. Iterating raises translated errors only.

        Raises
        ------
        AiserError
        """

    @abstractmethod
    def cancel(self) -> None:
        """Ask the database to stop the running statement; harmless where none runs."""

    def abort(self) -> None:
        """Cut the connection where the database no longer answers."""
        self.cancel()

    @abstractmethod
    def close(self) -> None:
        """Give everything back. Safe to call twice."""


class Connector(ABC):
    """Speaks to one kind of database through its real driver. Stateless; one instance serves all."""

    type: ClassVar[str]
    label: ClassVar[str]
    dialect: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    aliases: ClassVar[Mapping[str, str]] = {}
    """Other words for a field, as requests and files use them: ``{"host": "account"}``."""
    url_parts: ClassVar[tuple[str, ...]] = ("host", "database")
    """Fields that a URL's host, and the parts of its path, stand for: ``type://user@host/database``."""
    capabilities: ClassVar[Capabilities]

    def dialect_of(self, config: ConnectionConfig) -> str:
        """sqlglot's name of the dialect spoken at ``config``; the connector's own by default."""
        return self.dialect

    def paramstyle_of(self, config: ConnectionConfig) -> str:
        """How parameters are written at ``config``; the connector's own by default."""
        return self.capabilities.paramstyle

    @abstractmethod
    def available(self) -> Availability:
        """Say whether the driver is installed, without importing it; ``hint`` is the pip line."""

    def prepare(self, config: ConnectionConfig) -> None:  # noqa: B027 - most have nothing to make
        """Make what a new connection needs before it is tested and saved; nothing by default."""

    @abstractmethod
    def open(self, config: ConnectionConfig, *, read_only: bool = False) -> Session:
        """Open a session.

        Raises
        ------
        ConnectError, DataError
            With a hint that says what to do.
        """

    def open_for(self, run: Run, config: ConnectionConfig, *, read_only: bool = False) -> Session:
        """`open` for a run, which may wait longer than a login where the database has to start first."""
        return self.open(config, read_only=read_only)

    @property
    def secret_fields(self) -> frozenset[str]:
        """Names of the fields whose values are `Secret`."""
        return frozenset(field.name for field in self.fields if field.secret)

    def destination(self, values: Mapping[str, Any]) -> str:
        """Return where ``values`` lead, in one normal form: what a secret is sealed for.

        Two sets of values have the same destination only where they name the same server, reached and
        protected in the same way.
        """
        parts = {field.name: values.get(field.name, field.default) for field in self.fields if field.routing}
        if isinstance(host := parts.get("host"), str):
            parts["host"] = host.strip().casefold()
        return json.dumps({"type": self.type, **parts}, sort_keys=True)

    def stages(self, config: ConnectionConfig, run: Run) -> Generator[Stage]:
        """Return the steps of a connection test, in order; each is run only if those before it passed.

        By default the driver, a session, a statement and a listing.
        """
        return _stages(self, config, run)

    def state(self, config: ConnectionConfig, seconds: float) -> WarehouseState | None:
        """Find out whether the database answers, and what its warehouse does; None where it has none.

        By default the smallest statement, on a session of its own. Raises `AiserError`.
        """
        from ..run import Run

        run = Run("health", timeout=seconds, tag="health")
        session = self.open(config, read_only=self.capabilities.read_only)
        with closing(session), run.on_cancel(session.cancel), session.execute("SELECT 1", {}, run) as reader:
            reader.read_all()
        return None

    def state_is_free(self, config: ConnectionConfig) -> bool:
        """Say whether `state` may be asked again and again: it starts nothing that costs money."""
        return not self.capabilities.wakes

    def waiting(self, config: ConnectionConfig, run: Run) -> AbstractContextManager[None]:
        """Tell ``run`` what the block waits for; nothing where the session tells it by itself."""
        return nullcontext()

    def stop(self, config: ConnectionConfig, handle: str) -> bool:
        """Stop a statement of another process by the handle that its run reported.

        Returns
        -------
        bool
            True where the statement is known to have ended; False where this database has no handles.

        Raises
        ------
        ConnectError
        """
        return False

    def databases(self, session: Session) -> list[str]:
        """List the databases that the user may look into; empty where there is only this one."""
        return []

    def schemas(self, session: Session) -> list[str]:
        """List schemas, those of the database itself left out."""
        return sorted({table.schema for table in self.tables(session) if table.schema})

    def describe(self, session: Session, schema: str | None = None) -> list[Table]:
        """List tables and views with their columns; a database with many needs a query of its own."""
        listed = self.tables(session, schema)
        return [self.columns(session, TableRef(table.name, table.schema)) for table in listed]

    @abstractmethod
    def tables(self, session: Session, schema: str | None = None) -> list[Table]:
        """List tables and views, without their columns; sizes where the database knows them."""

    @abstractmethod
    def columns(self, session: Session, table: TableRef) -> Table:
        """Describe one table. Raises `UnknownTable`."""

    def statistics(self, session: Session, table: TableRef) -> Statistics:
        """Size of one table by a cheap call; unknown by default."""
        return Statistics()

    def expect(self, session: Session, sql: str, parameters: Parameters) -> Estimate | None:
        """What the database itself expects of a statement, without running it; None where it cannot say.

        Asked only where somebody wants to know before the run. Raises `AiserError`.
        """
        return None

    def expected(self, config: ConnectionConfig, sql: str, parameters: Parameters) -> Estimate | None:
        """`expect`, on a session of its own. Raises `AiserError`."""
        with closing(self.open(config, read_only=self.capabilities.read_only)) as session:
            return self.expect(session, sql, parameters)

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        """Turn a driver's exception into one of ours."""
        return QueryFailed(str(exc))

    def secrets_of(self, values: Mapping[str, Any]) -> list[Field]:
        """Return the secret fields that are there, beside the other ``values``."""
        return [field for field in self.fields if field.secret and field.applies(values)]

    def require_secrets(self, values: Mapping[str, Any]) -> None:
        """Say which secret is missing. A URL or a file is read without them: they are asked for later.

        Raises
        ------
        ConfigError
        """
        for field in self.secrets_of(values):
            if field.required and field.name not in values:
                raise ConfigError(f"{self.label} needs {field.name!r} ({field.label}).")

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``values`` with defaults filled in and types checked; secrets may still be missing.

        Raises
        ------
        ConfigError
            For a field that is not in ``fields``, is missing, or has the wrong type.
        """
        values = self.renamed(values)
        known = {field.name: field for field in self.fields}
        for name in values:
            if name not in known:
                hint = nearest(name, known, noun="fields")
                raise ConfigError(f"{self.label} has no field {name!r}.", hint=hint)
        checked: dict[str, Any] = {}
        for field in sorted(self.fields, key=lambda field: bool(field.when)):
            if not field.applies(checked):
                if values.get(field.name) not in (None, ""):
                    raise _misplaced(self.label, field)
                continue
            value = values.get(field.name, field.default)
            if value is None or value == "":
                if field.required and not field.secret:
                    raise ConfigError(f"{self.label} needs {field.name!r} ({field.label}).")
                continue
            checked[field.name] = _typed(self.label, field, value)
        return checked

    def renamed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``values`` under the connector's own names; two words for one field are a `ConfigError`."""
        found: dict[str, Any] = {}
        for name, value in values.items():
            own = self.aliases.get(name, name)
            if own in found and found[own] != value:
                raise ConfigError(f"{self.label}: {name!r} is another word for {own!r}, and both are given.")
            found[own] = value
        return found


def _misplaced(label: str, field: Field) -> ConfigError:
    name, *values = field.when
    return ConfigError(
        f"{label}: {field.name!r} is only for {name}{' = ' * bool(values)}{' or '.join(values)}.",
        hint=f"Leave it out, or {'choose another' if values else 'give'} {name}.",
    )


def _stages(kind: Connector, config: ConnectionConfig, run: Run) -> Generator[Stage]:
    """The steps that any connector can take; the session is closed with the iterator."""

    def driver() -> str:
        available = kind.available()
        if not available.ok:
            raise EngineUnavailable(available.reason, hint=available.hint)
        return available.reason

    yield Stage("driver", driver)
    opened: list[Session] = []

    def connect() -> str:
        opened.append(kind.open(config, read_only=kind.capabilities.read_only))
        return "opened"

    def sample() -> str:
        with opened[0].execute("SELECT 1", {}, run) as reader:
            reader.read_all()
        return "SELECT 1 answered"

    def rights() -> str:
        return f"{len(kind.tables(opened[0])):,} tables and views"

    try:
        yield Stage("connect", connect)
        yield Stage("query", sample)
        yield Stage("tables", rights)
    finally:
        for session in opened:
            session.close()


def _absolute(label: str, name: str, value: str) -> str:
    """Return the path that means the same file in another notebook's folder."""
    try:
        path = Path(value).expanduser().absolute()
        os.stat(path)
    except RuntimeError as exc:
        raise ConfigError(f"{label}: {name!r} begins with the home of a user who is not here.") from exc
    except OSError as exc:
        if exc.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise ConfigError(f"{label}: {name!r} cannot be a path: {os.strerror(exc.errno)}.") from exc
    return str(path)


def _typed(label: str, field: Field, value: Any) -> Any:
    if field.secret:
        if not isinstance(value, str | Secret):
            raise ConfigError(f"{label}: {field.name!r} takes text.")
        return value if isinstance(value, Secret) else Secret(value)
    if field.kind == "integer":
        if isinstance(value, bool) or not str(value).removeprefix("-").isdecimal():
            raise ConfigError(f"{label}: {field.name!r} takes a whole number.")
        return int(value)
    if field.kind == "boolean":
        if not isinstance(value, bool):
            raise ConfigError(f"{label}: {field.name!r} takes true or false.")
        return value
    if not isinstance(value, str) or "\0" in value:
        raise ConfigError(f"{label}: {field.name!r} takes text.")
    if field.kind == "pem" and ("-----BEGIN CERTIFICATE-----" not in value or "PRIVATE KEY-----" in value):
        raise ConfigError(
            f"{label}: {field.name!r} takes the text of a certificate, and no key.",
            hint="It begins with -----BEGIN CERTIFICATE-----; it is the content of the file, not its name.",
        )
    if field.kind == "path":
        return _absolute(label, field.name, value)
    if field.kind == "choice" and value not in field.choices:
        raise ConfigError(
            f"{label}: {field.name!r} cannot be {value!r}.",
            hint=nearest(value, field.choices, noun="values"),
        )
    return value
