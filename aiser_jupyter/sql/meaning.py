"""From a statement's tree to its kind, tables and features; a text that is too large is not parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ..models import StatementKind, TableRef
from .kinds import explained, function_names, kind_by_word, kind_of_tree
from .scan import significant, survey, word_set
from .statement import Features
from .tree import NotUnderstood, read_tree, visible_cte

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Meaning", "tables_of", "understand"]

MAX_BYTES = 65536
"""Larger texts are not parsed: sqlglot takes 7 s for a list of 200,000 numbers."""

MAX_DEPTH = 50
"""Deeper nesting is not parsed: sqlglot ends in RecursionError at 60 nested calls."""

_READERS = word_set(
    "read_parquet read_csv read_csv_auto read_json read_json_auto read_ndjson read_ndjson_auto read_xlsx"
    " parquet_scan read_json_objects read_text read_blob"
)
_DATA_PATH = re.compile(
    r"://|[*]|\.(parquet|pq|csv|tsv|txt|json|jsonl|ndjson|xlsx|arrow|feather|ipc|avro)"
    r"(\.(gz|gzip|zst|bz2|xz|lz4))?\Z",
    re.IGNORECASE,
)
_VOLATILE = word_set(
    "now today random rand rand_string uuid uuidv4 uuidv7 gen_random_uuid uuid_generate_v4 newid nextval"
    " setseed current_timestamp current_date current_time localtime localtimestamp current_localtime"
    " current_localtimestamp get_current_time get_current_timestamp transaction_timestamp statement_timestamp"
    " clock_timestamp timeofday sysdate systimestamp getdate utc_timestamp utc_date utc_time curdate curtime"
    " unix_timestamp txid_current pg_sleep sleep randn randstr uniform"
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a text says, apart from its values. See `Statement` for the fields."""

    kind: StatementKind
    tables: tuple[TableRef, ...] = ()
    features: Features = Features()
    parsed: bool = True
    note: str = ""


def understand(
    text: str, dialect: str = "duckdb", *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH
) -> Meaning:
    """Say what one statement does; ``text`` has stand-ins for its parameters. Never raises."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        note = f"The statement has {size:,} bytes; up to {max_bytes:,} are looked into."
        return Meaning(StatementKind.UNKNOWN, parsed=False, note=note)
    depth = survey(text, dialect).depth
    if depth > max_depth:
        note = f"The statement is nested {depth:,} deep; up to {max_depth:,} is looked into."
        return Meaning(StatementKind.UNKNOWN, parsed=False, note=note)
    return _understand(text, dialect)


@lru_cache(maxsize=512)
def _understand(text: str, dialect: str) -> Meaning:
    seen = survey(text, dialect)
    start, end = seen.parts[0] if seen.parts else (0, 0)
    text = text[start:end]
    inner = explained(significant(text, dialect)) if seen.words[:1] else None
    meaning = _explanation(text, dialect, inner) if inner else _plain(text, dialect, seen.words)
    if seen.versioned and meaning.kind is StatementKind.READ:
        return replace(meaning, kind=StatementKind.UNKNOWN)  # MySQL runs what stands in /*! … */
    return meaning


def _plain(text: str, dialect: str, words: tuple[str, ...]) -> Meaning:
    try:
        root = read_tree(text, dialect)
        kind = kind_of_tree(root, words, text)
        tables = () if kind is StatementKind.SESSION else tuple(dict.fromkeys(tables_of(root, dialect)))
        return Meaning(kind, tables, _features(root))
    except (NotUnderstood, RecursionError) as exc:
        note = f"sqlglot does not read this as {dialect}: {exc}"
        return Meaning(kind_by_word(words), parsed=False, note=note)


def _explanation(text: str, dialect: str, inner: tuple[bool, int]) -> Meaning:
    """EXPLAIN reads, and EXPLAIN ANALYZE does what its statement does. Either answers anew each time."""
    runs, start = inner
    meaning = _understand(text[start:], dialect)
    kind = meaning.kind
    if not runs and meaning.parsed and kind is not StatementKind.UNKNOWN:
        kind = StatementKind.READ
    return replace(meaning, kind=kind, features=replace(meaning.features, volatile=True))


def tables_of(root: Expr, dialect: str) -> Iterator[TableRef]:
    """Yield the tables and files that a tree names, CTEs left out, in its order."""
    from sqlglot import exp

    for node in root.walk():
        if isinstance(node, exp.Table):
            if not isinstance(node.this, exp.Identifier) or isinstance(node.parent, exp.UserDefinedFunction):
                continue
            name, schema, catalog = node.name, node.db or None, node.catalog or None
            if schema is None and visible_cte(node) is not None:
                continue
            quoted = dialect == "duckdb" and schema is None and node.this.quoted
            yield TableRef(name, schema, catalog, is_file=quoted and bool(_DATA_PATH.search(name)))
        elif not _READERS.isdisjoint(function_names(node)):
            yield from _files_of(node)


def _files_of(function: Expr) -> Iterator[TableRef]:
    """Yield the literal paths that a reading function names."""
    from sqlglot import exp

    first = next(iter(function.iter_expressions()), None)
    for path in first.expressions if isinstance(first, exp.Array) else [first]:
        if isinstance(path, exp.Literal) and path.is_string:
            yield TableRef(path.name, is_file=True)


def _features(root: Expr) -> Features:
    from sqlglot import exp

    count = dict.fromkeys(("joins", "aggregates", "subqueries", "windows", "set_operations", "ctes"), 0)
    distinct = volatile = False
    for node in root.walk():
        count["joins"] += isinstance(node, exp.Join)
        count["aggregates"] += isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window)
        count["subqueries"] += isinstance(node, exp.Select) and _is_nested(node)
        count["windows"] += isinstance(node, exp.Window)
        count["set_operations"] += isinstance(node, exp.SetOperation)
        count["ctes"] += isinstance(node, exp.CTE)
        distinct = distinct or isinstance(node, exp.Distinct)
        volatile = volatile or _is_volatile(node)
    return Features(**count, distinct=distinct, ordered=bool(root.args.get("order")), volatile=volatile)


def _is_nested(select: Expr) -> bool:
    """Say whether a SELECT is a subquery: not the statement, a CTE, or one side of a UNION."""
    from sqlglot import exp

    parent = select.parent
    while isinstance(parent, exp.Subquery) and isinstance(
        parent.parent, exp.SetOperation | exp.Subquery | None
    ):
        parent = parent.parent
    return not (parent is None or isinstance(parent, exp.CTE | exp.SetOperation | exp.DDL | exp.DML))


def _is_volatile(node: Expr) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.TableSample) or not _VOLATILE.isdisjoint(function_names(node))
