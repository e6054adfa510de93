"""Health and engines say what is so, not what one hopes."""

from __future__ import annotations

import json
import threading

from aiser_jupyter import __version__
from aiser_jupyter.services import build


async def test_health_asks_store_and_engines(jp_fetch):
    body = json.loads((await jp_fetch("aiser", "data", "health")).body)
    assert body["success"] is True
    assert body["ok"] is True
    assert body["version"] == __version__
    assert body["store"]["ok"] is True
    assert {engine["name"] for engine in body["engines"] if engine["available"]} >= {"duckdb"}


async def test_a_store_that_cannot_be_used_is_told(jp_fetch, store_directory):
    store_directory.write_text("a file where the folder should be")
    body = json.loads((await jp_fetch("aiser", "data", "health")).body)
    assert body["ok"] is False
    assert body["store"]["ok"] is False
    assert body["store"]["message"] != ""
    assert body["store"]["hint"] != ""


async def test_engines_are_those_of_the_services(jp_fetch):
    body = json.loads((await jp_fetch("aiser", "data", "engines")).body)
    services = build()
    expected = {engine.name: (engine.label, state.ok) for engine, state in services.queries.engines()}
    services.close()
    assert {e["name"]: (e["label"], e["available"]) for e in body["engines"]} == expected


async def test_the_event_loop_is_free_while_a_service_blocks(jp_fetch, jp_serverapp):
    """A call that waits for ever leaves the server answering, and ends when its wait does."""
    import asyncio

    app = next(iter(jp_serverapp.extension_manager.extension_apps["aiser_jupyter"]))
    blocked = threading.Event()
    waits = [asyncio.get_running_loop().run_in_executor(app.executor, blocked.wait) for _ in range(8)]
    health = asyncio.ensure_future(jp_fetch("aiser", "data", "health"))
    assert (await jp_fetch("api", "status")).code == 200
    assert not health.done()
    blocked.set()
    assert (await health).code == 200
    await asyncio.gather(*waits)
