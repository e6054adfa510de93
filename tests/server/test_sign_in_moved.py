"""Tokens go only where they come from, whatever becomes of the connection meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from aiser_jupyter.connectors.oauth import Tokens
from aiser_jupyter.errors import UnknownConnection
from aiser_jupyter.services import build
from tests.server.sign_in_kit import CONNECTIONS, SELECT, SIGN_INS, consent, lake, signed_in

__all__ = ["consent", "lake"]

ELSEWHERE = {"server_hostname": "localhost"}
"""The same endpoint by its other name, which is another workspace for us."""


async def finished(api, consent, begun):
    return (await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": await consent(begun["url"])})).json


async def test_a_connection_that_moved_meanwhile_leads_back_to_where_its_tokens_are_from(
    api, workspace, lake, consent
):
    id = await signed_in(api, consent, lake)
    here = (await api("POST", SIGN_INS, {"connection_id": id})).json
    there = (await api("POST", SIGN_INS, {"connection_id": id, "connection": ELSEWHERE})).json
    assert (await finished(api, consent, there))["state"] == "done"
    moved = (await api("GET", f"{CONNECTIONS}/{id}")).json["connection"]["config"]
    assert moved["server_hostname"] == "localhost"
    assert (await finished(api, consent, here))["state"] == "done"
    shown = (await api("GET", f"{CONNECTIONS}/{id}")).json["connection"]["config"]
    assert shown["server_hostname"] == "127.0.0.1"
    assert (await api("POST", "/data/query/execute", SELECT)).json["data"] == [[42]]


async def test_another_connection_of_the_name_is_not_given_the_tokens(api, lake, consent):
    old = await signed_in(api, consent, lake)
    begun = (await api("POST", SIGN_INS, {"connection_id": old})).json
    assert (await api("DELETE", f"{CONNECTIONS}/{old}")).status == 200
    new = await signed_in(api, consent, {**lake, **ELSEWHERE})
    before = (await api("GET", f"{CONNECTIONS}/{new}")).raw
    late = await finished(api, consent, begun)
    assert (late["state"], late["error"]["error_code"]) == ("failed", "unknown_connection")
    assert (await api("GET", f"{CONNECTIONS}/{new}")).raw == before


async def test_a_name_may_change_while_its_person_signs_in(api, lake, consent):
    id = await signed_in(api, consent, lake)
    begun = (await api("POST", SIGN_INS, {"connection_id": id})).json
    assert (await api("PATCH", f"{CONNECTIONS}/{id}", {"name": "sea"})).status == 200
    assert (await finished(api, consent, begun))["connection_id"] == id
    assert (await api("GET", f"{CONNECTIONS}/{id}")).json["connection"]["name"] == "sea"


async def test_who_still_has_the_old_address_is_not_given_the_tokens_of_the_new_one(
    api, workspace, lake, consent
):
    """A session of another process may live on, and asks for a token when its own runs out."""
    workspace.behave(oauth={"told_seconds": 0.5})
    id = await signed_in(api, consent, lake)
    services = build()
    try:
        old = services.connections.get("lake").config.values["signed_in"]
        begun = (await api("POST", SIGN_INS, {"connection_id": id, "connection": ELSEWHERE})).json
        assert (await finished(api, consent, begun))["state"] == "done"
        before = workspace.seen()["authorization"]["refreshed"]
        await asyncio.sleep(0.5)
        with pytest.raises(UnknownConnection, match="leads somewhere else"):
            await asyncio.to_thread(Tokens.of, old)
        assert workspace.seen()["authorization"]["refreshed"] == before
        new = services.connections.get("lake").config.values["signed_in"]
        assert (await asyncio.to_thread(Tokens.of, new)).hold
    finally:
        services.close()
