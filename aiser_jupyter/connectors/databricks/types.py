"""A warehouse's Arrow made stable: one schema from what is declared, whatever the server's version sends.

Databricks answers in Arrow, and the declared types arrive twice: as Thrift's, and as Databricks' own words in
the metadata of a field, which a server sometimes leaves out. Rules:

- a TIMESTAMP is an instant: UTC, whatever the session's zone; a TIMESTAMP_NTZ has none;
- a DECIMAL has its declared precision and scale, also where it arrives as text;
- an INTERVAL arrives as text, and becomes months, days and nanoseconds: nothing is lost;
- ARRAY, MAP and STRUCT are lists, maps and structs. A server that only prints them sends JSON text: it is
  read where every type inside is one that JSON writes exactly, and stays text where not;
- VARIANT, GEOMETRY and GEOGRAPHY are the text that the server gives;
- what does not fit its declared type is an error, and never changed to fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...models import Notice
from ..arrow_types import LOSSY, SOURCE_TYPE
from .words import arrow_type, json_reader, word_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ExactTypes"]

SQL_NAME = b"Spark:DataType:SqlName"
_Convert = Callable[[Any], Any]
_NESTED = frozenset({"array", "map", "struct"})
_MONTHS = re.compile(r"(-)?(\d+)-(\d+)\Z")
_SECONDS = re.compile(r"(-)?(?:(\d+) )?(\d+):(\d+):(\d+)(?:\.(\d{1,9}))?\Z")


class ExactTypes:
    """Turns the tables of one result into batches of one schema.

    Parameters
    ----------
    schema : pyarrow.Schema
        As the server declares it.
    description : sequence of tuple
        The driver's: name, Thrift's word, …, precision, scale.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch that `convert` returns.
    """

    def __init__(self, schema: pa.Schema, description: Sequence[Sequence[Any]]) -> None:
        import pyarrow as pa

        plans = [_plan(field, entry) for field, entry in zip(schema, description, strict=True)]
        self.schema = pa.schema([field for field, _ in plans])
        self._words = [(field.metadata or {})[SOURCE_TYPE.encode()].decode() for field, _ in plans]
        self._converters = [convert for _, convert in plans]

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return ``batch`` with the types of ``schema``. Raises `DataError`."""
        import pyarrow as pa

        columns = []
        for place, (column, field) in enumerate(zip(batch.columns, self.schema, strict=True)):
            convert = self._converters[place]
            try:
                columns.append(convert(column) if convert else _as_declared(column, field.type))
            except (pa.ArrowException, ValueError, TypeError, ArithmeticError) as exc:
                raise DataError(
                    f"Column {field.name!r}: a value is no {self._words[place]}.",
                    hint="CAST it to STRING to see it as it is.",
                ) from exc
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def notices(self) -> list[Notice]:
        """Say which columns are text, and what they would be."""
        return [
            Notice(
                "lossy_type",
                f"Column {field.name!r} is {word}: this server prints it, and its values are given as JSON"
                " text.",
            )
            for field, word in zip(self.schema, self._words, strict=True)
            if LOSSY.encode() in (field.metadata or {})
        ]


def _plan(field: pa.Field[Any], entry: Sequence[Any]) -> tuple[pa.Field[Any], _Convert | None]:
    """Return the field to give, and how its columns are made; None where they are cast."""
    import pyarrow as pa

    declared = str(entry[1])
    metadata = field.metadata or {}
    word = metadata[SQL_NAME].decode() if SQL_NAME in metadata else word_of(field.type, declared)
    target, lost = field.type, False
    convert: _Convert | None = None
    if declared == "decimal":
        target = pa.decimal128(entry[4], entry[5])
        word = f"DECIMAL({entry[4]},{entry[5]})"
    elif word.upper().startswith("INTERVAL") and pa.types.is_string(field.type):
        target, convert = pa.month_day_nano_interval(), _intervals
    elif declared in _NESTED and pa.types.is_string(field.type):
        read, inner = json_reader(word), arrow_type(word)
        lost = read is None or inner is None
        if read is not None and inner is not None:
            target, convert = inner, _from_json(read, inner)
    if not lost and convert is None:
        target = _in_utc(target)
    own = {SOURCE_TYPE: word, **({LOSSY: "types inside the text"} if lost else {})}
    return pa.field(field.name, target, metadata=own), convert


def _in_utc(type_: Any) -> Any:
    """Return ``type_`` with every instant in UTC and in microseconds, inside nested types too."""
    import pyarrow as pa

    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", "UTC" if type_.tz else None)
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_map(type_):
        return pa.map_(_in_utc(type_.key_type), _in_utc(type_.item_type))
    if pa.types.is_list(type_):
        return pa.list_(_in_utc(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(each.name, _in_utc(each.type)) for each in type_])
    return type_


def _as_declared(column: Any, target: Any) -> Any:
    """Cast without a loss; a change of zone only names the same instant in another way."""
    return column if column.type == target else column.cast(target)


def _intervals(column: Any) -> Any:
    import pyarrow as pa

    values = [None if text is None else _interval(text) for text in column.to_pylist()]
    return pa.array(values, pa.month_day_nano_interval())


def _interval(text: str) -> tuple[int, int, int]:
    """Read ``1-2`` as months, and ``1 02:03:04.5`` as days and nanoseconds. Raises `ValueError`."""
    if found := _MONTHS.match(text):
        sign = -1 if found[1] else 1
        return sign * (12 * int(found[2]) + int(found[3])), 0, 0
    if not (found := _SECONDS.match(text)):
        raise ValueError(text)
    sign = -1 if found[1] else 1
    hours, minutes, seconds = (int(found[place]) for place in (3, 4, 5))
    nanoseconds = ((hours * 60 + minutes) * 60 + seconds) * 10**9 + int((found[6] or "").ljust(9, "0"))
    return 0, sign * int(found[2] or 0), sign * nanoseconds


def _from_json(read: Callable[[Any], Any], target: Any) -> _Convert:
    import pyarrow as pa

    def convert(column: Any) -> Any:
        parsed = (
            None if text is None else json.loads(text, parse_float=Decimal) for text in column.to_pylist()
        )
        return pa.array([read(value) for value in parsed], target)

    return convert
