"""``Listing``: the small table that a command answers with. It is shown, and it can be used in code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Listing"]


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows under column names.

    Parameters
    ----------
    columns : tuple of str
    rows : tuple of tuple
        Values as they are; None is shown as *unknown*.
    caption : str
        Words under the table, one line each.

    Examples
    --------
    >>> listing = Listing(("name", "rows"), (("orders", 10), ("events", None)))
    >>> [name for name, rows in listing if rows is None]
    ['events']
    >>> print(listing)
    name    rows
    ──────  ───────
    orders  10
    events  unknown
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        from ..render import aligned

        lines = aligned([self.columns, *self._texts()], rule=True) if self.rows else []
        return "\n".join([*lines, *self._caption()])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _texts(self) -> list[list[str]]:
        from ..render import format_cell

        return [["unknown" if cell is None else format_cell(cell, 500) for cell in row] for row in self.rows]

    def _caption(self) -> list[str]:
        from ..render import visible

        return [visible(line) for line in self.caption.splitlines()]

    def _html(self) -> str:
        from ..render import escaped

        def row(tag: str, cells: Sequence[str]) -> str:
            return "".join(f'<{tag} style="text-align:left">{escaped(cell)}</{tag}>' for cell in cells)

        head = f"<thead><tr>{row('th', self.columns)}</tr></thead>"
        body = "".join(f"<tr>{row('td', cells)}</tr>" for cells in self._texts())
        table = f"<table>{head}<tbody>{body}</tbody></table>" if self.rows else ""
        caption = "".join(f"<p>{escaped(line)}</p>" for line in self._caption())
        return f'<div class="aiser-output tex2jax_ignore mathjax_ignore">{table}{caption}</div>'
