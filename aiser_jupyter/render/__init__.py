"""Results and errors as text and static HTML: pure functions that know no front end.

``cells`` makes one value harmless and readable, ``text`` arranges values and words for a terminal, ``html``
for a notebook. Data is never markup.
"""

from __future__ import annotations

from .cells import format_cell, format_column, is_number, type_name, visible
from .html import error_html, escaped, mimebundle, result_html
from .listing import aligned, place
from .text import candidates, error_text, has_rows, plan_text, remarks, result_text, seconds_text, status_line

__all__ = [
    "aligned",
    "candidates",
    "error_html",
    "error_text",
    "escaped",
    "format_cell",
    "format_column",
    "has_rows",
    "is_number",
    "mimebundle",
    "place",
    "plan_text",
    "remarks",
    "result_html",
    "result_text",
    "seconds_text",
    "status_line",
    "type_name",
    "visible",
]
