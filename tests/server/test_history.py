from __future__ import annotations

import json

import pytest
from tornado.httpclient import HTTPClientError

from aiser_jupyter.models import RunState

HISTORY = ("aiser", "data", "query", "history")


async def test_an_unused_store_has_no_history(jp_fetch):
    response = await jp_fetch(*HISTORY)
    assert response.headers["Content-Type"].startswith("application/json")
    assert json.loads(response.body) == {"success": True, "history": [], "count": 0}


async def test_runs_of_another_process_come_newest_first(jp_fetch, remember):
    remember("SELECT 1")
    remember("SELECT 2", state=RunState.FAILED, error="no such table", error_code="unknown_table", rows=None)
    body = json.loads((await jp_fetch(*HISTORY)).body)
    assert body["count"] == 2
    newest, oldest = body["history"]
    assert (newest["sql"], newest["state"], newest["error"]) == ("SELECT 2", "failed", "no such table")
    assert (newest["rows"], oldest["rows"]) == (None, 3)
    assert oldest["started_at"] == "2026-03-01T12:00:00Z"
    assert oldest["timings"]["execute"] == 0.5


async def test_limit_and_search(jp_fetch, remember):
    for table in ("orders", "customers", "orders"):
        remember(f"SELECT * FROM {table}")
    limited = json.loads((await jp_fetch(*HISTORY, params={"limit": "1"})).body)
    assert [entry["id"] for entry in limited["history"]] == ["run-2"]
    found = json.loads((await jp_fetch(*HISTORY, params={"search": "CUSTOM"})).body)
    assert [entry["id"] for entry in found["history"]] == ["run-1"]


@pytest.mark.parametrize("limit", ["many", "-1", "0", "1001", "1e2", "9" * 400, "", "٣"])
async def test_a_limit_that_is_none_is_refused_with_a_hint(jp_fetch, limit):
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(*HISTORY, params={"limit": limit})
    assert refused.value.code == 400
    body = json.loads(refused.value.response.body)
    assert (body["success"], body["error_code"]) == (False, "usage")
    assert body["error"].startswith("limit is ")
    assert body["hint"] == "Give a whole number from 1 to 1000."


async def test_a_search_is_held_to_its_length_before_it_is_trimmed(api):
    assert (await api("GET", f"/data/query/history?search={'%20' * 1000}")).status == 200
    assert (await api("GET", f"/data/query/history?search={'%20' * 1001}")).status == 400


async def test_a_path_that_is_not_there_is_404(jp_fetch):
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("aiser", "data", "query", "histories")
    assert refused.value.code == 404
