"""Sheets of Excel and OpenDocument workbooks as Arrow tables.

The first row names the columns. A column of whole numbers is integer, of numbers float, of dates date, and so
on; a column of several kinds is text, with a `Notice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, EngineUnavailable, UnknownTable, nearest
from ..models import Notice
from .files import expand, format_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["is_workbook", "read"]

_KINDS = {bool: "boolean", int: "number", float: "number", str: "text", datetime: "moment"}
_KINDS |= {date: "day", time: "time", timedelta: "duration"}


def is_workbook(name: str) -> bool:
    """Whether ``name`` is written as a workbook, or as ``book.xlsx#Sheet``."""
    return format_of(name) == "workbook"


def read(name: str, base: Path | None = None) -> tuple[pa.Table, list[Notice]]:
    """Read one sheet.

    Parameters
    ----------
    name : str
        ``book.xlsx`` for its first sheet, ``book.xlsx#Sheet2`` for another.
    base : Path, optional
        What a relative name is relative to; the working folder by default.

    Raises
    ------
    UnknownTable
        There is no such file, or no such sheet.
    DataError
        The workbook cannot be read, or the sheet is empty.
    """
    import pyarrow as pa

    path = expand(name, base or Path.cwd())[0]
    sheet = name.rpartition("#")[2] if path.name != Path(name).name else ""
    rows = _rows(path, sheet)
    if not rows:
        raise DataError(f"The sheet {name!r} is empty.")
    columns: dict[str, Any] = {}
    notices: list[Notice] = []
    for place, values in enumerate(zip(*rows[1:], strict=True) if rows[1:] else [()] * len(rows[0])):
        title = _title(rows[0][place], place, columns)
        columns[title], mixed = _column(values)
        if mixed:
            notices.append(
                Notice(
                    "lossy_type",
                    f"Column {title!r} of {name} holds values of several types; it is read as text.",
                )
            )
    return pa.table(columns), notices


def _rows(path: Path, sheet: str) -> list[list[Any]]:
    try:
        import python_calamine as calamine
    except ImportError as exc:
        raise EngineUnavailable(
            "Workbooks need python-calamine.", hint="pip install python-calamine"
        ) from exc
    try:
        with calamine.load_workbook(str(path)) as book:
            if sheet and sheet not in book.sheet_names:
                hint = nearest(sheet, book.sheet_names, noun="sheets")
                raise UnknownTable(f"{path.name} has no sheet {sheet!r}.", hint=hint)
            one = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
            rows: list[list[Any]] = one.to_python()
            return rows
    except (calamine.CalamineError, OSError) as exc:
        raise DataError(
            f"The workbook {path.name!r} cannot be read: {exc}.", hint="Open it and save it again."
        ) from exc


def _title(value: Any, place: int, taken: dict[str, Any]) -> str:
    title = _text(value) or f"column_{place + 1}"
    number = 2
    unique = title
    while unique in taken:
        unique, number = f"{title}_{number}", number + 1
    return unique


def _column(cells: Sequence[Any]) -> tuple[Any, bool]:
    """Return the column, and whether its values are of several kinds. An empty cell is NULL."""
    import pyarrow as pa

    values = [None if cell == "" else cell for cell in cells]
    kinds = {_KINDS.get(type(value), "other") for value in values if value is not None}
    if not kinds:
        return pa.array(values, pa.string()), False
    if kinds == {"number"}:
        whole = all(value is None or (float(value).is_integer() and abs(value) < 2**53) for value in values)
        exact = [value if value is None else int(value) for value in values] if whole else values
        return pa.array(exact, pa.int64() if whole else pa.float64()), False
    if kinds == {"day", "moment"}:
        moments = [
            v if v is None or isinstance(v, datetime) else datetime(v.year, v.month, v.day) for v in values
        ]
        return pa.array(moments, pa.timestamp("us")), False
    plain = {
        "boolean": pa.bool_(),
        "text": pa.string(),
        "moment": pa.timestamp("us"),
        "day": pa.date32(),
        "time": pa.time64("us"),
        "duration": pa.duration("us"),
    }
    if len(kinds) == 1 and (kind := next(iter(kinds))) in plain:
        return pa.array(values, plain[kind]), False
    return pa.array([_text(value) for value in values], pa.string()), True


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, (date, time)) else str(value)
