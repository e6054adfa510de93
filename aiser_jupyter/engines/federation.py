"""What is fetched for a statement over several databases, and how it is joined here.

A plan has one SELECT for each remote table: the columns that the statement needs, and the conditions that
are proven to mean the same there. The statement itself is run whole, by DuckDB, over what was fetched, so
that its answer is DuckDB's by definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..connectors.registry import connector
from ..errors import ResultTooLarge
from ..models import LOCAL, Remote, Statistics, TableRef
from ..sql.conditions import Given, SourceQuery, family_of, provable
from ..sql.federated import Spliced, splice
from ..sql.parameters import quote_identifier
from ..sql.pushdown import Scan, pushdown
from ..sql.semijoin import KeyJoin, key_joins
from ..sql.source_map import Written
from .transfer import Source

if TYPE_CHECKING:
    from ..models import Scope
    from ..sql import Statement

__all__ = ["MOST_KEYS", "Fetch", "Keys", "Plan", "plan"]

WIDTHS = {"whole": 8, "decimal": 16, "float": 8, "date": 4, "timestamp": 8, "uuid": 16, "text": 24, "": 24}
"""Bytes of a value, by how it is compared; a text's are a guess."""
MOST_KEYS = 2_000
"""Values of a small table that a large one is asked for; more are not sent."""
MOST_ROWS_FOR_KEYS = {True: 100_000, False: 1_000_000}
"""Rows of a table that is looked at for its keys, by whether it is remote and so fetched before the other."""
FEWER = 4
"""How many times smaller than the other a table must be to be looked at for its keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The rows of a remote table that matter: whose ``column`` is one of the values that ``sql`` gives here.

    ``other`` is the table with these values, and ``first`` whether it is remote, so fetched before.
    """

    column: str
    family: str
    other: str
    sql: str
    parameters: Mapping[str, Any]
    first: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """One remote table: its SELECT, and how much of the table that is.

    ``bytes`` is what the whole table has in the columns that are needed, None where its size is unknown;
    ``columns`` is how many are needed.
    """

    name: str
    remote: Remote
    query: SourceQuery
    bytes: int | None
    columns: int = 0
    keys: Keys | None = None

    def source(self, values: tuple[Any, ...] | None = None) -> Source:
        """Return what to send, and where; ``values`` are those of `keys`, None where they are not known."""
        query = self.query
        if self.keys is not None and values is not None:
            query = query.limited(self.keys.column, values)
        return Source(self.name, self.remote.connection, query.text(), query.parameters())

    def line(self) -> str:
        """Return the SELECT that the source is sent, without values."""
        text = f"{self.remote.connection.name}: {self.query.text()}"
        if self.keys is None:
            return text
        joiner = "AND" if self.query.conditions else "WHERE"
        few = f"{self.keys.column} IN (those of {self.keys.other}, up to {MOST_KEYS:,})"
        return f"{text} {joiner} {few}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The statement as DuckDB runs it, and what is fetched for it before.

    ``doubt`` is why DuckDB may answer otherwise than the database that the statement is written for, "" where
    it is shown not to. ``strict`` then holds it to that: what cannot be fetched without a loss fails.
    ``written`` leads back to the statement as it was written, for DuckDB's errors.
    """

    text: str
    parameters: Mapping[str, Any]
    once: bool
    fetches: tuple[Fetch, ...]
    joins: bool = False
    doubt: str = ""
    strict: bool = False
    written: Written | None = None

    def reason(self) -> str:
        """Say in a line what is fetched."""
        parts = []
        by_connection: dict[str, list[Fetch]] = {}
        for fetch in self.fetches:
            by_connection.setdefault(fetch.remote.connection.name, []).append(fetch)
        for name, fetches in by_connection.items():
            needed = sum(fetch.columns for fetch in fetches)
            there = sum(len(fetch.remote.table.columns or ()) for fetch in fetches)
            filters = sum(fetch.query.conditions for fetch in fetches)
            detail = f"{needed} of {_counted(there, 'column')}"
            detail += f", {_counted(filters, 'filter')}" if filters else ""
            parts.append(f"{_counted(len(fetches), 'table')} fetched from {name} ({detail})")
        return f"{', '.join(parts)}, {'joined' if self.joins else 'computed'} here"

    def lines(self) -> tuple[str, ...]:
        """Return the SELECT that each source is sent, values left out."""
        return tuple(fetch.line() for fetch in self.fetches)

    def sizes(self) -> dict[str, Statistics]:
        """Return what is fetched of each table, by its name; at most that, where it is filtered."""
        return {
            fetch.name: Statistics(fetch.remote.table.statistics.rows, fetch.bytes, "remote")
            for fetch in self.fetches
        }

    def require_room(self, cap: int | None) -> None:
        """Refuse what is known to be too much. Raises `ResultTooLarge`.

        A table of which only some rows are asked for is not known to be: its bytes are counted as they come.
        """
        from ..render.text import bytes_text

        whole = [fetch for fetch in self.fetches if not fetch.query.conditions and fetch.keys is None]
        known = [fetch for fetch in whole if fetch.bytes]
        total = sum(fetch.bytes or 0 for fetch in known)
        if cap is None or total <= cap:
            return
        largest = max(known, key=lambda fetch: fetch.bytes or 0)
        raise ResultTooLarge(
            f"About {bytes_text(total)} would be fetched, {bytes_text(largest.bytes or 0)} of them from "
            f"{largest.name}; {bytes_text(cap)} is the limit.",
            hint=f"Filter the table, name fewer columns, or allow it with --max-bytes {total}.",
            bytes=total,
        )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def plan(statement: Statement, scope: Scope, *, texts: bool = True) -> Plan:
    """Say what is fetched for ``statement``, and what is run over it.

    Parameters
    ----------
    texts : bool
        False under a ``default_collation``: texts are equal here then that are not equal there.

    Raises
    ------
    UsageError
        The statement writes a remote table.
    QuerySyntaxError
        It is of another dialect, and cannot be said in DuckDB.
    """
    text, doubt = statement.text, ""
    remotes: Mapping[str, Remote] = scope.remotes
    home = scope.connection.id == LOCAL
    if not home:
        text, remotes, doubt = _in_duckdb(statement, scope)
    spliced = _spliced(text, tuple(sorted(remotes)), home)
    remotes = {spliced.names.get(name, name): remote for name, remote in remotes.items()}
    schema = _schema(remotes, scope)
    scans = _scans(spliced.query, schema)
    fetches = {
        name: _fetch(name, one, scans.get(name), statement, texts=texts, star=spliced.star)
        for name, one in remotes.items()
    }
    for join in _joins(spliced.query, schema):
        fetch = fetches.get(join.table)
        if fetch is not None and fetch.keys is None:
            keys = _keys(join, fetch, scans.get(join.other), statement, scope, remotes, texts)
            fetches[join.table] = replace(fetch, keys=keys)
    strict, joins = not home and not doubt, statement.features.joins > 0 or len(statement.tables) > 1
    written = Written(spliced.text, (spliced.source, *statement.sources) if home else None, spliced.said)
    found = tuple(fetches.values())
    return Plan(spliced.text, _values(statement), spliced.once, found, joins, doubt, strict, written)


def _in_duckdb(statement: Statement, scope: Scope) -> tuple[str, Mapping[str, Remote], str]:
    """Translate a statement of the connection's own dialect; its tables are written anew, so is their key."""
    from ..sql import transpile
    from ..sql.portable import to_duckdb, why_not_portable

    dialect = connector(scope.connection.type).dialect_of(scope.connection.config)
    written = statement.parsable or statement.text
    columns = {
        name: {column.name: column.type for column in remote.table.columns or ()}
        for name, remote in scope.remotes.items()
    }
    doubt = why_not_portable(written, dialect, columns, lossless=True) or ""
    text = transpile(written, dialect, "duckdb") if doubt else to_duckdb(written, dialect, columns)
    folded = {name.casefold(): remote for name, remote in scope.remotes.items()}
    tables = _tables(text)
    return (
        text,
        {str(one): scope.remotes.get(str(one)) or folded[str(one).casefold()] for one in tables},
        doubt,
    )


