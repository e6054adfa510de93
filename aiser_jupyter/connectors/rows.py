"""Rows of Python values to Arrow batches whose schema never changes.

A driver of PEP 249 hands over tuples, and often no types. Rules:

- a column's type is taken from the values of the first `READ_AHEAD` rows, and from what the driver declares
  where those rows hold no value; it is fixed before the first batch leaves;
- nothing is rounded to fit: integers past 64 bits become decimals, integers beside floats become floats only
  where each is exact, and what has no common type becomes text, with a `Notice`;
- a later value of another type is a `DataError` that names the column and the cast to write. It is never
  converted in passing: Arrow itself would take 1.5 for the integer 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..models import Notice

if TYPE_CHECKING:
    import pyarrow as pa

    from ..run import Run

__all__ = ["READ_AHEAD", "Declare", "read_rows"]

READ_AHEAD = 10_000
"""Rows looked at before a schema is fixed, and rows of a batch."""

Declare = Callable[[Sequence[Any]], type | None]
"""Python type of a column by its entry in ``cursor.description``; None where the driver does not say."""

_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "float",
    Decimal: "decimal",
    str: "text",
    bytes: "binary",
    bytearray: "binary",
    memoryview: "binary",
    datetime: "timestamp",
    date: "date",
    time: "time",
    timedelta: "interval",
}
_EXACT_IN_FLOAT = 2**53


@dataclass(frozen=True, slots=True)
class _Column:
    """What a column holds: its Arrow type, and the kinds of value that fit it without a change."""

    name: str
    type: pa.DataType
    kinds: frozenset[str]
    as_text: bool = False
    guessed: bool = False

    def array(self, values: Sequence[Any]) -> pa.Array[Any]:
        import pyarrow as pa

        if self.as_text:
            return pa.array([_text(value) for value in values], pa.string())
        strange = _kinds_of(values) - self.kinds
        if strange:
            raise self._misfit(f"holds {_listed(strange)}")
        try:
            return pa.array(values, self.type)
        except (pa.ArrowException, OverflowError, ValueError) as exc:
            raise self._misfit(f"holds a value that does not fit {self.type}") from exc

    def _misfit(self, what: str) -> DataError:
        return DataError(
            f"Column {self.name!r} {what}, but its first {READ_AHEAD:,} rows made it {self.type}.",
            hint=f"Give the column one type in the statement: CAST({self.name} AS TEXT) always fits.",
        )


def read_rows(
    description: Sequence[Sequence[Any]],
    fetch: Callable[[int], Sequence[Sequence[Any]]],
    run: Run,
    declare: Declare = lambda entry: None,
) -> pa.RecordBatchReader:
    """Read ahead, fix the schema, and stream.

    Parameters
    ----------
    description : sequence
        ``cursor.description``: a sequence per column, its name first.
    fetch : callable
        ``fetch(n)`` gives the next rows, at most ``n``, and none at the end; its errors are translated.
    run : Run
        Receives a `Notice` for each type that is a guess or a loss.

    Raises
    ------
    DataError
        From the reader, where a later row does not fit.
    """
    import pyarrow as pa

    rows = fetch(READ_AHEAD)
    values = list(zip(*rows, strict=True)) or [()] * len(description)
    columns = [_column(entry, column, declare) for entry, column in zip(description, values, strict=True)]
    for notice in _notices(columns, more=len(rows) >= READ_AHEAD):
        run.emit(notice)
    schema = pa.schema([pa.field(column.name, column.type) for column in columns])

    def batches(rows: Sequence[Sequence[Any]]) -> Iterator[pa.RecordBatch]:
        while rows:
            arrays = [
                column.array(part) for column, part in zip(columns, zip(*rows, strict=True), strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
            rows = fetch(READ_AHEAD)

    return pa.RecordBatchReader.from_batches(schema, batches(rows))


def _column(entry: Sequence[Any], values: Sequence[Any], declare: Declare) -> _Column:
    import pyarrow as pa

    name = str(entry[0])
    kinds = _kinds_of(values)
    if not kinds:
        declared = declare(entry)
        if declared not in _KINDS:
            return _Column(name, pa.string(), frozenset({"text"}), guessed=True)
        kinds = {_KINDS[declared]}
    plain: dict[str, pa.DataType] = {
        "boolean": pa.bool_(),
        "float": pa.float64(),
        "text": pa.string(),
        "binary": pa.binary(),
        "timestamp": pa.timestamp("us"),
        "timestamp with time zone": pa.timestamp("us", "UTC"),
        "date": pa.date32(),
        "time": pa.time64("us"),
        "interval": pa.duration("us"),
    }
    if kinds == {"integer"} and all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return _Column(name, pa.int64(), frozenset(kinds))
    if kinds <= {"integer", "decimal"} and (exact := _decimal_type(entry, values)) is not None:
        return _Column(name, exact, frozenset({"integer", "decimal"}))
    if kinds == {"integer", "float"} and all(
        abs(value) <= _EXACT_IN_FLOAT for value in values if isinstance(value, int)
    ):
        return _Column(name, pa.float64(), frozenset(kinds))
    if len(kinds) == 1 and (kind := next(iter(kinds))) in plain:
        fits = {kind, "integer"} if kind == "float" else {kind}
        return _Column(name, plain[kind], frozenset(fits))
    return _Column(name, pa.string(), frozenset(kinds), as_text=True)


def _decimal_type(entry: Sequence[Any], values: Sequence[Any]) -> pa.DataType | None:
    """Widest decimal of the scale the values need; None where they need more than 76 digits, or hold NaN."""
    import pyarrow as pa

    whole, scale = 1, 0
    declared = tuple(entry[4:6])
    if len(declared) == 2 and all(type(part) is int for part in declared):
        whole, scale = max(declared[0] - declared[1], 1), max(declared[1], 0)
    for value in values:
        if value is None:
            continue
        _, digits, exponent = Decimal(value).as_tuple()
        if not isinstance(exponent, int):
            return None
        whole = max(whole, len(digits) + exponent)
        scale = max(scale, -exponent)
    if whole + scale <= 38:
        return pa.decimal128(38, scale)
    return pa.decimal256(76, scale) if whole + scale <= 76 else None


def _kinds_of(values: Iterable[Any]) -> set[str]:
    """Kinds of the values that are not NULL; a type that is not listed goes by its own name."""
    kinds: set[str] = set()
    types: set[type] = set(map(type, values)) - {type(None)}
    for type_ in types:
        kind = next((_KINDS[base] for base in type_.__mro__ if base in _KINDS), type_.__name__)
        if kind in ("timestamp", "time"):
            of_type: Any = (value for value in values if isinstance(value, type_))
            zoned = {value.tzinfo is not None for value in of_type}
            kinds |= {f"{kind} with time zone" if zone else kind for zone in zoned}
        else:
            kinds.add(kind)
    return kinds


def _text(value: Any) -> str | None:
    """Write a value as text without losing a digit of it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _notices(columns: Sequence[_Column], *, more: bool) -> Iterator[Notice]:
    for column in columns:
        if column.as_text:
            yield Notice(
                "lossy_type",
                f"Column {column.name!r} holds {_listed(column.kinds)}, which Arrow has no common type for: "
                "it is given as text.",
            )
    if guessed := [column.name for column in columns if column.guessed]:
        yield Notice(
            "inferred_type",
            f"{_listed(guessed)}: no value to take a type from, and the driver declares none: given as text.",
        )
    if more:
        yield Notice(
            "inferred_type",
            f"The driver declares no exact types; they are taken from the first {READ_AHEAD:,} rows.",
        )


def _listed(words: Iterable[str]) -> str:
    *most, last = sorted(words)
    return f"{', '.join(most)} and {last}" if most else last
