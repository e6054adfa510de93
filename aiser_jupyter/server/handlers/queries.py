"""``data/query``: run, run many, plan, follow and cancel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from ...errors import AiserError, NotFound
from ...models import LOCAL, Query, RunState, Scope
from ...router.router import default_engine
from ...services import Services
from ..jobs import Job, Wanted
from .base import AiserHandler, authorized_to

if TYPE_CHECKING:
    from ...result import QueryResult

__all__ = [
    "CancelHandler",
    "ConnectionQueryHandler",
    "ExecuteHandler",
    "ParallelHandler",
    "QueryHandler",
    "RouteHandler",
]

RESOURCE = "aiser:queries"


class QueryingHandler(AiserHandler):
    """Starts queries, and cancels those whose client leaves before the answer."""

    auth_resource = RESOURCE

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        self._awaited: list[Job] = []
        self._cancels: list[asyncio.Task[None]] = []

    def on_connection_close(self) -> None:
        super().on_connection_close()
        for job in self._awaited:
            self._cancels.append(asyncio.create_task(self.jobs.cancel(job)))

    async def started(self, request: wire.QueryRequest) -> Job:
        """Let a query begin; it is kept for who asks later where nobody waits for it now."""
        query = await self.blocking(_query, self.services, request)
        wanted = Wanted(request.query_id, request.page_size, request.background)
        try:
            return self.jobs.start(query, wanted)
        except LookupError as exc:
            raise web.HTTPError(409, "A query has this query_id already.") from exc

    async def finished(self, job: Job) -> QueryResult:
        """Wait for a query, and take its result. Raises what it failed with."""
        self._awaited.append(job)
        await asyncio.wait([job.task])
        self._awaited.remove(job)
        if job.error is not None:
            raise copy(job.error)  # what is raised holds on to the request, and the job is kept for a while
        result, job.result = job.result, None
        if result is None:
            raise NotFound("The result was taken already.")
        return result

    async def execute(self, request: wire.QueryRequest) -> None:
        """Answer with the rows of a query, or at once with its state."""
        if self.request.headers.get("Prefer", "").strip().lower() == "respond-async" or request.background:
            job = await self.started(request.in_background())
            self.set_header("Location", f"{self.base_url}aiser/data/query/{job.id}")
            return self.answer(wire.state_json(job), 202)
        job = await self.started(request)
        result = await self.finished(job)
        asked = wire.ARROW in self.request.headers.get("Accept", "")
        head, page = _head(job, result), result.table.slice(0, request.page_size)
        if request.format == "arrow" or (asked and request.format is None):
            return await self.stream(wire.arrow_chunks(head, page), wire.ARROW)
        return await self.stream(wire.json_chunks(head, page))


class ExecuteHandler(QueryingHandler):
    """POST: run a query."""

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def post(self) -> None:
        await self.execute(wire.query_request(await self.body()))


class ConnectionQueryHandler(QueryingHandler):
    """POST: run a query on one connection."""

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def post(self, id: str) -> None:
        await self.execute(wire.query_request(await self.body()).on(id))


class ParallelHandler(QueryingHandler):
    """POST: run queries at the same time; each has its own end."""

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def post(self) -> None:
        requests = wire.parallel_request(await self.body())
        ends = await asyncio.gather(*map(self._end, requests))
        await self.stream(_parallel(ends))

    async def _end(self, request: wire.QueryRequest) -> tuple[Job, QueryResult] | AiserError:
        try:
            job = await self.started(request)
            return job, await self.finished(job)
        except AiserError as exc:
            return exc


class RouteHandler(AiserHandler):
    """POST: say where a query would run, and why. Nothing is run."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def post(self) -> None:
        request = wire.query_request(await self.body())
        query = await self.blocking(_query, self.services, request)
        statement, route = await self.asking(self.services.queries.route, query)
        body = {"success": True, "connection": query.connection, "route": wire.route_json(route)}
        self.answer({**body, "query_analysis": wire.analysis_json(statement, route)})


class QueryHandler(AiserHandler):
    """GET: how far a query is."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self.answer(wire.state_json(self.jobs.get(id)))


class CancelHandler(AiserHandler):
    """POST: ask a query to stop."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def post(self, id: str) -> None:
        wire.nothing(await self.body())
        try:
            job = self.jobs.get(id)
        except NotFound:
            if not await self.blocking(self.services.queries.cancel_anywhere, id):
                raise
            return self.answer({"success": True, "id": id, "state": str(RunState.RUNNING)})
        await self.jobs.cancel(job)
        return self.answer({"success": True, "id": job.id, "state": str(job.state)})


def _query(services: Services, request: wire.QueryRequest) -> Query:
    """Find the connection, and say what is asked of it."""
    if request.connection_id is not None:
        connection = services.connections.with_id(request.connection_id)
    else:
        connection = services.connections.get(request.connection or LOCAL)
    engine = request.engine
    if engine is None and not request.optimize:
        engine = default_engine(Scope(connection))
    return Query(
        request.text,
        connection=connection.name,
        engine=engine,
        variables=request.parameters,
        limit=request.limit,
        timeout=request.timeout,
        max_age=request.max_age,
        use_cache=request.optimize,
    )


def _head(job: Job, result: QueryResult) -> dict[str, Any]:
    return wire.head_json(result, statement=job.statement, query_id=job.query_id, kept=job.handle)


def _parallel(ends: Sequence[tuple[Job, QueryResult] | AiserError]) -> Iterator[bytes]:
    worked = not any(isinstance(end, AiserError) for end in ends)
    yield json.dumps({"success": worked})[:-1].encode() + b', "results": ['
    for number, end in enumerate(ends):
        if number:
            yield b", "
        if isinstance(end, AiserError):
            yield json.dumps(wire.error_json(end)).encode()
            continue
        job, result = end
        yield from wire.json_chunks(_head(job, result), result.table.slice(0, job.wanted.page_size))
    yield b"]}"
