"""Snowflake's REST protocol for its own connector, on fakesnow: ``python snowflake_server PORT CERT KEY``.

It runs in an environment of its own (fakesnow's, with a connector before 5). What it has of the service:
login by password, key pair and token; a statement that runs on while the client asks for it; abort; a
statement's own limit of time; results in chunks; SHOW, DESCRIBE and INFORMATION_SCHEMA of fakesnow. What it
has not is answered from what a test lays down with ``/test/answer``.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import secrets
import sys
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import fakesnow.server
import uvicorn
from accounts import Accounts, Refused
from results import Chunks
from snowflake.connector.errors import Error
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from statements import Session
from warehouse import Warehouse

sys.path.append(str(Path(__file__).parents[3]))

from tests.endpoints.authorization import Authorization

WAIT = 1.0
"""Seconds that the service holds an answer back for a statement that still runs (45 at Snowflake)."""
RUNNING = "333334"
_SESSION_GONE = ("390111", "Session no longer exists.  New login required to access the service.")


class Statement:
    """One statement at the service: who runs it, and what became of it."""

    def __init__(self, session: Session, sql: str, request_id: str, work: Any) -> None:
        self.id = str(uuid.uuid4())
        self.session, self.sql, self.request_id = session, sql, request_id
        self.began = time.time()
        self.task = asyncio.ensure_future(work)

    @property
    def state(self) -> str:
        if not self.task.done():
            return "RUNNING"
        return "SUCCESS" if self.task.result()["success"] else "FAILED_WITH_ERROR"

    def stop(self, code: int = 604, message: str = "SQL execution canceled") -> bool:
        """End it; False where it has ended already."""
        if self.task.done():
            return False
        self._stopping = asyncio.ensure_future(self._stop(code, message))
        return True

    async def _stop(self, code: int, message: str) -> None:
        while not self.task.done():  # DuckDB does not hear it before it has begun
            self.session.stop(code, message)
            await asyncio.sleep(0.02)


class Service:
    """The whole of it: sessions, statements, chunks, what was seen, and what a test laid down."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.sessions: dict[str, Session] = {}
        self.statements: dict[str, Statement] = {}
        self.chunks = Chunks()
        self.warehouse = Warehouse()
        applications = {
            "LOCAL_APPLICATION": ("LOCAL_APPLICATION", "http://127.0.0.1:8020"),
            "own-application": ("the secret of our own", ""),
        }
        self.authorization = Authorization(accounts.issue, applications)
        kinds = ("logins", "statements", "logouts", "chunks", "requests")
        self.seen: dict[str, list[Any]] = {kind: [] for kind in kinds}
        self.laid: list[dict[str, Any]] = []

    # -- sessions ---------------------------------------------------------------------------------------

    async def login(self, request: Request) -> Response:
        laid = self._laid("login")
        if request.method == "HEAD":
            return Response("", laid["status"], laid["headers"]) if laid else Response("", 405)
        data = (await _body(request))["data"]
        query = request.query_params
        hidden = {name: value for name, value in data.items() if name not in ("PASSWORD", "TOKEN")}
        self.seen["logins"].append({**hidden, "query": dict(query)})
        if laid is not None:
            return Response("", laid["status"], laid["headers"])
        try:
            user = self.accounts.check(data)
        except Refused as exc:
            return _answer({"nextAction": "RETRY_LOGIN"}, exc.code, exc.message)
        database, schema = query.get("databaseName") or None, query.get("schemaName") or None
        connection = fakesnow.server.shared_fs.connect(database, schema, autocommit=True)
        token = secrets.token_urlsafe(16)
        facts = {
            "current_user": user.upper(),
            "current_warehouse": (query.get("warehouse") or "FAKESNOW_WH").upper(),
            "current_role": (query.get("roleName") or "SYSADMIN").upper(),
            "current_database": (database or "").upper(),
            "current_schema": (schema or "").upper(),
            "current_account": str(data["ACCOUNT_NAME"]).upper(),
            "current_region": "AWS_EU_CENTRAL_1",
        }
        self.sessions[token] = Session(connection, facts)
        return _answer(_session_of(token, user, facts, data.get("SESSION_PARAMETERS") or {}))

    async def session(self, request: Request) -> Response:
        token = _token(request)
        if token not in self.sessions:
            return _answer(None, *_SESSION_GONE)
        if request.query_params.get("delete"):
            del self.sessions[token]
            self.seen["logouts"].append(token)
        return _answer(None)

    async def forget(self, request: Request) -> Response:
        """End every session, as the service does after four hours."""
        self.sessions.clear()
        return JSONResponse({})

    # -- statements -------------------------------------------------------------------------------------

    async def query(self, request: Request) -> Response:
        body = await _body(request)
        session = self.sessions.get(_token(request))
        seen = {name: body.get(name) for name in ("sqlText", "parameters", "bindings", "describeOnly")}
        self.seen["statements"].append(seen)
        if session is None:
            return _answer(None, *_SESSION_GONE)
        id = request.query_params.get("requestId", "")
        for known in self.statements.values():
            if id and id == known.request_id:  # the driver repeats a request whose answer it did not get
                return await self._result(known, 0 if body.get("asyncExec") else WAIT)
        work = self._run(session, body, f"{request.url.scheme}://{request.url.netloc}")
        made = Statement(session, body["sqlText"], id, work)
        self.statements[made.id] = made
        limit = float((body.get("parameters") or {}).get("STATEMENT_TIMEOUT_IN_SECONDS") or 0)
        if limit:
            words = f"Statement reached its statement or warehouse timeout of {limit:.0f} second(s)"
            words += " and was canceled."
            timer = asyncio.get_running_loop().call_later(limit, made.stop, 630, words)
            made.task.add_done_callback(lambda _: timer.cancel())
        if any(laid.get("at_once") and re.search(laid["pattern"], made.sql) for laid in self.laid):
            return await self._result(made, WAIT)
        return await self._result(made, 0 if body.get("asyncExec") else WAIT)

    async def _run(self, session: Session, body: dict[str, Any], base: str) -> dict[str, Any]:
        sql = body["sqlText"]
        if laid := self._laid("statement", sql):
            if seconds := laid.get("seconds"):
                await asyncio.sleep(seconds)
            return {"success": True, "code": None, "message": None, **laid["answer"]}
        if re.search(r"^\s*(/\*.*?\*/\s*)*SHOW\s+WAREHOUSES\b", sql, re.I | re.S):
            data = self.warehouse.shown(session.facts["current_warehouse"])
            return {"data": data, "code": None, "message": None, "success": True}
        if self.warehouse.needed(sql):
            await self.warehouse.ready()
        if found := re.search(r"SYSTEM\$CANCEL_QUERY\(\s*'([^']+)'\s*\)", sql, re.I):
            ended = found[1] in self.statements and self.statements[found[1]].stop()
            words = (
                "query [%s] terminated." if ended else "Identified SQL statement is not currently executing."
            )
            sql = f"SELECT '{words.replace('%s', found[1])}' AS status"
        try:
            data = await run_in_threadpool(session.run, sql, body.get("bindings") or {}, base, self.chunks)
        except Error as exc:
            code = f"{exc.errno:06d}"
            data = {"errorCode": code, "sqlState": exc.sqlstate, "internalError": False}
            return {
                "data": data,
                "code": code,
                "message": exc.msg.partition("): ")[2] or exc.msg,
                "success": False,
            }
        return {"data": data, "code": None, "message": None, "success": True}

    async def result(self, request: Request) -> Response:
        found = self.statements.get(request.path_params["id"])
        if found is None:
            return _answer(None, "000709", f"Statement {request.path_params['id']} not found")
        return await self._result(found, WAIT)

    async def _result(self, statement: Statement, seconds: float) -> Response:
        if seconds:
            await asyncio.wait([statement.task], timeout=seconds)
        if not statement.task.done():
            waits = {"queryId": statement.id, "getResultUrl": f"/queries/{statement.id}/result"}
            words = "Query execution in progress."
            return _answer({**waits, "queryAbortsAfterSecs": 300}, RUNNING, words, success=True)
        done = statement.task.result()
        return JSONResponse({**done, "data": {**done["data"], "queryId": statement.id}})

    async def monitoring(self, request: Request) -> Response:
        found = self.statements.get(request.path_params["id"])
        if found is None:
            return _answer({"queries": []})
        entry = {"id": found.id, "status": found.state, "state": found.state, "sqlText": found.sql}
        resuming = self.warehouse.state == "RESUMING" and self.warehouse.needed(found.sql)
        if found.state == "RUNNING" and resuming:
            entry["status"] = "RESUMING_WAREHOUSE"
        if laid := self._laid("status", found.sql):
            entry["status"] = laid["status"]
        entry |= {"startTime": int(found.began * 1000), "totalDuration": 0, "sessionId": 1}
        if found.state == "FAILED_WITH_ERROR":
            done = found.task.result()
            entry |= {"errorCode": done["code"], "errorMessage": done["message"]}
        return _answer({"queries": [entry]})

    async def abort(self, request: Request) -> Response:
        wanted = request.path_params.get("id") or (await _body(request)).get("requestId")
        found = [each for each in self.statements.values() if wanted in (each.id, each.request_id)]
        if any(each.stop() for each in found):
            return _answer({"status": "aborted"})
        return _answer(None, "000605", "Identified SQL statement is not currently executing.")

    async def chunk(self, request: Request) -> Response:
        """Answer with a part; one that was laid down may be refused, sent on, or end before its time."""
        key = request.path_params["key"]
        self.seen["chunks"].append([key, sorted(request.headers.items())])
        if laid := self._laid("chunk", key):
            data = base64.b64decode(laid["base64"])
            headers = {"Content-Type": "application/octet-stream", **laid.get("headers", {})}
            return Response(data, laid.get("status", 200), headers)
        data = await run_in_threadpool(self.chunks.get, key)
        if data is None:
            return Response(status_code=403)
        return Response(data, media_type="application/octet-stream", headers={"Content-Encoding": "gzip"})

    # -- for the tests ----------------------------------------------------------------------------------

    async def look(self, request: Request) -> Response:
        """Return what was seen since the last look."""
        seen, self.seen = self.seen, {name: [] for name in self.seen}
        running = sum(not each.task.done() for each in self.statements.values())
        about = {"sessions": len(self.sessions), "running": running, "resumed": self.warehouse.resumed}
        return JSONResponse({**seen, **about})

    async def rest(self, request: Request) -> Response:
        """Have the warehouse suspended, say, and be started in so many seconds."""
        self.warehouse.behave(**await _body(request))
        return JSONResponse({})

    async def sign_ins(self, request: Request) -> Response:
        """Have the OAuth pages behave in a way; return what they saw before, and the tokens they gave."""
        saw = {**self.authorization.seen, "given": self.authorization.given}
        wanted = await _body(request)
        if wanted.pop("end", False):
            self.authorization.forget()
        self.authorization.behave(**wanted)
        return JSONResponse(saw)

    async def lay(self, request: Request) -> Response:
        """Lay down answers: ``what`` they answer, ``pattern`` of its text, how many ``times``; [] clears."""
        self.laid = await _body(request)
        return JSONResponse({})

    async def crowd(self, request: Request) -> Response:
        """Make ``count`` tables T00000, T00001, … in a schema that is there."""
        body = await _body(request)
        await run_in_threadpool(_crowd, body["schema"], body["count"])
        return JSONResponse({})

    async def lay_first(self, request: Request) -> Response:
        """Lay down answers before those that are there."""
        self.laid = await _body(request) + self.laid
        return JSONResponse({})

    def _laid(self, what: str, text: str = "") -> dict[str, Any] | None:
        for laid in self.laid:
            fits = laid["what"] == what and re.search(laid.get("pattern", ""), text, re.I | re.S)
            if fits and laid.get("times", 1) > 0:
                laid["times"] = laid.get("times", 1) - 1
                return laid
        return None

    async def other(self, request: Request) -> Response:
        """Note what nothing here answers: telemetry, files."""
        self.seen["requests"].append([request.method, request.url.path, len(await request.body())])
        return _answer(None)


