"""``GET data/engines``: which engines there are, and which can run here."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from .base import AiserHandler

__all__ = ["EnginesHandler"]


class EnginesHandler(AiserHandler):
    """GET: which engines there are, and whether they can be used."""

    auth_resource = "aiser:monitor"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        engines = await self.blocking(self.services.queries.engines)
        shown = [wire.engine_json(engine.name, engine.label, state) for engine, state in engines]
        self.answer({"success": True, "engines": shown})
