"""Names of other databases' tables in a statement of DuckDB, replaced by the names they are fetched under.

Only the names change: they are cut out of the text where sqlglot says that they stand, and everything else is
left as it was written. A table keeps its last name as its alias, so that ``orders.total`` still resolves;
``warehouse.public.orders.total`` becomes ``orders.total``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..models import TableRef
from .parameters import quote_identifier
from .source_map import SourceMap, edited
from .tree import NotUnderstood, read_tree, visible_cte

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["Spliced", "splice"]


@dataclass(frozen=True, slots=True)
class Spliced:
    """A statement whose remote tables go by other names.

    Parameters
    ----------
    text : str
        What DuckDB runs.
    names : mapping
        ``str(TableRef)`` of each remote table to what it is called in ``text``: the same, but for a table
        that differs from another one in case alone.
    star : bool
        Whether all columns of a table are asked for by a ``*``.
    once : bool
        Whether it reads one table, and that one once: its rows may then be streamed through it.
    query : str
        The query that a statement holds, for `pushdown`; the statement itself where it is one.
    source : SourceMap
        The way back to the statement.
    said : mapping
        What the tables are called in ``text``, quoted, to how a statement may call them.
    """

    text: str
    names: Mapping[str, str]
    star: bool
    once: bool
    query: str
    source: SourceMap
    said: Mapping[str, str]


def splice(text: str, refs: Collection[TableRef]) -> Spliced:
    """Replace the tables ``refs`` in one statement of DuckDB.

    Raises
    ------
    UsageError
        For a statement that would write one of them, or keep a name that is gone after it.

    Examples
    --------
    >>> orders = TableRef("orders", "public", "shop")
    >>> splice("SELECT o.id FROM shop.public.orders o -- mine", {orders}).text
    'SELECT o.id FROM "shop.public.orders" o -- mine'
    >>> splice("SELECT orders.id FROM shop.public.orders", {orders}).text
    'SELECT orders.id FROM "shop.public.orders" AS "orders"'
    """
    from sqlglot import exp

    try:
        root = read_tree(text, "duckdb")
    except NotUnderstood as exc:
        raise UsageError(f"The tables of other connections cannot be found in it: {exc}") from exc
    if isinstance(root, exp.Command):
        raise UsageError(
            f"{str(root.this).upper()} does not look into other connections.",
            hint="%aiser route says what would be fetched, and with which SELECT.",
        )
    tables = [node for node in root.find_all(exp.Table) if _ref(node) in refs]
    _refuse(root, tables)
    names = _names(tables)
    edits = [_table_edit(node, names[_ref(node)]) for node in tables]
    edits += [edit for node in root.find_all(exp.Column) for edit in _column_edit(node, tables, refs)]
    found, source = edited(text, edits)
    called = {str(ref): name for ref, name in names.items()}
    star = any(not isinstance(star.parent, exp.Count) for star in root.find_all(exp.Star))
    after = read_tree(found, "duckdb")
    if _called(after, {}) != _called(root, names):  # the proof that the right words were replaced
        raise UsageError(
            f"The names {', '.join(called)} cannot be replaced in the statement.",
            hint="Read the table in a statement of its own: CREATE TABLE t AS FROM connection.table.",
        )
    said = {quote_identifier(names[_ref(node)]): _said(node) for node in tables}
    return Spliced(found, called, star, _reads_once(root, tables), _query(after, found), source, said)


def _called(root: Expr, names: Mapping[TableRef | None, str]) -> Counter[str]:
    """Count the tables of a statement by what they are called, with ``names`` for some of them."""
    from sqlglot import exp

    refs = map(_ref, root.find_all(exp.Table))
    return Counter(names.get(ref, str(ref)) for ref in refs)


def _names(tables: Sequence[Expr]) -> dict[TableRef | None, str]:
    """Return what each table is called: DuckDB does not tell small letters from capital ones."""
    names: dict[TableRef | None, str] = {}
    for ref in dict.fromkeys(map(_ref, tables)):
        name = str(ref)
        while name.casefold() in {other.casefold() for other in names.values()}:
            name += "'"
        names[ref] = name
    return names


def _said(node: Expr) -> str:
    """Return a table's name as a statement may have it: quoted where it must be."""
    parts: list[Expr] = node.parts  # type: ignore[attr-defined]
    return ".".join(quote_identifier(part.name) if part.args.get("quoted") else part.name for part in parts)


def _ref(node: Expr) -> TableRef | None:
    from sqlglot import exp

    if not isinstance(node.this, exp.Identifier) or (not node.args.get("db") and visible_cte(node)):
        return None
    return TableRef(node.name, node.text("db") or None, node.text("catalog") or None)


