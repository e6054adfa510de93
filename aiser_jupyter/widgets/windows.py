"""What a grid in the browser may ask of a table in the kernel, and the answers.

A message comes from a browser and is checked like any other input: only whole numbers, each brought into
its bounds before anything is read. Messages may arrive in a thread of their own while a cell runs. A table
is held by the `Shelf` alone, which keeps the latest few, so that a long session of cells does not hold
every result it ever showed.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ..render import format_cell, format_column, is_number, type_name, visible

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COPY_CELLS", "LIVE_TABLES", "MAX_COLUMNS", "MAX_WINDOW", "SORT_ROWS", "Shelf", "TableWindows"]

MAX_WINDOW = 500
"""Rows a reply, whatever the browser asks for."""
MAX_COLUMNS = 200
"""Columns the grid shows; a wider table says so."""
WINDOW_CELLS = 20_000
HEAD_CELLS = 600
COPY_CELLS = 50_000
SORT_ROWS = 5_000_000
LIVE_TABLES = 20

Message = dict[str, Any]
Sort = tuple[int, bool]
"""Column and whether it is descending."""


class TableWindows:
    """Windows of one table, formatted.

    Parameters
    ----------
    table : pyarrow.Table
        Shown up to `MAX_COLUMNS` columns.
    """

    def __init__(self, table: pa.Table) -> None:
        self.rows = table.num_rows
        self.hidden_columns = max(0, table.num_columns - MAX_COLUMNS)
        self.table = table.select(range(min(table.num_columns, MAX_COLUMNS)))
        self.block = max(20, min(200, WINDOW_CELLS // max(self.table.num_columns, 1)))
        self._lock = threading.Lock()
        self._sort: Sort | None = None
        self._order: pa.Array[Any] | None = None

    def columns(self) -> list[Message]:
        """Return name, type and alignment by column."""
        return [
            {
                "name": visible(field.name[:200]),
                "type": type_name(field.type),
                "number": is_number(field.type),
            }
            for field in self.table.schema
        ]

    def head(self) -> list[list[str | None]]:
        """Return the first rows by column: they travel with the widget, so they show without a request."""
        count = max(10, min(50, HEAD_CELLS // max(self.table.num_columns, 1)))
        return [format_column(column) for column in self.table.slice(0, count).columns]

    def answer(self, message: object) -> Message | None:
        """Answer one message of the browser.

        Returns
        -------
        dict or None
            ``window``, ``copied`` or ``error``; None where the message is not one of ours.
        """
        if not isinstance(message, dict) or message.get("kind") not in ("window", "copy"):
            return None
        try:
            sort = self._sort_of(message.get("sort"))
            if message["kind"] == "window":
                return self._window(_whole(message, "start"), _whole(message, "count"), sort)
            return self._copy(message, sort)
        except (KeyError, ValueError) as exc:
            return {"kind": "error", "message": str(exc), "sort": message.get("sort")}

    def _window(self, start: int, count: int, sort: Sort | None) -> Message:
        start = min(start, self.rows)
        part = self._slice(start, min(count, MAX_WINDOW, self.rows - start), sort)
        return {
            "kind": "window",
            "start": start,
            "sort": None if sort is None else list(sort),
            "cells": [format_column(column) for column in part.columns],
        }

    def _copy(self, message: Message, sort: Sort | None) -> Message:
        first, last = _whole(message, "first_row"), _whole(message, "last_row")
        left, right = _whole(message, "first_column"), _whole(message, "last_column")
        width = min(right, self.table.num_columns - 1) - left + 1
        height = min(last, self.rows - 1) - first + 1
        if width < 1 or height < 1:
            raise ValueError("Nothing is selected.")
        rows = min(height, max(1, COPY_CELLS // width))
        part = self._slice(first, rows, sort).select(range(left, left + width))
        columns = [[_pasted(value) for value in column] for column in part.columns]
        text = "\n".join("\t".join(row) for row in zip(*columns, strict=True))
        return {"kind": "copied", "text": text, "rows": rows, "columns": width, "left_out": height - rows}

    def _slice(self, start: int, count: int, sort: Sort | None) -> pa.Table:
        if sort is None:
            return self.table.slice(start, count)
        return self.table.take(self._ordered(sort).slice(start, count))

    def _sort_of(self, asked: object) -> Sort | None:
        if asked is None:
            return None
        if not isinstance(asked, list) or len(asked) != 2 or not isinstance(asked[1], bool):
            raise ValueError("sort is a column and whether it is descending.")
        column = _whole({"sort": asked[0]}, "sort")
        if column >= self.table.num_columns:
            raise ValueError("There is no such column.")
        return column, asked[1]

    def _ordered(self, sort: Sort) -> pa.Array[Any]:
        """Row numbers in the order of one column, NULLs last. The latest order is kept."""
        import pyarrow as pa
        import pyarrow.compute as pc

        with self._lock:
            if sort == self._sort and self._order is not None:
                return self._order
            if self.rows > SORT_ROWS:
                raise ValueError(f"More than {SORT_ROWS:,} rows are not sorted here; use ORDER BY.")
            column = _sortable(self.table.column(sort[0]))
            keyed = pa.Table.from_arrays([column], ["key"])
            try:
                order = pc.sort_indices(keyed, sort_keys=[("key", "descending" if sort[1] else "ascending")])
            except (pa.ArrowTypeError, pa.ArrowNotImplementedError) as exc:
                raise ValueError(
                    f"A {type_name(column.type)} column has no order here; use ORDER BY."
                ) from exc
            self._sort, self._order = sort, order
            return order


class Shelf:
    """Holds the tables of the latest views; the least recently used one goes first. Safe from any thread."""

    def __init__(self, size: int = LIVE_TABLES) -> None:
        self._size = size
        self._held: OrderedDict[int, TableWindows] = OrderedDict()
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def put(self, windows: TableWindows) -> int:
        """Hold a table and return its number."""
        with self._lock:
            number = next(self._numbers)
            self._held[number] = windows
            while len(self._held) > self._size:
                self._held.popitem(last=False)
            return number

    def get(self, number: int) -> TableWindows | None:
        """Return a table, or None where it was released."""
        with self._lock:
            if number in self._held:
                self._held.move_to_end(number)
            return self._held.get(number)

    def release(self, number: int) -> None:
        """Let a table go; harmless where it is gone."""
        with self._lock:
            self._held.pop(number, None)

    def __len__(self) -> int:
        return len(self._held)


def _whole(message: Message, name: str) -> int:
    value = message.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is a whole number from 0.")
    return value


def _sortable(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    import pyarrow as pa

    kind: Any = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return column.cast(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    return column.cast(pa.string()) if pa.types.is_string_view(kind) else column


def _pasted(value: Any) -> str:
    """One value as a spreadsheet reads it: whole, and quoted where it holds a tab, a line or a quote."""
    plain = value.as_py() if type(value).__name__ in ("StringScalar", "LargeStringScalar") else None
    if plain is None:
        return format_cell(value, None) if value.is_valid else ""
    lines = plain.replace("\r\n", "\n").split("\n")
    text = "\n".join("\t".join(visible(word) for word in line.split("\t")) for line in lines)
    quoted = any(mark in text for mark in '\t\n"')
    return '"' + text.replace('"', '""') + '"' if quoted else text
