"""Any PEP 249 connection as a `Session`.

The standard leaves open what matters most here, so the rules are ours:

- the driver's module is the nearest package of the connection's class that declares ``paramstyle``;
- one statement at a time on a connection, whoever asks: most drivers may not be shared between threads;
- the transaction belongs to whoever made the connection. Nothing is committed or rolled back; a write that
  is left in an open transaction says so;
- a statement is stopped with whatever the driver offers (``interrupt``, ``cancel_safe``, ``cancel``). Where
  it offers nothing the rows are no longer read, and the cancellation is reported as unconfirmed.
"""

from __future__ import annotations

import contextlib
import re
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import (
    AiserError,
    ConnectError,
    DataError,
    EngineUnavailable,
    MultipleStatements,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    StatementError,
    UnknownColumn,
    UnknownTable,
)
from ..models import Notice, Table, TableRef
from ..sql.scan import Token, scan
from .base import Parameters, Session
from .rows import Declare, read_rows
from .turn import turn_of

if TYPE_CHECKING:
    import pyarrow as pa

    from ..run import Run

__all__ = [
    "DBAPISession",
    "ObjectSession",
    "bind",
    "can_cancel",
    "declaration",
    "driver_module",
    "no_rows",
    "stop",
    "translate",
    "translated",
]


class ObjectSession(Session):
    """A session on an object of the notebook, which lists its own tables where it can."""

    @abstractmethod
    def tables(self, schema: str | None) -> list[Table]:
        """List tables and views. Raises `EngineUnavailable` where the driver has no way to ask."""

    @abstractmethod
    def columns(self, table: TableRef) -> Table:
        """Describe one table. Raises `UnknownTable`, `EngineUnavailable`."""


class DBAPISession(ObjectSession):
    """One statement at a time on somebody's PEP 249 connection; closing it leaves the connection open."""

    def __init__(self, connection: Any, dialect: str = "") -> None:
        self._connection = connection
        self._dialect = dialect
        self._module = driver_module(connection)
        self._turn = turn_of(connection)
        self._cursor: Any = None

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        self._turn.take(self, run)
        before = getattr(self._connection, "in_transaction", None)
        style = getattr(self._module, "paramstyle", "qmark")
        text, values = bind(sql, parameters, style, self._dialect)
        with translated(self._module, run):
            self._cursor = self._connection.cursor()
            self._cursor.execute(text, values) if values else self._cursor.execute(text)
            description = self._cursor.description
        if notice := _left_open(self._connection, before, wrote=description is None):
            run.emit(notice)
        if description is None:
            return no_rows(self._cursor.rowcount, run)
        return read_rows(description, self._fetcher(run), run, declaration(self._module))

    def _fetcher(self, run: Run) -> Callable[[int], Sequence[Sequence[Any]]]:
        cursor = self._cursor

        def fetch(size: int) -> Sequence[Sequence[Any]]:
            if run.cancelled and not can_cancel(self._connection, cursor):
                raise QueryCancelled(
                    "The query was cancelled; its driver has no way to tell the database.", confirmed=False
                )
            with translated(self._module, run):
                rows: Sequence[Sequence[Any]] = cursor.fetchmany(size)
            return rows

        return fetch

    def cancel(self) -> None:
        if self._cursor is not None:
            stop(self._connection, self._cursor)

    def close(self) -> None:
        cursor, self._cursor = self._cursor, None
        try:
            if cursor is not None:
                # A cursor whose connection is gone cannot be closed and need not be.
                with contextlib.suppress(Exception):
                    cursor.close()
        finally:
            self._turn.give_back(self)

    def tables(self, schema: str | None) -> list[Table]:
        raise EngineUnavailable(
            f"{self._module.__name__} connections do not list their tables in a common way.",
            hint="Ask the database's own catalog, or hand over an SQLAlchemy engine.",
        )

    def columns(self, table: TableRef) -> Table:
        self.tables(None)
        raise AssertionError("unreachable")


def driver_module(connection: object) -> ModuleType:
    """Return the module with the PEP 249 globals of ``connection``; its class's own where none has them."""
    name = type(connection).__module__
    own = sys.modules[name]
    while name:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "paramstyle"):
            return module
        name = name.rpartition(".")[0]
    return own


_PLACEHOLDERS = {
    "qmark": "?",
    "numeric": ":{place}",
    "named": ":{name}",
    "format": "%s",
    "pyformat": "%({name})s",
}


def bind(sql: str, parameters: Parameters, style: str, dialect: str = "") -> tuple[str, Any]:
    """Write the ``$x`` placeholders of ``sql`` in the driver's style, with the values to bind.

    Literals, quoted names and comments are left alone; so is a ``$x`` that is not among ``parameters``. A
    statement without parameters is not touched at all.

    Parameters
    ----------
    style : str
        ``qmark``, ``numeric``, ``named``, ``format`` or ``pyformat``, as PEP 249 has them.
    dialect : str
        sqlglot's name; tells what is a literal, a quoted name and a comment.

    Examples
    --------
    >>> bind("SELECT $a, '$a', $b, $a", {"a": 1, "b": 2}, "qmark")
    ("SELECT ?, '$a', ?, ?", [1, 2, 1])
    >>> bind("SELECT $a, 7 % 2, $a", {"a": 1}, "pyformat")
    ('SELECT %(a)s, 7 %% 2, %(a)s', {'a': 1})
    """
    if not parameters:
        return sql, None
    if not isinstance(parameters, Mapping):
        return sql, list(parameters)
    values = dict(parameters)
    listed: list[Any] = []
    order = {name: position for position, name in enumerate(values, start=1)}
    percent = style in ("format", "pyformat")

    def written(token: Token) -> str:
        name = token.text[1:]
        if token.text[0] != "$" or name not in values:
            return token.text.replace("%", "%%") if percent else token.text
        listed.append(values[name])
        return _PLACEHOLDERS[style].format(name=name, place=order[name])

    text = "".join(map(written, scan(sql, dialect)))
    if style in ("qmark", "format"):
        return text, listed
    return text, list(values.values()) if style == "numeric" else values


