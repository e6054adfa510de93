"""Queries: what each gives, if it gives the same in DuckDB.

Rules: no row is left to chance (LIMIT needs an order that decides it), no column is taken from any row of a
group, and each column of an answer has a name that both databases give it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .portable_nodes import known, refusal
from .portable_types import NotPortable, Type, grouped, united
from .portable_values import Output, Row, Scope, condition, is_aggregate, resolve, value

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["Tables", "judge", "named"]

Tables = Mapping[str, Row]
"""Table as written in the statement to its columns; the mark is in ``meta["written"]`` of its node."""


def judge(root: Expr, dialect: str, tables: Tables) -> list[Output]:
    """Return the columns of an answer; `NotPortable` where it is not shown to be the same in DuckDB."""

    from sqlglot import exp

    window = root.find(exp.Window)
    if window is not None:
        raise refusal(window, dialect)

    def query(node: Expr, scope: Scope) -> list[Output]:
        return _query(node, scope, tables)

    return named(_query(root, Scope(dialect, query), tables))


def named(outputs: list[Output]) -> list[Output]:
    """Return the columns, if each has a name of its own."""
    seen: set[str] = set()
    for place, output in enumerate(outputs, 1):
        if output.name is None:
            raise NotPortable(f"column {place} has no name, and each database gives it another: write AS")
        if output.name.casefold() in seen:
            raise NotPortable(f"two columns are called {output.name}: DuckDB renames one of them")
        seen.add(output.name.casefold())
    return outputs


def _query(node: Expr, scope: Scope, tables: Tables) -> list[Output]:
    """Judge a query inside ``scope``, which is the one around it."""
    key = known(node, scope.dialect)
    if key == "subquery":
        return _query(node.this, scope, tables)
    if key == "select":
        return _select(node, _with(node, scope, tables), tables)
    if key == "union":
        return _union(node, _with(node, scope, tables), tables)
    raise refusal(node, scope.dialect)


def _with(node: Expr, scope: Scope, tables: Tables) -> Scope:
    clause = node.args.get("with_")
    if clause is None:
        return scope
    known(clause, scope.dialect)
    for cte in clause.expressions:
        known(cte, scope.dialect)
        known(cte.args["alias"], scope.dialect)
        inner = replace(scope, tables={}, outer=None)
        row = _row(named(_query(cte.this, inner, tables)))
        scope = replace(scope, ctes={**scope.ctes, cte.alias: row})
    return scope


def _row(outputs: list[Output]) -> Row:
    """Return what a query gives as a table."""
    return {str(output.name): replace(output.type, literal=False) for output in outputs}


def _select(node: Expr, around: Scope, tables: Tables) -> list[Output]:
    """Judge one SELECT. Its own scope has the query around it as ``outer``."""
    here = _from(node, around, tables)
    if node.args.get("where"):
        known(node.args["where"], here.dialect)
        condition(node.args["where"].this, here)
    keys = _keys(node, here)
    if keys is not None:
        here = replace(here, keys=keys, aggregates=True)
    outputs = [output for item in node.expressions for output in _outputs(item, here)]
    if not outputs:
        raise NotPortable("a SELECT without columns")
    _shadows(node, here)
    if node.args.get("having"):
        known(node.args["having"], here.dialect)
        if not node.args.get("group"):
            raise NotPortable("HAVING without GROUP BY: MySQL may take it for a WHERE")
        condition(node.args["having"].this, here)
    distinct = node.args.get("distinct")
    if distinct is not None:
        known(distinct, here.dialect)
        for output in outputs:
            grouped(output.type)
    ordered = _order(node, outputs, here, strict=distinct is not None)
    _limit(node, outputs, ordered, here)
    return outputs


def _union(node: Expr, scope: Scope, tables: Tables) -> list[Output]:
    left, right = (_query(node.args[side], scope, tables) for side in ("this", "expression"))
    if len(left) != len(right):
        raise NotPortable("the two sides of UNION have not as many columns")
    outputs = [
        Output(one.name, united([one.type, other.type], scope.dialect))
        for one, other in zip(left, right, strict=True)
    ]
    if node.args.get("distinct"):
        for output in outputs:
            grouped(output.type)
    bare = replace(scope, tables={}, outer=None, keys=None, aggregates=False)
    _limit(node, outputs, _order(node, outputs, bare, strict=True), bare)
    return outputs


def _from(node: Expr, around: Scope, tables: Tables) -> Scope:
    here = replace(around, tables={}, outer=around, keys=None, aggregates=False)
    clause = node.args.get("from_")
    if clause is None:
        return here
    known(clause, here.dialect)
    here = _joined(clause.this, here, tables)
    joins = node.args.get("joins") or []
    commas = [not any(join.args.get(part) for part in ("kind", "side", "on")) for join in joins]
    if any(commas) and not all(commas):
        raise NotPortable("commas beside JOIN: which binds first differs")
    for join in joins:
        here = _join(join, here, tables)
    return here


def _join(join: Expr, here: Scope, tables: Tables) -> Scope:
    known(join, here.dialect)
    kind, side = join.text("kind").upper(), join.text("side").upper()
    if kind not in ("", "INNER", "CROSS", "OUTER") or side not in ("", "LEFT", "RIGHT"):
        raise NotPortable(
            " ".join(filter(None, (side, kind.removesuffix("_JOIN"), "JOIN"))) + ": not shown to be equal"
        )
    here = _joined(join.this, here, tables)
    on = join.args.get("on")
    if on is not None and kind == "CROSS":
        raise NotPortable("CROSS JOIN with ON: MySQL alone knows it")
    if on is None and (side or kind in ("INNER", "OUTER")):
        raise NotPortable("JOIN without ON: MySQL alone knows it")
    if on is not None:
        condition(on, here)
    return here


def _joined(source: Expr, here: Scope, tables: Tables) -> Scope:
    """Return the scope with one more table."""
    key = known(source, here.dialect)
    if source.args.get("alias"):
        known(source.args["alias"], here.dialect)
    alias = source.alias_or_name
    if key == "subquery":
        inner = Scope(here.dialect, here.query, ctes=here.ctes)
        row = _row(named(_query(source.this, inner, tables)))
    elif key == "table":
        row = _table(source, here, tables)
    else:
        raise refusal(source, here.dialect)
    if not alias or alias.casefold() in {one.casefold() for one in here.tables}:
        raise NotPortable("a table without a name of its own in FROM")
    return replace(here, tables={**here.tables, alias: row})


def _table(node: Expr, here: Scope, tables: Tables) -> Row:
    if node.this.key != "identifier":
        raise NotPortable("a function in FROM: not shown to be equal")
    if not node.args.get("db") and node.name in here.ctes:
        return here.ctes[node.name]
    written = node.meta["written"]
    if written not in tables:
        raise NotPortable(f"the columns of {written} are not known")
    return tables[written]


def _outputs(item: Expr, here: Scope) -> list[Output]:
    """Return the columns that one item of a SELECT list gives; several for a star."""
    key = known(item, here.dialect)
    if key == "star" or (key == "column" and item.this.key == "star"):
        wanted = list(here.tables) if key == "star" else [item.text("table")]
        if key == "column":
            known(item.this, here.dialect)
        if not wanted or any(table not in here.tables for table in wanted):
            raise NotPortable("a star of no known table")
        found = [(table, name) for table in wanted for name in here.tables[table]]
        return [Output(name, _starred(table, name, here), (table, name)) for table, name in found]
    inner = item.this if key == "alias" else item
    name = item.alias_or_name if key in ("alias", "column") else None
    kind = value(inner, here)
    if kind.family in ("quoted", "null"):
        raise NotPortable("a written text or NULL as a column: its type is each database's own choice")
    if inner.key != "column":
        return [Output(name, kind)]
    found_column = resolve(inner, here)
    return [Output(name, kind, found_column.column if found_column.own else None)]


def _starred(table: str, name: str, here: Scope) -> Type:
    kind = here.tables[table][name]
    if isinstance(kind, str):
        raise NotPortable(kind)
    if here.keys is not None and (table, name) not in here.keys:
        raise NotPortable(f"{name} is neither grouped nor aggregated: of which row it is taken is not said")
    return kind


def _keys(node: Expr, here: Scope) -> frozenset[tuple[str, str]] | None:
    """Return the columns that a SELECT groups by; none for one group of all, None where it does not group."""
    group = node.args.get("group")
    if group is None:
        parts = [*node.expressions, *filter(None, (node.args.get("having"), node.args.get("order")))]
        return frozenset() if any(is_aggregate(part) for part in parts) else None
    known(group, here.dialect)
    keys = set()
    for item in group.expressions:
        chosen = item
        if item.key == "literal":
            place = int(item.name) if item.name.isdigit() else 0
            if not 1 <= place <= len(node.expressions) or any(one.is_star for one in node.expressions):
                raise NotPortable("GROUP BY with a number that is no column of the SELECT list")
            chosen = node.expressions[place - 1].unalias()
        if chosen.key != "column":
            raise NotPortable("GROUP BY of more than a column: not shown to be equal")
        found = resolve(chosen, here)
        grouped(found.type)
        if not found.own:
            raise NotPortable("GROUP BY of a column of the outer query: not shown to be equal")
        keys.add(found.column)
    return frozenset(keys)


def _shadows(node: Expr, here: Scope) -> None:
    """Refuse an alias that is a column's name too, where a clause might mean either."""
    from sqlglot import exp

    columns = {name.casefold() for row in here.tables.values() for name in row}
    for item in node.expressions:
        copied = item.unalias()
        same = isinstance(copied, exp.Column) and copied.name == item.alias_or_name
        if item.key != "alias" or item.alias.casefold() not in columns or same:
            continue
        clauses = [node.args.get(name) for name in ("group", "having", "order")]
        used = [column for clause in clauses if clause for column in clause.find_all(exp.Column)]
        for column in used:
            bare = isinstance(column.parent, exp.Ordered)
            if not column.text("table") and not bare and column.name.casefold() == item.alias.casefold():
                raise NotPortable(
                    f"{item.alias} names both a column and a result: each database takes its own"
                )