def _session_of(token: str, user: str, facts: dict[str, str], given: dict[str, Any]) -> dict[str, Any]:
    parameters = {
        "AUTOCOMMIT": True,
        "CLIENT_TELEMETRY_ENABLED": True,
        "TIMEZONE": "Etc/UTC",
        "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0,
    }
    parameters |= {name.upper(): value for name, value in given.items() if name.upper() in parameters}
    return {
        "token": token,
        "masterToken": secrets.token_urlsafe(16),
        "validityInSeconds": 3600,
        "masterValidityInSeconds": 14_400,
        "sessionId": secrets.randbits(40),
        "displayUserName": user.upper(),
        "firstLogin": False,
        "healthCheckInterval": 45,
        "serverVersion": fakesnow.server.SERVER_VERSION,
        "parameters": [{"name": name, "value": value} for name, value in parameters.items()],
        "sessionInfo": {
            "databaseName": facts["current_database"] or None,
            "schemaName": facts["current_schema"] or None,
            "warehouseName": facts["current_warehouse"],
            "roleName": facts["current_role"],
        },
    }


def _crowd(schema: str, count: int) -> None:
    with fakesnow.server.shared_fs.duck_conn.cursor() as duck:
        duck.execute("BEGIN")
        for number in range(count):
            duck.execute(f"CREATE TABLE {schema}.T{number:05} (a INTEGER)")
        duck.execute("COMMIT")


