"""A warehouse that sleeps, as the API shows it: in its connection's health, and in a query that waits."""

from __future__ import annotations

import asyncio
import re

from tests.endpoints.databricks import Databricks

CONNECTIONS = "/data/enterprise/connections"


async def connected(api, workspace: Databricks) -> str:
    """Save a connection to the endpoint's warehouse, and return its id."""
    values = {
        "server_hostname": "127.0.0.1",
        "port": workspace.port,
        "http_path": workspace.http_path,
        "access_token": workspace.password,
        "ssl_ca": workspace.authority.pem,
    }
    body = {"name": "shop", "type": "databricks", **values}
    return (await api("POST", CONNECTIONS, body)).json["connection"]["id"]


async def test_a_warehouse_that_sleeps_is_shown_and_left_asleep(api, workspace):
    shop = await connected(api, workspace)
    workspace.behave(state="STOPPED")
    asked = (await api("POST", f"{CONNECTIONS}/{shop}/health", {})).json["health"]
    assert (asked["status"], asked["message"], asked["last_error"]) == ("ok", "", None)
    assert asked["warehouse"] == {
        "state": "suspended",
        "message": "The warehouse Shop is stopped.",
        "source": "GET /api/2.0/sql/warehouses",
    }
    assert [each["seconds"] > 0 for each in asked["latencies"]] == [True]
    (known,) = (await api("GET", "/data/health")).json["connections"]
    assert known["warehouse"]["state"] == "suspended"
    assert workspace.seen()["woken"] == 0


async def test_the_last_error_stays_with_its_time(api, workspace):
    shop = await connected(api, workspace)
    where = f"{CONNECTIONS}/{shop}/health"
    workspace.kill()
    try:
        failed = (await api("POST", where, {})).json["health"]
    finally:
        workspace.start()
    assert (failed["status"], failed["warehouse"]) == ("failing", None)
    assert failed["last_error"] == {
        "at": failed["checked_at"],
        **{name: failed[name] for name in ("code", "message", "hint")},
    }
    works = (await api("POST", where, {})).json["health"]
    assert (works["status"], works["message"]) == ("ok", "")
    assert works["last_error"] == failed["last_error"]


async def test_a_query_that_waits_for_it_says_so(api, workspace):
    shop = await connected(api, workspace)
    workspace.behave(state="STOPPED", start_seconds=8)
    body = {"query": "SELECT 1 AS n", "data_source_id": shop, "async": True}
    run = (await api("POST", "/data/query/execute", body)).json["id"]
    told = re.compile(r"Databricks: the warehouse Shop is starting, \d+ s")
    seen = []
    for _ in range(200):
        state = (await api("GET", f"/data/query/{run}")).json
        seen.append((state["progress"] or {}).get("message"))
        if state["state"] not in ("queued", "running"):
            break
        await asyncio.sleep(0.2)
    assert state["state"] == "done"
    assert [each for each in seen if each and told.fullmatch(each)], seen
