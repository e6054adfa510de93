"""Signing in to Snowflake with the browser: by its application for local programs, or by an integration."""

from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest

from tests.server.sign_in_kit import CONNECTIONS, SIGN_INS, begin, query_of

SELECT = {"query": "SELECT CAST(42 AS VARCHAR) AS ANSWER", "connection": "snow"}


@pytest.fixture
def account(snowflake):
    """The endpoint, with its OAuth pages as they began."""
    snowflake.ask("/test/sign-ins", {})
    yield snowflake
    snowflake.ask("/test/sign-ins", {})


@pytest.fixture
def snow(account):
    """What a person fills in."""
    return {
        "type": "snowflake",
        "name": "snow",
        "account": account.account_name,
        "user": account.user,
        "authenticator": "oauth_authorization_code",
        "host": "127.0.0.1",
        "port": account.port,
        "database": account.database,
        "schema": account.schema,
        "role": "SYSADMIN",
        "ssl_ca": account.authority.pem,
    }


async def consent(account, url: str) -> str:
    context = ssl.create_default_context(cadata=account.authority.pem)
    async with httpx.AsyncClient(verify=context, trust_env=False) as browser:
        page = await browser.get(url)
    assert page.status_code == 302, page.text
    return page.headers["Location"]


async def signed_in(api, account, connection):
    begun = await begin(api, connection)
    address = await consent(account, begun["url"])
    done = await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": address})
    assert done.json["state"] == "done", done.raw
    return done.json["connection_id"]


async def test_the_account_s_own_application_by_pasting(api, account, snow):
    begun = await begin(api, snow)
    asked = query_of(begun["url"])
    assert begun["url"].startswith(f"https://127.0.0.1:{account.port}/oauth/authorize?")
    assert (asked["client_id"], asked["redirect_uri"]) == ("LOCAL_APPLICATION", "http://127.0.0.1:8020")
    assert asked["scope"].split() == ["refresh_token", "session:role:SYSADMIN"]
    id = await signed_in(api, account, snow)
    assert (await api("POST", "/data/query/execute", SELECT)).json["data"] == [["42"]]
    shown = (await api("GET", f"{CONNECTIONS}/{id}")).json["connection"]["config"]
    assert shown["signed_in"] == {"set": True}


async def test_an_integration_that_keeps_its_refresh_token(api, account, snow):
    own = {"oauth_client_id": "own-application", "oauth_client_secret": "the secret of our own"}
    begun = await begin(api, {**snow, **own})
    assert begun["redirect"] == "callback"
    redirect = query_of(begun["url"])["redirect_uri"]
    account.ask("/test/sign-ins", {"redirect": redirect, "told_seconds": 0.5, "rotate": False})
    address = await consent(account, begun["url"])
    assert address.startswith(redirect)
    # A callback may be pasted too.
    done = await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": address})
    assert done.json["state"] == "done", done.raw
    for _ in range(2):
        await asyncio.sleep(0.5)
        assert (await api("POST", "/data/query/execute", SELECT)).json["data"] == [["42"]]
    assert account.ask("/test/sign-ins", {})["refreshed"] >= 2


async def test_a_refresh_that_is_refused_asks_to_sign_in_again(api, account, snow):
    account.ask("/test/sign-ins", {"told_seconds": 0.5})
    await signed_in(api, account, snow)
    account.ask("/test/sign-ins", {"end": True})
    await asyncio.sleep(0.5)
    refused = await api("POST", "/data/query/execute", SELECT)
    assert (refused.status, refused.json["error_code"]) == (409, "sign_in")
    assert "Sign in again" in refused.json["hint"]
