"""What the tests of signing in with the browser share: a person who goes to the vendor and comes back.

The person's browser is a client that follows the vendor's answer; what is pasted is where it was sent to.
"""

from __future__ import annotations

import ssl
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

SIGN_INS = "/data/sign-ins"
CONNECTIONS = "/data/enterprise/connections"
SELECT = {"query": "SELECT 40 + 2 AS answer", "connection": "lake"}


@pytest.fixture
def lake(workspace):
    """What a person fills in."""
    return {
        "type": "databricks",
        "name": "lake",
        "server_hostname": "127.0.0.1",
        "port": workspace.port,
        "http_path": workspace.http_path,
        "auth_type": "oauth_u2m",
        "ssl_ca": workspace.authority.pem,
    }


@pytest.fixture
def consent(workspace):
    """Open the vendor's page, and return the address that the browser is sent to."""

    async def visit(url: str) -> str:
        context = ssl.create_default_context(cadata=workspace.authority.pem)
        async with httpx.AsyncClient(verify=context, trust_env=False) as browser:
            page = await browser.get(url)
        assert page.status_code == 302, page.text
        return page.headers["Location"]

    return visit


@pytest.fixture
def open_page(jp_base_url, http_server_client, jp_auth_header):
    """Navigate to an address of this server; return status, headers and text."""

    async def visit(address: str, headers: dict | None = None):
        parts = urlsplit(address)
        answer = await http_server_client.fetch(
            f"{parts.path}?{parts.query}",
            headers={**jp_auth_header, **(headers or {})},
            raise_error=False,
            request_timeout=60,
        )
        return answer.code, answer.headers, answer.body.decode()

    return visit


@pytest.fixture
def own(lake, workspace, jp_base_url, http_server_client):
    """The same connection with an application of the organisation's own, which comes back to this server."""
    origin = http_server_client.get_url("/").rstrip("/")
    callback = f"{origin}{jp_base_url}aiser/sign-in/callback"

    def behave(**how):
        workspace.behave(oauth={"redirect": callback, **how})

    behave()
    fields = {"oauth_client_id": "own-application", "oauth_client_secret": "the secret of our own"}
    return {**lake, **fields}, behave


def query_of(address: str) -> dict[str, str]:
    return {name: found[0] for name, found in parse_qs(urlsplit(address).query).items()}


async def begin(api, connection, **more):
    answer = await api("POST", SIGN_INS, {"connection": connection, **more})
    assert answer.status == 201, answer.raw
    return answer.json


async def signed_in(api, consent, lake):
    """A saved connection, by the way of pasting."""
    begun = await begin(api, lake)
    done = await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": await consent(begun["url"])})
    assert done.json["state"] == "done", done.raw
    return done.json["connection_id"]
