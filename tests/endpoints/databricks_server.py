"""A Databricks workspace on loopback, for the real connector: its Thrift service, its sign-in and its REST.

Run as ``python databricks_server.py PORT CERTIFICATE KEY``.

A personal access token is one of a list; an OAuth token is a JWT that this workspace signed, for this
workspace, not expired. What is refused, and with which status, header and body, follows the vendor's answers
as they are reported in public; what a test asks of the endpoint itself is under ``/_``.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

if __name__ == "__main__":
    # This folder has a databricks.py of its own, which would be taken for the driver's package.
    sys.path[0] = str(Path(__file__).parents[2])

from databricks.sql.thrift_api.TCLIService import TCLIService
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from tests.endpoints.authorization import Authorization
from tests.endpoints.databricks_sql import CATALOG
from tests.endpoints.databricks_thrift import Service

WAREHOUSE = "a1b234c567d8e9fa"
CLUSTER = "0131-120000-shop1234"
TOKENS = {"dapi0123456789abcdef0123456789abcdef"}
CLIENT = ("11111111-2222-3333-4444-555555555555", "dose0123456789abcdef")
APPLICATIONS = {
    "databricks-sql-python": (None, "http://localhost:8020"),
    "own-application": ("the secret of our own", ""),
}
KEY = secrets.token_hex(32)


class Workspace:
    """The warehouse, who may use it, and what was seen."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.service = Service(base)
        self.processor = TCLIService.Processor(self.service)
        self.state = "RUNNING"
        self.start_seconds = 1.0
        self.running_at = 0.0
        self.woken = 0
        self.token_seconds = 3600.0
        self.redirect = ""
        self.redirect_status = 307
        self.paths: list[str] = []
        self.tokens_issued = 0
        self.authorization = Authorization(self.token, APPLICATIONS)

    def warehouse_state(self) -> str:
        if self.state == "STARTING" and time.monotonic() >= self.running_at:
            self.state = "RUNNING"
        return self.state

    def wake(self) -> bool:
        """Start a stopped warehouse; say whether it runs."""
        if self.warehouse_state() == "STOPPED":
            self.state, self.running_at = "STARTING", time.monotonic() + self.start_seconds
            self.woken += 1
        return self.warehouse_state() == "RUNNING"

    def token(self, seconds: float = 0.0) -> str:
        self.tokens_issued += 1
        now = time.time()
        claims = {"iss": f"{self.base}/oidc", "sub": CLIENT[0], "aud": self.base, "scope": "all-apis"}
        return jwt.encode({**claims, "iat": now, "exp": now + (seconds or self.token_seconds)}, KEY, "HS256")

    def refusal(self, request: Request) -> Response | None:
        """Return what to answer to somebody who is not signed in; None for who is."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not token:
            return _refused(401, "Credential was not sent or was of an unsupported type for this API.")
        if token.count(".") != 2:
            return None if token in TOKENS else _refused(403, "Invalid access token.")
        try:
            jwt.decode(token, KEY, ["HS256"], audience=self.base, issuer=f"{self.base}/oidc")
        except jwt.ExpiredSignatureError:
            return _refused(403, "Token is expired.")
        except jwt.PyJWTError:
            return _refused(403, "Invalid Token")
        return None


def _refused(status: int, message: str) -> Response:
    body = {"error_code": str(status), "message": message}
    return JSONResponse(body, status, {"x-databricks-reason-phrase": message})


async def thrift(request: Request) -> Response:
    """Answer a request of the connector."""
    workspace: Workspace = request.app.state.workspace
    if workspace.redirect:
        return RedirectResponse(workspace.redirect, workspace.redirect_status)
    if refusal := workspace.refusal(request):
        return refusal
    if request.path_params["id"] != WAREHOUSE:
        message = f"Endpoint {request.path_params['id']} does not exist."
        return JSONResponse({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": message}, 404)
    body = await request.body()
    if workspace.state == "FORBIDDEN":
        return _refused(403, "PERMISSION_DENIED: User does not have CAN USE permission on the warehouse.")
    if not workspace.wake():
        text = "TEMPORARILY_UNAVAILABLE: The warehouse is starting."
        return Response(status_code=503, headers={"Retry-After": "1", "x-thriftserver-error-message": text})
    answer = await run_in_threadpool(_process, workspace, body)
    return Response(answer, media_type="application/x-thrift")


def _process(workspace: Workspace, body: bytes) -> bytes:
    read, written = TMemoryBuffer(body), TMemoryBuffer()
    workspace.processor.process(TBinaryProtocol(read), TBinaryProtocol(written))
    return bytes(written.getvalue())


async def token(request: Request) -> Response:
    """Give a token to a service principal that knows its secret."""
    workspace: Workspace = request.app.state.workspace
    if workspace.redirect:
        return RedirectResponse(workspace.redirect, workspace.redirect_status)
    form = await request.body()
    if b"grant_type=authorization_code" in form or b"grant_type=refresh_token" in form:
        return await workspace.authorization.token(request)
    kind, _, basic = request.headers.get("authorization", "").partition(" ")
    try:
        given = tuple(base64.b64decode(basic).decode().split(":", 1))
    except ValueError:
        given = ()
    if kind != "Basic" or given != CLIENT:
        text = "Client authentication failed"
        return JSONResponse({"error": "invalid_client", "error_description": text}, 401)
    if b"grant_type=client_credentials" not in form:
        return JSONResponse({"error": "unsupported_grant_type"}, 400)
    answer = {"access_token": workspace.token(), "token_type": "Bearer", "scope": "all-apis"}
    return JSONResponse({**answer, "expires_in": workspace.token_seconds})


async def warehouse(request: Request) -> Response:
    """Describe the warehouse, without starting it."""
    workspace: Workspace = request.app.state.workspace
    if refusal := workspace.refusal(request):
        return refusal
    if request.path_params["id"] != WAREHOUSE:
        return JSONResponse({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such warehouse"}, 404)
    if workspace.state == "FORBIDDEN":
        return _refused(403, "PERMISSION_DENIED: User does not have CAN VIEW permission on the warehouse.")
    return JSONResponse(
        {"id": WAREHOUSE, "name": "Shop", "cluster_size": "2X-Small", "state": workspace.warehouse_state()}
    )


async def cluster(request: Request) -> Response:
    """Describe the workspace's cluster, in the words that a cluster has for a warehouse's states."""
    workspace: Workspace = request.app.state.workspace
    if refusal := workspace.refusal(request):
        return refusal
    if request.query_params.get("cluster_id") != CLUSTER:
        message = "Cluster does not exist"
        return JSONResponse({"error_code": "INVALID_PARAMETER_VALUE", "message": message}, 400)
    state = {"STOPPED": "TERMINATED", "STARTING": "PENDING"}.get(workspace.warehouse_state(), "RUNNING")
    return JSONResponse({"cluster_id": CLUSTER, "cluster_name": "Shop's", "state": state})


async def file(request: Request) -> Response:
    """Give a part of a result, to whoever has the signed link; a credential is not to be sent along."""
    found = request.app.state.workspace.service.files.get(request.path_params["name"])
    if found is None or "signature" not in request.query_params:
        return Response(status_code=403)
    if "authorization" in request.headers:
        return Response("only one authentication mechanism is allowed", 400)
    return Response(found, media_type="application/octet-stream")


async def seen(request: Request) -> Response:
    """Say what was seen."""
    workspace: Workspace = request.app.state.workspace
    service = workspace.service
    return JSONResponse(
        {
            "statements": service.statements,
            "cancelled": service.cancelled,
            "fetches": service.fetches,
            "sessions": [session.configuration for session in service.sessions.values()],
            "operations": len(service.operations),
            "paths": workspace.paths,
            "tokens": workspace.tokens_issued,
            "woken": workspace.woken,
            "authorization": workspace.authorization.seen,
            "state": workspace.warehouse_state(),
        }
    )


async def behave(request: Request) -> Response:
    """Change how the workspace behaves; what is not named goes back to how it began."""
    workspace: Workspace = request.app.state.workspace
    wanted: dict[str, Any] = json.loads(await request.body())
    workspace.authorization.behave(**wanted.pop("oauth", {}))
    if wanted.pop("end_sign_ins", False):
        workspace.authorization.forget()
    own = {"state": "RUNNING", "start_seconds": 1.0, "token_seconds": 3600.0}
    own |= {"redirect": "", "redirect_status": 307}
    for name, value in own.items():
        setattr(workspace, name, wanted.pop(name, value))
    workspace.service.behaviour = dataclasses.replace(type(workspace.service.behaviour)(), **wanted)
    workspace.woken = 0
    workspace.service.statements.clear()
    workspace.service.cancelled.clear()
    workspace.service.fetches = 0
    workspace.paths.clear()
    return JSONResponse({})


async def sign(request: Request) -> Response:
    """Sign a token as this workspace, or as another one would: for the tests of forged ones."""
    workspace: Workspace = request.app.state.workspace
    wanted: dict[str, Any] = json.loads(await request.body())
    claims: dict[str, Any] = {"iss": f"{workspace.base}/oidc", "sub": CLIENT[0], "aud": workspace.base}
    claims["exp"] = time.time() + 3600
    key = wanted.pop("key", None) or KEY
    return JSONResponse({"token": jwt.encode({**claims, **wanted}, key, "HS256")})


async def tokens(request: Request) -> Response:
    """Say which tokens were given to who signed in with a browser."""
    return JSONResponse(request.app.state.workspace.authorization.given)


async def tables(request: Request) -> Response:
    """Make or drop many tables at once: for the tests of a large catalog."""
    database = request.app.state.workspace.service.database.cursor()
    schema, count = (await request.json())["schema"], (await request.json())["count"]
    database.execute(f"DROP SCHEMA IF EXISTS {CATALOG}.{schema} CASCADE")
    if count:
        made = (f"CREATE TABLE {CATALOG}.{schema}.t{n} (a INT, b VARCHAR)" for n in range(count))
        script = ["BEGIN", f"CREATE SCHEMA {CATALOG}.{schema}", *made, "COMMIT"]
        await run_in_threadpool(database.execute, ";".join(script))
    return JSONResponse({})


async def nothing(request: Request) -> Response:
    return JSONResponse({"error_code": "ENDPOINT_NOT_FOUND"}, 404)


class Paths:
    """Writes down what is asked for."""

    def __init__(self, app: Any, workspace: Workspace) -> None:
        self.app, self.workspace = app, workspace

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/_"):
            self.workspace.paths.append(scope["path"])
        await self.app(scope, receive, send)


def main(port: int, certificate: str, key: str) -> None:
    workspace = Workspace(f"https://127.0.0.1:{port}")
    routes = [
        Route("/sql/1.0/warehouses/{id}", thrift, methods=["POST"]),
        Route("/oidc/v1/authorize", workspace.authorization.authorize),
        Route("/oidc/v1/token", token, methods=["POST"]),
        Route("/api/2.0/sql/warehouses/{id}", warehouse),
        Route("/api/2.0/clusters/get", cluster),
        Route("/files/{name}", file),
        Route("/_seen", seen),
        Route("/_behave", behave, methods=["POST"]),
        Route("/_tokens", tokens),
        Route("/_sign", sign, methods=["POST"]),
        Route("/_tables", tables, methods=["POST"]),
        Route("/{path:path}", nothing, methods=["GET", "POST"]),
    ]
    app = Starlette(routes=routes)
    app.state.workspace = workspace
    app.add_middleware(Paths, workspace=workspace)
    uvicorn.run(
        app, host="127.0.0.1", port=port, log_level="warning", ssl_certfile=certificate, ssl_keyfile=key
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
