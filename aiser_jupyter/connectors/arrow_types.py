"""DuckDB's Arrow made exact, batch by batch.

DuckDB exports with ``arrow_lossless_conversion``, so that nothing is lost on the way out; what it then marks
as opaque is turned here into a type that every reader of Arrow has:

- HUGEINT, UHUGEINT: ``decimal256(39, 0)``; BOOLEAN, a byte each in DuckDB: ``bool``;
- TIME WITH TIME ZONE: text with its offset, ``12:30:00+05:30``; BIT, BIGNUM: text of digits;
- VARIANT: text of JSON, with a `Notice`;
- infinite dates and timestamps, and the time 24:00:00, exist in no other Arrow reader: NULL, with a `Notice`
  that counts them;
- an INTERVAL with more hours than Arrow has nanoseconds for is refused: DuckDB's export lets it overflow.

The same holds inside lists, structs, maps and unions. The schema follows from the declared types alone, and
each field carries DuckDB's own word for its type as ``aiser.source_type``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..models import Notice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SOURCE_TYPE", "ExactTypes", "Texts"]

SOURCE_TYPE = "aiser.source_type"
LOSSY = "aiser.lossy"

Texts = Callable[["pa.Array[Any]", "pa.Field[Any]", str], "pa.Array[Any]"]
"""``texts(array, field, expression)``: DuckDB's own text of values, by an expression over ``x``."""

_Convert = Callable[[Any, Counter[str]], Any]
_INFINITE = {"date32[day]": 2**31 - 1}
_DAY = {"us": 86_400_000_000, "ns": 86_400_000_000_000}
_TEXT = {
    "time_tz": r"regexp_replace(CAST(x AS VARCHAR), '([+-]\d\d)$', '\1:00')",
    "bit": "CAST(x AS VARCHAR)",
    "bignum": "CAST(x AS VARCHAR)",
}
_VARIANT = "CAST(CAST(x AS JSON) AS VARCHAR)"


