"""After a sign-in: tokens run out, are refreshed once, are refused, and stand nowhere."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time

import pytest

from aiser_jupyter.connectors.oauth import Tokens
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import SignInRequired
from aiser_jupyter.run import Run
from aiser_jupyter.services import build
from tests.server.sign_in_kit import (
    CONNECTIONS,
    SELECT,
    SIGN_INS,
    begin,
    consent,
    lake,
    open_page,
    own,
    query_of,
    signed_in,
)

__all__ = ["consent", "lake", "open_page", "own"]


async def test_a_token_that_runs_out_is_refreshed_and_its_session_not_lent(api, workspace, lake, consent):
    workspace.behave(oauth={"told_seconds": 0.5})
    await signed_in(api, consent, lake)
    connector("databricks")._pool.close()  # of other tests
    before = len(workspace.seen()["sessions"])
    assert (await api("POST", "/data/query/execute", SELECT)).status == 200
    assert len(workspace.seen()["sessions"]) == before + 1  # it is idle, and another query would use it
    await asyncio.sleep(0.5)
    answer = await api("POST", "/data/query/execute", {**SELECT, "query": "SELECT 43 AS answer"})
    assert answer.json["data"] == [[43]], answer.raw
    seen = workspace.seen()
    assert seen["authorization"]["refreshed"] >= 1
    assert seen["authorization"]["reused"] == 0
    assert len(seen["sessions"]) == before + 2


async def test_a_session_brings_a_new_token_before_the_old_one_ends(api, workspace, lake, consent):
    short = {"told_seconds": 0.5, "token_seconds": 50.0}  # the driver asks anew in the last minute
    workspace.behave(oauth=short)
    await signed_in(api, consent, lake)
    services = build()
    session = connector("databricks").fresh(services.connections.get("lake").config)
    try:

        def answer() -> object:
            return session.execute("SELECT 1", (), Run("test")).read_all().column(0).to_pylist()

        assert await asyncio.to_thread(answer) == [1]
        before = workspace.seen()["authorization"]["refreshed"]
        await asyncio.sleep(0.5)
        assert await asyncio.to_thread(answer) == [1]
        assert workspace.seen()["authorization"]["refreshed"] > before
        workspace.behave(end_sign_ins=True, oauth=short)
        await asyncio.sleep(0.5)
        with pytest.raises(SignInRequired, match="has ended"):
            await asyncio.to_thread(answer)
    finally:
        session.close()
        services.close()


ASKS = """
import sys
from aiser_jupyter.connectors.oauth import Tokens
from aiser_jupyter.services import build

