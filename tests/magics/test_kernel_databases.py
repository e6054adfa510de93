"""A kernel that stops, or dies, leaves nothing running at the database."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from aiser_jupyter.errors import AiserError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.services import Services, build
from tests.magics.front import Front
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.server import Server

SLEEP = {"mysql": "SELECT sleep(100), 'asleep'", "postgresql": "SELECT pg_sleep(100), 'asleep'"}
BUSY = {
    # It computes and sends nothing, so that the server has no reason to look at its client.
    "mysql": "SELECT benchmark(20000000000, md5('busy')), 'asleep'",
    "postgresql": "SELECT count(*), 'asleep' FROM generate_series(1, 100000000000) g",
}


@pytest.fixture(params=["mysql", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue({"mysql": "mariadb", "postgresql": "postgresql"}[kind])
    return found


@pytest.fixture
def services(kind: str, server: Server, store_directory: Path) -> Iterator[Services]:
    """The services of another process than the kernel's: what the server extension has."""
    services = build()
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "database": server.database,
        "username": server.user,
        "password": Secret(server.password),
        "ssl_ca": server.authority.pem,
    }
    services.connections.create(ConnectionConfig(kind, "warehouse", values))
    yield services
    services.close()


@pytest.fixture
def front(services: Services, store_directory: Path, tmp_path: Path) -> Iterator[Front]:
    manager = KernelManager(kernel_name="python3")
    environment = {**os.environ, "AISER_STORE": str(store_directory), "IPYTHONDIR": str(tmp_path)}
    manager.start_kernel(cwd=str(tmp_path), env=environment)
    front = Front(manager)
    front.run("%load_ext aiser_jupyter")
    front.run("%aiser warehouse SELECT 1 AS n")
    yield front
    front.client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def running(server: Server) -> int:
    """Statements of ours that the database is busy with."""
    if isinstance(server, MariaDB):
        found = server.admin(
            "SELECT count(*) FROM information_schema.processlist WHERE info LIKE %s AND user = 'ann'",
            "%'asleep'%",
        )
    else:
        assert isinstance(server, PostgreSQL)
        found = server.admin(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE query LIKE '%''asleep''%' AND state = 'active' AND usename = 'ann'"
        )
    return int(found[0][0])


def wait_for(condition: Callable[[], bool], seconds: float) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come to that"
        time.sleep(0.1)
    return time.monotonic() - began


def test_an_interrupt_stops_the_database(front: Front, server: Server, kind: str) -> None:
    began = time.monotonic()
    reply, _ = front.run(f"%aiser warehouse {SLEEP[kind]}", interrupt_after=2.0)
    assert (reply["status"], reply["ename"]) == ("error", "QueryCancelled")
    assert time.monotonic() - began < 2 + 2 + 2  # the interrupt, the prompt, and a busy machine
    wait_for(lambda: running(server) == 0, 5)
    time.sleep(0.5)  # a kernel refuses what is sent right behind an error
    reply, _ = front.run("%aiser warehouse SELECT 1 AS n")
    assert reply["status"] == "ok"


@pytest.mark.parametrize("statement", [SLEEP, BUSY], ids=["asleep", "busy"])
def test_what_a_killed_kernel_left_is_stopped(
    front: Front, services: Services, server: Server, kind: str, statement: dict[str, str]
) -> None:
    front.client.execute(f"%aiser warehouse {statement[kind]}")
    wait_for(lambda: running(server) == 1, 20)
    # The row of a run is written a moment after it began, and its handle with it.
    wait_for(lambda: services.queries.history(1)[0].state == "running", 10)
    wait_for(lambda: services.queries.history(1)[0].handle != "", 10)
    pid = services.queries.history(1)[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    def gone() -> bool:
        services.queries.reap()  # as the server extension does every ten seconds
        return running(server) == 0

    wait_for(gone, 20)
    wait_for(lambda: services.queries.history(1)[0].state == "lost", 10)
    wait_for(lambda: "process died" in services.queries.history(1)[0].error, 10)


def test_the_comment_says_who_and_which_cell(services: Services, server: Server, kind: str) -> None:
    from aiser_jupyter.models import Query

    submission = services.queries.submit(Query(SLEEP[kind], connection="warehouse", cell="cell-7"))
    wait_for(lambda: running(server) == 1, 20)
    if isinstance(server, MariaDB):
        rows = server.admin(
            "SELECT info FROM information_schema.processlist WHERE info LIKE %s AND user = 'ann'",
            "%'asleep'%",
        )
    else:
        assert isinstance(server, PostgreSQL)
        rows = server.admin("SELECT query FROM pg_stat_activity WHERE state = 'active' AND usename = 'ann'")
    submission.cancel()
    with pytest.raises(AiserError):
        submission.wait()
    user = services.identity.name
    assert rows[0][0].startswith(f"/* aiser user={user} cell=cell-7 run={submission.id[:12]} */ SELECT")
