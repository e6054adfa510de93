"""The extension is watched from its start to its end, over HTTP."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client import REGISTRY, generate_latest

from aiser_jupyter.server.monitoring import CONNECTION_EVENT, RUN_EVENT

CANARY = "hunter2canary"


async def test_queries_are_on_the_metrics_of_the_server(api, http_server_client, jp_base_url, jp_auth_header):
    for text in ("SELECT 1", f"SELECT '{CANARY}' AS x", f"SELECT * FROM {CANARY}"):
        await api("POST", "/data/query/execute", {"query": text})
    answer = await http_server_client.fetch(f"{jp_base_url}metrics", headers=jp_auth_header)
    text = answer.body.decode()
    assert 'aiser_queries_total{engine="duckdb",kind="read",outcome="done"} 2.0' in text
    assert 'outcome="failed"} 1.0' in text
    assert "http_request_duration_seconds" in text
    assert CANARY not in text


async def test_the_series_end_with_the_extension(extension):
    assert b"aiser_cache_hits_total" in generate_latest(REGISTRY)
    extension.monitoring.close()
    assert b"aiser_cache_hits_total" not in generate_latest(REGISTRY)


async def test_requests_make_events(api, jp_serverapp, tmp_path):
    events = []

    async def listen(logger, schema_id, data):
        events.append((schema_id, data.get("action") or data["outcome"]))

    for id in (RUN_EVENT, CONNECTION_EVENT):
        jp_serverapp.event_logger.add_listener(schema_id=id, listener=listen)
    import duckdb

    duckdb.connect(str(tmp_path / "x.duckdb")).close()
    body = {"name": "there", "type": "duckdb", "database": str(tmp_path / "x.duckdb")}
    made = await api("POST", "/data/enterprise/connections", body)
    assert made.status == 201, made.raw
    path = f"/data/enterprise/connections/{made.json['connection']['id']}"
    assert (await api("PATCH", path, {"name": "renamed"})).status == 200
    assert (await api("POST", "/data/query/execute", {"query": "SELECT 1"})).status == 200
    assert (await api("DELETE", path)).status == 200
    end = time.monotonic() + 30
    while len(events) < 4:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    assert [name for id, name in events if id == CONNECTION_EVENT] == ["saved", "changed", "removed"]
    assert [name for id, name in events if id == RUN_EVENT] == ["done"]


async def test_statistics_are_those_of_whoever_asks(api, remember):
    remember("SELECT 1")
    await api("POST", "/data/query/execute", {"query": "SELECT 1"})
    await api("POST", "/data/query/execute", {"query": "SELEC 1"})
    answer = await api("GET", "/data/enterprise/statistics?days=2")
    assert answer.status == 200
    assert answer.json["queries"]["done"] == 1
    assert answer.json["queries"]["failed"] == 1
    assert len(answer.json["by_day"]) == 2


@pytest.mark.parametrize("days", ["0", "367", "x", "-1"])
async def test_days_that_are_none_are_refused(api, days):
    assert (await api("GET", f"/data/enterprise/statistics?days={days}")).status == 400