def _span(parts: list[Expr]) -> tuple[int, int]:
    """Return where a dotted name stands in the text."""
    first, last = parts[0].meta.get("start"), parts[-1].meta.get("end")
    if first is None or last is None:
        name = ".".join(part.name for part in parts)
        raise UsageError(f"{name} cannot be found in the statement.", hint="Write it without quotes.")
    return first, last + 1


def _table_edit(node: Expr, called: str) -> tuple[int, int, str]:
    from sqlglot import exp

    start, end = _span(node.parts)  # type: ignore[attr-defined]
    name = quote_identifier(called)
    listed = isinstance(node.parent, exp.From | exp.Join | exp.Subquery | exp.Paren)
    return start, end, name if node.alias or not listed else f"{name} AS {quote_identifier(_alias(node))}"


def _alias(node: Expr) -> str:
    """Return what a table without an alias goes by: its last name, unless another one beside it has that."""
    beside = [other for other in _sources(_select_of(node)) if other is not node]
    taken = {other.alias_or_name.casefold() for other in beside}
    return str(_ref(node)) if node.name.casefold() in taken else str(node.name)


def _select_of(node: Expr) -> Expr | None:
    from sqlglot import exp

    return node.find_ancestor(exp.Select)


def _sources(select: Expr | None) -> Iterator[Expr]:
    """Yield what stands in FROM and JOIN of one SELECT."""
    if select is None:
        return
    source = select.args.get("from_")
    if source is not None:
        yield source.this
        yield from (join.this for join in source.this.args.get("joins") or [])
    yield from (join.this for join in select.args.get("joins") or [])


def _column_edit(
    column: Expr, tables: Sequence[Expr], refs: Collection[TableRef]
) -> Iterator[tuple[int, int, str]]:
    """Yield the edit of ``connection.schema.table.column``: to what that table goes by there."""
    if not column.args.get("db"):
        return
    qualifier = [column.args[part] for part in ("catalog", "db", "table") if column.args.get(part)]
    while qualifier and (ref := TableRef(*(part.name for part in reversed(qualifier)))) not in refs:
        qualifier.pop()  # connection.table.column.field
    if len(qualifier) < 2:
        return
    select = _select_of(column)
    while select is not None:
        for node in _sources(select):
            if node in tables and _ref(node) == ref:
                yield (*_span(qualifier), quote_identifier(node.alias or _alias(node)))
                return
        select = _select_of(select)
    raise UsageError(
        f"{ref}.{column.name} is no column here: {ref} is not in FROM.",
        hint="Give the table an alias, and write alias.column.",
    )


def _refuse(root: Expr, tables: Sequence[Expr]) -> None:
    """Refuse a write into a remote table, and whatever keeps a remote name beyond the statement."""
    from sqlglot import exp

    target = (
        root.this if isinstance(root, exp.DDL | exp.DML | exp.Drop | exp.Copy | exp.TruncateTable) else None
    )
    while isinstance(target, exp.Schema):
        target = target.this
    for node in tables:
        if node is target or isinstance(root, exp.Drop | exp.TruncateTable):
            raise UsageError(
                f"{_ref(node)} is a table of another connection; it is only read here.",
                hint=f"Write in a cell of that connection: %%aiser {node.parts[0].name}.",  # type: ignore[attr-defined]
            )
    if isinstance(root, exp.Create) and str(root.args.get("kind")).upper() != "TABLE":
        raise UsageError(
            "A view cannot hold the table of another connection: it is fetched for one statement.",
            hint="CREATE TABLE … AS SELECT … keeps its rows.",
        )


def _query(root: Expr, text: str) -> str:
    """Return the query inside ``CREATE TABLE … AS`` and ``INSERT``; for any other statement its text."""
    from sqlglot import exp

    inner = root.expression if isinstance(root, exp.Create | exp.Insert) else None
    if isinstance(inner, exp.Query) and not root.args.get("with_"):
        return str(inner.sql(dialect="duckdb"))
    return text


def _reads_once(root: Expr, tables: Sequence[Expr]) -> bool:
    """Say whether the rows of the one table can be handed over while they arrive.

    DuckDB does not know how many rows a stream has, so that a join with one is planned badly.
    """
    from sqlglot import exp

    if len(tables) != 1 or len(list(root.find_all(exp.Table))) != 1 or not isinstance(root, exp.Select):
        return False
    nested = (exp.With, exp.Pivot, exp.Subquery, exp.Window, exp.Join, exp.Lateral, exp.SetOperation)
    if root.find(*nested, exp.Exists):
        return False
    source = root.args.get("from_")
    return source is not None and source.this is tables[0]