class ExactTypes:
    """Turns the batches of one result.

    Parameters
    ----------
    schema : pyarrow.Schema
        As DuckDB exports it.
    source_types : sequence of str
        DuckDB's own word for each column's type.
    texts : callable
        How DuckDB's own text of a value is made; see `Texts`.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch that `convert` returns.
    """

    def __init__(self, schema: pa.Schema, source_types: Sequence[str], texts: Texts) -> None:
        import pyarrow as pa

        fields: list[pa.Field[Any]] = []
        self._converters: list[_Convert | None] = []
        for field, source in zip(schema, source_types, strict=True):
            target, convert = _plan(field, texts)
            metadata = {SOURCE_TYPE: source}
            if "VARIANT" in source:
                metadata[LOSSY] = "types inside a VARIANT"
            fields.append(pa.field(field.name, target.type, metadata=metadata))
            self._converters.append(convert)
        self.schema = pa.schema(fields)
        self._counts: list[Counter[str]] = [Counter() for _ in fields]

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return ``batch`` with the types of ``schema``."""
        import pyarrow as pa

        columns = [
            column
            if convert is None or (not len(column) and field.type == column.type)
            else convert(column, count)
            for column, convert, count, field in zip(
                batch.columns, self._converters, self._counts, self.schema, strict=True
            )
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def notices(self) -> list[Notice]:
        """Say what was lost in the batches converted so far, and how to keep it."""
        found = []
        for field, count in zip(self.schema, self._counts, strict=True):
            keep = f'CAST("{field.name}" AS VARCHAR) keeps them.'
            for what, number in sorted(count.items()):
                values = f"{number:,} {what} value{'s' if number > 1 else ''}"
                found.append(Notice("lossy_type", f"Column {field.name!r}: {values} shown as NULL. {keep}"))
            if LOSSY.encode() in (field.metadata or {}):
                found.append(
                    Notice(
                        "lossy_type", f"Column {field.name!r} is VARIANT: its values are given as JSON text."
                    )
                )
        return found


def _plan(field: pa.Field[Any], texts: Texts) -> tuple[pa.Field[Any], _Convert | None]:
    """Return the field to give for ``field``, and how to make it; None where it is exact already."""
    import pyarrow as pa

    type_ = field.type
    if isinstance(type_, pa.OpaqueType):
        if type_.type_name in ("hugeint", "uhugeint"):
            signed = type_.type_name == "hugeint"
            return field.with_type(pa.decimal256(39, 0)), partial(_wide_integers, signed)
        if type_.type_name in _TEXT:
            return _text_plan(field, texts, _TEXT[type_.type_name])
    if isinstance(type_, pa.Bool8Type):
        return field.with_type(pa.bool_()), lambda array, count: array.storage.cast(pa.bool_())
    if (field.metadata or {}).get(b"ARROW:extension:name") == b"arrow.parquet.variant":
        return _text_plan(field, texts, _VARIANT)
    if pa.types.is_date32(type_) or pa.types.is_timestamp(type_):
        most = _INFINITE.get(str(type_), 2**63 - 1)
        return field, partial(_without, (-most, most), "infinite")
    if pa.types.is_time64(type_):
        return field, partial(_without, (_DAY[type_.unit],), "24:00:00")
    if pa.types.is_interval(type_):
        return field, _intervals
    if pa.types.is_nested(type_):
        return _nested_plan(field, texts)
    return field, None


def _text_plan(field: pa.Field[Any], texts: Texts, expression: str) -> tuple[pa.Field[Any], _Convert]:
    import pyarrow as pa

    target = pa.field(field.name, pa.string(), field.nullable)

    def convert(array: Any, count: Counter[str]) -> Any:
        return texts(array, field, expression) if len(array) else pa.array([], pa.string())

    return target, convert


def _nested_plan(field: pa.Field[Any], texts: Texts) -> tuple[pa.Field[Any], _Convert | None]:
    type_ = field.type
    plans = [_plan(child, texts) for child in _child_fields(type_)]
    if all(convert is None for _, convert in plans):
        return field, None
    target = _with_children(type_, [child for child, _ in plans])

    def convert(array: Any, count: Counter[str]) -> Any:
        import pyarrow as pa

        children = [
            child if convert is None else convert(child, count)
            for child, (_, convert) in zip(_child_arrays(array), plans, strict=True)
        ]
        if pa.types.is_map(type_):
            children = [pa.StructArray.from_arrays(children, fields=[target.key_field, target.item_field])]
        own = array.buffers()[: target.num_buffers]
        return pa.Array.from_buffers(target, len(array), own, array.null_count, array.offset, children)

    return field.with_type(target), convert


def _child_fields(type_: Any) -> list[pa.Field[Any]]:
    import pyarrow as pa

    if pa.types.is_map(type_):
        return [type_.key_field, type_.item_field]
    return [type_.field(index) for index in range(type_.num_fields)]


def _child_arrays(array: Any) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_map(array.type):
        return [array.keys, array.items]
    if pa.types.is_struct(array.type) or pa.types.is_union(array.type):
        return [array.field(index) for index in range(array.type.num_fields)]
    return [array.values]


def _with_children(type_: Any, children: list[pa.Field[Any]]) -> Any:
    import pyarrow as pa

    if pa.types.is_map(type_):
        return pa.map_(*children)
    if pa.types.is_struct(type_):
        return pa.struct(children)
    if pa.types.is_union(type_):
        return pa.union(children, type_.mode, type_.type_codes)
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(children[0], type_.list_size)
    return pa.large_list(children[0]) if pa.types.is_large_list(type_) else pa.list_(children[0])


def _wide_integers(signed: bool, array: Any, count: Counter[str]) -> Any:
    """Widen 128-bit integers, little-endian, to the 256 bits of a decimal."""
    import numpy as np
    import pyarrow as pa

    storage = array.storage
    rows = storage.offset + len(storage)
    validity, data = storage.buffers()
    wide = np.zeros((rows, 4), dtype="<u8")
    if rows:
        wide[:, :2] = np.frombuffer(data, dtype="<u8", count=2 * rows).reshape(rows, 2)
        if signed:
            wide[:, 2:] = (wide[:, 1:2].view("<i8") >> 63).view("<u8")
    buffers = [validity, pa.py_buffer(wide.data)]
    return pa.Array.from_buffers(
        pa.decimal256(39, 0), len(storage), buffers, storage.null_count, storage.offset
    )


def _intervals(array: Any, count: Counter[str]) -> Any:
    """Refuse what has overflowed: DuckDB multiplies its microseconds by 1,000 and drops what is past 64 bits.

    What is left over is no multiple of 1,000 again, but where the hours come within 292 years of a multiple
    of 73,067 years: such an interval is not noticed.
    """
    import numpy as np

    if not len(array):
        return array
    nanoseconds = np.frombuffer(array.buffers()[1], dtype="<i8")[1::2]
    overflowed = nanoseconds[array.offset : array.offset + len(array)] % 1000 != 0
    if (overflowed & array.is_valid().to_numpy(zero_copy_only=False)).any():
        raise DataError("An interval has more than 292 years of hours.", hint="CAST it to VARCHAR.")
    return array


def _without(absent: tuple[int, ...], what: str, array: Any, count: Counter[str]) -> Any:
    """Replace the stored integers ``absent`` by NULL, and count them."""
    import numpy as np
    import pyarrow as pa

    stored = pa.int32() if pa.types.is_date32(array.type) else pa.int64()
    if not len(array):
        return array
    raw = np.frombuffer(array.buffers()[1], dtype=stored.to_pandas_dtype())
    raw = raw[array.offset : array.offset + len(array)]
    if not any((raw == value).any() for value in absent):
        return array  # the usual case, and it spares the import of pyarrow.compute
    import pyarrow.compute as pc

    hit: Any = pc.is_in(array.view(stored), pa.array(absent, stored))  # what a NULL stores is no value
    count[what] += hit.true_count
    return pc.if_else(hit, pa.scalar(None, array.type), array)
