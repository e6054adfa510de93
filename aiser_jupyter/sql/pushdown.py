"""Which columns and rows of each table a query needs, so that no more is fetched from a remote one.

The answer is a superset by construction: the query is run again, whole, over what was fetched. A filter is
therefore given only where every row that the query could keep passes it in the remote database too, whatever
its collation and time zone. So text is compared for equality only: equal texts are equal in every collation,
but ``<`` and ``<>`` differ between them. A time with a zone is not compared at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models import TableRef
from .meaning import tables_of, understand
from .tree import NotUnderstood, quiet, read_tree, visible_cte

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["Scan", "pushdown"]

_FAMILIES = {
    "number": re.compile(
        r"\A(U?(TINY|SMALL|MEDIUM|BIG|HUGE)?INT(EGER)?\d*|SERIAL|BIGSERIAL|LONG|SHORT|BYTEINT|NUMBER|NUMERIC"
        r"|BIGNUMERIC|DECIMAL|DOUBLE|DOUBLE PRECISION|FLOAT8|FLOAT64)( UNSIGNED)?\Z"
    ),
    "date": re.compile(r"\ADATE\Z"),
    "text": re.compile(r"\A(VARCHAR|CHAR|CHARACTER|CHARACTER VARYING|N?VARCHAR2?|BPCHAR|TEXT|STRING|UUID)\Z"),
}
_ISO_DATE = re.compile(r"\A\d{4}-\d\d-\d\d\Z")
_TABLE_PARTS = frozenset({"this", "db", "catalog", "alias"})


@dataclass(frozen=True, slots=True)
class Scan:
    """What a query needs of one table.

    ``columns`` is None for all of them, and empty where only the number of rows counts. ``filters`` are
    conditions in the query's dialect, all of which a row must pass; their column names are quoted.
    """

    table: TableRef
    columns: tuple[str, ...] | None = None
    filters: tuple[str, ...] = ()


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
        resolved = _resolve(root, schema, dialect)
        if resolved is None or {str(ref) for ref in refs} != set(resolved.uses):
            return whole
        return {str(ref): resolved.scan(ref, dialect) for ref in refs}
    except (NotUnderstood, RecursionError):
        return {}


@dataclass(frozen=True, slots=True)
class _Resolved:
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
        if any(_is_special(node) for node in nodes):
            return Scan(ref)
        aliases = {node.alias_or_name.casefold() for node in nodes}
        named = (column for column in self.root.find_all(exp.Column) if column.table.casefold() in aliases)
        needed = self.loose | {column.name.casefold() for column in named}
        known = self.columns[key]
        filters = _filters(nodes[0], known, dialect) if self.exact and self.uses[key] == 1 else ()
        return Scan(ref, tuple(name for folded, (name, _) in known.items() if folded in needed), filters)


def _resolve(root: Expr, schema: Mapping[str, Mapping[str, str]], dialect: str) -> _Resolved | None:
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
            return _Resolved(qualified, exact, loose, uses, columns)
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


def _is_special(table: Expr) -> bool:
    """Say whether a table is sampled, of another time, or joined inside parentheses."""
    return any(value for name, value in table.args.items() if name not in _TABLE_PARTS)


def _filters(table: Expr, known: Mapping[str, tuple[str, str]], dialect: str) -> tuple[str, ...]:
    from sqlglot import exp

    clause = table.parent
    select = clause.parent if isinstance(clause, exp.From | exp.Join) else None
    alias = table.alias_or_name
    if not isinstance(select, exp.Select) or alias not in _always_there(select):
        return ()
    where = select.args.get("where")
    conditions = (
        where.this.flatten() if where and isinstance(where.this, exp.And) else [where.this] if where else []
    )
    found = []
    for condition in conditions:
        columns = list(condition.find_all(exp.Column))
        if len(columns) == 1 and columns[0].table == alias and columns[0].name.casefold() in known:
            name, kind = known[columns[0].name.casefold()]
            if _is_safe(condition, columns[0], _family(kind)):
                found.append(_written(condition, name, dialect))
    return tuple(found)


def _always_there(select: Expr) -> set[str]:
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
    if isinstance(value, exp.Cast) and family == "date" and value.to.is_type("date"):
        value = value.this
    if not isinstance(value, exp.Literal):
        return False
    if family == "date":
        return value.is_string and bool(_ISO_DATE.match(value.name))
    return value.is_string if family == "text" else family == "number" and not value.is_string


def _written(condition: Expr, name: str, dialect: str) -> str:
    from sqlglot import exp

    copy = condition.copy()
    for column in copy.find_all(exp.Column):
        column.replace(exp.column(name, quoted=True))
    return str(copy.sql(dialect=dialect))
