"""Values and conditions of a statement: each has a `Type`, or is refused.

Names are resolved here as all three databases resolve them: a column without a table belongs to the one table
in sight that has it, of the innermost query first. Where they would differ (a name that two tables have, a
column that is not grouped), the statement is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .portable_nodes import known, refusal
from .portable_types import SOURCES, NotPortable, Type, compared, computed, grouped, summed, united

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["CASTS", "Found", "Output", "Row", "Scope", "condition", "is_aggregate", "resolve", "value"]

CASTS = "casts"
"""Where a node of arithmetic notes the `Casts` it needs."""
COUNT_BITS = 40
"""More rows than that are not fetched."""

Row = Mapping[str, Type | str]
"""Columns of a table in its order; a column of an unknown type has the reason instead."""


@dataclass(frozen=True, slots=True)
class Output:
    """One column that a query gives: its name if it has one, and the column it is a copy of, if it is."""

    name: str | None
    type: Type
    column: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a value may name.

    Parameters
    ----------
    dialect : str
        sqlglot's name of it.
    query : callable
        Judges a query inside a value, and returns what it gives.
    tables : mapping
        The FROM clause: alias to columns.
    ctes : mapping
        Name to columns of the WITH queries in sight.
    outer : Scope or None
        Of the query around this one.
    keys : frozenset or None
        The columns that are grouped by; None where rows are not grouped.
    aggregates : bool
        Whether an aggregate may stand here.
    """

    dialect: str
    query: Callable[[Expr, Scope], list[Output]]
    tables: Mapping[str, Row] = field(default_factory=dict)
    ctes: Mapping[str, Row] = field(default_factory=dict)
    outer: Scope | None = None
    keys: frozenset[tuple[str, str]] | None = None
    aggregates: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The column that a name means, and whether it is one of this query's own tables."""

    column: tuple[str, str]
    type: Type
    own: bool


def resolve(node: Expr, scope: Scope) -> Found:
    """Return the column that a name means; `NotPortable` where that is not certain."""
    known(node, scope.dialect)
    known(node.this, scope.dialect)
    whose = node.text("table")
    at: Scope | None = scope
    while at is not None:
        tables = [table for table in at.tables if _same(table, whose)] if whose else list(at.tables)
        found = [(table, name) for table in tables for name in at.tables[table] if _same(name, node.name)]
        if len(found) > 1:
            raise NotPortable(f"two tables have a column {node.name}: write whose it is")
        if found:
            kind = at.tables[found[0][0]][node.name]
            if isinstance(kind, str):
                raise NotPortable(kind)
            if at.keys is not None and found[0] not in at.keys:
                raise NotPortable(
                    f"{node.name} is neither grouped nor aggregated: of which row it is taken is not said"
                )
            return Found(found[0], kind, at is scope)
        at = at.outer
    raise NotPortable(f"{node.name} is no known column of the tables in sight")


def _same(name: str, written: str) -> bool:
    """Say whether a name is the one written; `NotPortable` where it is for DuckDB alone."""
    if name != written and name.casefold() == written.casefold():
        raise NotPortable(f"{written} is no known column or table, written like this: there is {name}")
    return name == written


def is_aggregate(node: Expr) -> bool:
    """Say whether an aggregate stands in ``node``, queries inside it left out."""
    from sqlglot import exp

    nodes = node.walk(prune=lambda one: isinstance(one, exp.Query))
    return any(isinstance(one, exp.AggFunc) for one in nodes)


def value(node: Expr, scope: Scope) -> Type:
    """Return the type of a value; `NotPortable` where it is not shown to be the same in DuckDB."""
    key = known(node, scope.dialect)
    if key in _VALUES:
        return _VALUES[key](node, scope)
    if key in _CONDITIONS:
        if scope.dialect == "mysql":
            raise NotPortable("a condition as a value: MySQL gives 1 or 0, DuckDB true or false")
        condition(node, scope)
        return Type("boolean")
    raise refusal(node, scope.dialect)


def condition(node: Expr, scope: Scope) -> None:
    """Let a condition be; `NotPortable` where it is not shown to be the same in DuckDB."""
    key = known(node, scope.dialect)
    if key == "paren":
        condition(node.this, scope)
    elif key in _CONDITIONS:
        _CONDITIONS[key](node, scope)
    elif key not in _VALUES:
        raise refusal(node, scope.dialect)
    elif value(node, scope).family != "boolean":
        raise NotPortable("a value as a condition: what counts as true differs")


