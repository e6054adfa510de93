"""DataFrames of the notebook: which objects are one, what is known of them, and Arrow made into one.

Nothing is imported to look at an object: a namespace may hold anything, and a library that made no object
of it is not loaded. What a conversion cannot keep is written at `to_pandas` and `to_polars`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import DataError, UsageError
from .memory import columns_pool
from .models import Column, Statistics

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = [
    "frame_columns",
    "frame_statistics",
    "frames_in",
    "is_frame",
    "to_pandas",
    "to_polars",
    "unique_names",
]

_KINDS = {
    ("pandas", "DataFrame"): "pandas",
    ("polars", "DataFrame"): "polars",
    ("polars", "LazyFrame"): "lazy",
    ("pyarrow", "Table"): "arrow",
    ("pyarrow", "RecordBatch"): "arrow",
    ("pyarrow", "RecordBatchReader"): "stream",
    ("pyarrow", "Dataset"): "stream",
    ("aiser_jupyter", "QueryResult"): "result",
    ("pandas", "Series"): "",
    ("polars", "Series"): "",
    ("pyarrow", "ChunkedArray"): "",
}
"""By top-level module and class name. "" is a single column: it exports a stream, but of no table."""


def is_frame(obj: object) -> bool:
    """Say whether ``obj`` is something a statement may read as a table.

    That is a pandas or Polars DataFrame, a LazyFrame, a pyarrow Table, RecordBatch, RecordBatchReader or
    Dataset, a `QueryResult`, and whatever else exports an Arrow stream of rows. A class, a module and a
    Series are not.

    Examples
    --------
    >>> import pandas as pd
    >>> is_frame(pd.DataFrame({"n": [1]})), is_frame(pd.DataFrame), is_frame(pd.Series([1]))
    (True, False, False)
    """
    return bool(_kind(obj))


def frames_in(namespace: Mapping[str, Any]) -> dict[str, object]:
    """Return the DataFrames of a notebook's namespace by name.

    Names that begin with an underscore are IPython's own or private, and are left out.
    """
    return {
        name: value for name, value in list(namespace.items()) if not name.startswith("_") and is_frame(value)
    }


def frame_statistics(obj: object) -> Statistics:
    """Return a frame's size where it is known without computing anything; else unknown.

    ``bytes`` of a pandas frame counts pointers, not the Python objects behind them.
    """
    frame: Any = obj
    match _kind(obj):
        case "pandas":
            size = int(frame.memory_usage(index=False, deep=False).sum())
            return Statistics(len(frame), size, "DataFrame")
        case "polars":
            return Statistics(frame.height, int(frame.estimated_size()), "DataFrame")
        case "arrow":
            return Statistics(frame.num_rows, int(frame.nbytes), "Arrow table")
        case "result":
            return Statistics(frame.table.num_rows, int(frame.table.nbytes), "query result")
    return Statistics()


def frame_columns(obj: object) -> tuple[Column, ...]:
    """Return a frame's columns, without reading its rows.

    Raises
    ------
    DataError
        The columns of a LazyFrame cannot be worked out, or the object does not tell them.
    """
    try:
        pairs = _schema(obj)
    except Exception as exc:  # somebody else's object: it may raise anything
        raise DataError(f"The columns of a {type(obj).__name__} cannot be read: {exc}") from exc
    return tuple(Column(str(name), str(kind)) for name, kind in pairs)


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names with repeated ones numbered; a name that is there already is never taken.

    Examples
    --------
    >>> unique_names(["a", "a", "a_1", "a"])
    ['a', 'a_2', 'a_1', 'a_3']
    """
    taken, seen, result = set(names), set(), []
    for name in names:
        unique, number = name, 0
        while unique in seen or (number and unique in taken):
            number += 1
            unique = f"{name}_{number}"
        seen.add(unique)
        result.append(unique)
    return result


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a pandas DataFrame that can be changed without changing the table.

    ======================  ==========================================================================
    Arrow                   pandas
    ======================  ==========================================================================
    integer                 numpy; with NULLs the nullable ``Int64``, ``UInt64``, …
    boolean                 numpy; with NULLs ``boolean``
    float                   numpy; NULL and NaN both become NaN, which is pandas' own convention
    decimal                 ``ArrowDtype``: exact
    128-bit integer         an integer, as above, where every value fits 64 bits; else as a decimal
    date                    ``datetime64[s]``
    timestamp, duration     the same unit and zone
    time                    ``datetime.time`` objects; what they cannot hold (nanoseconds, 24:00:00) stays
                            Arrow, as ``ArrowDtype``
    interval                ``pandas.DateOffset`` objects
    text, JSON, UUID        pandas' text type
    binary                  ``bytes`` objects
    dictionary              ``category``
    list, struct, map       Python lists, dicts, and lists of pairs
    ======================  ==========================================================================

    Repeated column names are numbered, see `unique_names`.

    Raises
    ------
    DataError
        A value has no place in pandas: a zone this machine does not know, a date in a list past the
        year 9999.
    """
    import pandas as pd
    import pyarrow as pa

    columns = {}
    for name, column in zip(unique_names(table.column_names), table.columns, strict=True):
        try:
            columns[name] = _series(_narrow_integer(column)).array
        except (pa.ArrowException, ValueError, OverflowError, LookupError) as exc:
            raise DataError(
                f"Column {name!r} ({column.type}) has no exact form in pandas: {exc}",
                hint="Take the result as Arrow with .arrow(), or cast the column in the statement.",
            ) from exc
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def to_polars(table: pa.Table) -> pl.DataFrame:
    """Return an Arrow table as a Polars DataFrame.

    UUID and JSON become text; an interval becomes a struct of months, days and nanoseconds; a decimal past
    38 digits becomes text where a value needs them; a timestamp with an offset for a zone becomes UTC. The
    same holds inside lists, structs and maps, where every decimal of more than 38 digits becomes text.
    Repeated column names are numbered, see `unique_names`.

    Raises
    ------
    UsageError
        Polars is not installed.
    DataError
        A column has no form in Polars.
    """
    import pyarrow as pa

    try:
        import polars as pl
    except ImportError as exc:
        raise UsageError("Polars is not installed.", hint="pip install polars") from exc
    columns = []
    for name, column in zip(unique_names(table.column_names), table.columns, strict=True):
        try:
            columns.append(pl.from_arrow(_for_polars(_narrow_integer(column))).alias(name))  # type: ignore[union-attr]
        except (
            pa.ArrowException,
            pl.exceptions.PolarsError,
            pl.exceptions.PanicException,
            ValueError,
        ) as exc:
            raise DataError(
                f"Column {name!r} ({column.type}) has no form in Polars: {exc}",
                hint="Take the result as Arrow with .arrow(), or cast the column in the statement.",
            ) from exc
    return pl.DataFrame(columns)


def _kind(obj: object) -> str:
    if isinstance(obj, type):
        return ""
    for cls in type(obj).__mro__:
        known = _KINDS.get((cls.__module__.partition(".")[0], cls.__name__))
        if known is not None:
            return known
    return "stream" if hasattr(type(obj), "__arrow_c_stream__") else ""


def _schema(frame: Any) -> Iterable[tuple[Any, Any]]:
    kind = _kind(frame)
    if kind in ("pandas", "polars"):
        return zip(frame.columns, frame.dtypes, strict=True)
    if kind == "lazy":
        return list(frame.collect_schema().items())
    schema = frame.table.schema if kind == "result" else getattr(frame, "schema", None)
    if schema is None:  # a DuckDB relation
        return zip(frame.columns, frame.types, strict=True)
    return [(field.name, field.type) for field in schema]


def _series(column: pa.ChunkedArray[Any]) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _series(_storage(column))
    if pa.types.is_run_end_encoded(kind):
        return _series(_decoded(column))
    if pa.types.is_decimal(kind) or (pa.types.is_time(kind) and not _is_python_time(column)):
        return pd.Series(pd.arrays.ArrowExtensionArray(column))
    if pa.types.is_date(kind):
        return _dates(column)
    if pa.types.is_nested(kind):
        return pd.Series(column.to_pylist(), dtype=object)
    if column.null_count and (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        return column.to_pandas(types_mapper=lambda _: _nullable(kind))
    return _owned(column)


def _owned(column: pa.ChunkedArray[Any]) -> pd.Series[Any]:
    """Copied where Arrow would only lend its memory: the reader's DataFrame is theirs to change."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type):  # as pandas would, with memory of Arrow's own choice
        column = pc.cast(column, pa.large_string(), memory_pool=columns_pool())
    series = column.to_pandas(memory_pool=columns_pool())
    lent = column.num_chunks == 1 and not column.null_count and pa.types.is_primitive(column.type)
    return series.copy(deep=True) if lent else series


