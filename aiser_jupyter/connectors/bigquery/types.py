"""BigQuery's types, and what each is in Arrow: the same by both ways that rows come.

The schema follows from the job's declared schema alone. Rows come as JSON text (REST), or as Arrow with types
that are close to these (Storage API); `Column.from_json` and `Column.from_arrow` make them the same.

========================  ==================================================================================
BigQuery                  Arrow
========================  ==================================================================================
INT64, FLOAT64, BOOL      int64, double, bool
NUMERIC, NUMERIC(p, s)    decimal128(38, 9), decimal128(p, s)
BIGNUMERIC, (p, s)        decimal256(76, 38), decimal256(p, s); a value of 77 digits is refused
STRING, BYTES             string, binary
DATE, TIME                date32, time64[us]
DATETIME, TIMESTAMP       timestamp[us], timestamp[us, UTC]; the picoseconds of a TIMESTAMP(12) are cut off
INTERVAL                  month_day_nano_interval; one with more than 292 years of hours is refused
JSON, GEOGRAPHY           string, as BigQuery writes it (JSON, WKT)
RANGE<T>                  struct<start: T, end: T>, NULL for no bound; the end is not part of it
STRUCT<…>, ARRAY<T>       struct, list
========================  ==================================================================================

Each field carries BigQuery's own word for its type as ``aiser.source_type``.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...models import Notice
from ..arrow_types import SOURCE_TYPE

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "column_of", "schema_of", "source_type"]

_WORDS = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
_INTERVAL = re.compile(
    r"(?P<sign>-?)(?P<years>\d+)-(?P<months>\d+) (?P<days>-?\d+) "
    r"(?P<minus>-?)(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,9}))?"
)
_RANGE = re.compile(r"\[(?P<start>[^,\[\]]+), (?P<end>[^,\[\]]+)\)")
_NO_BOUND = frozenset({"UNBOUNDED", "NULL"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or a part of one: an ARRAY's element, a field of a STRUCT, a bound of a RANGE."""

    name: str
    kind: str
    source: str
    type: pa.DataType
    children: tuple[Column, ...] = ()
    cut: bool = False

    @property
    def field(self) -> pa.Field[Any]:
        import pyarrow as pa

        return pa.field(self.name, self.type, metadata={SOURCE_TYPE: self.source})

    def losses(self) -> list[Notice]:
        """Say what the type cannot hold."""
        if not self.cut and not any(child.cut for child in self.children):
            return []
        text = f"Column {self.name!r}: picoseconds are cut to microseconds. CAST(… AS STRING) keeps them."
        return [Notice("lossy_type", text)]

    def from_json(self, values: Sequence[Any]) -> Any:
        """Return the cells of a page of JSON as an Arrow array.

        Raises
        ------
        DataError
            A value that the type cannot hold.
        """
        import pyarrow as pa

        try:
            return _from_json(self, values)
        except (pa.ArrowException, ValueError, TypeError, KeyError, OverflowError) as exc:
            raise self._misfit() from exc

    def from_arrow(self, array: Any) -> Any:
        """Return a column of the Storage API as an Arrow array. Raises `DataError`, as above."""
        import pyarrow as pa

        try:
            return _from_arrow(self, array)
        except (pa.ArrowException, ValueError, TypeError, KeyError, OverflowError) as exc:
            raise self._misfit() from exc

    def _misfit(self) -> DataError:
        return DataError(
            f"Column {self.name!r} ({self.source}) holds a value that does not fit {self.type}.",
            hint=f"CAST(`{self.name}` AS STRING) gives it as text.",
        )


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the Arrow schema of ``columns``."""
    import pyarrow as pa

    return pa.schema([column.field for column in columns])


def source_type(declared: Mapping[str, Any]) -> str:
    """Return the type of a field as GoogleSQL writes it.

    Examples
    --------
    >>> source_type({"type": "RECORD", "mode": "REPEATED", "fields": [{"name": "a", "type": "INTEGER"}]})
    'ARRAY<STRUCT<a INT64>>'
    """
    word = _WORDS.get(declared["type"], declared["type"])
    if word == "STRUCT":
        parts = [f"{each['name']} {source_type(each)}".strip() for each in declared.get("fields", ())]
        word = f"STRUCT<{', '.join(parts)}>"
    elif word == "RANGE":
        word = f"RANGE<{declared['rangeElementType']['type']}>"
    elif word in ("NUMERIC", "BIGNUMERIC") and declared.get("precision"):
        scale = f", {declared['scale']}" if int(declared.get("scale") or 0) else ""
        word = f"{word}({declared['precision']}{scale})"
    elif word in ("STRING", "BYTES") and declared.get("maxLength"):
        word = f"{word}({declared['maxLength']})"
    elif word == "TIMESTAMP" and _picoseconds(declared):
        word = "TIMESTAMP(12)"
    return f"ARRAY<{word}>" if declared.get("mode") == "REPEATED" else word


def _picoseconds(declared: Mapping[str, Any]) -> bool:
    return str(declared.get("timestampPrecision") or 6) == "12"


def column_of(declared: Mapping[str, Any]) -> Column:
    """Return the column of a field of a job's schema, as the API gives it.

    Raises
    ------
    DataError
        The type is not known here.
    """
    import pyarrow as pa

    name, source = str(declared.get("name", "")), source_type(declared)
    if declared.get("mode") == "REPEATED":
        element = column_of({**declared, "mode": "NULLABLE"})
        return Column(name, "ARRAY", source, pa.list_(element.type), (element,), element.cut)
    kind = _WORDS.get(declared["type"], declared["type"])
    if kind == "STRUCT":
        children = tuple(column_of(each) for each in declared.get("fields", ()))
        type_ = pa.struct([pa.field(child.name, child.type) for child in children])
        return Column(name, kind, source, type_, children, any(child.cut for child in children))
    if kind == "RANGE":
        bound = declared["rangeElementType"]["type"]
        children = tuple(column_of({"name": each, "type": bound}) for each in ("start", "end"))
        return Column(
            name, kind, source, pa.struct([pa.field(each.name, each.type) for each in children]), children
        )
    return Column(name, kind, source, _scalar(kind, declared), cut=_picoseconds(declared))


def _scalar(kind: str, declared: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    if kind in ("NUMERIC", "BIGNUMERIC"):
        most = (38, 9) if kind == "NUMERIC" else (76, 38)
        digits, scale = int(declared.get("precision") or 0), int(declared.get("scale") or 0)
        digits, scale = (min(digits, most[0]), scale) if digits else most
        return pa.decimal128(digits, scale) if kind == "NUMERIC" else pa.decimal256(digits, scale)
    known: dict[str, Any] = {
        "INT64": pa.int64(),
        "FLOAT64": pa.float64(),
        "BOOL": pa.bool_(),
        "STRING": pa.string(),
        "BYTES": pa.binary(),
        "DATE": pa.date32(),
        "TIME": pa.time64("us"),
        "DATETIME": pa.timestamp("us"),
        "TIMESTAMP": pa.timestamp("us", "UTC"),
        "INTERVAL": pa.month_day_nano_interval(),
        "JSON": pa.string(),
        "GEOGRAPHY": pa.string(),
    }
    if kind not in known:
        raise DataError(
            f"Column {declared.get('name')!r} has the type {kind}, which is not known here.",
            hint="CAST it to STRING, or to a type that is.",
        )
    return known[kind]


# -- from JSON ------------------------------------------------------------------------------------------


def _from_json(column: Column, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    kind = column.kind
    if kind == "ARRAY":
        return _json_lists(column, values)
    if kind == "STRUCT":
        return _structs(
            column, [None if each is None else [cell["v"] for cell in each["f"]] for each in values]
        )
    if kind == "RANGE":
        return _structs(column, [_bounds(column, each) for each in values])
    if kind == "BYTES":
        return pa.array(
            [None if each is None else b64decode(each, validate=True) for each in values], column.type
        )
    if kind == "INTERVAL":
        return pa.array([_interval(each) for each in values], column.type)
    texts: Any = pa.array(values, pa.string())
    if kind == "TIMESTAMP":  # asked for in microseconds
        return texts.cast(pa.int64()).cast(column.type)
    if kind == "TIME":  # Arrow reads the time of day only in a timestamp
        import pyarrow.compute as pc

        texts = pc.binary_join_element_wise("1970-01-01", texts, "T").cast(pa.timestamp("us"))
    return texts if column.type == pa.string() else texts.cast(column.type)


def _json_lists(column: Column, values: Sequence[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    (element,) = column.children
    offsets, flat = [0], []
    for each in values:
        flat += [cell["v"] for cell in each or ()]
        offsets.append(len(flat))
    items = _from_json(element, flat)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=column.type)


def _structs(column: Column, rows: Sequence[Sequence[Any] | None]) -> pa.Array[Any]:
    """Return structs from rows of JSON values; None is a struct that is NULL."""
    import pyarrow as pa

    if not column.children:
        return pa.array([None if row is None else {} for row in rows], column.type)
    none = [None] * len(column.children)
    parts = zip(*(none if row is None else row for row in rows), strict=True) if rows else [()] * len(none)
    arrays = [_from_json(child, part) for child, part in zip(column.children, parts, strict=True)]
    mask = pa.array([row is None for row in rows], pa.bool_())
    fields = [pa.field(child.name, child.type) for child in column.children]
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=mask)


def _bounds(column: Column, text: str | None) -> list[str | None] | None:
    if text is None:
        return None
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError("not a range")
    bounds = [None if each in _NO_BOUND else each for each in found.group("start", "end")]
    if column.children[0].kind == "TIMESTAMP":
        return [None if each is None else _microseconds(each) for each in bounds]
    return bounds


def _microseconds(text: str) -> str:
    """Return an instant of a RANGE as the number that a TIMESTAMP of its own comes as."""
    import pyarrow as pa

    if re.fullmatch(r"-?\d+", text):
        return text
    written = text.replace(" UTC", "+00:00").replace("Z", "+00:00").replace(" ", "T", 1)
    written = re.sub(r"\+00$", "+00:00", written)
    moment: Any = pa.array([written]).cast(pa.timestamp("us", "UTC"))
    return str(moment.cast(pa.int64())[0].as_py())


def _interval(text: str | None) -> tuple[int, int, int] | None:
    """Read ``Y-M D H:M:S.F``; months and time have a sign each."""
    if text is None:
        return None
    found = _INTERVAL.fullmatch(text)
    if found is None:
        raise ValueError("not an interval")
    months = int(found["years"]) * 12 + int(found["months"])
    seconds = (int(found["hours"]) * 60 + int(found["minutes"])) * 60 + int(found["seconds"])
    nanoseconds = seconds * 10**9 + int((found["fraction"] or "").ljust(9, "0"))
    return (
        -months if found["sign"] else months,
        int(found["days"]),
        -nanoseconds if found["minus"] else nanoseconds,
    )


# -- from Arrow -----------------------------------------------------------------------------------------


def _from_arrow(column: Column, array: Any) -> Any:
    import pyarrow as pa

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if column.kind == "ARRAY":
        return _arrow_lists(column, array)
    if column.kind in ("STRUCT", "RANGE"):
        names = [array.type.field(index).name for index in range(array.type.num_fields)]
        if len(names) != len(column.children):
            raise ValueError("another struct")
        # flatten() has each child without what stands under a struct that is NULL
        arrays = [
            _from_arrow(child, part) for child, part in zip(column.children, array.flatten(), strict=True)
        ]
        fields = [pa.field(child.name, child.type) for child in column.children]
        if not arrays:
            return array.cast(column.type)
        return pa.StructArray.from_arrays(arrays, fields=fields, mask=array.is_null())
    if column.kind == "INTERVAL" and pa.types.is_string(array.type):
        return pa.array([_interval(each) for each in array.to_pylist()], column.type)
    found = array if array.type == column.type else array.cast(column.type)
    if pa.types.is_decimal256(found.type):
        found.validate(full=True)  # 256 bits hold a 77th digit, which no reader of Arrow takes
    return found


def _arrow_lists(column: Column, array: Any) -> pa.Array[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    (element,) = column.children
    items = _from_arrow(element, array.flatten())
    lengths = pc.fill_null(pc.list_value_length(array), 0)  # there is no ARRAY that is NULL
    ends = pc.cumulative_sum(lengths.cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.ListArray.from_arrays(offsets, items, type=column.type)