def _column(node: Expr, scope: Scope) -> Type:
    return resolve(node, scope).type


_NUMBER = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?")


def _literal(node: Expr, scope: Scope) -> Type:
    if node.is_string:
        return Type("quoted", text=node.name)
    match = _NUMBER.fullmatch(node.name)
    if match is None:
        raise NotPortable(f"the number {node.name}: write it in plain digits, at most 18")
    whole, places = match.groups()
    if places:
        return Type("decimal", len(whole), len(places), literal=True)
    number = int(whole)
    return Type("integer", len(whole), 0, number.bit_length(), 31 if number < 2**31 else 63, literal=True)


def _negative(node: Expr, scope: Scope) -> Type:
    if node.this.key != "literal" or node.this.is_string:
        raise NotPortable("a minus before more than a written number: overflow differs")
    return _literal(node.this, scope)


def _paren(node: Expr, scope: Scope) -> Type:
    return value(node.this, scope)


def _null(node: Expr, scope: Scope) -> Type:
    return Type("null")


def _boolean(node: Expr, scope: Scope) -> Type:
    if scope.dialect == "mysql":
        raise NotPortable("TRUE and FALSE are the numbers 1 and 0 in MySQL")
    return Type("boolean")


def _cast(node: Expr, scope: Scope) -> Type:
    """DATE '2020-01-31' reads as a cast; no other cast is known."""
    if not (node.args["to"].is_type("date") and node.this.key == "literal" and node.this.is_string):
        raise refusal(node, scope.dialect)
    compared(Type("quoted", text=node.this.name), Type("date"), scope.dialect)
    return Type("date", literal=True)


def _arithmetic(sign: str) -> Callable[[Expr, Scope], Type]:
    def type_(node: Expr, scope: Scope) -> Type:
        sides = value(node.this, scope), value(node.expression, scope)
        result, node.meta[CASTS] = computed(sign, *sides, scope.dialect)
        return result

    return type_


def _case(node: Expr, scope: Scope) -> Type:
    subject = value(node.this, scope) if node.this is not None else None
    results = []
    for branch in node.args["ifs"]:
        known(branch, scope.dialect)
        if subject is None:
            condition(branch.this, scope)
        else:
            compared(subject, value(branch.this, scope), scope.dialect)
        results.append(value(branch.args["true"], scope))
    default = node.args.get("default")
    if default is not None:
        results.append(value(default, scope))
    return united(results, scope.dialect)


def _coalesce(node: Expr, scope: Scope) -> Type:
    types = [value(one, scope) for one in (node.this, *node.expressions)]
    for one in types:
        if one.uncounted:
            raise NotPortable(one.uncounted)
    return united(types, scope.dialect)


def _aggregated(node: Expr, scope: Scope) -> Scope:
    """Return the scope of an aggregate's argument: ungrouped rows, and columns of this query alone."""
    if not scope.aggregates:
        raise NotPortable(f"{node.key} stands where rows are not grouped yet")
    inner = replace(scope, keys=None, aggregates=False)
    from sqlglot import exp

    if node.find(exp.Query):
        raise NotPortable(f"a query inside {node.key}: not shown to be equal")
    for column in node.find_all(exp.Column):
        if not resolve(column, inner).own:
            raise NotPortable(f"{node.key} of a column of the outer query: which of them groups it differs")
    return inner


def _count(node: Expr, scope: Scope) -> Type:
    inner = _aggregated(node, scope)
    counted = node.this
    if counted.key == "distinct":
        known(counted, scope.dialect)
        if len(counted.expressions) != 1:
            raise NotPortable("count(DISTINCT) of several columns: DuckDB counts rows with NULLs")
        grouped(value(counted.expressions[0], inner))
    elif counted.key == "star":
        known(counted, scope.dialect)
    else:
        one = value(counted, inner)
        if one.uncounted:
            raise NotPortable(one.uncounted)
    return Type("integer", 19, 0, COUNT_BITS, 63)


def _sum(node: Expr, scope: Scope) -> Type:
    return summed(value(node.this, _aggregated(node, scope)))


