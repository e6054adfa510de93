"""Who may run, who waits, who is refused: fair among persons, and at once."""

from __future__ import annotations

import asyncio
import time

import pytest

from aiser_jupyter.errors import QueueFull
from aiser_jupyter.server.admission import Admission, Pace

EXECUTE = "/data/query/execute"
ENDLESS = "SELECT count(*) FROM range(10000000000) a, range(10000000) b WHERE a.range * b.range = 7"


class Work:
    """Holds a place until it is told to go."""

    def __init__(self, admission: Admission, user: str) -> None:
        self.turn = admission.enter(user)
        self.go = asyncio.Event()
        self.task = asyncio.create_task(self._hold())

    async def _hold(self) -> None:
        async with self.turn:
            await self.go.wait()

    async def end(self) -> None:
        self.go.set()
        await self.task


async def test_one_person_has_so_many_places_and_leaves_the_others_free():
    admission = Admission(running=4, waiting=10, user_running=2)
    anns = [Work(admission, "ann") for _ in range(6)]
    assert (admission.running, admission.waiting) == (2, 4)
    bob = Work(admission, "bob")
    assert (admission.running, bob.turn.placed) == (3, True)
    await anns[0].end()
    assert anns[2].turn.placed  # in the order in which they came
    assert not anns[3].turn.placed
    for work in [*anns[1:], bob]:
        await work.end()
    assert (admission.running, admission.waiting) == (0, 0)


async def test_the_next_one_is_refused_but_a_newcomer_is_let_in():
    admission = Admission(running=2, waiting=3, user_running=2)
    anns = [Work(admission, "ann") for _ in range(5)]
    with pytest.raises(QueueFull) as refused:
        admission.enter("ann")
    assert refused.value.http_status == 429
    bob = Work(admission, "bob")
    with pytest.raises(QueueFull):
        admission.enter("bob")
    for work in [*anns, bob]:
        await work.end()


async def test_who_stops_waiting_leaves_the_queue():
    admission = Admission(running=1, waiting=5, user_running=1)
    first, second, third = (Work(admission, "ann") for _ in range(3))
    await asyncio.sleep(0)
    second.task.cancel()
    await asyncio.wait([second.task])
    assert (admission.running, admission.waiting) == (1, 1)
    unheld = admission.enter("ann")
    unheld.leave()
    unheld.leave()
    assert admission.waiting == 1
    await first.end()
    assert third.turn.placed
    third.task.cancel()
    await asyncio.wait([third.task])
    assert (admission.running, admission.waiting) == (0, 0)


async def test_who_is_cancelled_in_the_moment_of_its_turn_gives_it_on():
    admission = Admission(running=1, waiting=5, user_running=1)
    first, second, third = (Work(admission, "ann") for _ in range(3))
    await asyncio.sleep(0)
    first.turn.leave()
    assert second.turn.placed
    second.task.cancel()
    await asyncio.wait([second.task])
    assert third.turn.placed
    first.go.set()
    await third.end()
    await first.task
    assert (admission.running, admission.waiting) == (0, 0)


class TestServer:
    """One place for a person, and two that wait."""

    @pytest.fixture
    def api(self, api, extension):
        limits = extension.policy.limits
        limits.workers, limits.queue, limits.user_running = 2, 1, 1
        return api

    async def test_a_full_queue_is_429_soon_and_says_when_to_come_back(self, api):
        ids = [(await api("POST", EXECUTE, {"query": ENDLESS, "async": True})).json["id"] for _ in range(3)]
        began = time.monotonic()
        refused = await api("POST", EXECUTE, {"query": "SELECT 1"})
        assert time.monotonic() - began < 5.0
        assert (refused.status, refused.json["error_code"]) == (429, "queue_full")
        assert int(refused.headers["Retry-After"]) > 0
        assert (await api("GET", "/data/health")).json["queue"] == {"running": 1, "waiting": 2}
        states = [(await api("GET", f"/data/query/{id_}")).json["state"] for id_ in ids]
        assert states == ["running", "queued", "queued"]
        # What waits is cancelled without a place, and what is behind it moves up.
        assert (await api("POST", f"/data/query/{ids[1]}/cancel", {})).status == 200
        await api("POST", f"/data/query/{ids[0]}/cancel", {})
        end = time.monotonic() + 20.0
        while (await api("GET", f"/data/query/{ids[2]}")).json["state"] != "running":
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        assert (await api("GET", f"/data/query/{ids[1]}")).json["state"] == "cancelled"
        # Browsing does not wait behind queries.
        schema = await api("GET", "/data/enterprise/connections/local/schema", timeout=20.0)
        assert schema.status == 200
        await api("POST", f"/data/query/{ids[2]}/cancel", {})


def test_one_person_tries_one_connection_at_a_time_and_so_many_a_minute(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace(2)
    with pace.step("ann"):
        with pytest.raises(QueueFull, match="being tested"), pace.step("ann"):
            pass
        with pace.step("bob"):
            pass
    with pytest.raises(ZeroDivisionError), pace.step("ann"):
        raise ZeroDivisionError
    now += 20
    with pytest.raises(QueueFull, match="2 connections were tested") as caught, pace.step("ann"):
        pass
    assert caught.value.hint == "Try again in 40 s."
    with pace.step("bob"):
        pass
    now += 40
    with pace.step("ann"):
        pass
