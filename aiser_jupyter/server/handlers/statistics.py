"""``GET data/enterprise/statistics``: what whoever asks ran in the last days, and which connections work."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from ...services.statistics import DAYS
from ...wire.statistics import statistics_json
from .base import AiserHandler

__all__ = ["StatisticsHandler"]


class StatisticsHandler(AiserHandler):
    """GET: the figures of a dashboard."""

    auth_resource = "aiser:monitor"
    _track_activity = False  # a panel that is open asks again and again, and is no sign of work

    @web.authenticated
    @authorized
    async def get(self) -> None:
        days = wire.integer(self.get_query_argument("days", "7"), "days", minimum=1, maximum=DAYS)
        summary = await self.blocking(self.services.statistics.summary, days)
        self.answer(statistics_json(summary))