def _tables(text: str) -> tuple[TableRef, ...]:
    """Return the tables of a statement of DuckDB that has its placeholders."""
    from ..sql.meaning import understand

    return understand(text).tables


@lru_cache(maxsize=64)
def _spliced(text: str, names: tuple[str, ...], dotted: bool) -> Spliced:
    refs = {
        table for table in _tables(text) if str(table) in names and (table.schema is not None or not dotted)
    }
    return splice(text, refs)


_Schema = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def _schema(remotes: Mapping[str, Remote], scope: Scope) -> _Schema:
    """Return the columns of every table that is known, by the name it goes by."""
    tables = {**scope.tables, **{name: remote.table for name, remote in remotes.items()}}
    return tuple(
        (name, tuple((column.name, column.type) for column in table.columns or ()))
        for name, table in tables.items()
    )


@lru_cache(maxsize=64)
def _scans(text: str, schema: _Schema) -> dict[str, Scan]:
    return pushdown(text, {name: dict(columns) for name, columns in schema})


@lru_cache(maxsize=64)
def _joins(text: str, schema: _Schema) -> tuple[KeyJoin, ...]:
    return key_joins(text, {name: dict(columns) for name, columns in schema})


def _fetch(
    name: str, remote: Remote, scan: Scan | None, statement: Statement, *, texts: bool, star: bool
) -> Fetch:
    config, kind = remote.connection.config, connector(remote.connection.type)
    dialect = kind.dialect_of(config)
    types = {column.name: column.type for column in remote.table.columns or ()}
    columns = tuple(types) if scan is None or scan.columns is None else scan.columns
    # All of them are asked for as such: a column that was added since is one of them.
    everything = scan is None or scan.columns is None or (star and len(columns) == len(types))
    schema = remote.table.schema if remote.ref.schema else None
    table = tuple(part for part in (schema or remote.ref.schema, remote.table.name) if part)
    query = SourceQuery(dialect, kind.paramstyle_of(config), table, None if everything else columns)
    for condition in scan.conditions if scan else ():
        kind_of_column = types[condition.column]
        values = provable(condition, kind_of_column, _proven(remote, dialect), _values(statement))
        if values is not None and (texts or family_of(kind_of_column, dialect) != "text"):
            query.add(condition, values)
    return Fetch(name, remote, query, _bytes(remote, columns, dialect), len(columns))


