"""Every type of BigQuery as its two APIs give it: DuckDB has not all of them.

``SELECT * FROM recorded.types`` reads them, with ``LIMIT n`` where fewer rows are wanted; and
``recorded.endless`` has more rows than anybody reads, as has `ENDLESS`, which BigQuery itself would take.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pyarrow as pa
from values import Result

WIDE = Decimal("99999999999999999999999999999.999999999")
BIG = Decimal("12345678901234567890123456789012345678.12345678901234567890123456789012345678")
TOO_BIG = "578960446186580977117854925043439539266.34992332820282019728792003956564819967"
INTERVAL = pa.month_day_nano_interval()
ENDLESS = (
    "SELECT a * 1000 + b AS i, REPEAT('x', 100) AS s FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS a,"
    " UNNEST(GENERATE_ARRAY(1, 1000)) AS b"
)
_POINT = [{"name": "x", "type": "INTEGER"}, {"name": "tags", "type": "STRING", "mode": "REPEATED"}]
_POINTS = pa.struct([("x", pa.int64()), ("tags", pa.list_(pa.string()))])
_RANGE = pa.struct([("start", pa.date32()), ("end", pa.date32())])
_INSTANTS = pa.struct([("start", pa.timestamp("us", "UTC")), ("end", pa.timestamp("us", "UTC"))])

Recorded = tuple[dict[str, Any], list[Any], Any]
"""The field of the schema, the cells in JSON, and the column in Arrow."""

TYPES: list[Recorded] = [
    ({"type": "INTEGER"}, ["-9223372036854775808", None], pa.array([-(2**63), None], pa.int64())),
    ({"type": "FLOAT"}, ["Infinity", None], pa.array([float("inf"), None], pa.float64())),
    ({"type": "BOOLEAN"}, ["true", None], pa.array([True, None])),
    ({"type": "NUMERIC"}, [str(WIDE), None], pa.array([WIDE, None], pa.decimal128(38, 9))),
    (
        {"type": "NUMERIC", "precision": "10", "scale": "2"},
        ["12345678.9", None],
        pa.array([Decimal("12345678.9"), None], pa.decimal128(38, 9)),
    ),
    ({"type": "BIGNUMERIC"}, [str(BIG), None], pa.array([BIG, None], pa.decimal256(76, 38))),
    (
        {"type": "BIGNUMERIC", "precision": "50"},
        ["9" * 50, None],
        pa.array([Decimal("9" * 50), None], pa.decimal256(76, 0)),
    ),
    ({"type": "STRING", "maxLength": "9"}, ["Grüße 🦆", None], pa.array(["Grüße 🦆", None])),
    ({"type": "BYTES"}, ["AP8=", None], pa.array([b"\x00\xff", None], pa.binary())),
    ({"type": "DATE"}, ["0001-01-01", None], pa.array([-719162, None], pa.int32()).cast(pa.date32())),
    (
        {"type": "TIME"},
        ["23:59:59.999999", None],
        pa.array([86_399_999_999, None], pa.int64()).cast(pa.time64("us")),
    ),
    (
        {"type": "DATETIME"},
        ["9999-12-31T23:59:59.999999", None],
        pa.array([253402300799999999, None], pa.timestamp("us")),
    ),
    (
        {"type": "TIMESTAMP"},
        ["-62135596800000000", None],
        pa.array([-62135596800000000, None], pa.timestamp("us", "UTC")),
    ),
    (
        {"type": "TIMESTAMP", "timestampPrecision": "12"},
        ["1709210096789012", None],
        pa.array([1709210096789012, None], pa.timestamp("us", "UTC")),
    ),
    (
        {"type": "INTERVAL"},
        ["-1-2 3 -4:5:6.789", None],
        pa.array([(-14, 3, -14_706_789_000_000), None], INTERVAL),
    ),
    ({"type": "JSON"}, ['{"a":1.50,"a":2}', None], pa.array(['{"a":1.50,"a":2}', None])),
    ({"type": "GEOGRAPHY"}, ["POINT(1 2)", None], pa.array(["POINT(1 2)", None])),
    (
        {"type": "RANGE", "rangeElementType": {"type": "DATE"}},
        ["[2024-02-29, UNBOUNDED)", None],
        pa.array(
            [{"start": pa.scalar(19782, pa.int32()).cast(pa.date32()).as_py(), "end": None}, None], _RANGE
        ),
    ),
    (
        {"type": "RANGE", "rangeElementType": {"type": "TIMESTAMP"}},
        ["[UNBOUNDED, 1709210096789012)", None],
        pa.StructArray.from_arrays(
            [
                pa.array([None, None], pa.timestamp("us", "UTC")),
                pa.array([1709210096789012, None], pa.timestamp("us", "UTC")),
            ],
            fields=list(_INSTANTS),
            mask=pa.array([False, True]),
        ),
    ),
    (
        {"type": "RECORD", "fields": _POINT},
        [{"f": [{"v": "1"}, {"v": [{"v": "a"}, {"v": "b"}]}]}, None],
        pa.array([{"x": 1, "tags": ["a", "b"]}, None], _POINTS),
    ),
    (
        {"type": "RECORD", "mode": "REPEATED", "fields": _POINT},
        [[{"v": {"f": [{"v": None}, {"v": []}]}}], []],
        pa.array([[{"x": None, "tags": []}], []], pa.list_(_POINTS)),
    ),
    (
        {"type": "NUMERIC", "mode": "REPEATED"},
        [[{"v": "1.5"}], []],
        pa.array([[Decimal("1.5")], []], pa.list_(pa.decimal128(38, 9))),
    ),
]
UNFIT: dict[str, Recorded] = {
    "bignumeric": ({"type": "BIGNUMERIC"}, [TOO_BIG], None),
    "interval": ({"type": "INTERVAL"}, ["0-0 0 87840000:0:0"], None),
    "unknown": ({"type": "HOLOGRAM"}, ["x"], pa.array(["x"])),
}


def _too_big() -> Any:
    """The largest BIGNUMERIC in 256 bits: 77 digits, which Arrow's own functions refuse to make."""
    number = int(TOO_BIG.replace(".", ""))
    return pa.Array.from_buffers(
        pa.decimal256(76, 38), 1, [None, pa.py_buffer(number.to_bytes(32, "little", signed=True))]
    )


