"""One file a noun; ``routes`` lists every handler with its path below ``<base_url>aiser``."""

from __future__ import annotations

from .base import AiserHandler
from .engines import EnginesHandler
from .health import HealthHandler
from .history import HistoryHandler

__all__ = ["routes"]


def routes() -> list[tuple[str, type[AiserHandler]]]:
    """Return path patterns and handlers, without the server's base URL."""
    return [
        (r"/aiser/data/engines", EnginesHandler),
        (r"/aiser/data/health", HealthHandler),
        (r"/aiser/data/query/history", HistoryHandler),
    ]
