"""``GET data/query/history``: the runs of whoever asks, newest first."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from .base import AiserHandler

__all__ = ["HistoryHandler"]


class HistoryHandler(AiserHandler):
    """GET: the newest runs of this identity."""

    auth_resource = "aiser:history"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        limit = wire.integer(self.get_query_argument("limit", "50"), "limit", minimum=1, maximum=1000)
        words = self.get_query_argument("search", "", strip=False)
        search = wire.text(words, "search", shortest=0, longest=1000).strip()
        entries = await self.blocking(self.services.queries.history, limit=limit, search=search)
        history = [wire.history_json(entry) for entry in entries]
        self.answer({"success": True, "history": history, "count": len(history)})