def _endless() -> Result:
    """Twenty million rows in the memory of twenty thousand."""
    chunk = [pa.array(range(20_000), pa.int64()), pa.array(["x" * 100] * 20_000)]
    fields = [{"name": "i", "type": "INTEGER"}, {"name": "s", "type": "STRING"}]
    return Result(fields, pa.table([pa.chunked_array([each] * 1000) for each in chunk], names=["i", "s"]))


def recorded(sql: str) -> Result | None:
    """Return the recorded result that a statement reads, if it reads one."""
    if sql.endswith(ENDLESS):
        return _endless()
    found = re.fullmatch(
        r"(?:/\*.*?\*/)?\s*SELECT \* FROM recorded\.(\w+)(?: LIMIT (\d+))?", sql.strip(), re.DOTALL
    )
    if found is None:
        return None
    if found[1] == "endless":
        return _endless()
    if found[1] == "types":
        chosen = [
            ({**field, "name": f"c{place}"}, cells, arrow)
            for place, (field, cells, arrow) in enumerate(TYPES)
        ]
    else:
        field, cells, arrow = UNFIT[found[1]]
        if found[1] == "bignumeric":
            arrow = _too_big()
        elif found[1] == "interval":
            arrow = pa.array(cells)  # as text: Arrow's own interval cannot hold it
        chosen = [({**field, "name": "c0"}, cells, arrow)]
    table = pa.Table.from_arrays(
        [arrow for _, _, arrow in chosen], names=[field["name"] for field, _, _ in chosen]
    )
    result = Result([field for field, _, _ in chosen], table, [cells for _, cells, _ in chosen])
    return result if found[2] is None else result.head(int(found[2]))
