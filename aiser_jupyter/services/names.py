"""What the tables of a statement are: of its own connection, of another one, a file or a DataFrame.

In a cell of ``local`` a name that begins with a connection's is a table of that connection, unless DuckDB
itself has a schema or a database of that name, which wins and is said. In a cell that names a connection
every table is that connection's; what can only be something else is refused before it runs, with what to
write.

Databases are asked in a worker, and only where a statement gives reason to.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from ..errors import AiserError, ConnectError, RunError, StoreError, UnknownConnection, UnknownTable
from ..models import LOCAL, Connection, Notice, Remote, Scope, StatementKind, Table, TableRef
from ..run import Event, Progress, Run

if TYPE_CHECKING:
    from ..sql import Statement
    from . import Services

__all__ = ["Names", "resolve"]

T = TypeVar("T")
_OWN = frozenset({"main", "temp", "memory", "system", "information_schema", "pg_catalog"})
"""Schemas and databases that DuckDB always has: no connection is looked for under these names."""
_LOCAL_NAMES = (
    "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()"
    " UNION SELECT database_name FROM duckdb_databases() WHERE NOT internal"
)


@dataclass(frozen=True, slots=True)
class Names:
    """``remotes`` and ``tables`` as in `Scope`; ``notices`` say what hid what."""

    remotes: Mapping[str, Remote] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


def resolve(services: Services, statement: Statement, scope: Scope, run: Run, pin: str | None) -> Names:
    """Find out what the tables of ``statement`` are.

    Parameters
    ----------
    scope : Scope
        Its connection and frames; what is found is not yet in it.
    pin : str, optional
        The engine asked for: only ``duckdb`` reads the tables of a connection from here.

    Raises
    ------
    UnknownTable
        A table that its connection does not have.
    AiserError
        A connection could not be asked.
    """
    if scope.connection.id == LOCAL:
        return _of_local(services, statement, scope, run)
    if not (pin == "duckdb" and scope.connection.type == "duckdb"):  # that one reads frames and files as well
        _refuse_strangers(services, statement, scope, run)
    if pin == "duckdb" and scope.connection.type != "duckdb" and statement.kind is StatementKind.READ:
        return Names(_described(services, {ref: (scope.connection, ref) for ref in statement.tables}, run))
    return Names()


def _of_local(services: Services, statement: Statement, scope: Scope, run: Run) -> Names:
    try:
        found = {ref: _remote_name(services, ref) for ref in statement.tables}
    except StoreError as exc:  # a table of DuckDB itself is read without the store
        return Names(notices=(Notice("connections", f"The saved connections are not known: {exc.message}"),))
    meant = {ref: remote for ref, remote in found.items() if remote is not None}
    if not meant:
        return Names()
    own = _asked(services, run, lambda child: _local_names(scope.connection))
    hidden = {ref.catalog or ref.schema or "" for ref in meant}
    hidden = {name for name in hidden if name.casefold() in own}
    notices = tuple(
        Notice("hidden_connection", f"{name} is DuckDB's own schema or database, not the connection.")
        for name in sorted(hidden)
    )
    meant = {ref: found for ref, found in meant.items() if (ref.catalog or ref.schema) not in hidden}
    if not meant:
        return Names(notices=notices)
    remotes = _described(services, meant, run)
    others = [ref for ref in statement.tables if ref not in meant]
    tables = _own_tables(services, others, scope, run)
    sizes = services.catalog.statistics(statement, scope)
    sized = {
        name: replace(table, statistics=sizes.get(name, table.statistics)) for name, table in tables.items()
    }
    return Names(remotes, sized, notices)


def _remote_name(services: Services, ref: TableRef) -> tuple[Connection, TableRef] | None:
    """Return the connection that a dotted name begins with, and the rest of the name."""
    first = ref.catalog or ref.schema
    if first is None or ref.is_file or first.casefold() in _OWN:
        return None
    connection = _connection(services, first)
    if connection is None or connection.id == LOCAL:
        return None
    return connection, TableRef(ref.name, ref.schema if ref.catalog else None)


def _connection(services: Services, name: str) -> Connection | None:
    """Return the connection of a name; as in SQL, small and capital letters are the same."""
    try:
        return services.connections.get(name)
    except UnknownConnection:
        folded = [one for one in services.connections.list() if one.name.casefold() == name.casefold()]
        return folded[0] if len(folded) == 1 else None


def _described(
    services: Services, meant: Mapping[TableRef, tuple[Connection, TableRef]], run: Run
) -> dict[str, Remote]:
    """Describe the tables of each connection, in one session each."""
    by_connection: dict[str, tuple[Connection, list[TableRef]]] = {}
    for connection, ref in meant.values():
        by_connection.setdefault(connection.id, (connection, []))[1].append(ref)

    def describe(child: Run) -> dict[tuple[str, TableRef], Remote]:
        found = {}
        for connection, refs in by_connection.values():
            for ref, remote in _of_connection(services, connection, refs, child).items():
                found[connection.id, ref] = remote
        return found

    remotes = _asked(services, run, describe)
    return {str(written): remotes[connection.id, ref] for written, (connection, ref) in meant.items()}


def _of_connection(
    services: Services, connection: Connection, refs: list[TableRef], run: Run
) -> dict[TableRef, Remote]:
    """Describe tables of one connection; a name that is not there is looked for in small letters.

    ``Orders`` without quotes means ``orders``, to DuckDB as to PostgreSQL, and the quotes are not known here.
    """
    ask = services.catalog.describe_tables
    try:
        tables = ask(connection, refs, run)
        return {ref: Remote(connection, ref, tables[str(ref)]) for ref in refs}
    except UnknownTable:
        small = {
            ref: replace(ref, name=ref.name.lower(), schema=ref.schema and ref.schema.lower()) for ref in refs
        }
        if all(ref == other for ref, other in small.items()):
            raise
        found = {}
        for ref, other in small.items():
            try:
                found[ref] = Remote(connection, ref, ask(connection, [ref], run)[str(ref)])
            except UnknownTable:
                if ref == other:
                    raise
                found[ref] = Remote(connection, other, ask(connection, [other], run)[str(other)])
        return found


def _own_tables(services: Services, refs: list[TableRef], scope: Scope, run: Run) -> dict[str, Table]:
    """Describe DataFrames, files and tables of ``local``; one that is not there is left out."""
    from ..frames import frame_columns, frame_statistics

    frames = {name.casefold(): frame for name, frame in scope.frames.items()}
    found: dict[str, Table] = {}
    rest: list[TableRef] = []
    for ref in refs:
        frame = frames.get(ref.name.casefold()) if ref.schema is None else None
        if frame is None:
            rest.append(ref)
            continue
        found[str(ref)] = Table(ref.name, "frame", None, frame_columns(frame), frame_statistics(frame))

    def describe(child: Run) -> None:
        from ..connectors.registry import connector

        kind = connector(scope.connection.type)
        session = kind.open(scope.connection.config, read_only=True)
        try:
            with child.on_cancel(session.cancel):
                for ref in rest:
                    try:
                        table = kind.columns(session, ref)
                        size = table.statistics if ref.is_file else kind.statistics(session, ref)
                        found[str(ref)] = replace(table, statistics=size)
                    except UnknownTable:
                        continue  # DuckDB says so itself, with a hint, when it runs the statement
        finally:
            session.close()

    if rest:
        _asked(services, run, describe)
    return found


def _local_names(connection: Connection) -> frozenset[str]:
    from ..connectors.duckdb import DuckDBConnector

    session = DuckDBConnector().open(connection.config)
    try:
        return frozenset(name.casefold() for (name,) in session.rows(_LOCAL_NAMES))
    finally:
        session.close()


def _refuse_strangers(services: Services, statement: Statement, scope: Scope, run: Run) -> None:
    """Refuse a DataFrame, a file or another connection's table in a cell that names a connection.

    A table of the connection wins over each of them; only a name that could be one of them costs a question.
    """
    if statement.kind is not StatementKind.READ:
        return
    strange = {ref: what for ref in statement.tables if (what := _stranger(services, ref, scope))}
    for ref, what in strange.items():
        name = scope.connection.name
        try:
            _described(services, {ref: (scope.connection, ref)}, run)
        except (RunError, ConnectError):
            raise
        except UnknownTable as exc:
            raise UnknownTable(
                f"{ref} is {what}, which {name} does not know.",
                hint=f"Leave {name} out of the cell's first line, write DuckDB's SQL, and name its tables"
                f" {name}.schema.table.",
            ) from exc
        except AiserError:
            continue  # it has no catalog, or not for this user: the database itself says what it knows
        if what == "a DataFrame":
            run.emit(Notice("hidden_frame", f"{ref} is the table of {name}, not the DataFrame."))


def _stranger(services: Services, ref: TableRef, scope: Scope) -> str:
    """Say what a table may be besides one of the connection; "" where it can be nothing else."""
    from ..connectors.files import is_data_file

    if ref.schema is None:
        if any(name.casefold() == ref.name.casefold() for name in scope.frames):
            return "a DataFrame"
        ours = ref.is_file or scope.connection.type == "duckdb"  # DuckDB reads a file wherever it runs
        return "a file" if not ours and is_data_file(ref.name) else ""
    other = _connection(services, ref.catalog or ref.schema or "")
    if other is None or other.id in (LOCAL, scope.connection.id):
        return ""
    return f"a table of the connection {other.name}"


def _asked(services: Services, run: Run, work: Callable[[Run], T]) -> T:
    """Run ``work`` in a worker, under the deadline and the cancel signal of ``run``; its progress is told."""

    def emit(event: Event) -> None:
        if isinstance(event, Progress):
            run.emit(event)

    child = Run(uuid.uuid4().hex, timeout=run.remaining, emit=emit, tag=run.tag)
    with run.on_cancel(child.cancel):
        future = services.executor.submit(child, lambda: work(child))
        try:
            return services.executor.wait(future, child)
        except AiserError:
            run.check()
            raise