async def _body(request: Request) -> Any:
    raw = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        raw = gzip.decompress(raw)
    return json.loads(raw or b"{}")


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix('Snowflake Token="').rstrip('"')


def _answer(
    data: Any, code: str | None = None, message: str | None = None, success: bool | None = None
) -> Response:
    fine = code is None if success is None else success
    return JSONResponse({"data": data, "code": code, "message": message, "success": fine, "headers": None})


def application(service: Service) -> Starlette:
    """Return the routes of Snowflake's protocol, and those of the tests."""
    get, post = ["GET"], ["POST"]
    return Starlette(
        routes=[
            Route("/session/v1/login-request", service.login, methods=["POST", "HEAD"]),
            Route("/session", service.session, methods=post),
            Route("/session/heartbeat", service.session, methods=post),
            Route("/queries/v1/query-request", service.query, methods=post),
            Route("/queries/v1/abort-request", service.abort, methods=post),
            Route("/queries/{id}/abort-request", service.abort, methods=post),
            Route("/queries/{id}/result", service.result, methods=get),
            Route("/monitoring/queries/{id}", service.monitoring, methods=get),
            Route("/monitoring/queries//{id}", service.monitoring, methods=get),  # 5.2 asks like this
            Route("/chunks/{key}", service.chunk, methods=get),
            Route("/oauth/authorize", service.authorization.authorize, methods=get),
            Route("/oauth/token-request", service.authorization.token, methods=post),
            Route("/test/sign-ins", service.sign_ins, methods=post),
            Route("/test/look", service.look, methods=get),
            Route("/test/answer", service.lay, methods=post),
            Route("/test/answer/first", service.lay_first, methods=post),
            Route("/test/warehouse", service.rest, methods=post),
            Route("/test/crowd", service.crowd, methods=post),
            Route("/test/forget", service.forget, methods=post),
            Route("/{path:path}", service.other, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
    )


def main() -> None:
    """Listen on loopback until the tests end this process."""
    warnings.simplefilter("ignore")
    port, certificate, key = sys.argv[1:4]
    service = Service(Accounts(Path(os.environ["SNOWFLAKE_ACCOUNTS"])))
    uvicorn.run(
        application(service),
        host="127.0.0.1",
        port=int(port),
        log_level="warning",
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


if __name__ == "__main__":
    main()
