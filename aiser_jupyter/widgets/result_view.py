"""``ResultView``: a result as a grid whose rows stay in the kernel, above the engine and its timings.

The browser holds the first rows, what is said about the run, and whatever windows it asked for; every value
reaches it as text that `render.format_cell` made harmless. It works wherever anywidget works: JupyterLab,
Notebook 7, VS Code.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from ..render import candidates, mimebundle, remarks, seconds_text, status_line, visible
from ..result import QueryResult
from .windows import Shelf, TableWindows

__all__ = ["ResultView"]

_STATIC = Path(__file__).parent / "static"
_SCRIPTS = ("page.js", "rows.js", "grid.js", "result_view.js")  # one module, in this order
_RELEASED = "This result was released to save memory; run the cell again."


class ResultView(anywidget.AnyWidget):
    """Show a `QueryResult` as a grid.

    Only the latest 20 views keep their rows; an older one says so when it is scrolled.

    Parameters
    ----------
    result : QueryResult
        What to show. The view does not hold it.
    rows : int
        Rows of the static table that is saved beside the widget.
    """

    _esm = "\n".join((_STATIC / name).read_text("utf-8") for name in _SCRIPTS)
    _css = _STATIC / "result_view.css"

    rows = traitlets.Int(0).tag(sync=True)
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    block = traitlets.Int(200).tag(sync=True)
    head: traitlets.List[Any] = traitlets.List().tag(sync=True)
    summary: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    shelf: ClassVar[Shelf] = Shelf()

    def __init__(self, result: QueryResult, *, rows: int = 20) -> None:
        self._static = mimebundle(result, rows)
        windows = TableWindows(result.table)
        self._number = self.shelf.put(windows)
        super().__init__(
            rows=windows.rows,
            columns=windows.columns(),
            block=windows.block,
            head=windows.head(),
            summary=_summary(result, windows.hidden_columns),
        )
        self.on_msg(self._receive)

    def close(self) -> None:
        """Close the widget and let its rows go."""
        self.shelf.release(self._number)
        super().close()

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        windows = self.shelf.get(self._number)
        reply = {"kind": "released", "message": _RELEASED} if windows is None else windows.answer(content)
        if reply is not None:
            self.send(reply)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, **self._static}, metadata


def _summary(result: QueryResult, hidden_columns: int) -> dict[str, Any]:
    """What is said under the grid, in words that need no more formatting."""
    route, timings = result.route, result.timings
    said = [asdict(remark) for remark in remarks(result)]
    if hidden_columns:
        said.append({"label": "note", "text": f"{hidden_columns:,} more columns are not shown here."})
    return {
        "status": status_line(result),
        "engine": visible(route.engine[:60]),
        "pinned": route.pinned,
        "total": seconds_text(timings.total),
        "parts": [
            {"name": name, "seconds": seconds, "label": seconds_text(seconds)}
            for name, seconds in timings.as_dict().items()
            if seconds >= 0.0005
        ],
        "candidates": [asdict(found) for found in candidates(route)],
        "remarks": said,
    }
