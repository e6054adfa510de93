"""The line that says that a query still runs."""

from __future__ import annotations

import html
import time
import uuid
from typing import TYPE_CHECKING

from ..run import Event, Phase, Progress
from .display import has_front_end

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["LiveLine"]

PATIENCE = 0.5
"""Seconds a query may run before anything is said."""


class LiveLine:
    """``duckdb · 12.3 s · 45 % · execute — interrupt the kernel to stop``, while a query runs.

    `emit` is called from any thread and only remembers; `tick` is called in the thread of the cell and
    shows. A terminal gets no line: what was printed there cannot be taken back.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._publisher = shell.display_pub if has_front_end(shell) else None
        self._began = time.monotonic()
        self._id = uuid.uuid4().hex
        self._shown = ""
        self._progress: Progress | None = None
        self._phase = ""
        self.engine = ""

    def emit(self, event: Event) -> None:
        """Remember how far the query is."""
        if isinstance(event, Phase):
            self._phase = event.name
        elif isinstance(event, Progress):
            self._progress = event

    def tick(self) -> None:
        """Show or renew the line, once the query has run for long enough."""
        if self._publisher is not None and time.monotonic() - self._began >= PATIENCE:
            self._publish(self.text())

    def close(self) -> None:
        """Take the line away."""
        if self._shown:
            self._publish("")

    def text(self) -> str:
        """Return the line as it is now."""
        return self.state() + " — interrupt the kernel to stop"

    def state(self) -> str:
        """Return how far the query is."""
        parts = [self.engine, f"{time.monotonic() - self._began:.1f} s"]
        if self._progress is not None and self._progress.fraction is not None:
            parts.append(f"{self._progress.fraction:.0%}".replace("%", " %"))
        if self._progress is not None and self._progress.rows is not None:
            parts.append(f"{self._progress.rows:,} rows")
        parts.append((self._progress and self._progress.message) or self._phase)
        return " · ".join(part for part in parts if part)

    def _publish(self, text: str) -> None:
        from ..render import visible

        assert self._publisher is not None
        lines = [visible(line) for line in text.splitlines()]
        shown = "<br>".join(map(html.escape, lines))
        self._publisher.publish(
            {"text/plain": "\n".join(lines), "text/html": f"<small>{shown}</small>" if shown else ""},
            transient={"display_id": self._id},
            update=bool(self._shown),
        )
        self._shown = self._shown or text
