"""Which columns and rows of each table a query needs, so that no more is fetched from a remote one.

The answer is a superset by construction: the query is run again, whole, over what was fetched. A filter is
therefore given only where every row that the query could keep passes it in the remote database too, whatever
its collation and time zone. So text is compared for equality only: equal texts are equal in every collation,
but ``<`` and ``<>`` differ between them. A time with a zone is not compared at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..models import TableRef
from .conditions import Condition, Given
from .meaning import tables_of, understand
from .tree import NotUnderstood, quiet, read_tree, visible_cte

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["Resolved", "Scan", "always_there", "conjuncts", "is_special", "joined", "pushdown", "resolve"]

_FAMILIES = {
    "number": re.compile(
        r"\A(U?(TINY|SMALL|MEDIUM|BIG|HUGE)?INT(EGER)?\d*|SERIAL|BIGSERIAL|LONG|SHORT|BYTEINT|NUMBER|NUMERIC"
        r"|BIGNUMERIC|DECIMAL|DOUBLE|DOUBLE PRECISION|FLOAT8|FLOAT64)( UNSIGNED)?\Z"
    ),
    "date": re.compile(r"\ADATE\Z"),
    "timestamp": re.compile(r"\A(DATETIME|TIMESTAMP( WITHOUT TIME ZONE)?)\Z"),
    "text": re.compile(r"\A(VARCHAR|CHAR|CHARACTER|CHARACTER VARYING|N?VARCHAR2?|BPCHAR|TEXT|STRING|UUID)\Z"),
}
_ISO_DATE = re.compile(r"\A\d{4}-\d\d-\d\d\Z")
_ISO_TIME = re.compile(r"\A\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?)?\Z")
_CASTS = {"date": ("date",), "timestamp": ("timestamp", "timestampntz", "datetime")}
_TABLE_PARTS = frozenset({"this", "db", "catalog", "alias"})


@dataclass(frozen=True, slots=True)
class Scan:
    """What a query needs of one table.

    ``columns`` is None for all of them, and empty where only the number of rows counts. ``filters`` are
    conditions in the query's dialect, all of which a row must pass; their column names are quoted.
    ``conditions`` are the same, taken apart.
    """

    table: TableRef
    columns: tuple[str, ...] | None = None
    filters: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


def pushdown(text: str, schema: Mapping[str, Mapping[str, str]], dialect: str = "duckdb") -> dict[str, Scan]:
    """Say for each table of a query what must be fetched of it.

    Parameters
    ----------
    text : str
        One query; placeholders stay in the filters as they are.
    schema : mapping
        Table, written as in the query (``orders``, ``sales.orders``), to its columns and their types.
    dialect : str
        sqlglot's name of the dialect.

    Returns
    -------
    dict
        ``str(table)`` to `Scan`. Empty where the text does not parse. A table that occurs twice has the
        columns of both and no filter. Where a table is not in ``schema``, or a name cannot be resolved, every
        table is needed whole.

    Examples
    --------
    >>> tables = {"orders": {"id": "INTEGER", "region": "VARCHAR", "total": "DOUBLE"}}
    >>> scan = pushdown("SELECT sum(total) FROM orders WHERE region = 'EU'", tables)["orders"]
    >>> scan.columns, scan.filters
    (('region', 'total'), ('"region" = \\'EU\\'',))
    """
    if not understand(text, dialect).parsed:
        return {}
    try:
        root = read_tree(text, dialect)
        refs = list(dict.fromkeys(tables_of(root, dialect)))
        whole = {str(ref): Scan(ref) for ref in refs}
        resolved = resolve(root, schema, dialect)
        if resolved is None or {str(ref) for ref in refs} != set(resolved.uses):
            return whole
        return {str(ref): resolved.scan(ref, dialect) for ref in refs}
    except (NotUnderstood, RecursionError):
        return {}


@dataclass(frozen=True, slots=True)
class Resolved:
    """A tree whose columns name their table; ``exact`` where none of them may be an alias of the SELECT."""

    root: Expr
    exact: bool
    loose: frozenset[str]  # columns written without a table, folded
    uses: Counter[str]  # table to how often it stands in the text
    columns: Mapping[str, Mapping[str, tuple[str, str]]]  # table, folded column → its name and type

    def scan(self, ref: TableRef, dialect: str) -> Scan:
        from sqlglot import exp

        key = str(ref)
        nodes = [node for node in self.root.find_all(exp.Table) if node.meta.get("scan") == key]
        if any(is_special(node) for node in nodes):
            return Scan(ref)
        aliases = {node.alias_or_name.casefold() for node in nodes}
        named = (column for column in self.root.find_all(exp.Column) if column.table.casefold() in aliases)
        needed = self.loose | {column.name.casefold() for column in named}
        known = self.columns[key]
        columns = tuple(name for folded, (name, _) in known.items() if folded in needed)
        if not self.exact or self.uses[key] != 1:
            return Scan(ref, columns)
        found = list(_filters(nodes[0], known))
        texts = tuple(_written(condition, name, dialect) for condition, name in found)
        return Scan(ref, columns, texts, tuple(_taken_apart(condition, name) for condition, name in found))


def resolve(root: Expr, schema: Mapping[str, Mapping[str, str]], dialect: str) -> Resolved | None:
    """Qualify every column, or return None where that is not certain."""
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if not _is_certain(root):
        return None
    uses: Counter[str] = Counter()
    columns: dict[str, dict[str, tuple[str, str]]] = {}
    plain: dict[str, object] = {}
    for node in list(root.find_all(exp.Table)):
        if not isinstance(node.this, exp.Identifier) or (not node.db and visible_cte(node) is not None):
            continue
        key = str(TableRef(node.name, node.db or None, node.catalog or None))
        known = {name.casefold(): (name, kind) for name, kind in schema.get(key, {}).items()}
        if not known or len(known) != len(schema[key]):
            return None  # an unknown table, or columns that differ in case only
        uses[key] += 1
        columns[key] = known
        stand_in = f"_scan_{len(plain)}"
        plain[stand_in] = dict.fromkeys(schema[key], "TEXT")
        _rename(node, stand_in, key)
    bare = (column for column in root.find_all(exp.Column) if not column.table)
    loose = frozenset(column.name.casefold() for column in bare)
    for exact in (True, False):
        try:
            qualified = _qualified(root.copy(), plain, dialect, aliases=not exact)
        except SqlglotError:
            continue
        if not any(qualified.find_all(exp.Columns, exp.TableColumn)):
            return Resolved(qualified, exact, loose, uses, columns)
    return None


def _qualified(root: Expr, plain: dict[str, object], dialect: str, *, aliases: bool) -> Expr:
    from sqlglot.optimizer.qualify import qualify

    with quiet():
        return qualify(
            root, schema=plain, dialect=dialect, expand_alias_refs=aliases, quote_identifiers=False
        )


def _is_certain(root: Expr) -> bool:
    """Refuse what changes with the columns that are there: ``* EXCLUDE``, ``COLUMNS``, ``NATURAL``."""
    from sqlglot import exp

    if root.find(exp.Pivot, exp.Columns) or any(
        column.args.get("db") for column in root.find_all(exp.Column)
    ):
        return False
    if any(any(star.args.values()) for star in root.find_all(exp.Star)):
        return False
    return not any(join.method == "NATURAL" for join in root.find_all(exp.Join))


def _rename(node: Expr, stand_in: str, key: str) -> None:
    """Give a table a name of its own, so that names of one, two and three parts resolve alike."""
    from sqlglot import exp

    if not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(node.name, quoted=node.this.quoted)))
    node.set("this", exp.to_identifier(stand_in))
    node.set("db", None)
    node.set("catalog", None)
    node.meta["scan"] = key


def is_special(table: Expr) -> bool:
    """Say whether a table is sampled, of another time, or joined inside parentheses."""
    return any(value for name, value in table.args.items() if name not in _TABLE_PARTS)


def _filters(table: Expr, known: Mapping[str, tuple[str, str]]) -> Iterator[tuple[Expr, str]]:
    """Yield the conditions that hold for every row of ``table`` that matters to a query, and their column."""
    from sqlglot import exp

    clause = table.parent
    select = clause.parent if isinstance(clause, exp.From | exp.Join) else None
    alias = table.alias_or_name
    if not isinstance(select, exp.Select) or not (there := always_there(select)):
        return
    where = conjuncts(select.args.get("where")) if alias in there else []
    on = [
        condition
        for join, lost in joined(select, there)
        if alias in lost
        for condition in conjuncts(join.args.get("on"))
    ]
    for condition in (*where, *on):
        columns = list(condition.find_all(exp.Column))
        if len(columns) == 1 and columns[0].table == alias and columns[0].name.casefold() in known:
            name, kind = known[columns[0].name.casefold()]
            if _is_safe(condition, columns[0], _family(kind)):
                yield condition, name


def conjuncts(clause: Expr | None) -> list[Expr]:
    """Return what ANDs join in a WHERE clause or an ON condition; nothing where there is none."""
    from sqlglot import exp

    if clause is None:
        return []
    condition = clause.this if isinstance(clause, exp.Where) else clause
    condition = condition.unnest()
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def joined(select: Expr, there: set[str]) -> Iterator[tuple[Expr, set[str]]]:
    """Yield the joins of a SELECT, each with the tables whose rows may go where they fail its ON.

    That is every table that is ``there`` for an inner join, the right side of a LEFT JOIN, and both for a
    SEMI JOIN.
    """
    for join in select.args.get("joins") or []:
        if join.method == "" and join.side == "" and join.kind in ("", "INNER", "CROSS"):
            yield join, there
        elif join.method == "" and join.side == "LEFT" and join.kind in ("", "OUTER"):
            yield join, {join.this.alias_or_name}
        elif join.method == "" and join.side == "" and join.kind == "SEMI":
            yield join, there | {join.this.alias_or_name}


def always_there(select: Expr) -> set[str]:
    """Return the tables of a FROM clause whose rows no outer join replaces by NULLs."""
    from sqlglot import exp

    source = select.args["from_"].this
    if select.args.get("sample") or select.find(exp.TableSample):
        return set()
    there = {source.alias_or_name}
    for join in select.args.get("joins") or []:
        side, method = join.side, join.method
        if side in ("RIGHT", "FULL") or method not in ("", "ASOF"):
            there = set()
        if side in ("", "RIGHT") and join.kind in ("", "INNER", "CROSS") and method == "":
            there.add(join.this.alias_or_name)
        if join.kind not in ("", "INNER", "CROSS", "OUTER", "SEMI", "ANTI"):
            return set()
    return there


def _family(kind: str) -> str:
    word = re.sub(r"\(.*?\)", "", kind).strip().upper()
    return next((family for family, pattern in _FAMILIES.items() if pattern.match(word)), "other")


def _is_safe(condition: Expr, column: Expr, family: str) -> bool:
    """Say whether a condition keeps at least the rows that it keeps here, in any database."""
    from sqlglot import exp

    negated = isinstance(condition, exp.Not)
    inner = condition.this if negated else condition
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Is):
        return inner.this is column and isinstance(inner.expression, exp.Null)
    if isinstance(inner, exp.In):
        listed = bool(inner.expressions) and not inner.args.get("query") and not inner.args.get("unnest")
        values = inner.expressions
        allowed = inner.this is column and listed and not (negated and family == "text")
        return allowed and all(_is_constant(value, family) for value in values)
    if isinstance(inner, exp.Between):
        ends = (inner.args["low"], inner.args["high"])
        return inner.this is column and family != "text" and all(_is_constant(end, family) for end in ends)
    if not isinstance(inner, exp.EQ | exp.NEQ | exp.LT | exp.LTE | exp.GT | exp.GTE):
        return False
    if family == "text" and (negated or not isinstance(inner, exp.EQ)):
        return False
    other = inner.expression if inner.this is column else inner.this
    return column in (inner.this, inner.expression) and _is_constant(other, family)


def _is_constant(value: Expr, family: str) -> bool:
    """Say whether a value means the same everywhere, beside a column of this family."""
    from sqlglot import exp

    if isinstance(value, exp.Placeholder | exp.Parameter):
        return family != "other"
    if isinstance(value, exp.Neg):
        return family == "number" and isinstance(value.this, exp.Literal) and not value.this.is_string
    if isinstance(value, exp.Cast) and value.to.is_type(*_CASTS.get(family, ())):
        value = value.this
    if not isinstance(value, exp.Literal):
        return False
    if family in ("date", "timestamp"):
        return value.is_string and bool((_ISO_DATE if family == "date" else _ISO_TIME).match(value.name))
    return value.is_string if family == "text" else family == "number" and not value.is_string


def _written(condition: Expr, name: str, dialect: str) -> str:
    from sqlglot import exp

    copy = condition.copy()
    for column in copy.find_all(exp.Column):
        column.replace(exp.column(name, quoted=True))
    return str(copy.sql(dialect=dialect))


def _taken_apart(condition: Expr, name: str) -> Condition:
    """Return a condition that `_is_safe` passed as its parts."""
    from sqlglot import exp

    negated = isinstance(condition, exp.Not)
    inner = condition.this if negated else condition
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Is):
        return Condition(name, "IS NOT NULL" if negated else "IS NULL")
    if isinstance(inner, exp.In):
        return Condition(name, "NOT IN" if negated else "IN", tuple(map(_value, inner.expressions)))
    if isinstance(inner, exp.Between):
        ends = (_value(inner.args["low"]), _value(inner.args["high"]))
        return Condition(name, "NOT BETWEEN" if negated else "BETWEEN", ends)
    operator = _OPERATORS[inner.key]
    flipped = not isinstance(inner.this, exp.Column)
    operator = _FLIPPED.get(operator, operator) if flipped else operator
    operator = _NEGATED[operator] if negated else operator
    return Condition(name, operator, (_value(inner.this if flipped else inner.expression),))


_OPERATORS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _value(value: Expr) -> Any:
    """Return a constant; None for a number that is not written in digits alone."""
    from sqlglot import exp

    if isinstance(value, exp.Placeholder | exp.Parameter):
        return Given(value.name)
    if isinstance(value, exp.Cast):
        value = value.this
    sign = -1 if isinstance(value, exp.Neg) else 1
    literal = value.this if isinstance(value, exp.Neg) else value
    if literal.is_string:
        return literal.name
    if not _DIGITS.match(literal.name):
        return None
    return sign * (Decimal(literal.name) if "." in literal.name else int(literal.name))


_DIGITS = re.compile(r"\A\d+(\.\d+)?\Z")
