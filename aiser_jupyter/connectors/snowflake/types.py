"""Snowflake's Arrow made exact: one schema from the declared types, whatever width the values arrive in.

Snowflake picks the width of a NUMBER by the values of each part of a result, and packs times as numbers and
structs of its own. Every part is turned into the type that the declaration gives:

- NUMBER(p, 0) up to 18 digits: ``int64``; every other NUMBER(p, s): ``decimal128(p, s)``;
- DATE, TIME, TIMESTAMP: ``date32``, ``time64[us]``, ``timestamp[us]``, with UTC for TIMESTAMP_LTZ. Snowflake
  keeps nanoseconds for the years 1 to 9999, which Arrow cannot: what is finer than a microsecond is cut off,
  and a `Notice` counts it;
- TIMESTAMP_TZ: a struct of the instant in UTC and the offset in minutes, which each value has of its own;
- INTERVAL: ``month_day_nano_interval``; DECFLOAT, which has no fixed scale: text of its digits;
- OBJECT, ARRAY and MAP that are declared with what is inside: ``struct``, ``list`` and ``map`` of the types
  above, where Snowflake sends them so;
- VARIANT, all other OBJECT, ARRAY and MAP, GEOGRAPHY, GEOMETRY: the text, or the bytes, that Snowflake gives.

Each field carries Snowflake's own word for its type as ``aiser.source_type``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...models import Notice
from ..arrow_types import SOURCE_TYPE
from .columns import DIGITS, FINE, Declared, as_it_is, days, digits, moment, months, number, offset
from .nested import Plan, children, nested

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["WORDS", "Declared", "SnowflakeTypes", "declared"]

_INT64_DIGITS = 18
WORDS = {"FIXED": "NUMBER", "REAL": "FLOAT", "TEXT": "VARCHAR"}
"""What people write for Snowflake's own words."""
_TEXTS = frozenset({"VARIANT", "OBJECT", "ARRAY", "MAP", "GEOGRAPHY", "GEOMETRY", "FILE", "UUID", "XML"})
_STRUCTURED = frozenset({"OBJECT", "ARRAY", "MAP"})


def declared(column: Any) -> Declared:
    """Read a column of the driver's own description of a result, or a field inside one."""

    def given(name: str, default: int) -> int:
        return int(getattr(column, name)) if column.HasField(name) else default

    return _declared(
        column.name,
        str(column.type).upper(),
        external=str(column.ext_col_type_name or "").upper(),
        precision=given("precision", 0) or DIGITS,
        scale=given("scale", -1),
        length=given("length", 0),
        size=given("dimension", 0),
        fields=tuple(declared(field) for field in column.fields),
    )


def _of_arrow(name: str, field: pa.Field[Any]) -> Declared:
    """Read what an Arrow field inside a structured type says of itself."""
    about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}

    def given(key: str, default: int) -> int:
        return int(about[key]) if about.get(key, "").isdecimal() else default

    kind = about.get("logicalType", "").upper()
    return _declared(
        name,
        kind,
        precision=given("precision", 0) or DIGITS,
        scale=given("scale", -1),
        length=given("charLength", 0) or given("byteLength", 0),
        fields=tuple(_of_arrow(child.name, child) for child in children(kind, field.type)),
    )


def _declared(
    name: str,
    kind: str,
    *,
    precision: int,
    scale: int,
    length: int,
    external: str = "",
    size: int = 0,
    fields: tuple[Declared, ...] = (),
) -> Declared:
    word = external or WORDS.get(kind, kind)
    inside = [f"{field.name} {field.word}" if kind == "OBJECT" else field.word for field in fields]
    if kind == "FIXED" and not external:
        word += f"({precision},{max(scale, 0)})"
    elif kind.startswith("TIME") and scale >= 0:
        word += f"({scale})"
    elif kind in ("TEXT", "BINARY") and length and not external:
        word += f"({length})"
    elif size:
        word += f"({', '.join([*inside, str(size)])})"
    elif fields:
        word += f"({', '.join(inside)})"
    return Declared(name, kind, word, min(precision, DIGITS), _scale(kind, scale), fields, size)


def _scale(kind: str, scale: int) -> int:
    if scale >= 0:
        return scale
    return 9 if kind.startswith("TIME") else 0


