"""Which nodes of sqlglot's tree are known, with which parts, and what to say of those that are not.

A whitelist: a node that is not in `PARTS` is refused, and so is one with a part that is not named there. The
reasons only make a refusal clearer; no answer depends on them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .portable_types import SOURCES, NotPortable
from .scan import word_set

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["known", "refusal"]

PARTS = {
    "select": "expressions from_ joins where group having distinct order limit offset with_",
    "union": "this expression distinct order limit offset with_",
    "subquery": "this alias",
    "with": "expressions",
    "cte": "this alias",
    "from": "this",
    "join": "this on side kind",
    "table": "this db catalog alias",
    "tablealias": "this",
    "where": "this",
    "having": "this",
    "group": "expressions",
    "order": "expressions",
    "ordered": "this desc nulls_first",
    "limit": "expression",
    "offset": "expression",
    "distinct": "expressions",
    "alias": "this alias",
    "identifier": "this quoted",
    "column": "this table",
    "star": "",
    "literal": "this is_string",
    "neg": "this",
    "null": "",
    "boolean": "this",
    "paren": "this",
    **dict.fromkeys(("and", "or", "eq", "neq", "lt", "lte", "gt", "gte"), "this expression"),
    "is": "this expression negate",
    **dict.fromkeys(("add", "sub", "mul"), "this expression"),
    "not": "this",
    "in": "this expressions query",
    "between": "this low high",
    "exists": "this",
    "case": "this ifs default",
    "if": "this true",
    "coalesce": "this expressions",
    "count": "this big_int",
    **dict.fromkeys(("sum", "min", "max"), "this"),
    "cast": "this to",
    "datatype": "this nested",
}
"""``Expr.key`` to the parts that may be filled."""

_DIVISION = (
    "division: MySQL gives a decimal of four more places, and NULL for a zero divisor; DuckDB a double"
)
_TEXT_TEST = "LIKE and regular expressions: collation, case, escapes and the language of patterns differ"
_WINDOW = "a window function: which of two equal rows comes first is each database's own choice"
_CLOCK = "the clock: each database reads its own, in its own time zone"
_DATES = "dates: formats, months of different length, types of the result and time zones differ"
_JSON = "JSON: paths, types and the spelling of the result differ"
_CAST = "a cast: rounding, spelling and what cannot be converted differ"
_BITS = "bits: MySQL computes them in 64 bits without a sign"

REASONS = {
    "mysql": {"div": _DIVISION, "intdiv": "DIV: overflow and division by zero differ"},
    "postgres": {
        "div": "division: PostgreSQL truncates whole numbers and fails for a zero divisor; DuckDB gives a "
        "double and NULL",
    },
    "": {
        "mod": "the remainder: of a zero divisor MySQL gives NULL, DuckDB fails",
        **dict.fromkeys(
            word_set("like ilike similarto regexplike regexpilike rlike glob escape"), _TEXT_TEST
        ),
        **dict.fromkeys(word_set("window windowspec rownumber rank denserank lag lead"), _WINDOW),
        "filter": "FILTER: not shown to be equal",
        "withingroup": "WITHIN GROUP: which value stands for several is each database's own choice",
        "avg": "avg: MySQL and PostgreSQL give a decimal, DuckDB a double",
        "round": "rounding: which way a half goes, and of which type the result is, differ",
        **dict.fromkeys(word_set("concat dpipe concatws"), "joined texts: NULL and conversion differ"),
        **dict.fromkeys(word_set("cast trycast convert"), _CAST),
        **dict.fromkeys(
            word_set(
                "currentdate currenttime currenttimestamp currentdatetime localtime localtimestamp unixtotime"
                " currenttimestampltz utctimestamp utcdate utctime sysdate systimestamp"
            ),
            _CLOCK,
        ),
        **dict.fromkeys(
            word_set(
                "dateadd datesub datediff datetrunc timestamptrunc extract tsordsadd interval year"
                " month day week dayofweek dayofmonth dayofyear weekofyear quarter hour minute second lastday"
                " timestampadd timestampdiff timestampsub tsordstodate datestrtodate strtotime timetostr"
            ),
            _DATES,
        ),
        "attimezone": "time zones: MySQL and PostgreSQL use tables of their own",
        **dict.fromkeys(
            word_set(
                "jsonextract jsonextractscalar jsonbextract jsonbextractscalar jsonobject jsonarray"
                " jsonkeyvalue jsonbcontains jsonarrayagg jsonobjectagg"
            ),
            _JSON,
        ),
        **dict.fromkeys(
            word_set("groupconcat arrayagg stringagg listagg"),
            "a list of values: its order and length differ",
        ),
        **dict.fromkeys(
            word_set("bitwiseand bitwiseor bitwisexor bitwisenot bitwiseleftshift bitwiserightshift"), _BITS
        ),
        "xor": "XOR: numbers as conditions are read differently",
        **dict.fromkeys(
            word_set("stddev stddevsamp stddevpop variance variancepop"),
            "statistics of floats depend on the order of the rows",
        ),
        **dict.fromkeys(word_set("except intersect"), "EXCEPT and INTERSECT: not shown to be equal"),
        **dict.fromkeys(
            word_set("placeholder parameter sessionparameter"),
            "a parameter: its type is decided by each database",
        ),
        **dict.fromkeys(
            word_set("hexstring bitstring bytestring rawstring national introducer unicodestring"),
            "a literal with a prefix: its type differs",
        ),
        "collate": "COLLATE: the collations of the source are not in DuckDB",
        "nullsafeeq": "<=>: not shown to be equal",
        "nullsafeneq": "IS DISTINCT FROM: not shown to be equal",
        **dict.fromkeys(word_set("any all"), "ANY and ALL: not shown to be equal"),
        "tuple": "a row of values: rows with NULLs are compared differently",
        "lateral": "LATERAL: not shown to be equal",
        "values": "VALUES: the databases name and type the columns differently",
        "cube": "CUBE: not shown to be equal",
        "rollup": "ROLLUP: not shown to be equal",
        "rand": "a random number is never equal",
        "uuid": "a random identifier is never equal",
        **dict.fromkeys(word_set("command describe show"), "it is not a query"),
        "lock": "FOR UPDATE locks rows at the source",
        "propertyeq": "an assignment changes the session",
    },
}

PART_REASONS = {
    "recursive": "WITH RECURSIVE: not shown to be equal",
    "columns": "renamed columns of a table or WITH query: not shown to be equal",
    "materialized": "MATERIALIZED: a hint to the source",
    "using": "USING: whose column is meant is not shown to be equal",
    "method": "NATURAL and other join methods: they change with the columns that are there",
    "hint": "a hint to the source's planner",
    "hints": "a hint to the source's planner",
    "operation_modifiers": "a modifier of MySQL's SELECT",
    "locks": "FOR UPDATE locks rows at the source",
    "on": "DISTINCT ON keeps whichever row comes first",
    "symmetric": "BETWEEN SYMMETRIC: not shown to be equal",
    "windows": _WINDOW,
    "qualify": _WINDOW,
    "partition": "PARTITION: DuckDB does not know the table's partitions",
    "only": "ONLY: DuckDB does not know which tables inherit",
    "version": "a table as of another time",
    "sample": "a sample is never equal",
    "rollup": "ROLLUP: not shown to be equal",
    "cube": "CUBE: not shown to be equal",
    "grouping_sets": "GROUPING SETS: not shown to be equal",
    "except_": "EXCLUDE: not known to the source",
    "into": "SELECT INTO writes",
    "false": "IF(): a number as a condition is read differently",
    "laterals": "LATERAL: not shown to be equal",
}


def known(node: Expr, dialect: str) -> str:
    """Return the key of a node whose every part is known.

    Raises
    ------
    NotPortable
        For any other.
    """
    parts = _parts(node.key)
    if parts is None:
        raise refusal(node, dialect)
    for name, value in node.args.items():
        if value and name not in parts:
            raise NotPortable(
                PART_REASONS.get(name) or f"{node.key.upper()} with {name.strip('_')}: not shown to be equal"
            )
    return node.key


@cache
def _parts(key: str) -> frozenset[str] | None:
    return word_set(PARTS[key]) if key in PARTS else None


def refusal(node: Expr, dialect: str) -> NotPortable:
    """Return why a construct is not known to be equal."""
    from sqlglot import exp

    reason = REASONS[dialect].get(node.key) or REASONS[""].get(node.key)
    if reason:
        return NotPortable(reason)
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        return NotPortable(
            f"the function {name.upper()}(): not shown to answer the same in {SOURCES[dialect]} and DuckDB"
        )
    return NotPortable(f"{node.key.upper()}: not shown to be equal in {SOURCES[dialect]} and DuckDB")
