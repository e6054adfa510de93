"""Equalities of a query that a small table can decide for a large one, so that less of it is fetched.

``table.column = other.other_column`` stands here only where a row of ``table`` whose column is none of the
other's values cannot change the answer:

- in WHERE or in the ON of an inner join, for a table that no outer join fills with NULLs; in the ON of a
  LEFT JOIN, for its right side; in that of a SEMI JOIN, for both;
- ``x IN (SELECT other.c …)`` and ``EXISTS (… WHERE other.c = x)`` there, for the table of ``x``: whatever
  else the subquery does, its rows have values of ``other.c``. It must not be aggregated for EXISTS, which
  then has a row even of none;
- the same ``IN``, for the table inside of a plain subquery: what is not equal to any ``x`` is not looked for;
- in the WHERE of any subquery, between its own table and one of an enclosing query, for its own.

So a NULL is never a key: it is equal to nothing. ``NOT IN`` gives nothing, for a NULL decides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .pushdown import Resolved, always_there, conjuncts, is_special, joined, resolve
from .subqueries import asked_of, enclosing, exists, is_plain, names_of, sole_column
from .tree import NotUnderstood, read_tree

if TYPE_CHECKING:
    from sqlglot.expressions import Column, Expr

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
    if select.args.get("from_") is None:
        return
    there = always_there(select)
    tables = _tables(select)
    own_where = conjuncts(select.args.get("where"))
    for condition in own_where:
        yield from _correlated(condition, select, tables, there, resolved)
    if not there:
        return
    clauses = [(condition, there) for condition in own_where]
    for join, may_lose in joined(select, there):
        clauses += [(condition, may_lose) for condition in conjuncts(join.args.get("on"))]
    for condition, may_lose in clauses:
        for mine, other in _equal_columns(condition):
            if mine.table in may_lose and mine.table in tables and other.table in tables:
                yield from _key(mine, tables[mine.table], other, tables[other.table], resolved)
        yield from _member(condition, tables, may_lose, resolved)
        yield from _existing(condition, select, tables, may_lose, resolved)


def _tables(select: Expr) -> dict[str, Expr]:
    """Return the tables of a FROM clause that are known, by what they are called there."""
    from sqlglot import exp

    nodes = [select.args["from_"].this, *(join.this for join in select.args.get("joins") or [])]
    return {
        node.alias_or_name: node
        for node in nodes
        if isinstance(node, exp.Table) and "scan" in node.meta and not is_special(node)
    }


def _equal_columns(condition: Expr) -> list[tuple[Column, Column]]:
    """Return the two columns of an equality, either of them first; nothing for any other condition."""
    from sqlglot import exp

    if not isinstance(condition, exp.EQ):
        return []
    one, other = condition.this, condition.expression
    columns = isinstance(one, exp.Column) and isinstance(other, exp.Column)
    return [(one, other), (other, one)] if columns else []


def _key(
    mine: Column, table: Expr, other: Column, other_table: Expr, resolved: Resolved
) -> Iterator[KeyJoin]:
    """Yield that the rows of ``table`` matter whose column ``mine`` is one of the values of ``other``."""
    key, other_key = table.meta["scan"], other_table.meta["scan"]
    if resolved.uses[key] != 1 or key == other_key:
        return
    name = resolved.columns[key].get(mine.name.casefold())
    other_name = resolved.columns[other_key].get(other.name.casefold())
    if name and other_name:
        yield KeyJoin(key, name[0], other_key, other_name[0])


def _member(
    condition: Expr, tables: Mapping[str, Expr], may_lose: set[str], resolved: Resolved
) -> Iterator[KeyJoin]:
    """Yield what ``x IN (SELECT c …)`` says of the table of ``x``, and of that of ``c``."""
    if (asked := asked_of(condition)) is None:
        return
    wanted, query = asked
    found = sole_column(query)
    if found is None or wanted.table not in tables:
        return
    inner = _tables(query)
    if found.table not in inner:
        return
    if wanted.table in may_lose:
        yield from _key(wanted, tables[wanted.table], found, inner[found.table], resolved)
    if is_plain(query) and found.table in always_there(query):
        yield from _key(found, inner[found.table], wanted, tables[wanted.table], resolved)


def _existing(
    condition: Expr, select: Expr, tables: Mapping[str, Expr], may_lose: set[str], resolved: Resolved
) -> Iterator[KeyJoin]:
    """Yield what ``EXISTS (… WHERE c = x)`` says of the table of ``x``."""
    if (query := exists(condition)) is None:
        return
    inner = _tables(query)
    for equality in conjuncts(query.args.get("where")):
        for mine, other in _equal_columns(equality):
            lost = mine.table in may_lose and mine.table in tables and other.table in inner
            if lost and enclosing(mine, query) is select:
                yield from _key(mine, tables[mine.table], other, inner[other.table], resolved)


def _correlated(
    condition: Expr, select: Expr, tables: Mapping[str, Expr], there: set[str], resolved: Resolved
) -> Iterator[KeyJoin]:
    """Yield what ``c = x`` in the WHERE of a subquery says of the table of ``c``, where ``x`` is outside."""
    for mine, other in _equal_columns(condition):
        if mine.table not in there or mine.table not in tables or other.table in names_of(select):
            continue
        outside = enclosing(other, select)
        outer = {} if outside is None else _tables(outside)
        if other.table in outer:
            yield from _key(mine, tables[mine.table], other, outer[other.table], resolved)
