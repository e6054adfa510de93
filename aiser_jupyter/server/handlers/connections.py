"""``data/enterprise/connections``: list, test, save, change, forget; and the kinds that there are."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from ...models import Check, Connection, ConnectionConfig
from ...services import Services
from ...services.connections import ConnectionService
from ...services.health import ConnectionHealth, HealthStatus
from .base import AiserHandler, authorized_to

__all__ = [
    "ConnectionHandler",
    "ConnectionHealthHandler",
    "ConnectionTestHandler",
    "ConnectionsHandler",
    "ConnectorsHandler",
]

RESOURCE = "aiser:connections"


class ConnectorsHandler(AiserHandler):
    """GET: the kinds of database, with the fields of their forms."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    async def get(self) -> None:
        shown = await self.blocking(_kinds, self.services.connections)
        self.answer({"success": True, "connectors": shown})


class ConnectionsHandler(AiserHandler):
    """GET: every connection. POST: test one and save it."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    async def get(self) -> None:
        found = await self.blocking(self.services.connections.list)
        shown = [wire.connection_json(connection) for connection in found]
        self.answer({"success": True, "connections": shown, "count": len(shown)})

    @web.authenticated
    @authorized
    async def post(self) -> None:
        request = wire.connection_request(await self.body())
        connection = await self.trying(_create, self.services, request)
        self.app.monitoring.connection_changed("saved", connection)
        self.set_header("Location", f"{self.base_url}aiser/data/enterprise/connections/{connection.id}")
        self.answer({"success": True, "connection": wire.connection_json(connection)}, 201)


class ConnectionTestHandler(AiserHandler):
    """POST: try a connection step by step, one that is not saved or one that is with some fields changed."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def post(self) -> None:
        request = wire.connection_request(await self.body(), saved=False)
        config, checks = await self.trying(_test, self.services, request)
        label = self.services.connections.kind(config.type).label
        self.answer(wire.checks_json(config.type, label, config.values, checks))


class ConnectionHandler(AiserHandler):
    """One connection. GET: show it. PATCH: change it. DELETE: forget it."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        connection = await self.blocking(self.services.connections.with_id, id)
        self.answer({"success": True, "connection": wire.connection_json(connection)})

    @web.authenticated
    @authorized
    async def patch(self, id: str) -> None:
        name, values = wire.change_request(await self.body())
        known = await self.blocking(self.services.connections.with_id, id)
        changed = await self.trying(self.services.connections.change, known.name, values, new_name=name)
        self.app.monitoring.connection_changed("changed", changed)
        self.answer({"success": True, "connection": wire.connection_json(changed)})

    @web.authenticated
    @authorized
    async def delete(self, id: str) -> None:
        known = await self.blocking(self.services.connections.with_id, id)
        await self.blocking(self.services.connections.delete, known.name)
        self.app.monitoring.connection_changed("removed", known)
        self.answer({"success": True, "id": id})


class ConnectionHealthHandler(AiserHandler):
    """GET: what is known of a connection. POST: ask it now."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        await self.app.watch(self.identity)
        known = await self.blocking(self.services.connections.with_id, id)
        state = await self.blocking(_health, self.services, known)
        self.answer({"success": True, "health": wire.connection_health_json(state)})

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def post(self, id: str) -> None:
        wire.nothing(await self.body())
        known = await self.blocking(self.services.connections.with_id, id)
        state = await self.asking(_health, self.services, known, now=True)
        self.answer({"success": True, "health": wire.connection_health_json(state)})


def _create(services: Services, request: wire.ConnectionRequest) -> Connection:
    config = services.connections.draft(request.name, request.type, request.values, request.url)
    return services.connections.create(config)


def _test(services: Services, request: wire.ConnectionRequest) -> tuple[ConnectionConfig, tuple[Check, ...]]:
    if request.id:
        name = services.connections.with_id(request.id).name
        return services.connections.try_change(name, request.values)
    config = services.connections.draft(request.name, request.type, request.values, request.url)
    return config, services.connections.try_out(config)


def _health(services: Services, known: Connection, *, now: bool = False) -> ConnectionHealth:
    if known.source == "builtin":
        return ConnectionHealth(known.name, known.id, HealthStatus.OK)
    return services.monitor.check(known.name) if now else services.monitor.state(known.name)


def _kinds(connections: ConnectionService) -> list[dict[str, Any]]:
    return [wire.connector_json(kind, kind.available()) for kind in connections.kinds()]
