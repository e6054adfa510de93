"""One file a noun; ``routes`` lists every handler with its path below ``<base_url>aiser``."""

from __future__ import annotations

from .base import AiserHandler
from .catalog import SchemaHandler
from .connections import (
    ConnectionHandler,
    ConnectionHealthHandler,
    ConnectionsHandler,
    ConnectionTestHandler,
    ConnectorsHandler,
)
from .engines import EnginesHandler
from .events import EventsHandler
from .health import HealthHandler
from .history import HistoryHandler
from .openapi import OpenapiHandler
from .queries import (
    CancelHandler,
    ConnectionQueryHandler,
    ExecuteHandler,
    ParallelHandler,
    QueryHandler,
    RouteHandler,
)
from .results import ResultHandler
from .sign_in import CallbackHandler, SignInHandler, SignInsHandler
from .statistics import StatisticsHandler

__all__ = ["routes"]

ID = r"([^/]+)"


def routes() -> list[tuple[str, type[AiserHandler]]]:
    """Return path patterns and handlers, without the base URL; of two that match the first counts."""
    connections, queries = r"/aiser/data/enterprise/connections", r"/aiser/data/query"
    return [
        (r"/aiser/openapi.yaml", OpenapiHandler),
        (r"/aiser/data/engines", EnginesHandler),
        (r"/aiser/data/health", HealthHandler),
        (r"/aiser/data/enterprise/connectors", ConnectorsHandler),
        (r"/aiser/data/enterprise/statistics", StatisticsHandler),
        (connections, ConnectionsHandler),
        (rf"{connections}/test", ConnectionTestHandler),
        (rf"{connections}/{ID}", ConnectionHandler),
        (rf"{connections}/{ID}/health", ConnectionHealthHandler),
        (rf"{connections}/{ID}/schema", SchemaHandler),
        (rf"{connections}/{ID}/query", ConnectionQueryHandler),
        (r"/aiser/data/sign-ins", SignInsHandler),
        (rf"/aiser/data/sign-ins/{ID}", SignInHandler),
        (r"/aiser/sign-in/callback", CallbackHandler),
        (rf"{queries}/execute", ExecuteHandler),
        (rf"{queries}/parallel", ParallelHandler),
        (rf"{queries}/route", RouteHandler),
        (rf"{queries}/history", HistoryHandler),
        (rf"{queries}/{ID}", QueryHandler),
        (rf"{queries}/{ID}/cancel", CancelHandler),
        (rf"{queries}/{ID}/events", EventsHandler),
        (rf"{queries}/{ID}/result", ResultHandler),
    ]
