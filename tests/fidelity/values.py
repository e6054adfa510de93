"""What a value in a database is here, and when two values are the same."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = [
    "DAY_MICROS",
    "DUCK",
    "MDN",
    "MY",
    "PG",
    "TS",
    "TZ",
    "Case",
    "Cell",
    "Stored",
    "case",
    "days",
    "f32",
    "micros",
    "same",
    "values_of",
]

PG, MY, DUCK = "postgresql", "mysql", "duckdb"
TS, TZ = "timestamp[us]", "timestamp[us, tz=UTC]"
MDN = "month_day_nano_interval"
DAY_MICROS = 86_400_000_000


@dataclass(frozen=True)
class Cell:
    """A value in one database: the declared type, the literal, the Arrow type, the value in Python.

    It is exact, and no notice may be given; but where ``lossy`` is given, a notice matches it and the value
    is what is left, and where ``error`` is given, an error matches it and nothing is left. ``open`` marks a
    type that its first rows settle.
    """

    type: str
    sql: str
    arrow: str
    value: Any
    lossy: str = ""
    error: str = ""
    open: bool = False


@dataclass(frozen=True)
class Case:
    """A value, by database."""

    name: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Stored:
    """A value that Python has no object for: the integer that Arrow holds."""

    number: int


def f32(value: float) -> float:
    """Return the nearest number that a float of 32 bits can be."""
    return float(np.float32(value))


def case(topic: str, value: Any, sql: str, arrow: str, **databases: Any) -> Case:
    """Return a case; each database gives a declared type, or a dict of what is different there."""
    cells = {}
    for key, given in databases.items():
        told = {"type": given} if isinstance(given, str) else dict(given)
        told = {"sql": sql, "arrow": arrow, "value": value, **told}
        cells[{"pg": PG, "my": MY, "duck": DUCK}[key]] = Cell(**told)
    return Case(topic, cells)


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """Return values in Python; `Stored` where Python has none for one of a column, or has no nanoseconds."""
    kind = column.type
    try:
        if not pa.types.is_temporal(kind) or getattr(kind, "unit", "") != "ns":
            return column.to_pylist()
    except (ValueError, OverflowError):
        pass  # a year that Python does not have
    wide = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    stored = column.combine_chunks().view(wide).to_pylist()
    return [value if value is None else Stored(value) for value in stored]


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in type and sign, too; NaN equals NaN."""
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or (one == other and math.copysign(1, one) == math.copysign(1, other))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return one.as_tuple() == other.as_tuple()
    return type(one) is type(other) and one == other


def days(year: int, month: int, day: int) -> Stored:
    """Days since 1970 of any year of the Gregorian calendar; 0 is 1 BC."""
    cycles, rest = divmod(year - 1, 400)
    return Stored(dt.date(rest + 1, month, day).toordinal() + cycles * 146_097 - 719_163)


def micros(year: int, month: int, day: int, rest: int = 0) -> Stored:
    return Stored(days(year, month, day).number * DAY_MICROS + rest)
