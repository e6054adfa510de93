"""Nobody gets past authentication and authorization, on any route of ours, with any method.

The server itself warns of a handler without a decorator, and a warning is an error: then no test here starts.
"""

from __future__ import annotations

import json

import pytest
from jupyter_server.auth import Authorizer

from aiser_jupyter.server.handlers import routes
from aiser_jupyter.server.handlers.base import AiserHandler
from tests.server.contract import operations

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ANY_ID = "0123456789abcdef0123456789abcdef"


def paths() -> list[str]:
    return [pattern.replace("([^/]+)", ANY_ID) for pattern, _ in routes()]


def handlers_of(app):
    """Every pattern and handler of the running server that is ours."""
    rules = [rule for group in app.web_app.default_router.rules for rule in group.target.rules]
    ours = [rule for rule in rules if getattr(rule.target, "__module__", "").startswith("aiser_jupyter")]
    return {rule.matcher.regex.pattern: rule.target for rule in ours}


@pytest.fixture
def send(jp_serverapp, jp_base_url, http_server_client):
    async def send(method: str, path: str, headers: dict | None = None):
        body = None if method in ("GET", "HEAD", "DELETE") else b"{}"
        return await http_server_client.fetch(
            jp_base_url.rstrip("/") + path,
            method=method,
            body=body,
            headers={"Content-Type": "application/json", **(headers or {})},
            raise_error=False,
            allow_nonstandard_methods=True,
        )

    return send


def test_every_route_is_served_below_the_prefix(jp_serverapp, jp_base_url):
    found = handlers_of(jp_serverapp)
    assert len(found) == len(routes())
    assert all(pattern.startswith(f"{jp_base_url}aiser/") for pattern in found)


def test_every_handler_names_its_own_resource(jp_serverapp):
    for handler in handlers_of(jp_serverapp).values():
        assert issubclass(handler, AiserHandler)
        assert handler.auth_resource.startswith("aiser:")


async def test_without_a_token_every_method_is_refused(send):
    for path in paths():
        for method in METHODS:
            assert (await send(method, path)).code == 403, (method, path)


class TestUnauthenticatedAccessAllowed:
    """The server's own gate is open, as it is by default; ours is not."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["allow_unauthenticated_access"] = True
        return jp_server_config

    async def test_without_a_token_every_method_is_refused(self, send):
        for path in paths():
            for method in METHODS:
                assert (await send(method, path)).code == 403, (method, path)


class Recording(Authorizer):
    """Refuses what is ours, and keeps what it was asked."""

    asked: list[tuple[str, str]]

    def is_authorized(self, handler, user, action, resource):
        type(self).asked.append((action, resource))
        return not resource.startswith("aiser")


class ReadOnly(Authorizer):
    """A role that may look, and nothing else."""

    def is_authorized(self, handler, user, action, resource):
        return action == "read"


class TestAuthorizer:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        Recording.asked = []
        jp_server_config["ServerApp"]["authorizer_class"] = Recording
        return jp_server_config

    async def test_is_asked_for_every_operation_what_its_description_says(self, send, jp_auth_header):
        for path, method, operation in operations():
            Recording.asked.clear()
            response = await send(method, "/aiser" + path.replace("{id}", ANY_ID), jp_auth_header)
            assert response.code == 403, (method, path)
            assert json.loads(response.body)["error_code"] == "forbidden"
            assert Recording.asked == [tuple(operation["x-authorization"].split())], (method, path)


class TestReadOnlyRole:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["authorizer_class"] = ReadOnly
        return jp_server_config

    async def test_may_look_but_not_run_create_change_or_read_results(self, send, jp_auth_header):
        allowed = set()
        for path, method, _ in operations():
            response = await send(method, "/aiser" + path.replace("{id}", ANY_ID), jp_auth_header)
            if response.code != 403:
                allowed.add(f"{method} {path}")
        assert allowed == {
            "GET /openapi.yaml",
            "GET /data/engines",
            "GET /data/health",
            "GET /data/enterprise/connectors",
            "GET /data/enterprise/connections",
            "GET /data/enterprise/connections/{id}",
            "GET /data/enterprise/connections/{id}/health",
            "GET /data/enterprise/connections/{id}/schema",
            "GET /data/enterprise/statistics",
            "GET /data/sign-ins/{id}",
            "GET /data/query/history",
            "GET /data/query/{id}",
            "GET /data/query/{id}/events",
        }


class TestCookie:
    """Who came by a login page has a cookie, and has to show that the request is their own."""

    async def cookies(self, jp_serverapp, jp_base_url, http_server_client) -> dict[str, str]:
        token = jp_serverapp.identity_provider.token
        answer = await http_server_client.fetch(f"{jp_base_url}api/status?token={token}")
        found = [line.partition(";")[0] for line in answer.headers.get_list("Set-Cookie")]
        assert found
        return {**dict(item.split("=", 1) for item in found), "_xsrf": "ab" * 16}

    async def test_a_change_needs_the_xsrf_token(self, send, jp_serverapp, jp_base_url, http_server_client):
        cookie = await self.cookies(jp_serverapp, jp_base_url, http_server_client)
        sent = "; ".join(f"{name}={value}" for name, value in cookie.items())
        assert (await send("GET", "/aiser/data/engines", {"Cookie": sent})).code == 200
        for path, method, _ in operations():
            if method == "GET":
                continue
            path = "/aiser" + path.replace("{id}", ANY_ID)
            refused = await send(method, path, {"Cookie": sent})
            assert (refused.code, b"_xsrf" in refused.body) == (403, True), (method, path)
            mine = await send(method, path, {"Cookie": sent, "X-XSRFToken": cookie["_xsrf"]})
            assert mine.code != 403, (method, path)