def _order(node: Expr, outputs: list[Output], here: Scope, *, strict: bool) -> set[int | tuple[str, str]]:
    """Return what an answer is ordered by: places of its columns, and columns of its tables.

    ``strict`` where only the columns of the answer may be named.
    """
    order = node.args.get("order")
    found: set[int | tuple[str, str]] = set()
    if order is None:
        return found
    known(order, here.dialect)
    for item in order.expressions:
        known(item, here.dialect)
        place = _place(item.this, outputs)
        kind = outputs[place].type if place is not None else value(item.this, here)
        if kind.shown_only or kind.equal_only:
            raise NotPortable(kind.shown_only or kind.equal_only)
        if (kind.literal and place is None) or kind.family in ("quoted", "null"):
            raise NotPortable("ORDER BY of a written value: not shown to be equal")
        by = resolve(item.this, here).column if place is None and item.this.key == "column" else place
        if strict and place is None and (by is None or by not in {output.column for output in outputs}):
            raise NotPortable("ORDER BY of what is not a column of the answer")
        if by is not None:
            found.add(by)
    return found


def _place(item: Expr, outputs: Sequence[Output]) -> int | None:
    """Return which column of the answer an item of ORDER BY names."""
    if item.key == "literal" and item.name.isdigit() and not item.is_string:
        if not 1 <= int(item.name) <= len(outputs):
            raise NotPortable("ORDER BY with a number that is no column of the answer")
        return int(item.name) - 1
    if item.key == "column" and not item.text("table"):
        names = [output.name or "" for output in outputs]
        if any(name != item.name and name.casefold() == item.name.casefold() for name in names):
            raise NotPortable(f"{item.name} is a result in other letters: DuckDB does not tell them apart")
        if names.count(item.name) == 1:
            return names.index(item.name)
    return None


def _limit(node: Expr, outputs: list[Output], ordered: set[int | tuple[str, str]], here: Scope) -> None:
    clauses = [clause for clause in (node.args.get("limit"), node.args.get("offset")) if clause]
    if not clauses:
        return
    for clause in clauses:
        known(clause, here.dialect)
        number = clause.expression
        if number.key != "literal" or number.is_string or not number.name.isdigit():
            raise NotPortable("LIMIT of more than a number: not shown to be equal")
    if here.keys is not None:
        named_columns = {outputs[one].column if isinstance(one, int) else one for one in ordered}
        if here.keys <= named_columns:
            return
    for place, output in enumerate(outputs):
        if place not in ordered and (output.column is None or output.column not in ordered):
            raise NotPortable(
                "LIMIT: which rows come first is each database's own choice unless ORDER BY names "
                "every column of the answer, or every column of GROUP BY"
            )
