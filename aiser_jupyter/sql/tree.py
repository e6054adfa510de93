"""The only calls of sqlglot's parser: quiet, and never an exception of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["NotUnderstood", "quiet", "read_tree", "visible_cte"]


class NotUnderstood(Exception):
    """sqlglot does not read the text; its message says why in one line. It never leaves this package."""

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


_quiet: ContextVar[bool] = ContextVar("_quiet", default=False)


def _unless_quiet(record: logging.LogRecord) -> bool:
    return not _quiet.get()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep sqlglot's warnings off the notebook, for our own calls only: the reader may use sqlglot too."""
    logger = logging.getLogger("sqlglot")
    if _unless_quiet not in logger.filters:
        logger.addFilter(_unless_quiet)
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def read_tree(text: str, dialect: str) -> Expr:
    """Parse one statement.

    Raises
    ------
    NotUnderstood
        For whatever reason sqlglot has, its own faults included: a text that it cannot read still runs.
    """
    import sqlglot
    from sqlglot.errors import ParseError

    try:
        with quiet():
            trees = [tree for tree in sqlglot.parse(text, read=dialect) if tree is not None]
    except ParseError as exc:
        first = exc.errors[0] if exc.errors else {}
        message = first.get("description") or str(exc).partition("\n")[0]
        raise NotUnderstood(message, line=first.get("line"), column=first.get("col")) from exc
    except RecursionError as exc:
        raise NotUnderstood("It is nested too deep.") from exc
    except Exception as exc:  # a fault of the parser must not stop a statement that the database may know
        message = f"{type(exc).__name__}: {exc}".partition("\n")[0]
        raise NotUnderstood(message) from exc
    if len(trees) != 1:
        raise NotUnderstood(f"It reads as {len(trees)} statements.")
    return trees[0]


def visible_cte(table: Expr) -> Expr | None:
    """Return the CTE that an unqualified table name means, or None for a table of the database.

    A name means a CTE of an enclosing query; inside a WITH clause only the earlier ones are seen, and all of
    them where it is RECURSIVE.
    """
    name = table.name.casefold()
    child: Expr = table
    parent = table.parent
    while parent is not None:
        clause = parent.args.get("with_")
        if clause is not None and clause is not child:
            for cte in reversed(clause.expressions):
                if cte.alias.casefold() == name:
                    return cte  # type: ignore[no-any-return]
        elif parent.key == "with":
            seen = parent.expressions
            if not parent.args.get("recursive"):
                seen = seen[: next(i for i, cte in enumerate(seen) if cte is child)]
            for cte in reversed(seen):
                if cte.alias.casefold() == name:
                    return cte  # type: ignore[no-any-return]
        child, parent = parent, parent.parent
    return None
