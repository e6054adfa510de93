"""``GET data/health``: whether the store and the engines work, found out by asking them."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from .base import AiserHandler

__all__ = ["HealthHandler"]


class HealthHandler(AiserHandler):
    """GET: whether the store and the engines work, now."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        health = await self.blocking(self.services.health)
        store = (health.store.ok, health.store.message, health.store.hint)
        body = wire.health_json(ok=health.ok, version=health.version, store=store, engines=health.engines)
        self.answer(body)
