"""Many people and many queries at once, on a real database: as many run and wait as may, nobody takes it all.

The server and the database are processes of their own. A lock holds every statement at the database until the
test has seen what it wants, so nothing here depends on how fast the machine is but the figures marked long.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.servers.jupyter import Answer, JupyterServer
from tests.servers.leaks import eventually, threads
from tests.servers.postgresql import PostgreSQL

EXECUTE = "/data/query/execute"
LOCK = 7301
NEWCOMER = "load_newcomer"
WORD = "the word of them all"
HELD = f"SELECT pg_advisory_xact_lock_shared({LOCK})::text, pg_sleep(0.2)::text"
RUNNING = "SELECT usename FROM pg_stat_activity WHERE usename LIKE 'load_%' AND state = 'active'"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'load_%'"


@dataclass(frozen=True)
class Size:
    """How many run and wait, of all and of one person; ``timed`` where the seconds are held to as well."""

    running: int
    waiting: int
    each: int
    timed: bool = False

    @property
    def people(self) -> list[str]:
        return [f"load_{number}" for number in range(self.running // self.each)]

    @property
    def policy(self) -> dict[str, dict[str, int]]:
        return {"AiserLimits": {"workers": self.running, "queue": self.waiting, "user_running": self.each}}


SMALL = Size(8, 16, 2)
FULL = Size(64, 200, 8, timed=True)


@pytest.fixture(params=[SMALL, pytest.param(FULL, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def size(request) -> Size:
    return request.param


@pytest.fixture
def database(postgresql: PostgreSQL, size: Size) -> Iterator[PostgreSQL]:
    """The database has an account for each person: people who share one share its sessions too."""
    people = [*size.people, NEWCOMER]
    for person in people:
        postgresql.admin(f"CREATE ROLE {person} LOGIN PASSWORD '{WORD}'")
    # Where there are tables, an account that may read none of them does not pass the connection's test.
    postgresql.admin("CREATE TABLE load_read AS SELECT 1 AS one", database=postgresql.database)
    postgresql.admin("GRANT SELECT ON load_read TO PUBLIC", database=postgresql.database)
    yield postgresql
    postgresql.admin(END)
    postgresql.admin("DROP TABLE load_read", database=postgresql.database)
    for person in people:
        postgresql.admin(f"DROP ROLE {person}")


@pytest.fixture
def server(size: Size, database: PostgreSQL) -> Iterator[JupyterServer]:
    """A server where each person has saved a connection."""
    with JupyterServer(size.policy) as server:
        for person in [*size.people, NEWCOMER]:
            with server.caller(person) as caller:
                caller.save(database, "postgresql", username=person, password=WORD)
        yield server


@contextmanager
def held(database: PostgreSQL) -> Iterator[None]:
    """What takes the lock waits for it as long as the block lasts."""
    connection = database.connect()
    try:
        cursor = connection.cursor()
        cursor.execute(f"SELECT pg_advisory_lock({LOCK})")
        yield
        cursor.execute(f"SELECT pg_advisory_unlock({LOCK})")
    finally:
        connection.close()


def running(database: PostgreSQL) -> Counter[str]:
    """How many statements of each person the database runs now, as it sees it."""
    return Counter(person for (person,) in database.admin(RUNNING))


def asked(server: JupyterServer, person: str, sql: str = HELD) -> Answer:
    with server.caller(person) as caller:
        return caller.execute(sql, connection="shop")


def queue(server: JupyterServer) -> dict[str, int]:
    with server.caller("watcher") as caller:
        return caller.ask("GET", "/aiser/data/health").json["queue"]


def test_as_many_run_and_wait_as_may_and_the_next_is_told_at_once(
    size: Size, server: JupyterServer, database: PostgreSQL
) -> None:
    people = [person for _ in range(size.running + size.waiting) for person in size.people]
    people = people[: size.running + size.waiting]
    with ThreadPoolExecutor(len(people) + 1) as pool:
        with held(database):
            answers = [pool.submit(asked, server, person) for person in people]
            full = {"running": size.running, "waiting": size.waiting}
            assert eventually(lambda: queue(server) == full, 60)
            every = dict.fromkeys(size.people, size.each)
            assert eventually(lambda: running(database) == every, 60), running(database)

            refused = [asked(server, people[0]) for _ in range(20)]
            assert {(each.status, each.json["error_code"]) for each in refused} == {(429, "queue_full")}
            assert all(int(each.headers["Retry-After"]) > 0 for each in refused)
            if size.timed:
                assert max(each.seconds for each in refused) <= 0.1, sorted(each.seconds for each in refused)

            newcomer = pool.submit(asked, server, NEWCOMER)  # who has nothing here is let in
            assert eventually(lambda: queue(server)["waiting"] == size.waiting + 1, 60)
            assert not any(each.done() for each in answers)
            opened = time.monotonic()
        assert Counter(each.result(120).status for each in answers) == {200: len(people)}
        assert newcomer.result(120).status == 200
    seconds = time.monotonic() - opened
    print(
        f"\n{len(people)} queries of 0.2 s at {size.running} places: {seconds:.2f} s; refused after at most "
        f"{1000 * max(each.seconds for each in refused):.1f} ms"
    )


def test_one_person_with_many_queries_does_not_keep_another_waiting(
    size: Size, server: JupyterServer, database: PostgreSQL
) -> None:
    many = size.running + size.waiting // 2
    with ThreadPoolExecutor(many) as pool:
        with held(database):
            answers: list[Future[Answer]] = [pool.submit(asked, server, size.people[0]) for _ in range(many)]
            assert eventually(
                lambda: queue(server) == {"running": size.each, "waiting": many - size.each}, 60
            )
            assert eventually(lambda: running(database) == {size.people[0]: size.each}, 60)
            first = asked(server, NEWCOMER, "SELECT 42")  # comes back though nothing else can end
            assert first.status == 200
            assert not any(each.done() for each in answers)
            if size.timed:
                assert first.seconds <= 1.0
        assert {each.result(120).status for each in answers} == {200}
    print(f"\nThe first query of another person took {1000 * first.seconds:.0f} ms")


async def test_large_answers_are_made_into_text_by_one_thread(api, extension) -> None:
    """More of them would only keep the event loop from Python's lock."""
    sql = "SELECT i, 'text ' || i AS t FROM range(40000) r(i)"
    answers = await asyncio.gather(*(api("POST", EXECUTE, {"query": sql}) for _ in range(6)))
    assert {answer.json["data"][39_999][1] for answer in answers} == {"text 39999"}
    assert len([name for name in threads() if name.startswith("aiser-encodes")]) == 1
