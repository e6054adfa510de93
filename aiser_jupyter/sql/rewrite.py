"""Change a statement only where the result is provably the one asked for; else say that it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MultipleStatements, QuerySyntaxError
from ..models import StatementKind
from .meaning import understand
from .pushdown import Scan, pushdown
from .scan import significant, survey, word_set
from .tree import NotUnderstood, quiet, read_tree

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["Scan", "limit", "pushdown", "transpile"]

_LIMIT_DIALECTS = word_set(
    "duckdb postgres redshift mysql bigquery snowflake spark databricks sqlite trino clickhouse"
)
# What a query may have besides, so that LIMIT is the last thing done to its rows.
_PARTS = word_set(
    "with_ expressions from_ joins laterals where group having qualify windows distinct order limit hint"
    " this expression by_name side kind on"
)


def transpile(text: str, read: str, write: str) -> str:
    """Translate one statement from one dialect to another; the same dialect returns ``text`` itself.

    Raises
    ------
    QuerySyntaxError
        Where it does not parse, or has something that ``write`` cannot say.
    MultipleStatements

    Examples
    --------
    >>> transpile("SELECT IFNULL(a, 0) FROM `t`", "mysql", "duckdb")
    'SELECT COALESCE(a, 0) FROM "t"'
    """
    if read == write:
        return text
    if len(survey(text, read).parts) > 1:
        raise MultipleStatements("Only one statement can be translated.", hint="Run one statement at a time.")
    meaning = understand(text, read)
    if not meaning.parsed:
        raise QuerySyntaxError(meaning.note, hint=f"Run it on the connection it is written for ({read}).")
    from sqlglot import ErrorLevel, exp
    from sqlglot.errors import SqlglotError

    try:
        root = read_tree(text, read)
        if root.find(exp.Command):
            raise NotUnderstood("It is not a query.")
        with quiet():
            return root.sql(dialect=write, unsupported_level=ErrorLevel.RAISE)
    except NotUnderstood as exc:
        raise QuerySyntaxError(
            f"The statement cannot be translated from {read}: {exc}", line=exc.line, column=exc.column
        ) from exc
    except (SqlglotError, RecursionError, ValueError) as exc:
        first = str(exc).partition("\n")[0]
        raise QuerySyntaxError(
            f"The statement cannot be said in {write}: {first}",
            hint=f"Run it on the connection it is written for ({read}).",
        ) from exc


def limit(text: str, n: int, dialect: str = "duckdb") -> str | None:
    """Return ``text`` with at most ``n`` rows asked for, or None where that cannot be shown to be the same.

    The rows are the first ``n`` of the same answer, in the same order if there is one. The clause is put into
    the text, before its trailing comments and semicolon; that sqlglot reads the new text as the old one with
    a limit is the proof. A text that is limited to fewer rows already comes back as it is.

    Parameters
    ----------
    text : str
        One statement, with placeholders or without.
    n : int
        Rows, 1 or more.
    dialect : str
        sqlglot's name of the dialect.

    Examples
    --------
    >>> limit("SELECT * FROM t ORDER BY a -- newest last", 10)
    'SELECT * FROM t ORDER BY a\\nLIMIT 10 -- newest last'
    >>> limit("SELECT * FROM t LIMIT 5", 10)
    'SELECT * FROM t LIMIT 5'
    >>> limit("SELECT * FROM t OFFSET 5", 10) is None
    True
    """
    meaning = understand(text, dialect)
    if (
        n < 1
        or dialect not in _LIMIT_DIALECTS
        or not meaning.parsed
        or meaning.kind is not StatementKind.READ
    ):
        return None
    try:
        return _limit(text, n, dialect)
    except (NotUnderstood, RecursionError):
        return None


def _limit(text: str, n: int, dialect: str) -> str | None:
    start, end = survey(text, dialect).parts[0]
    core = text[start:end]
    root = read_tree(core, dialect)
    asked = _rows(root)
    if asked is not None and asked <= n:
        return text
    if not _is_plain(root) or "|>" in core:
        return None
    if root.args.get("limit") is None:
        limited = f"{core}\nLIMIT {n}"
    elif asked is not None:
        last = significant(core, dialect)[-2:]
        if last[0].upper != "LIMIT" or last[1].text != str(asked):
            return None
        limited = f"{core[: last[1].start]}{n}"
    else:
        return None
    return text[:start] + limited + text[end:] if _differs_in_limit(root, limited, n, dialect) else None


def _is_plain(root: Expr) -> bool:
    from sqlglot import exp

    if not isinstance(root, exp.Select | exp.SetOperation):
        return False
    return all(name in _PARTS for name, value in root.args.items() if value)


def _rows(root: Expr) -> int | None:
    """Return the literal number of rows a query asks for."""
    from sqlglot import exp

    clause = root.args.get("limit")
    if not isinstance(clause, exp.Limit) or clause.args.get("limit_options") or clause.expressions:
        return None
    number = clause.expression
    if isinstance(number, exp.Literal) and not number.is_string and number.name.isdigit():
        return int(number.name)
    return None


def _differs_in_limit(root: Expr, limited: str, n: int, dialect: str) -> bool:
    again = read_tree(limited, dialect)
    if _rows(again) != n:
        return False
    before = root.copy()
    for tree in (before, again):
        tree.set("limit", None)
    return bool(before == again)