def _proven(remote: Remote, dialect: str) -> str:
    """Return the dialect of a database whose types hold; an object of the notebook may be anything."""
    return "" if remote.connection.type == "object" else dialect


def _keys(
    join: KeyJoin,
    fetch: Fetch,
    scan: Scan | None,
    statement: Statement,
    scope: Scope,
    remotes: Mapping[str, Remote],
    texts: bool,
) -> Keys | None:
    """Return how the keys of a smaller table are found; None where they do not help, or are not comparable.

    A text of a table of DuckDB itself is not taken: its column may have a collation of its own.
    """
    other = remotes.get(join.other)
    table = scope.tables.get(join.other) if other is None else other.table
    kind = next(column.type for column in fetch.remote.table.columns or () if column.name == join.column)
    family = family_of(kind, _proven(fetch.remote, fetch.query.dialect))
    if table is None or family not in ("whole", "decimal", "text", "date"):
        return None
    if family == "text" and (not texts or (table.kind == "table" and other is None)):
        return None
    few, many = table.statistics.rows, fetch.remote.table.statistics.rows
    if (
        few is None
        or few > MOST_ROWS_FOR_KEYS[other is not None]
        or (many is not None and few * FEWER > many)
    ):
        return None
    filters = scan.filters if scan else ()
    where = f" WHERE {' AND '.join(filters)}" if filters else ""
    parts = [join.other] if other is not None or table.kind != "table" else _parts(join.other, statement)
    column, source = quote_identifier(join.other_column), quote_identifier(parts)
    sql = f"SELECT DISTINCT {column} FROM {source}{where} LIMIT {MOST_KEYS + 2}"  # noqa: S608 - quoted
    names = {
        value.name
        for one in (scan.conditions if scan else ())
        for value in one.values
        if isinstance(value, Given)
    }
    used = {key: value for key, value in _values(statement).items() if key in names}
    return Keys(join.column, family, join.other, sql, used, other is not None)


def _values(statement: Statement) -> Mapping[str, Any]:
    given = statement.parameters
    return given if isinstance(given, Mapping) else {}


def _parts(name: str, statement: Statement) -> list[str]:
    """Return the parts of a table's name as written; a dot may be part of one."""
    (ref,) = {table for table in statement.tables if str(table) == name}
    return [part for part in (ref.catalog, ref.schema, ref.name) if part]


def _bytes(remote: Remote, columns: tuple[str, ...], dialect: str) -> int | None:
    size = remote.table.statistics
    widths = {column.name: WIDTHS[family_of(column.type, dialect)] for column in remote.table.columns or ()}
    needed = sum(widths[name] for name in columns) or 1
    if size.bytes is not None and widths:
        return size.bytes * needed // sum(widths.values())
    return None if size.rows is None else size.rows * needed
