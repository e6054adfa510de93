"""Two tables of nasty values, at a source and in DuckDB, and what it means that two answers are equal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pyarrow as pa

Answer = tuple[tuple[str, ...], list[tuple[Any, ...]]]

_D = Decimal
_I64 = 2**40
NUMBERS = (
    # id, n, small, big, price, rate, ratio, f
    (1, 7, 32767, 5 * _I64, _D("1.50"), _D("0.3333"), 0.1, 0.1),
    (2, -7, -5, -_I64, _D("-2.25"), _D("-0.3333"), -2.5, 1.5),
    (3, 0, 0, 0, _D("0.00"), _D("0.0000"), 0.0, 0.0),
    (4, None, None, None, None, None, None, None),
    (5, 2, 1, 9_007_199_254_740_993, _D("0.05"), _D("12.3456"), 1e300, 3.25),
    (6, 2, 1, 9_007_199_254_740_992, _D("0.10"), _D("12.3456"), 9_007_199_254_740_992.0, 16777216.0),
    (7, 10, 2, 3, _D("99.99"), _D("7.0000"), 2.5, 2.5),
    (8, -1, 3, -3, _D("2.50"), _D("1.0050"), 0.3, 0.7),
)
TEXTS = (
    # day, at, ts, name, code, word, kind
    ("2023-03-26", "2023-03-26 01:30:00", "2023-03-26 00:30:00", "Anna", "ab", "10", "small"),
    ("2023-03-26", "2023-03-26 03:30:00", "2023-03-26 01:30:00", "anna", "AB", "9", "big"),
    ("2024-02-29", "2024-02-29 23:59:59", "2024-02-29 23:59:59", "anna ", "ab ", "010", "small"),
    (None, None, None, None, None, None, None),
    ("2023-10-29", "2023-10-29 02:30:00", "2023-10-29 00:30:00", "", "", "", "big"),
    ("2023-12-31", "2023-12-31 12:00:00", "2023-12-31 23:30:00", "ánna", "á", "abc", "small"),
    ("2024-01-01", "2024-01-01 00:00:00", "2024-01-01 03:00:00", "Zoe", "Z", "1e1", "big"),
    ("1999-12-31", "1999-12-31 00:00:00", "1999-12-31 05:00:00", "straße", "s_%", " 7", "small"),
)
ORDERS = (
    # id, item_id, qty, day, amount, note
    (1, 1, 3, "2023-03-26", _D("10.00"), "a,b"),
    (2, 1, 4, "2024-02-29", _D("10.50"), None),
    (3, 2, -1, "2023-03-26", _D("0.01"), "B"),
    (4, None, 2, None, None, "b"),
    (5, 7, 3, "2024-01-01", _D("1000000000.99"), "x"),
    (6, 9, None, "2024-01-01", _D("10.00"), ""),
)
LIMITS = (
    # id, n, small, big, price, rate, ratio, day: the same columns of items, at the limits of their types
    (1, 2**31 - 1, -(2**15), 2**63 - 1, _D("999999.99"), _D("-999999.9999"), -0.0, "1000-01-01"),
    (2, -(2**31), 2**15 - 1, -(2**63), _D("-999999.99"), _D("999999.9999"), 1e-300, "9999-12-31"),
    (3, 0, 0, 0, _D("0.01"), _D("0.0001"), 0.0, "2023-03-26"),
    (4, None, None, None, None, None, None, None),
)
_LIMITED = ("id", "n", "small", "big", "price", "rate", "ratio", "day")

MYSQL = {
    "items": {
        "id": "int(11)",
        "n": "int(11)",
        "small": "smallint(6)",
        "big": "bigint(20)",
        "price": "decimal(8,2)",
        "rate": "decimal(10,4)",
        "ratio": "double",
        "f": "float",
        "u": "int(10) unsigned",
        "ubig": "bigint(20) unsigned",
        "day": "date",
        "at": "datetime",
        "ts": "timestamp",
        "name": "varchar(20)",
        "code": "char(4)",
        "word": "varchar(20)",
        "kind": "enum('small','big')",
        "flag": "tinyint(1)",
        "y": "year(4)",
    },
    "orders": {
        "id": "int(11)",
        "item_id": "int(11)",
        "qty": "int(11)",
        "day": "date",
        "amount": "decimal(12,2)",
        "note": "text",
    },
}
POSTGRES = {
    "items": {
        "id": "integer",
        "n": "integer",
        "small": "smallint",
        "big": "bigint",
        "price": "numeric(8,2)",
        "rate": "numeric(10,4)",
        "ratio": "double precision",
        "f": "real",
        "free": "numeric",
        "day": "date",
        "at": "timestamp without time zone",
        "ts": "timestamp with time zone",
        "name": "character varying(20)",
        "code": "character(4)",
        "word": "text",
        "kind": "size",
        "flag": "boolean",
        "cash": "money",
        "data": "jsonb",
        "label": "text",
        "folded": "text",
    },
    "orders": {
        "id": "integer",
        "item_id": "integer",
        "qty": "integer",
        "day": "date",
        "amount": "numeric(12,2)",
        "note": "text",
    },
}
for _columns in (MYSQL, POSTGRES):
    _columns["limits"] = {name: _columns["items"][name] for name in _LIMITED}
DEFINED = {
    "label": 'text COLLATE "und-x-icu"',
    "folded": "text COLLATE folded",
}
"""What a column is defined as, where its declared type does not tell."""
FOLDED = "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
"""A collation of PostgreSQL that ignores case."""
ARROW = {
    "int(11)": pa.int32(),
    "integer": pa.int32(),
    "smallint(6)": pa.int16(),
    "smallint": pa.int16(),
    "bigint(20)": pa.int64(),
    "bigint": pa.int64(),
    "tinyint(1)": pa.int8(),
    "year(4)": pa.int16(),
    "int(10) unsigned": pa.uint32(),
    "bigint(20) unsigned": pa.uint64(),
    "decimal(8,2)": pa.decimal128(8, 2),
    "numeric(8,2)": pa.decimal128(8, 2),
    "decimal(10,4)": pa.decimal128(10, 4),
    "numeric(10,4)": pa.decimal128(10, 4),
    "decimal(12,2)": pa.decimal128(12, 2),
    "numeric(12,2)": pa.decimal128(12, 2),
    "numeric": pa.decimal128(30, 10),
    "double": pa.float64(),
    "double precision": pa.float64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}
"""Declared type to the type it is fetched as; text for any other."""


def rows_of_items(dialect: str) -> list[tuple[Any, ...]]:
    """Return the rows of ``items`` as they are inserted."""
    rows = []
    for place, (numbers, texts) in enumerate(zip(NUMBERS, TEXTS, strict=True)):
        missing = numbers[1] is None
        day, at, ts, *names = texts
        if dialect == "mysql":
            own = (None, None) if missing else (place, 2**63 + place)
            last = (None, None) if missing else (place % 3, 2000 + place)
            rows.append((*numbers, *own, day, at, ts, *names, *last))
        else:
            free = None if missing else f"{place}.{'3' * place or '0'}"
            last = (
                (None, None, None)
                if missing
                else (place % 2 == 0, f"{place}.50", f'{{"a": {place}, "b": [1]}}')
            )
            ts = ts and ts + "+00"
            rows.append((*numbers, free, day, at, ts, *names, *last, names[0], names[0]))
    return rows


@dataclass(frozen=True)
class Source:
    """A server with the two tables, and DuckDB with what a fetch of them gives."""

    dialect: str
    columns: dict[str, dict[str, str]]
    run: Callable[[str], Answer]
    change: Callable[[str], None]
    duckdb: duckdb.DuckDBPyConnection

    def answer(self, text: str) -> Answer:
        """Return the source's answer, comparable."""
        names, rows = self.run(text)
        return names, [tuple(map(comparable, row)) for row in rows]

    def computed(self, text: str) -> Answer:
        """Return DuckDB's answer, comparable."""
        table = self.duckdb.cursor().sql(text).to_arrow_table()
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return tuple(table.column_names), [tuple(map(comparable, row)) for row in rows]

    def fetch(self) -> None:
        """Give DuckDB the tables, type by type."""
        for table, types in self.columns.items():
            shown = [f"CAST({name} AS char)" if _as_text(kind) else name for name, kind in types.items()]
            if self.dialect == "postgres":
                shown = [one.replace(" AS char)", " AS text)") for one in shown]
            _, rows = self.run(f"SELECT {', '.join(shown)} FROM {table}")
            values = list(zip(*rows, strict=True))
            arrays = {
                name: pa.array(column, ARROW.get(kind, pa.string()))
                for (name, kind), column in zip(types.items(), values, strict=True)
            }
            self.duckdb.register(f"fetched_{table}", pa.table(arrays))
            self.duckdb.execute(f"CREATE TABLE {table} AS FROM fetched_{table}")


def _as_text(kind: str) -> bool:
    return kind in ("money", "jsonb", "size") or kind.startswith("enum")


def comparable(value: object) -> object:
    """Return a number as a fraction, a time with a zone as an instant, and else the value itself."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, float) and not math.isfinite(value):
        return ("float", str(value))
    if isinstance(value, int | float):
        return Fraction(value)
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() else ("decimal", str(value))
    if isinstance(value, datetime) and value.tzinfo is not None:
        return ("instant", value.astimezone(UTC))
    if isinstance(value, datetime | date):
        return (type(value).__name__, value)
    return value


def equal(left: Answer, right: Answer, *, ordered: bool) -> bool:
    """Say whether two answers are: names, rows as often, and in order where they are ordered."""
    (names, rows), (other_names, other_rows) = left, right
    if names != other_names:
        return False
    return rows == other_rows if ordered else _counted(rows) == _counted(other_rows)


def _counted(rows: Sequence[tuple[Any, ...]]) -> Counter[str]:
    return Counter(map(repr, rows))
