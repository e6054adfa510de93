"""A result and an error as static HTML that a saved notebook can hold.

Data is text here, never markup: everything goes through ``_text`` or ``_attribute``. There is no script, no
style sheet and no colour, so that what a front end strips is not missed and its light or dark theme shows
through. MathJax is kept out twice: by the classes it skips, and by standing each ``$`` and backslash in an
element of its own, since a formula cannot reach across elements.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from ..errors import AiserError
from .cells import NULL
from .text import (
    DISPLAY_ROWS,
    Preview,
    Shown,
    candidates,
    counted,
    error_text,
    has_rows,
    plan_text,
    preview,
    remarks,
    result_text,
    seconds_text,
    status_line,
)

__all__ = ["error_html", "escaped", "mimebundle", "result_html"]

_NO_MATH = "tex2jax_ignore mathjax_ignore"
_LEFT = ' style="text-align:left"'
_LINE = ' style="text-align:left;white-space:nowrap"'
_WRAPPED = ' style="text-align:left;min-width:30em;overflow-wrap:anywhere"'
_RIGHT = ' style="text-align:right;white-space:nowrap"'
_LINE_CHARS = 50
_FORMULA = re.compile(r"[$\\]")


def mimebundle(result: Shown, rows: int = DISPLAY_ROWS) -> dict[str, str]:
    """Return a result as ``text/html`` and ``text/plain``, small enough to be saved with a notebook.

    Parameters
    ----------
    rows : int
        Rows at most; of columns there are at most 50, and 200 characters of a value.
    """
    return {"text/html": result_html(result, rows), "text/plain": result_text(result, rows=rows)}


def result_html(result: Shown, rows: int = DISPLAY_ROWS) -> str:
    """Return the first rows, the status line, every remark, and the route with its timings."""
    parts = []
    if plan := plan_text(result.table):
        parts.append(f"<pre>{escaped(plan)}</pre>")
    elif has_rows(result):
        shown = preview(result.table, rows)
        parts.append(_rows(shown))
        more = [
            counted(count, f"more {noun}")
            for count, noun in ((shown.more_rows, "row"), (shown.more_columns, "column"))
            if count
        ]
        parts.append(f"<p>… {' and '.join(more)}</p>" if more else "")
    parts.append(f"<p>{escaped(status_line(result))}</p>")
    parts += [f"<p><strong>{escaped(r.label)}</strong>: {escaped(r.text)}</p>" for r in remarks(result)]
    parts.append(_details(result))
    return f'<div class="aiser-output {_NO_MATH}">{"".join(parts)}</div>'


def error_html(exc: AiserError) -> str:
    """Return an error and its hint."""
    return f'<div class="aiser-error {_NO_MATH}" role="alert"><pre>{escaped(error_text(exc))}</pre></div>'


def _rows(shown: Preview) -> str:
    sides = [_RIGHT if numeric else _LINE for numeric in shown.numeric]
    head = "".join(
        f'<th{side} title="{_attribute(kind)}">{escaped(name)}<br><small>{escaped(kind)}</small></th>'
        for name, kind, side in zip(shown.names, shown.types, sides, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(_cell(cell, side) for cell, side in zip(row, sides, strict=True))}</tr>"
        for row in zip(*shown.cells, strict=True)
    )
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div style="overflow-x:auto"><table class="aiser-result {_NO_MATH}">{table}</table></div>'


def _cell(cell: str | None, side: str) -> str:
    if cell is None:
        return f"<td{side}><em>{NULL}</em></td>"
    return f"<td{side if len(cell) <= _LINE_CHARS else _WRAPPED}>{escaped(cell)}</td>"


def _details(result: Shown) -> str:
    timings = [
        (name, seconds_text(seconds)) for name, seconds in result.timings.as_dict().items() if seconds > 0
    ]
    blocks = []
    if result.route.candidates:
        rows = [
            (
                f"{found.engine} (chosen)" if found.chosen else found.engine,
                "yes" if found.feasible else "no",
                found.expected or "unknown",
                found.rows or "unknown",
                found.bytes or "unknown",
                found.reason + (f" (not known: {found.unknown})" if found.unknown else ""),
            )
            for found in candidates(result.route)
        ]
        blocks.append(_plain_table(("engine", "can", "expected", "rows", "bytes", "reason"), rows))
    if timings:
        blocks.append(_plain_table(("part", "took"), timings))
    if not blocks:
        return ""
    return f"<details><summary>Engines and timings</summary>{''.join(blocks)}</details>"


def _plain_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th{_LEFT}>{name}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td{_LEFT}>{escaped(v)}</td>' for v in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def escaped(text: str) -> str:
    """Escape markup, and keep a front end from finding a formula between two ``$``."""
    return _FORMULA.sub(r"<span>\g<0></span>", html.escape(text))


def _attribute(text: str) -> str:
    return html.escape(text, quote=True)