def no_rows(count: int, run: Run) -> pa.RecordBatchReader:
    """Return a reader without columns for a statement without a result, and say how many rows it changed."""
    import pyarrow as pa

    if count >= 0:
        run.emit(Notice("rows_changed", f"{count:,} rows changed." if count != 1 else "1 row changed."))
    return pa.RecordBatchReader.from_batches(pa.schema([]), iter(()))


def can_cancel(connection: Any, cursor: Any) -> bool:
    """Say whether the driver can stop a running statement from another thread."""
    return _stopper(connection, cursor) is not None


def stop(connection: Any, cursor: Any) -> None:
    """Ask the database to stop what runs on ``connection``, where the driver can."""
    stopper = _stopper(connection, cursor)
    if stopper is not None:
        # The statement may have ended, and its connection closed, since the cancel was asked for.
        with contextlib.suppress(Exception):
            stopper()


def _stopper(connection: Any, cursor: Any) -> Callable[[], object] | None:
    for owner, names in (
        (connection, ("interrupt", "cancel_safe", "cancel", "adbc_cancel")),
        (cursor, ("cancel", "adbc_cancel")),
    ):
        for name in names:
            stopper = getattr(owner, name, None)
            if callable(stopper):
                return stopper  # type: ignore[no-any-return]
    return None


def _left_open(connection: Any, before: bool | None, *, wrote: bool) -> Notice | None:
    """Say so where a statement left a transaction open that its connection's owner must end."""
    after = getattr(connection, "in_transaction", None)
    if isinstance(after, bool):
        left = after and not before
    else:
        left = wrote and getattr(connection, "autocommit", None) is not True
    if not left:
        return None
    return Notice("open_transaction", "The change is not committed: commit() on the connection keeps it.")


def declaration(module: ModuleType) -> Declare:
    """Read types from ``cursor.description``: Python's own, or the two type objects of PEP 249 that name one
    Arrow type each (NUMBER and DATETIME name several)."""
    objects = [(getattr(module, name, None), type_) for name, type_ in (("STRING", str), ("BINARY", bytes))]

    def declare(entry: Sequence[Any]) -> type | None:
        code = entry[1]
        if code is None or isinstance(code, type):
            return code
        return next((type_ for known, type_ in objects if known is not None and known == code), None)

    return declare


@contextlib.contextmanager
def translated(module: ModuleType, run: Run | None = None) -> Iterator[None]:
    """Raise the driver's exceptions as ours; those of a cancelled run as its reason to stop."""
    try:
        yield
    except AiserError:
        raise
    except Exception as exc:
        if run is not None and run.cancelled:
            raise run.stopped() from exc
        raise translate(exc, module.__name__) from exc


_NO_TABLE = re.compile(r"no such table|(table|relation|view) .*(does not|doesn't) exist|unknown table", re.I)
_NO_COLUMN = re.compile(r"no such column|column .*does not exist|unknown column", re.I)
_SYNTAX = re.compile(r"syntax error|unrecognized token|incomplete input|error in your sql syntax", re.I)
_STANDARD: dict[str, type[AiserError]] = {
    "IntegrityError": DataError,
    "DataError": DataError,
    "ProgrammingError": StatementError,
    "NotSupportedError": StatementError,
    "InterfaceError": ConnectError,
    "OperationalError": QueryFailed,
}


def translate(exc: Exception, driver: str, message: str = "") -> AiserError:
    """Turn a PEP 249 driver's exception into one of ours, by its message, then by the standard's class."""
    text = message or str(exc) or type(exc).__name__
    if "SQLite objects created in a thread" in text:
        return ConnectError(
            "This sqlite3 connection works only in the thread that made it; queries run in another one.",
            hint="Make it with sqlite3.connect(..., check_same_thread=False).",
        )
    if "one statement at a time" in text:
        return MultipleStatements(
            "sqlite3 runs one statement at a time.", hint="Put each statement in a cell of its own."
        )
    if _NO_TABLE.search(text):
        return UnknownTable(text)
    if _NO_COLUMN.search(text):
        return UnknownColumn(text)
    if _SYNTAX.search(text):
        return QuerySyntaxError(text)
    if "database is locked" in text:
        return QueryFailed(text, hint="Another connection writes to it: commit there, then try again.")
    names = {base.__name__ for base in type(exc).__mro__}
    kind = next((ours for name, ours in _STANDARD.items() if name in names), QueryFailed)
    return kind(f"{driver}: {text}")
