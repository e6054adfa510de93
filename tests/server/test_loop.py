"""The event loop belongs to the kernels and to everybody: it answers while we work."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time

import pytest

from tests.servers.server import free_port

EXECUTE = "/data/query/execute"


class Probe:
    """Asks the server for its status again and again, and keeps how long each answer took."""

    def __init__(self, jp_fetch) -> None:
        self._fetch = jp_fetch
        self.seconds: list[float] = []

    async def __aenter__(self) -> Probe:
        self._task = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _ask(self) -> None:
        while True:
            began = time.monotonic()
            await self._fetch("api", "status")
            self.seconds.append(time.monotonic() - began)
            await asyncio.sleep(0.02)


async def many_rows(api):
    sql = "SELECT i, 'text ' || i AS t, i::DECIMAL(20, 4) AS d FROM range(300000) r(i)"
    answer = await api("POST", EXECUTE, {"query": sql})
    assert answer.status == 200


async def a_long_statement(api):
    sql = "SELECT 1 -- " + "x" * 1_000_000
    assert (await api("POST", EXECUTE, {"query": sql})).status == 200


async def many_queries(api):
    queries = [api("POST", EXECUTE, {"query": "SELECT sum(i) FROM range(3000000) r(i)"}) for _ in range(32)]
    assert {answer.status for answer in await asyncio.gather(*queries)} == {200}


async def many_tests_of_nothing(api):
    body = {"type": "postgresql", "host": "127.0.0.1", "port": free_port(), "username": "ann"}
    tests = [api("POST", "/data/enterprise/connections/test", body) for _ in range(32)]
    assert {answer.json["success"] for answer in await asyncio.gather(*tests)} == {False}


@pytest.mark.parametrize("work", [many_rows, a_long_statement, many_queries, many_tests_of_nothing])
async def test_the_server_answers_meanwhile(api, jp_fetch, work):
    """The client of the test shares the loop: the bound is what a blocked loop would break, not a figure."""
    await api("POST", EXECUTE, {"query": "SELECT 1"})  # what is imported once is not counted
    async with Probe(jp_fetch) as probe:
        await work(api)
        await asyncio.sleep(0.1)
    assert len(probe.seconds) > 2
    assert max(probe.seconds) < 1.5, sorted(probe.seconds)[-5:]


async def answers_before(jp_fetch, call) -> bool:
    """Whether the server answers another while ``call`` waits; ``call`` is then still waiting."""
    waiting = asyncio.ensure_future(call)
    await asyncio.sleep(0.2)
    await jp_fetch("api", "status")
    waits = not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
    return waits


async def test_a_database_that_is_silent_holds_up_nobody(api, jp_fetch):
    await api("GET", "/data/engines")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        body = {"type": "postgresql", "host": "127.0.0.1", "port": silent.getsockname()[1]}
        body |= {"username": "ann", "timeout": 3}
        path = "/data/enterprise/connections/test"
        assert await answers_before(jp_fetch, api("POST", path, body))


async def test_a_store_that_another_process_locks_holds_up_nobody(api, jp_fetch, store_directory, tmp_path):
    shop = {"type": "duckdb", "name": "shop", "database": str(tmp_path / "shop.duckdb")}
    id_ = (await api("POST", "/data/enterprise/connections", shop)).json["connection"]["id"]
    other = sqlite3.connect(store_directory / "aiser.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert await answers_before(jp_fetch, api("DELETE", f"/data/enterprise/connections/{id_}"))
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_large_answer_comes_in_pieces(api, jp_serverapp):
    """Its length is not known when its first row leaves."""
    sql = "SELECT i, 'text ' || i AS t FROM range(100000) r(i)"
    answer = await api("POST", EXECUTE, {"query": sql})
    assert "Content-Length" not in answer.headers
    assert answer.json["data"][99_999] == [99_999, "text 99999"]
    small = await api("POST", EXECUTE, {"query": "SELECT 1"})
    assert int(small.headers["Content-Length"]) == len(small.raw)
