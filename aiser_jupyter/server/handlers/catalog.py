"""``data/enterprise/connections/{id}/schema``: tables, the columns of one, or a search among both."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from ...errors import UnknownTable, nearest
from ...models import LOCAL
from ...services import Services
from .base import AiserHandler

__all__ = ["SchemaHandler"]


class SchemaHandler(AiserHandler):
    """GET: what there is to query in a connection."""

    auth_resource = "aiser:catalog"

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        table, schema = self.query_text("table_name", 1000), self.query_text("schema", 255)
        search = self.query_text("search", 255)
        limit = wire.integer(self.get_query_argument("limit", "50"), "limit", minimum=1, maximum=1000)
        refresh = wire.flag(self.get_query_argument("refresh", "false"), "refresh")
        known = await self.blocking(self.services.connections.with_id, id)
        find = {"id": known.id, "name": known.name, "refresh": refresh}
        if search is not None:
            body = await self.asking(_hits, self.services, **find, word=search, limit=limit)
        elif table is not None:
            body = await self.asking(_table, self.services, **find, table=table)
        else:
            body = await self.asking(_tables, self.services, **find, schema=schema)
        self.answer(body)


def _hits(services: Services, id: str, name: str, refresh: bool, word: str, limit: int) -> dict[str, Any]:
    return wire.catalog_json(id, hits=services.catalog.search(name, word, limit, refresh))


def _table(services: Services, id: str, name: str, refresh: bool, table: str) -> dict[str, Any]:
    if id == LOCAL:  # a path would be opened, and the files belong to the kernels
        known = [found.name for found in services.catalog.tables(name, {}, "main")]
        if table not in known:
            raise UnknownTable(f"There is no table {table!r} in {name}.", hint=nearest(table, known))
    return wire.catalog_json(id, tables=[services.catalog.columns(name, table, {}, refresh)])


def _tables(services: Services, id: str, name: str, refresh: bool, schema: str | None) -> dict[str, Any]:
    catalog = services.catalog
    # Of `local` without a schema the files of the server's own folder would be among them.
    tables = catalog.tables(name, {}, "main" if id == LOCAL and schema is None else schema, refresh)
    return wire.catalog_json(
        id, databases=catalog.databases(name), schemas=catalog.schemas(name), tables=tables
    )
