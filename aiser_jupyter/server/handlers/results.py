"""``data/query/{id}/result``: the rows of a query that ended, page by page."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from .base import AiserHandler, authorized_to

__all__ = ["ResultHandler"]

RESOURCE = "aiser:results"
PAGE = 1000
LARGEST_PAGE = 100_000


class ResultHandler(AiserHandler):
    """GET: a page of rows; the right to see the state of things is not enough. DELETE: drop them."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def get(self, id: str) -> None:
        first = wire.integer(self.get_query_argument("offset", "0"), "offset", minimum=0, maximum=10**12)
        count = self.get_query_argument("limit", str(PAGE))
        rows = wire.integer(count, "limit", minimum=1, maximum=LARGEST_PAGE)
        job = self.jobs.get(id)
        if not job.ended:
            raise web.HTTPError(409, "The query has not ended.")
        kept = self.app.results.get(self.identity, job.id)
        result, page = kept.result, kept.result.table.slice(first, rows)
        head = wire.head_json(result, first, statement=job.statement, query_id=job.query_id, kept=kept)
        if wire.ARROW in self.request.headers.get("Accept", ""):
            return await self.stream(wire.arrow_chunks(head, page), wire.ARROW)
        return await self.stream(wire.json_chunks(head, page))

    @web.authenticated
    @authorized
    async def delete(self, id: str) -> None:
        job = self.jobs.get(id)
        self.app.results.drop(self.identity, job.id)
        job.handle = None
        self.answer({"success": True, "id": job.id})