def _dates(column: pa.ChunkedArray[Any]) -> pd.Series[Any]:
    """Converted chunk by chunk: as seconds they take twice the memory that they have in Arrow."""
    import numpy as np
    import pandas as pd

    values, at, pool = np.empty(len(column), "datetime64[s]"), 0, columns_pool()
    for chunk in column.chunks:
        values[at : at + len(chunk)] = chunk.to_pandas(date_as_object=False, memory_pool=pool)
        at += len(chunk)
    return pd.Series(values, copy=False)


def _nullable(kind: pa.DataType) -> Any:
    import pandas as pd

    name = "boolean" if str(kind) == "bool" else str(kind).replace("int", "Int").replace("u", "U")
    return pd.api.types.pandas_dtype(name)


def _is_python_time(column: pa.ChunkedArray[Any]) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    unit = column.type.unit
    count = column.cast(pa.int32() if unit in ("s", "ms") else pa.int64())
    day = 86_400 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    if (pc.max(count).as_py() or 0) >= day:
        return False
    return unit != "ns" or not pc.any(pc.not_equal(count, pc.multiply(pc.divide(count, 1000), 1000))).as_py()


def _storage(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """An extension type's values as a plain type: text for UUID and JSON, else as they are stored."""
    import pyarrow as pa

    kind: Any = column.type
    if kind.extension_name == "arrow.uuid":
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([texts], type=pa.string())
    if kind.extension_name == "arrow.bool8":
        return column.cast(kind.storage_type).cast(pa.bool_())
    return column.cast(kind.storage_type)


def _decoded(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pa.chunked_array(
        [pc.call_function("run_end_decode", [chunk]) for chunk in column.chunks], column.type.value_type
    )


def _for_polars(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    import pyarrow as pa

    kind: Any = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _for_polars(_storage(column))
    if pa.types.is_run_end_encoded(kind):
        return _for_polars(_decoded(column))
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        # Not a cast: Arrow's takes the offsets of a slice for those of the whole.
        return pa.chunked_array([pa.array(column.to_pylist(), pa.large_list(kind.value_field))])
    if pa.types.is_fixed_size_list(kind) and any(chunk.offset for chunk in column.chunks):
        return column.take(pa.array(range(len(column)), pa.int64()))  # Polars misreads the mask of a slice
    if pa.types.is_decimal256(kind):
        return _narrow_decimal(column)
    if pa.types.is_timestamp(kind) and kind.tz and kind.tz[0] in "+-":
        return column.cast(pa.timestamp(kind.unit, "UTC"))
    if (held := _held_by_polars(kind)) != kind:
        return pa.chunked_array([pa.array([_held(value, kind) for value in column.to_pylist()], held)])
    return column


def _held_by_polars(kind: Any) -> Any:
    """The type that Polars has for ``kind`` inside a list, struct or map; ``kind`` itself where it has it."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_held_by_polars(field.type)) for field in kind])
    if pa.types.is_map(kind):
        parts = [field.with_type(_held_by_polars(field.type)) for field in (kind.key_field, kind.item_field)]
        return pa.map_(*parts)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        item = kind.value_field.with_type(_held_by_polars(kind.value_type))
        if pa.types.is_fixed_size_list(kind):
            return pa.list_(item, kind.list_size)
        return pa.list_(item) if pa.types.is_list(kind) else pa.large_list(item)
    if pa.types.is_interval(kind):
        return pa.struct([("months", pa.int32()), ("days", pa.int32()), ("nanoseconds", pa.int64())])
    return pa.string() if pa.types.is_decimal256(kind) or _is_extended_text(kind) else kind


def _held(value: Any, kind: Any) -> Any:
    """A value of ``kind`` as one of the type that Polars has for it."""
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {field.name: _held(value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        return [(_held(key, kind.key_type), _held(item, kind.item_type)) for key, item in value]
    if isinstance(value, list):
        return [_held(item, kind.value_type) for item in value]
    if pa.types.is_interval(kind):
        return dict(zip(("months", "days", "nanoseconds"), value, strict=True))
    if pa.types.is_decimal256(kind):
        return f"{value:f}"
    return str(value) if _is_extended_text(kind) else value


def _is_extended_text(kind: Any) -> bool:
    import pyarrow as pa

    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name in ("arrow.uuid", "arrow.json")


def _narrow_integer(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """DuckDB's HUGEINT, which every sum of integers is, arrives as decimal(39, 0): an integer if it fits."""
    import pyarrow as pa

    if not pa.types.is_decimal256(column.type) or (column.type.precision, column.type.scale) != (39, 0):
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def _narrow_decimal(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    import pyarrow as pa

    try:
        return column.cast(pa.decimal128(38, min(column.type.scale, 38)))
    except pa.ArrowInvalid:
        return column.cast(pa.string())
