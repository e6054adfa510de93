"""Equalities of a query that a small table can decide for a large one, so that less of it is fetched.

``table.column = other.other_column`` stands here only where a row of ``table`` whose column is none of the
other's values cannot change the answer: in WHERE or in the ON of an inner join, for a table that no outer
join fills with NULLs; and in the ON of a LEFT JOIN, for its right side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .pushdown import Resolved, always_there, conjuncts, is_special, joined, resolve
from .tree import NotUnderstood, read_tree

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["KeyJoin", "key_joins"]


@dataclass(frozen=True, slots=True)
class KeyJoin:
    """Rows of ``table`` matter only where ``column`` is one of the values of ``other_column``."""

    table: str
    column: str
    other: str
    other_column: str


def key_joins(
    text: str, schema: Mapping[str, Mapping[str, str]], dialect: str = "duckdb"
) -> tuple[KeyJoin, ...]:
    """Return the equalities of one query; ``schema`` as for `pushdown`.

    Examples
    --------
    >>> tables = {"orders": {"id": "INTEGER", "customer": "INTEGER"}, "vip": {"id": "INTEGER"}}
    >>> text = "SELECT count(*) FROM orders LEFT JOIN vip ON vip.id = orders.customer"
    >>> [(one.table, one.column, one.other) for one in key_joins(text, tables)]
    [('vip', 'id', 'orders')]
    """
    from sqlglot import exp

    try:
        resolved = resolve(read_tree(text, dialect), schema, dialect)
    except (NotUnderstood, RecursionError):
        return ()
    if resolved is None or not resolved.exact:
        return ()
    found = [one for select in resolved.root.find_all(exp.Select) for one in _of_select(select, resolved)]
    return tuple(dict.fromkeys(found))


def _of_select(select: Expr, resolved: Resolved) -> Iterator[KeyJoin]:
    from sqlglot import exp

    if select.args.get("from_") is None:
        return
    there = always_there(select)
    if not there:
        return
    joins = select.args.get("joins") or []
    nodes = [select.args["from_"].this, *(join.this for join in joins)]
    tables = {
        node.alias_or_name: node
        for node in nodes
        if isinstance(node, exp.Table) and "scan" in node.meta and not is_special(node)
    }
    for condition in conjuncts(select.args.get("where")):
        yield from _keys(condition, tables, there, resolved)
    for join, may_lose in joined(select, there):
        for condition in conjuncts(join.args.get("on")):
            yield from _keys(condition, tables, may_lose, resolved)


def _keys(
    condition: Expr, tables: Mapping[str, Expr], may_lose: set[str], resolved: Resolved
) -> Iterator[KeyJoin]:
    """Yield what an equality of two columns says of either table."""
    from sqlglot import exp

    if not isinstance(condition, exp.EQ):
        return
    pair = (condition.this, condition.expression)
    if not all(isinstance(side, exp.Column) and side.table in tables for side in pair):
        return
    for mine, other in (pair, pair[::-1]):
        key, other_key = (tables[side.table].meta["scan"] for side in (mine, other))
        if mine.table not in may_lose or resolved.uses[key] != 1 or key == other_key:
            continue
        names = [
            resolved.columns[of].get(side.name.casefold()) for of, side in ((key, mine), (other_key, other))
        ]
        if all(names):
            yield KeyJoin(key, names[0][0], other_key, names[1][0])  # type: ignore[index]
