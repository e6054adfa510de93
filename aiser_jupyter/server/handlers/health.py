"""``GET data/health``: whether the store, the engines and the connections work, and how long the queue is."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from .base import AiserHandler

__all__ = ["HealthHandler"]


class HealthHandler(AiserHandler):
    """GET: the state of store and engines now, of the connections as last known."""

    auth_resource = "aiser:monitor"
    _track_activity = False  # a panel that is open asks again and again, and is no sign of work

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self.app.watch(self.identity)
        health = await self.blocking(self.services.health)
        body = wire.health_json(
            ok=health.ok,
            version=health.version,
            store=(health.store.ok, health.store.message, health.store.hint),
            engines=health.engines,
            connections=await self.blocking(self.services.monitor.states),
            queue=(self.app.queries.running, self.app.queries.waiting),
        )
        self.answer(body)
