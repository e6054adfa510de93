"""A Jupyter server with our extension, a client that holds it to its contract, and a store with runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from tornado.httputil import HTTPHeaders

from aiser_jupyter.models import HistoryEntry, RunState, StatementKind, Timings
from aiser_jupyter.services import os_identity
from tests.server.contract import check


@pytest.fixture
def jp_server_config(jp_server_config):
    return {
        "ServerApp": {
            "jpserver_extensions": {"aiser_jupyter": True},
            "allow_unauthenticated_access": False,
            "reraise_server_extension_failures": True,
            "terminals_enabled": False,  # its socket has no decorator, and the warning is an error here
        }
    }


@dataclass(frozen=True)
class Answer:
    """What the server answered; ``raw`` is the body as it came."""

    status: int
    headers: HTTPHeaders
    raw: bytes

    @property
    def json(self):
        return json.loads(self.raw)


@pytest.fixture
def api(jp_serverapp, http_server_client, jp_base_url, jp_auth_header):
    """``await api("POST", "/data/query/execute", {"query": "SELECT 1"})``; the answer is held to the
    contract.

    ``body`` is sent as JSON, or as it is where it is bytes. ``headers`` are added to the token's.
    """

    async def call(method: str, path: str, body=None, headers=None, timeout=60.0, **options) -> Answer:
        sent = {**jp_auth_header, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        response = await http_server_client.fetch(
            f"{jp_base_url}aiser{path}",
            method=method,
            body=body,
            headers={name: value for name, value in sent.items() if value is not None},
            raise_error=False,
            allow_nonstandard_methods=True,
            request_timeout=timeout,
            **options,
        )
        raw = response.body or b""
        check(method, path.partition("?")[0], response.code, response.headers.get("Content-Type", ""), raw)
        return Answer(response.code, response.headers, raw)

    return call


@pytest.fixture
def extension(jp_serverapp):
    """Our extension in the running server."""
    return next(iter(jp_serverapp.extension_manager.extension_apps["aiser_jupyter"]))


@pytest.fixture
def remember(store_directory) -> Callable[..., HistoryEntry]:
    """Write a run into this test's store, as a kernel would; each is a minute younger than the one before."""
    from aiser_jupyter.store.database import Store
    from aiser_jupyter.store.history import History

    store = Store(store_directory)
    history = History(store)
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)
    written = []

    def write(sql: str, **values: object) -> HistoryEntry:
        entry = HistoryEntry(
            id=f"run-{len(written)}",
            started_at=began + timedelta(minutes=len(written)),
            sql=sql,
            **{
                "user": os_identity().name,
                "connection": "local",
                "state": RunState.DONE,
                "kind": StatementKind.READ,
                "engine": "duckdb",
                "timings": Timings(plan=0.25, execute=0.5),
                "seconds": 0.75,
                "rows": 3,
                **values,
            },
        )
        written.append(entry)
        history.finish(entry)
        history.flush()
        return entry

    yield write
    history.close()
    store.close()
