"""A result, its status line, and an error as plain text; and the words that every other view shares."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..errors import AiserError, QuerySyntaxError
from ..models import Notice, Route, Timings
from ..words import short_id
from .cells import NULL, format_column, is_number, type_name, visible

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "DISPLAY_COLUMNS",
    "DISPLAY_ROWS",
    "CandidateText",
    "Preview",
    "Remark",
    "Shown",
    "bytes_text",
    "candidates",
    "counted",
    "error_text",
    "has_rows",
    "plan_text",
    "preview",
    "remarks",
    "result_text",
    "seconds_text",
    "status_line",
    "table_text",
]

DISPLAY_ROWS = 20
DISPLAY_COLUMNS = 50
_COLUMN_WIDTH = 40
_REASON_CHARS = 300
_NAME_CHARS = 60
_ERROR_CHARS = 4_000
_PLAN_CHARS = 200_000


class Shown(Protocol):
    """What a view needs of a `QueryResult`."""

    @property
    def table(self) -> pa.Table: ...
    @property
    def route(self) -> Route: ...
    @property
    def affected(self) -> int | None: ...
    @property
    def timings(self) -> Timings: ...
    @property
    def truncated(self) -> str: ...
    @property
    def cached(self) -> bool: ...
    @property
    def notices(self) -> tuple[Notice, ...]: ...


@dataclass(frozen=True, slots=True)
class Remark:
    """What the reader must see beside the rows. ``label``: ``cached``, ``truncated`` or ``note``."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class CandidateText:
    """One engine of the route in words; an empty text is unknown."""

    engine: str
    chosen: bool
    feasible: bool
    expected: str
    rows: str
    bytes: str
    reason: str
    unknown: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows and columns as text. ``cells`` is by column; None is NULL."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    numeric: tuple[bool, ...]
    cells: tuple[list[str | None], ...]
    more_rows: int
    more_columns: int


def preview(table: pa.Table, rows: int = DISPLAY_ROWS, columns: int = DISPLAY_COLUMNS) -> Preview:
    """Return the first ``rows`` rows and ``columns`` columns of a table as text."""
    fields = list(table.schema)[:columns]
    head = table.slice(0, rows)
    return Preview(
        names=tuple(visible(field.name[:200]) for field in fields),
        types=tuple(type_name(field.type) for field in fields),
        numeric=tuple(is_number(field.type) for field in fields),
        cells=tuple(format_column(head.column(i)) for i in range(len(fields))),
        more_rows=table.num_rows - head.num_rows,
        more_columns=table.num_columns - len(fields),
    )


def seconds_text(seconds: float) -> str:
    """Return a duration for a reader.

    Examples
    --------
    >>> [seconds_text(s) for s in (0.0002, 0.042, 0.42, 42.0, 125.0, 3720.0)]
    ['<1 ms', '42 ms', '0.42 s', '42.0 s', '2 min 5 s', '1 h 2 min']
    """
    if seconds < 0.001:
        return "<1 ms"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def bytes_text(count: int) -> str:
    """Return a size for a reader, in powers of 1000: ``1.2 MB``."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{count:,} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def counted(count: int, noun: str) -> str:
    """Return ``1 row`` or ``1,204 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def status_line(result: Shown) -> str:
    """Return one line: the engine, the seconds and their parts, the rows, what is special, and why.

    Parts below one millisecond are left out; parts are in milliseconds.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from aiser_jupyter.result import QueryResult
    >>> timings = Timings(plan=0.003, execute=0.31, fetch=0.088, convert=0.0004)
    >>> result = QueryResult("1", pa.table({"n": [1]}), Route("duckdb", "files are read here"), timings)
    >>> status_line(result)
    'duckdb · 0.40 s (plan 3 ms, execute 310, fetch 88) · 1 row · why: files are read here'
    """
    parts = [
        _short(result.route.engine, _NAME_CHARS),
        *(["cached"] if result.cached else []),
        _timing(result.timings),
    ]
    if result.affected is not None:
        parts.append(f"{counted(result.affected, 'row')} affected")
    elif result.table.num_columns:
        rows = counted(result.table.num_rows, "row")
        parts.append(f"{rows}, truncated" if result.truncated else rows)
    if result.notices:
        names = ", ".join(_short(notice.code, _NAME_CHARS) for notice in result.notices[:3])
        more = f", {len(result.notices) - 3} more" if len(result.notices) > 3 else ""
        parts.append(f"{'note' if len(result.notices) == 1 else 'notes'}: {names}{more}")
    if result.route.reason:
        parts.append(f"why: {_short(result.route.reason)}")
    return " · ".join(parts)


def _timing(timings: Timings) -> str:
    parts = [(name, seconds) for name, seconds in timings.as_dict().items() if seconds >= 0.001]
    if not parts:
        return seconds_text(timings.total)
    words = [f"{name} {seconds * 1000:,.0f}" for name, seconds in parts]
    words[0] += " ms"
    return f"{seconds_text(timings.total)} ({', '.join(words)})"


