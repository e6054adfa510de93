"""REST v2, the token endpoint, and what the tests ask the endpoint itself."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import catalog
import jobs
import storage
from auth import Issuer
from errors import Refused
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

PROJECT = "/bigquery/v2/projects/{project}"
DATASET = PROJECT + "/datasets/{dataset}"
SEEN: list[str] = []
"""Methods and paths of the requests so far."""

Handler = Callable[[dict[str, str], dict[str, str], Any], Any]
"""Takes the parts of the path, the parameters, and the body."""


def application(issuer: Issuer, projects: list[str]) -> Starlette:
    """Return the application."""
    served = [
        Route("/token", _token(issuer), methods=["POST"]),
        Route("/_behave", _control(partial(_behave, issuer)), methods=["POST"]),
        Route("/_seen", _control(_seen)),
        Route("/_table", _control(lambda path, params, body: catalog.make(body)), methods=["POST"]),
    ]
    for path, method, handler in HANDLERS:
        served.append(Route(path, _api(handler, issuer, projects), methods=[method]))
    anything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    served.append(Route("/{rest:path}", _api(_nothing, issuer, projects), methods=anything))
    return Starlette(routes=served)


def _api(handler: Handler, issuer: Issuer, projects: list[str]) -> Callable[[Request], Any]:
    """Serve a handler to whoever has a token, for a project that is there."""

    async def handle(request: Request) -> Response:
        SEEN.append(f"{request.method} {request.url.path}")
        if where := jobs.BEHAVIOUR.get("redirect"):
            return RedirectResponse(where, 307)
        if not issuer.accepts(request.headers.get("authorization")):
            return _failed(Refused("authError", "Request had invalid authentication credentials."))
        request.path_params["projects"] = projects
        if request.path_params.get("project", projects[0]) not in projects:
            return _failed(Refused("notFound", f"Not found: Project {request.path_params['project']}"))
        return await _answer(handler, request)

    return handle


def _control(handler: Handler) -> Callable[[Request], Any]:
    """Serve a handler to the tests, which have no token."""

    async def handle(request: Request) -> JSONResponse:
        return await _answer(handler, request)

    return handle


def _token(issuer: Issuer) -> Callable[[Request], Any]:
    async def token(request: Request) -> Response:
        SEEN.append("POST /token")
        if where := jobs.BEHAVIOUR.get("redirect"):
            return RedirectResponse(where, 307)
        status, body = issuer.grant(dict(parse_qsl((await request.body()).decode())))
        return JSONResponse(body, status_code=status)

    return token


def _behave(issuer: Issuer, path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    """Take over how to behave, and forget what was asked so far."""
    jobs.BEHAVIOUR.clear()
    jobs.BEHAVIOUR.update(body or {})
    issuer.lifetime = float(jobs.BEHAVIOUR.get("lifetime", 3600))
    if jobs.BEHAVIOUR.get("revoke"):
        issuer.revoke()
    for dataset, count in jobs.BEHAVIOUR.get("many", {}).items():
        catalog.MANY[dataset] = count
    for each in (SEEN, storage.SEEN):
        each.clear()
    return {}


async def _answer(handler: Handler, request: Request) -> JSONResponse:
    try:
        body = await request.json() if await request.body() else None
        found = await run_in_threadpool(handler, request.path_params, dict(request.query_params), body)
        return JSONResponse(found)
    except Refused as exc:
        return _failed(exc)
    except Exception:
        traceback.print_exc()
        return _failed(Refused("internalError", "The endpoint has a gap; its log says where."))


def _failed(error: Refused) -> JSONResponse:
    return JSONResponse(error.body, status_code=error.status)


def _nothing(path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    raise Refused("notFound", "Not found: this is no address of the API")


def _seen(path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    return {
        "requests": SEEN,
        "storage": storage.SEEN,
        "jobs": [{**each.resource(), "sql": each.query["query"]} for each in jobs.JOBS.values()],
    }


def _insert(path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    job = jobs.Job(path["project"], body)
    job.start()
    if jobs.BEHAVIOUR.pop("lose", False):
        raise Refused("backendError", "The answer was lost on the way.")
    return job.resource()


def _job(path: dict[str, str]) -> jobs.Job:
    job = jobs.JOBS.get(path["job"])
    if job is None:
        raise Refused("notFound", f"Not found: Job {path['project']}:{path['job']}")
    return job


def _cancel(path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    job = _job(path)
    job.stop("cancel")
    return {"kind": "bigquery#jobCancelResponse", "job": job.resource()}


def _datasets(path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    found = [] if jobs.BEHAVIOUR.get("hidden") else catalog.datasets(path["project"])
    return {"kind": "bigquery#datasetList", "datasets": found}


def _tables(path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    start, count = int(params.get("pageToken") or 0), min(int(params.get("maxResults") or 50), 1000)
    return catalog.tables(path["project"], path["dataset"], start, count)


def _table(path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    return catalog.table(path["project"], path["dataset"], path["table"])


def _projects(path: dict[str, Any], params: dict[str, str], body: Any) -> Any:
    return {"projects": [{"id": each, "numericId": "1", "friendlyName": each} for each in path["projects"]]}


def _rows(path: dict[str, str], params: dict[str, str], body: Any) -> Any:
    found = catalog.rows(path["dataset"], path["table"], int(params.get("maxResults") or 100))
    return {"kind": "bigquery#tableDataList", "rows": found.rows(0, found.count)}


HANDLERS: list[tuple[str, str, Handler]] = [
    ("/bigquery/v2/projects", "GET", _projects),
    (PROJECT + "/jobs", "POST", _insert),
    (PROJECT + "/jobs/{job}", "GET", lambda path, params, body: _job(path).resource()),
    (PROJECT + "/jobs/{job}/cancel", "POST", _cancel),
    (PROJECT + "/queries/{job}", "GET", lambda path, params, body: _job(path).answer(params)),
    (PROJECT + "/datasets", "GET", _datasets),
    (DATASET + "/tables", "GET", _tables),
    (DATASET + "/tables/{table}", "GET", _table),
    (DATASET + "/tables/{table}/data", "GET", _rows),
]
"""What the API has: path, method, and what answers."""