class SnowflakeTypes:
    """Turns the batches of one result.

    Parameters
    ----------
    raw : pyarrow.Schema
        As Snowflake sends it; of the types that have no fixed Arrow type it decides what they land as.
    columns : sequence of Declared
    sent : bool
        Whether ``raw`` is of rows that were sent; where there are none, the declaration decides.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch that `convert` returns.

    Raises
    ------
    DataError
        A column has a type that has no exact form in Arrow.
    """

    def __init__(self, raw: pa.Schema, columns: Sequence[Declared], *, sent: bool = True) -> None:
        import pyarrow as pa

        self._columns = [_with_fields(column, field) for column, field in zip(columns, raw, strict=True)]
        plans = [
            _require(column, _plan(column, field.type if sent or not column.fields else pa.null()))
            for column, field in zip(self._columns, raw, strict=True)
        ]
        self._converters = [convert for _, convert in plans]
        self.schema = pa.schema(
            [
                pa.field(column.name, target, metadata={SOURCE_TYPE: column.word})
                for column, (target, _) in zip(self._columns, plans, strict=True)
            ]
        )
        self._counts: list[Counter[str]] = [Counter() for _ in columns]

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return ``batch`` with the types of ``schema``. Raises `DataError`."""
        import pyarrow as pa

        arrays = []
        for column, field, convert, count, array in zip(
            self._columns, self.schema, self._converters, self._counts, batch.columns, strict=True
        ):
            try:
                made = convert(column, array, count)
                arrays.append(made if made.type == field.type else made.cast(field.type))
            except (pa.ArrowException, ValueError, OverflowError) as exc:
                raise DataError(
                    f"Column {column.name!r} is {column.word}, and holds a value that is none: {exc}.",
                    hint=f'TO_VARCHAR("{column.name}") gives it as text.',
                ) from exc
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def notices(self) -> list[Notice]:
        """Say what was lost in the batches converted so far, and how to keep it."""
        found = []
        for column, count in zip(self._columns, self._counts, strict=True):
            if number := count[FINE]:
                values = f"{number:,} value{'s' if number > 1 else ''}"
                message = (
                    f"Column {column.name!r} is {column.word}: {values} cut to microseconds. {_whole(column)}"
                )
                found.append(Notice("lossy_type", message))
            if "DECFLOAT" in column.word:
                message = (
                    f"Column {column.name!r} is {column.word}: its values are given as text of their digits."
                )
                found.append(Notice("lossy_type", message))
        return found


def _whole(column: Declared) -> str:
    """Say how digits beyond the microsecond are kept."""
    day, zone = "YYYY-MM-DD ", " TZH:TZM" if column.kind == "TIMESTAMP_TZ" else ""
    if column.fields:
        return f'TO_VARIANT("{column.name}") keeps them whole.'
    form = f"{'' if column.kind == 'TIME' else day}HH24:MI:SS.FF9{zone}"
    return f"TO_VARCHAR(\"{column.name}\", '{form}') keeps them whole."


def _with_fields(column: Declared, field: pa.Field[Any]) -> Declared:
    """Return ``column`` with what is inside of it, from the Arrow field where the description is silent."""
    inside = children(column.kind, field.type)
    if column.kind not in _STRUCTURED or len(column.fields) == len(inside) or not inside:
        return column
    found = _of_arrow(column.name, field)
    return found if found.kind == column.kind else column


def _plan(column: Declared, raw: Any) -> Plan | None:
    """Return what becomes of a column; None where the form that it comes in is not known."""
    import pyarrow as pa

    kind = column.kind
    if (plan := _simple(column)) is not None:
        return plan
    inside = children(kind, raw)
    if kind in _STRUCTURED and column.fields and (inside or pa.types.is_null(raw)):
        types = [field.type for field in inside] or [raw] * len(column.fields)
        plans = [_plan(field, type_) for field, type_ in zip(column.fields, types, strict=False)]
        found = [each for each in plans if each is not None]
        names = [field.name for field in inside or column.fields]
        return nested(column, names, found) if len(found) == len(names) == len(column.fields) else None
    if kind == "VECTOR" and pa.types.is_fixed_size_list(raw):
        return raw, as_it_is
    if kind == "VECTOR" and pa.types.is_null(raw) and column.size:
        element = pa.int32() if column.fields[0].kind == "FIXED" else pa.float32()
        return pa.list_(element, column.size), as_it_is
    if pa.types.is_string(raw) or pa.types.is_binary(raw):
        return raw, as_it_is
    return (pa.string(), as_it_is) if kind in _TEXTS and pa.types.is_null(raw) else None


def _require(column: Declared, plan: Plan | None) -> Plan:
    if plan is None:
        raise DataError(
            f"Column {column.name!r} is {column.word} in a form that is not known here.",
            hint=f'TO_VARIANT("{column.name}") gives it as text of JSON.',
        )
    return plan


def _simple(column: Declared) -> Plan | None:
    import pyarrow as pa

    zoned = pa.struct([("utc", pa.timestamp("us", "UTC")), ("offset_minutes", pa.int16())])
    if column.kind == "FIXED":
        whole = not column.scale and column.precision <= _INT64_DIGITS
        return (pa.int64(), as_it_is) if whole else (pa.decimal128(column.precision, column.scale), number)
    plans: dict[str, Plan] = {
        "REAL": (pa.float64(), as_it_is),
        "TEXT": (pa.string(), as_it_is),
        "BOOLEAN": (pa.bool_(), as_it_is),
        "BINARY": (pa.binary(), as_it_is),
        "DATE": (pa.date32(), as_it_is),
        "TIME": (pa.time64("us"), partial(moment, pa.time64("us"))),
        "TIMESTAMP_NTZ": (pa.timestamp("us"), partial(moment, pa.timestamp("us"))),
        "TIMESTAMP_LTZ": (pa.timestamp("us", "UTC"), partial(moment, pa.timestamp("us", "UTC"))),
        "TIMESTAMP_TZ": (zoned, partial(offset, zoned)),
        "DECFLOAT": (pa.string(), digits),
        "INTERVAL_YEAR_MONTH": (pa.month_day_nano_interval(), months),
        "INTERVAL_DAY_TIME": (pa.month_day_nano_interval(), days),
    }
    plans["TIMESTAMP"] = plans["DATETIME"] = plans["TIMESTAMP_NTZ"]
    return plans.get(column.kind)
