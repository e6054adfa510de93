"""Does DuckDB answer a statement written for another database as that database does?

A read leaves its own database only where equal results are shown. `why_not_portable` is a whitelist: a
statement passes where each of its parts is one that the tests show to be equal on real servers. All else is
refused, with the reason in plain words.

*Equal* means: the same column names; the same rows, as often, and in the same order where ORDER BY
decides it; numbers equal as numbers whatever their type and scale (2 = 2.00), dates, times and texts equal,
NULL as NULL. No arithmetic is let through that may overflow in either.

The tables must be fetched as they are declared: whole numbers of their width, decimals of their precision,
dates as dates, times without a zone as they read and those with one as instants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import QuerySyntaxError
from ..models import StatementKind, TableRef
from .meaning import understand
from .portable_query import Tables, judge
from .portable_types import SOURCES, Known, NotPortable, Type, declared
from .portable_values import CASTS
from .scan import scan, survey, word_set
from .tree import NotUnderstood, quiet, read_tree

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["to_duckdb", "why_not_portable"]

_MAX_NAME = 63
"""Bytes of a name; PostgreSQL cuts a longer one off."""

_CALLED_BARE = word_set(
    "user current_user session_user system_user current_role current_catalog current_schema current_date"
    " current_time current_timestamp localtime localtimestamp utc_date utc_time utc_timestamp sysdate"
)
"""Words that are functions without parentheses, in one of the databases: as names they need quotes."""

_MYSQL_SIGNS = (
    (re.compile(r'"'), "double quotes: they hold a text, or with sql_mode ANSI_QUOTES a name; write ' or `"),
    (re.compile(r"\|\|"), "||: OR, or with sql_mode PIPES_AS_CONCAT joined texts"),
    (re.compile(r"&&|!(?!=)"), "&& and !: write AND and NOT"),
    (re.compile(r"--"), "-- without a space after it: MySQL reads two minus signs"),
)
_MYSQL_WORDS = (
    (re.compile(r"\btable\b", re.IGNORECASE), "TABLE as a query: MariaDB does not know it"),
    (
        re.compile(r"\bnot\b(?!\s*(\(|in\b|between\b|null\b|exists\b))", re.IGNORECASE),
        "NOT without parentheses: it binds tighter with sql_mode HIGH_NOT_PRECEDENCE",
    ),
    (
        re.compile(r"\b(count|sum|min|max|coalesce|ifnull)\s+\(", re.IGNORECASE),
        "a space before the parenthesis of a function: an error unless sql_mode has IGNORE_SPACE",
    ),
)
_PLAIN_NUMBER = re.compile(r"\d+(\.\d+)?")


def why_not_portable(
    text: str,
    dialect: str,
    columns: Mapping[str, Mapping[str, str]],
    *,
    lossless: bool = False,
    default_collation: bool = False,
) -> str | None:
    """Return in plain words why DuckDB may answer differently, or None where the answer is shown to be equal.

    Parameters
    ----------
    text : str
        One statement.
    dialect : str
        ``mysql`` (MariaDB too) or ``postgres``; any other is refused.
    columns : mapping
        Table, as written in the statement (``orders``, ``sales.orders``), to the columns that ``*`` gives, in
        their order, and the source's declared type of each: ``bigint unsigned``, ``numeric(12,2)``.
    lossless : bool
        Whether the caller gives up the answer where a value that was fetched has no equal in DuckDB: a date
        0000-00-00 of MySQL; an infinite date or the numeric NaN of PostgreSQL. If not, what could hold such a
        value may be shown only.
    default_collation : bool
        Whether every column of text is known to have its database's own collation. PostgreSQL's is bytewise
        for equality; another may ignore case, and two do not compare. MySQL's text is shown only, either way.

    Examples
    --------
    >>> tables = {"orders": {"id": "int(11)", "region": "varchar(20)", "total": "decimal(12,2)"}}
    >>> why_not_portable("SELECT id, sum(total) AS total FROM orders GROUP BY id", "mysql", tables)
    >>> why_not_portable("SELECT avg(total) AS mean FROM orders", "mysql", tables)
    'avg: MySQL and PostgreSQL give a decimal, DuckDB a double'
    """
    if dialect not in SOURCES:
        return f"{dialect} and DuckDB: nothing is shown to be equal"
    meaning = understand(text, dialect)
    if not meaning.parsed:
        return meaning.note
    if meaning.kind is not StatementKind.READ:
        if survey(text, dialect).versioned:
            return "/*! … */: MySQL runs what stands in it"
        return "it is not provably one read"
    try:
        _judged(text, dialect, columns, Known(lossless, default_collation))
    except (NotPortable, NotUnderstood) as exc:
        return str(exc)
    except RecursionError:
        return "it is nested too deep to look into"
    return None


def to_duckdb(text: str, dialect: str, columns: Mapping[str, Mapping[str, str]]) -> str:
    """Return a portable statement in DuckDB's words: every name in quotes, arithmetic in widths that suffice.

    Raises
    ------
    QuerySyntaxError
        Where it is not portable, whatever the caller of `why_not_portable` may answer for.

    Examples
    --------
    >>> tables = {"orders": {"id": "integer", "total": "numeric(12,2)"}}
    >>> to_duckdb("SELECT Id FROM orders ORDER BY id DESC", "postgres", tables)
    'SELECT "id" FROM "orders" ORDER BY "id" DESC NULLS FIRST'
    """
    from sqlglot import ErrorLevel, exp
    from sqlglot.errors import SqlglotError

    hint = f"Run it on the connection it is written for ({dialect})."
    try:
        root = _judged(text, dialect, columns, Known(lossless=True, default_collation=True))
        for node in reversed(list(root.find_all(exp.Binary))):  # the inner ones first
            if CASTS in node.meta:
                casts = node.meta[CASTS]
                node.set("this", exp.cast(node.this, casts.left, dialect="duckdb"))
                node.replace(exp.cast(node.copy(), casts.result, dialect="duckdb"))
        for name in root.find_all(exp.Identifier):
            name.set("quoted", True)
        with quiet():
            return root.sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE, comments=False)
    except NotUnderstood as exc:
        raise QuerySyntaxError(str(exc), hint=hint, line=exc.line, column=exc.column) from exc
    except (NotPortable, SqlglotError, RecursionError, ValueError) as exc:
        first = str(exc).partition("\n")[0]
        raise QuerySyntaxError(f"The statement cannot be said in duckdb: {first}", hint=hint) from exc


def _judged(text: str, dialect: str, columns: Mapping[str, Mapping[str, str]], caller: Known) -> Expr:
    """Return the tree of a portable statement, its names folded and its arithmetic marked."""
    root = read_tree(text, dialect)
    tables = _tables(root, dialect, columns, caller)
    signs = _signs(text, dialect)
    _check(signs, _MYSQL_SIGNS if dialect == "mysql" else ())
    _names(root, dialect)
    judge(root, dialect, tables)
    _check(signs, _MYSQL_WORDS if dialect == "mysql" else ())
    _numbers(text, dialect)
    return root


def _fold(root: Expr, dialect: str) -> None:
    """Write names as PostgreSQL reads them: in small letters, where they are not quoted."""
    from sqlglot import exp

    if dialect == "postgres":
        for name in root.find_all(exp.Identifier):
            if not name.quoted:
                name.set("this", name.name.lower())


def _tables(root: Expr, dialect: str, columns: Mapping[str, Mapping[str, str]], caller: Known) -> Tables:
    """Mark each table of the tree as it is written, and read the types of its columns."""
    from sqlglot import exp

    queries = [cte.alias.casefold() for cte in root.find_all(exp.CTE)]
    if len(set(queries)) < len(queries):
        raise NotPortable("two WITH queries of one name: which is meant differs")
    for table in root.find_all(exp.Table):
        table.meta["written"] = str(TableRef(table.name, table.db or None, table.catalog or None))
    clash = set(queries) & {name.rpartition(".")[2].casefold() for name in columns}
    if clash:
        raise NotPortable(f"{min(clash)} names both a table and a WITH query: which is meant differs")
    return {name: _row(row, dialect, caller) for name, row in columns.items()}


def _row(row: Mapping[str, str], dialect: str, caller: Known) -> dict[str, Type | str]:
    if len({name.casefold() for name in row}) < len(row):
        raise NotPortable("two columns of a table differ only in case, which DuckDB does not tell apart")
    found: dict[str, Type | str] = {}
    for name, kind in row.items():
        try:
            found[name] = declared(kind, dialect, caller)
        except NotPortable as exc:
            found[name] = f"{name} is of {exc}"
    return found


def _names(root: Expr, dialect: str) -> None:
    """Refuse names that a database reads otherwise, and fold the others."""
    from sqlglot import exp

    for name in root.find_all(exp.Identifier):
        text = name.name
        if len(text.encode()) > _MAX_NAME:
            raise NotPortable(f"a name of more than {_MAX_NAME} bytes: PostgreSQL cuts it off")
        if not text or text != text.strip() or not text.isprintable():
            raise NotPortable("a name that begins or ends with a space, or cannot be printed")
        if not name.quoted and not text.isascii():
            raise NotPortable(f"{text}: write a name with letters past ASCII in quotes")
        if not name.quoted and text.lower() in _CALLED_BARE:
            raise NotPortable(
                f"{text} is a function in one database and a name in the other: write it in quotes"
            )
    _fold(root, dialect)


def _signs(text: str, dialect: str) -> str:
    """Return a text without what stands in comments, single quotes and quoted names."""
    parts = []
    for token in scan(text, dialect):
        if token.kind in ("comment", "space"):
            parts.append(" ")
        elif token.kind == "name":
            parts.append("x")
        elif token.kind == "value":
            parts.append(re.sub(r"'[^']*'", "''", token.text))
        else:
            parts.append(token.text)
    return "".join(parts)


def _check(signs: str, refused: tuple[tuple[re.Pattern[str], str], ...]) -> None:
    for pattern, reason in refused:
        if pattern.search(signs):
            raise NotPortable(reason)


def _numbers(text: str, dialect: str) -> None:
    """Refuse numbers that are spelled in a way of one database."""
    for token in scan(text, dialect):
        if token.kind == "value":
            for number in re.findall(r"[\w.]+", re.sub(r"'[^']*'", "", token.text)):
                if not _PLAIN_NUMBER.fullmatch(number):
                    raise NotPortable(f"the number {number}: write it in plain digits")
