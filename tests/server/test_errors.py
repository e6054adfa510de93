"""An error of ours is answered in full; any other keeps its text for the log."""

from __future__ import annotations

import json

import pytest
from jupyter_server.auth.decorator import authorized
from tornado import web

from aiser_jupyter.errors import AuthenticationFailed, QueryFailed, QueueFull, ResultTooLarge, StoreError
from aiser_jupyter.server.handlers.base import AiserHandler

OURS = {
    "full": QueueFull("200 queries wait.", hint="Try again."),
    "large": ResultTooLarge("Too large.", hint="Read less."),
    "failed": QueryFailed("Division by zero."),
    "store": StoreError("The store is locked.", hint="Close the other process."),
}


class Failing(AiserHandler):
    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        if name == "http":
            raise web.HTTPError(415, "JSON only.")
        if name == "refused":
            raise AuthenticationFailed("The database refused ann.")
        if name in OURS:
            await self.blocking(self.fail, OURS[name])
        raise RuntimeError("the password is hunter2")

    def fail(self, error: Exception) -> None:
        raise error


@pytest.fixture
def fetch(jp_serverapp, jp_base_url, jp_auth_header, http_server_client):
    jp_serverapp.web_app.add_handlers(
        ".*", [(f"{jp_base_url}failing/(.*)", Failing, {"name": "aiser_jupyter"})]
    )

    async def fetch(name: str):
        return await http_server_client.fetch(
            f"{jp_base_url}failing/{name}", headers=jp_auth_header, raise_error=False
        )

    return fetch


@pytest.mark.parametrize("name", OURS)
async def test_an_error_has_its_status_code_and_hint(fetch, name):
    response = await fetch(name)
    assert response.code == OURS[name].http_status
    assert json.loads(response.body) == {
        "success": False,
        "error": OURS[name].message,
        "error_code": OURS[name].code,
        "hint": OURS[name].hint,
    }


async def test_a_login_that_a_database_refuses_is_not_a_login_to_this_server(fetch):
    response = await fetch("refused")
    assert (response.code, json.loads(response.body)["error_code"]) == (502, "authentication")


async def test_an_error_of_http_has_the_same_shape(fetch):
    response = await fetch("http")
    assert response.code == 415
    body = json.loads(response.body)
    assert (body["success"], body["error"]) == (False, "JSON only.")
    assert body["error_code"] == "unsupported_media_type"


async def test_an_accident_does_not_tell_its_text(fetch, caplog):
    response = await fetch("accident")
    assert response.code == 500
    assert b"hunter2" not in response.body
    assert json.loads(response.body)["error_code"] == "internal_server_error"
    assert "hunter2" in caplog.text


async def test_a_result_that_memory_does_not_hold_is_no_accident(api, extension, monkeypatch):
    def full(*asked: object) -> None:
        raise MemoryError

    monkeypatch.setattr(extension.results, "put", full)
    answer = await api("POST", "/data/query/execute", {"query": "FROM range(10)", "page_size": 2})
    assert (answer.status, answer.json["error_code"]) == (507, "out_of_memory")
    assert answer.json["hint"]