services = build()
config = services.connections.get("lake").config
print("ready", flush=True)
sys.stdin.readline()
print(Tokens.of(config.values["signed_in"]).hold, flush=True)
services.close()
"""


async def test_two_processes_at_once_refresh_once(api, workspace, lake, consent, extension):
    workspace.behave(oauth={"told_seconds": 0.5})
    await signed_in(api, consent, lake)
    workspace.behave(oauth={"token_seconds": 3600.0, "refresh_seconds": 0.5})
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", ASKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    try:
        assert [kernel.stdout.readline() for kernel in kernels] == ["ready\n"] * 3
        time.sleep(0.5)  # the first token holds no longer
        for kernel in kernels:
            kernel.stdin.write("go\n")
            kernel.stdin.flush()
        services = build()
        asked = [
            asyncio.to_thread(
                lambda: Tokens.of(services.connections.get("lake").config.values["signed_in"]).hold
            )
            for _ in range(4)
        ]
        assert await asyncio.gather(*asked) == [True] * 4
        services.close()
        assert [kernel.communicate(timeout=60)[0] for kernel in kernels] == ["True\n"] * 3
    finally:
        for kernel in kernels:
            kernel.kill()
            kernel.wait()
    seen = workspace.seen()["authorization"]
    assert (seen["refreshed"], seen["reused"], seen["refused"]) == (1, 0, [])


async def test_a_refused_refresh_asks_to_sign_in_again_and_that_mends_it(api, workspace, lake, consent):
    workspace.behave(oauth={"told_seconds": 0.5})
    id = await signed_in(api, consent, lake)
    workspace.behave(end_sign_ins=True)
    await asyncio.sleep(0.5)
    refused = await api("POST", "/data/query/execute", SELECT)
    assert (refused.status, refused.json["error_code"]) == (409, "sign_in")
    assert refused.json["hint"] == "Sign in again: open the connection in the Aiser panel and press Sign in."
    health = (await api("POST", f"{CONNECTIONS}/{id}/health", {})).json["health"]
    assert (health["status"], health["code"], health["next_check"]) == ("failing", "sign_in", None)

    begun = (await api("POST", SIGN_INS, {"connection_id": id})).json
    done = await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": await consent(begun["url"])})
    assert (done.json["state"], done.json["connection_id"]) == ("done", id)
    assert (await api("POST", "/data/query/execute", SELECT)).json["data"] == [[42]]
    health = (await api("POST", f"{CONNECTIONS}/{id}/health", {})).json["health"]
    assert health["status"] == "ok"


async def test_a_connection_is_changed_with_the_sign_in(api, lake, consent):
    id = await signed_in(api, consent, lake)
    change = {"name": "sea", "max_connections": 3}
    begun = (await api("POST", SIGN_INS, {"connection_id": id, "connection": change})).json
    assert (await api("GET", f"{CONNECTIONS}/{id}")).json["connection"]["name"] == "lake"
    done = await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": await consent(begun["url"])})
    assert done.json["state"] == "done", done.raw
    shown = (await api("GET", f"{CONNECTIONS}/{id}")).json["connection"]
    assert (shown["name"], shown["config"]["max_connections"]) == ("sea", 3)


async def test_a_change_without_a_sign_in_keeps_the_tokens(api, workspace, lake, consent):
    workspace.behave(oauth={"told_seconds": 0.5})
    id = await signed_in(api, consent, lake)
    changed = await api("PATCH", f"{CONNECTIONS}/{id}", {"max_connections": 3})
    assert changed.status == 200, changed.raw
    await asyncio.sleep(0.5)
    assert (await api("POST", "/data/query/execute", SELECT)).status == 200
    assert workspace.seen()["authorization"]["refused"] == []


async def test_a_vendor_that_is_down_is_no_reason_to_sign_in_again(api, workspace, lake, consent):
    workspace.behave(oauth={"told_seconds": 0.5})
    await signed_in(api, consent, lake)
    workspace.behave(oauth={"down": True})
    await asyncio.sleep(0.5)
    refused = await api("POST", "/data/query/execute", SELECT)
    assert (refused.status, refused.json["error_code"]) == (502, "connect")
    workspace.behave()
    assert (await api("POST", "/data/query/execute", SELECT)).status == 200


async def test_no_token_is_in_an_answer_a_log_or_a_file(
    api, workspace, own, consent, open_page, caplog, store_directory
):
    caplog.set_level(logging.DEBUG)
    connection, behave = own
    behave(told_seconds=0.5)
    begun = await begin(api, connection)
    address = await consent(begun["url"])
    page = (await open_page(address))[2]
    await asyncio.sleep(0.5)
    await api("POST", "/data/query/execute", SELECT)
    workspace.behave(end_sign_ins=True)
    await asyncio.sleep(0.5)
    answers = [
        await api("POST", "/data/query/execute", SELECT),
        await api("GET", CONNECTIONS),
        await api("GET", f"{SIGN_INS}/{begun['id']}"),
        await api("GET", "/data/query/history"),
    ]
    tokens = workspace.ask("/_tokens")
    secrets = [query_of(address)["code"], *tokens["refresh"], *tokens["access"], "the secret of our own"]
    assert len(secrets) >= 5
    files = b"".join(path.read_bytes() for path in store_directory.rglob("*") if path.is_file())
    browser = ("httpx", "httpcore")  # the test's own, which may say what it likes
    logged = [each.getMessage() for each in caplog.records if not each.name.startswith(browser)]
    said = "".join(each.raw.decode() for each in answers) + page + "".join(logged)
    for secret in secrets:
        assert secret not in said
        assert secret.encode() not in files