def _short(text: str, limit: int = _REASON_CHARS) -> str:
    return visible(text if len(text) <= limit else text[: limit - 1] + "…")


def remarks(result: Shown) -> list[Remark]:
    """Return what must be said beside the rows: the cache, a cut, every notice."""
    found = []
    if result.cached:
        found.append(Remark("cached", "These rows come from the result cache."))
    if result.truncated:
        found.append(Remark("truncated", _short(result.truncated)))
    found += [Remark("note", _short(notice.message)) for notice in result.notices]
    return found


def candidates(route: Route) -> list[CandidateText]:
    """Return every engine the router looked at, in words."""
    found = []
    for candidate in route.candidates:
        expected = candidate.estimate
        seconds = expected.seconds if expected else None
        rows = expected.rows if expected else None
        size = expected.bytes if expected else None
        found.append(
            CandidateText(
                engine=_short(candidate.engine, _NAME_CHARS),
                chosen=candidate.engine == route.engine,
                feasible=candidate.feasible,
                expected="" if seconds is None else seconds_text(seconds),
                rows="" if rows is None else f"{rows:,}",
                bytes="" if size is None else bytes_text(size),
                reason=_short(candidate.reason),
                unknown=_short(", ".join(expected.unknown)) if expected else "",
            )
        )
    return found


def result_text(result: Shown, *, rows: int = DISPLAY_ROWS, width: int | None = None) -> str:
    """Return the first rows as an aligned text table, then the status line and every remark.

    Parameters
    ----------
    rows : int
        Rows at most.
    width : int, optional
        Cells of the terminal; by default those of this one. Columns that do not fit are left out, and
        counted.
    """
    lines = [table_text(result.table, rows=rows, width=width)] if has_rows(result) else []
    lines.append(status_line(result))
    lines += [f"{remark.label}: {remark.text}" for remark in remarks(result)]
    return "\n".join(lines)


def has_rows(result: Shown) -> bool:
    """Say whether there is a table to show; how many rows a write changed stands in the status line."""
    return result.table.num_columns > 0 and result.affected is None


def table_text(table: pa.Table, *, rows: int = DISPLAY_ROWS, width: int | None = None) -> str:
    """Return the first rows alone, as `result_text` shows them; "" for a table without columns."""
    if plan := plan_text(table):
        return plan
    width = width or shutil.get_terminal_size((100, 24)).columns
    return "\n".join(_table(preview(table, rows), width)) if table.num_columns else ""


def plan_text(table: pa.Table) -> str:
    """Return the drawing that EXPLAIN gives, which a table would cut; "" for any other result."""
    if table.column_names != ["explain_key", "explain_value"]:
        return ""
    drawn = "\n".join(str(value) for value in table.column(1).to_pylist())
    return "\n".join(visible(line) for line in drawn[:_PLAN_CHARS].splitlines())


def _table(shown: Preview, width: int) -> list[str]:
    columns: list[tuple[Sequence[str], int, bool]] = []
    used = 0
    for name, cells, numeric in zip(shown.names, shown.cells, shown.numeric, strict=True):
        words = [name, *(NULL if cell is None else cell for cell in cells)]
        room = min(max(map(_width, words)), _COLUMN_WIDTH)
        if columns and used + room > width:
            break
        room = min(room, width)
        columns.append((words, room, numeric))
        used += room + 2
    lines = [
        "  ".join(_pad(words[i], room, numeric) for words, room, numeric in columns).rstrip()
        for i in range(len(columns[0][0]))
    ]
    lines.insert(1, "  ".join("─" * room for _, room, _ in columns))
    more = [
        counted(count, f"more {noun}")
        for count, noun in (
            (shown.more_rows, "row"),
            (shown.more_columns + len(shown.names) - len(columns), "column"),
        )
        if count
    ]
    return [*lines, *([f"… {' and '.join(more)}"] if more else [])]


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _pad(text: str, room: int, right: bool) -> str:
    if _width(text) > room:
        kept, used = [], 0
        for char in text:
            used += _char_width(char)
            if used > room - 1:
                break
            kept.append(char)
        text = "".join(kept) + "…"
    space = " " * (room - _width(text))
    return space + text if right else text + space


def error_text(exc: AiserError) -> str:
    """Return an error, its hint, and the id of the run that failed with it as a few lines of plain text."""
    where = ""
    if isinstance(exc, QuerySyntaxError) and exc.line is not None and "(line " not in exc.message:
        where = f" (line {exc.line}" + (f", column {exc.column})" if exc.column is not None else ")")
    text = f"{type(exc).__name__}{where}: {_lines(exc.message)}"
    hint = f"\nHint: {_lines(exc.hint)}" if exc.hint else ""
    return f"{text}{hint}" + (f"\nRun: {short_id(exc.run_id)}" if exc.run_id else "")


def _lines(text: str) -> str:
    cut = text if len(text) <= _ERROR_CHARS else text[: _ERROR_CHARS - 1] + "…"
    return "\n".join(visible(line) for line in cut.splitlines())