def _extreme(node: Expr, scope: Scope) -> Type:
    one = value(node.this, _aggregated(node, scope))
    if one.shown_only or one.equal_only:
        raise NotPortable(one.shown_only or one.equal_only)
    if one.family not in ("integer", "decimal", "double", "date", "timestamp", "instant"):
        raise NotPortable(
            f"{node.key} of a {one.family}: not known to {SOURCES[scope.dialect]} and DuckDB alike"
        )
    return replace(one, literal=False)


def _scalar(node: Expr, scope: Scope) -> Type:
    """A query as a value must have one row: one aggregate, ungrouped."""
    from sqlglot import exp

    query = node.this
    if scope.dialect == "mysql" and any(one.args.get("query") for one in node.root().find_all(exp.In)):
        raise NotPortable("a query as a value beside IN a query: MariaDB 10.11 takes one for the other")
    single = isinstance(query, exp.Select) and len(query.expressions) == 1
    if not single or query.args.get("group") or query.args.get("having") or query.args.get("limit"):
        raise NotPortable("a query as a value: it must be one aggregate, so that it has one row")
    if not is_aggregate(query.expressions[0]):
        raise NotPortable("a query as a value: of several rows MySQL and PostgreSQL fail")
    return scope.query(query, scope)[0].type


_VALUES: dict[str, Callable[[Expr, Scope], Type]] = {
    "column": _column,
    "literal": _literal,
    "neg": _negative,
    "paren": _paren,
    "null": _null,
    "boolean": _boolean,
    "cast": _cast,
    "add": _arithmetic("+"),
    "sub": _arithmetic("-"),
    "mul": _arithmetic("*"),
    "case": _case,
    "coalesce": _coalesce,
    "count": _count,
    "sum": _sum,
    "min": _extreme,
    "max": _extreme,
    "subquery": _scalar,
}


def _both(node: Expr, scope: Scope) -> None:
    condition(node.this, scope)
    condition(node.expression, scope)


def _one(node: Expr, scope: Scope) -> None:
    condition(node.this, scope)


def _operand(node: Expr, scope: Scope) -> Type:
    """Return the type of what is compared: no condition, since databases bind IS and = differently."""
    inner = node
    while inner.key == "paren":
        inner = inner.this
    if inner.key in _CONDITIONS:
        raise NotPortable("a condition is compared: precedence and the type of a condition differ")
    return value(node, scope)


def _comparison(node: Expr, scope: Scope) -> None:
    sides = _operand(node.this, scope), _operand(node.expression, scope)
    compared(*sides, scope.dialect, order=node.key not in ("eq", "neq"))


def _is(node: Expr, scope: Scope) -> None:
    tested = _operand(node.this, scope)
    if tested.uncounted:
        raise NotPortable(tested.uncounted)
    known(node.expression, scope.dialect)
    if node.expression.key == "boolean" and tested.family == "boolean":
        return
    if node.expression.key != "null" or node.this.key != "column":
        raise NotPortable("IS of anything but a column and NULL: not shown to be equal")


def _in(node: Expr, scope: Scope) -> None:
    sought = _operand(node.this, scope)
    query = node.args.get("query")
    if query is None:
        listed = [_operand(one, scope) for one in node.expressions]
        numbers = [one for one in (sought, *listed) if one.family in ("integer", "decimal")]
        if numbers:
            united(numbers, scope.dialect)
    else:
        if query.this.args.get("limit") or query.this.args.get("offset"):
            raise NotPortable("LIMIT in an IN query: MySQL does not know it")
        found = scope.query(query, scope)
        if len(found) != 1:
            raise NotPortable("IN a query of several columns: not shown to be equal")
        listed = [found[0].type]
    for one in listed:
        compared(sought, one, scope.dialect)


def _between(node: Expr, scope: Scope) -> None:
    sought = _operand(node.this, scope)
    for end in ("low", "high"):
        compared(sought, _operand(node.args[end], scope), scope.dialect, order=True)


def _exists(node: Expr, scope: Scope) -> None:
    scope.query(node.this, scope)


_CONDITIONS: dict[str, Callable[[Expr, Scope], None]] = {
    "and": _both,
    "or": _both,
    "not": _one,
    **dict.fromkeys(("eq", "neq", "lt", "lte", "gt", "gte"), _comparison),
    "is": _is,
    "in": _in,
    "between": _between,
    "exists": _exists,
}
