"""What a condition asks of a subquery, in a tree whose columns all name their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot.expressions import Column, Expr

__all__ = ["asked_of", "enclosing", "exists", "is_plain", "names_of", "sole_column"]

_PLAIN = frozenset({"expressions", "from_", "joins", "where", "distinct"})
_EXISTING = _PLAIN | {"limit", "offset", "order"}


def asked_of(condition: Expr) -> tuple[Column, Expr] | None:
    """Return the column and the query of ``column IN (query)``, or of ``column = ANY (query)``."""
    from sqlglot import exp

    found = None
    if isinstance(condition, exp.In) and not condition.expressions:
        found = condition.this, condition.args.get("query")
    elif isinstance(condition, exp.EQ) and isinstance(condition.expression, exp.Any):
        found = condition.this, condition.expression.this
    if found is None or not isinstance(found[0], exp.Column):
        return None
    query = _select(found[1])
    return None if query is None else (found[0], query)


def exists(condition: Expr) -> Expr | None:
    """Return the query of ``EXISTS (query)`` where it has the rows of its FROM and WHERE, or fewer."""
    from sqlglot import exp

    query = _select(condition.this) if isinstance(condition, exp.Exists) else None
    if query is None or not _has_only(query, _EXISTING):
        return None
    shown = (value.this if isinstance(value, exp.Alias) else value for value in query.expressions)
    plain = (exp.Literal, exp.Null, exp.Boolean, exp.Star, exp.Column)
    return query if all(isinstance(value, plain) for value in shown) else None


def is_plain(query: Expr) -> bool:
    """Say whether a query shows each row of its FROM and WHERE by itself: less of these is less of those."""
    return _has_only(query, _PLAIN)


def sole_column(query: Expr) -> Column | None:
    """Return the one column that a query shows as it is; None for anything else."""
    from sqlglot import exp

    if len(query.expressions) != 1:
        return None
    (value,) = query.expressions
    value = value.this if isinstance(value, exp.Alias) else value
    return value if isinstance(value, exp.Column) else None


def names_of(select: Expr) -> set[str]:
    """Return every name that could be a table in a FROM clause; names inside of its subqueries too."""
    from sqlglot import exp

    clauses = [
        select.args.get("from_"),
        *(select.args.get("joins") or []),
        *(select.args.get("laterals") or []),
    ]
    sources = (exp.Table, exp.Subquery, exp.Lateral, exp.Unnest, exp.Values, exp.TableAlias)
    nodes = (node for clause in clauses if clause is not None for node in clause.find_all(*sources))
    return {node.name if isinstance(node, exp.TableAlias) else node.alias_or_name for node in nodes}


def enclosing(column: Column, select: Expr) -> Expr | None:
    """Return the query around ``select`` that has the table of ``column``; None where it is not the only one.

    A CTE does not see the FROM of its own query, so that the nearest one could be the wrong one.
    """
    from sqlglot import exp

    found, around = [], select.find_ancestor(exp.Select)
    while around is not None:
        if column.table in names_of(around):
            found.append(around)
        around = around.find_ancestor(exp.Select)
    alone = len(found) == 1 and column.table not in names_of(select)
    return found[0] if alone else None


def _select(query: Expr | None) -> Expr | None:
    """Return the SELECT inside of parentheses, where these do nothing to it."""
    from sqlglot import exp

    while isinstance(query, exp.Subquery):
        if not _has_only(query, frozenset({"this", "alias"})):
            return None
        query = query.this
    return query if isinstance(query, exp.Select) and query.args.get("from_") is not None else None


def _has_only(query: Expr, parts: frozenset[str]) -> bool:
    return all(name in parts for name, value in query.args.items() if value) and not _distinct_on(query)


def _distinct_on(query: Expr) -> bool:
    clause = query.args.get("distinct")
    return clause is not None and bool(clause.args.get("on"))
