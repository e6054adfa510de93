"""Nobody gets past authentication and authorization, on any route of ours, with any method.

The server itself warns of a handler without a decorator, and a warning is an error: then no test here starts.
"""

from __future__ import annotations

import json

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from aiser_jupyter.server.handlers import routes
from aiser_jupyter.server.handlers.base import AiserHandler

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def handlers_of(app):
    """Every pattern and handler of the running server that is ours."""
    rules = [rule for group in app.web_app.default_router.rules for rule in group.target.rules]
    ours = [rule for rule in rules if getattr(rule.target, "__module__", "").startswith("aiser_jupyter")]
    return {rule.matcher.regex.pattern: rule.target for rule in ours}


def test_every_route_is_served_below_the_prefix(jp_serverapp, jp_base_url):
    found = handlers_of(jp_serverapp)
    assert len(found) == len(routes())
    assert all(pattern.startswith(f"{jp_base_url}aiser/") for pattern in found)


def test_every_handler_names_its_own_resource(jp_serverapp):
    for handler in handlers_of(jp_serverapp).values():
        assert issubclass(handler, AiserHandler)
        assert handler.auth_resource == "aiser"


async def test_without_a_token_every_method_is_refused(jp_serverapp, http_server_client, jp_base_url):
    for path, _ in routes():
        for method in METHODS:
            body = None if method in ("GET", "DELETE") else "{}"
            response = await http_server_client.fetch(
                jp_base_url.rstrip("/") + path, method=method, body=body, raise_error=False
            )
            assert response.code == 403, (method, path)


class RefuseAiser(Authorizer):
    """Allows everything but ours."""

    def is_authorized(self, handler, user, action, resource):
        return resource != "aiser"


class TestAuthorizer:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["authorizer_class"] = RefuseAiser
        return jp_server_config

    @pytest.mark.parametrize("path", [path for path, _ in routes()])
    async def test_is_asked_for_every_route(self, jp_fetch, path):
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch(path.lstrip("/"))
        assert refused.value.code == 403
        body = json.loads(refused.value.response.body)
        assert body["success"] is False
        assert body["error_code"] == "forbidden"
