"""The notebook's tables as DuckDB can read them, more than once and without a silent change.

A statement may scan a frame several times, and DuckDB opens an Arrow stream again for each scan. A
``RecordBatchReader`` can be read once: it becomes a Table at its first use, and the Table is kept as long as
the reader lives, so that a second query sees the same rows. Any other object with ``__arrow_c_stream__`` is
read into a Table for each query.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...models import Notice

if TYPE_CHECKING:
    import duckdb

__all__ = ["mixed_columns", "readable", "unread_index"]

_SCANNED_IN_PLACE = {
    "pandas": ("DataFrame",),
    "polars": ("DataFrame", "LazyFrame"),
    "pyarrow": ("Table", "Dataset"),
}
_read_once: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def readable(name: str, frame: object) -> Any:
    """Return ``frame``, or a table of its rows, for DuckDB to scan.

    Raises
    ------
    DataError
        It is not a table, has no columns, or its stream fails.
    """
    import pyarrow as pa

    if _is_one(frame, "pandas") and not len(frame.columns):  # type: ignore[attr-defined]
        raise DataError(f"The DataFrame {name!r} has no columns.")
    if any(_is_one(frame, package) for package in _SCANNED_IN_PLACE):
        return frame
    try:
        if isinstance(frame, pa.RecordBatch):
            return pa.Table.from_batches([frame])
        if isinstance(frame, pa.RecordBatchReader):
            if frame not in _read_once:
                _read_once[frame] = frame.read_all()
            return _read_once[frame]
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(frame).read_all()
    except Exception as exc:  # a foreign stream may raise anything
        raise DataError(f"{name!r} could not be read: {exc}", hint="A stream can be read once only.") from exc
    raise DataError(
        f"{name!r} is a {type(frame).__name__}, which is not a table.",
        hint="A pandas or Polars DataFrame, an Arrow table, or anything with __arrow_c_stream__ is.",
    )


def mixed_columns(connection: duckdb.DuckDBPyConnection, name: str, frame: Any) -> list[Notice]:
    """Say which object columns of a pandas DataFrame DuckDB reads as text though they are not."""
    if not _is_one(frame, "pandas") or not any(dtype == "object" for dtype in frame.dtypes):
        return []
    from pandas.api.types import infer_dtype

    types = connection.view(name).types
    mixed = [
        str(column)
        for index, (column, type_) in enumerate(zip(frame.columns, types, strict=True))
        if str(type_) == "VARCHAR"
        and frame.dtypes.iloc[index] == "object"
        and infer_dtype(frame.iloc[:, index], skipna=True) not in ("string", "empty")
    ]
    return [
        Notice(
            "lossy_type", f"Column {column!r} of {name} holds values of several types; it is read as text."
        )
        for column in mixed
    ]


def unread_index(name: str, frame: Any) -> list[Notice]:
    """Say that a pandas DataFrame has an index with a name: DuckDB reads columns only."""
    if not _is_one(frame, "pandas"):
        return []
    names = ", ".join(str(one) for one in frame.index.names if one is not None)
    text = f"The index of {name} ({names}) is not a column; {name}.reset_index() makes it one."
    return [Notice("index", text)] if names else []


def _is_one(frame: object, package: str) -> bool:
    """Whether a class of ``frame`` is one of the package's, without importing the package."""
    return any(
        kind.__module__.partition(".")[0] == package and kind.__name__ in _SCANNED_IN_PLACE[package]
        for kind in type(frame).__mro__
    )
