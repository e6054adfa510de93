"""A database server that is killed and comes back, as the health, what runs and what runs next see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from aiser_jupyter.errors import ConnectError
from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.secret import Secret
from aiser_jupyter.services import Services, build
from aiser_jupyter.services.health import HealthService, HealthStatus, Rhythm
from tests.servers.fixtures import started
from tests.servers.leaks import eventually
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.server import Server

PATIENCE = 60.0
WORDS = {
    MariaDB: (
        "mysql",
        "SELECT SLEEP(600)",
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'ann' AND INFO LIKE '%SLEEP%'",
    ),
    PostgreSQL: (
        "postgresql",
        "SELECT pg_sleep(600)",
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ann' AND state = 'active'",
    ),
}
"""By server: its connector, a statement that takes long, and what counts it as the administrator."""


@dataclass(frozen=True)
class Bounds:
    """Seconds that each part may take."""

    failed: float = PATIENCE
    red: float = PATIENCE
    answered: float = PATIENCE


QUICK = Rhythm(healthy=0.2, first=0.2, longest=0.4, listing=0.2)


@pytest.fixture(scope="module", params=[MariaDB, PostgreSQL], ids=["mysql", "postgresql"])
def own(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of this module's own, for it is killed."""
    yield from started(request.param)


@pytest.fixture
def services(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, own: Server) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    built = build()
    values = {
        "host": "127.0.0.1",
        "port": own.port,
        "database": own.database,
        "username": own.user,
        "password": Secret(own.password),
        "ssl_ca": own.authority.pem,
    }
    built.connections.create(ConnectionConfig(WORDS[type(own)][0], "shop", values), tested=False)
    yield built
    built.close()


@pytest.fixture
def watch(services: Services) -> Iterator[Callable[[Rhythm], HealthService]]:
    started: list[HealthService] = []

    def start(rhythm: Rhythm) -> HealthService:
        started.append(HealthService(services, rhythm))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.close()


def is_(health: HealthService, status: HealthStatus) -> Callable[[], bool]:
    return lambda: health.state("shop").status is status


@pytest.mark.parametrize(
    ("rhythm", "bounds"),
    [
        pytest.param(QUICK, Bounds(), id="quick"),
        pytest.param(Rhythm(), Bounds(2.0, 15.0, 5.0), marks=pytest.mark.long, id="as it is"),
    ],
)
def test_a_server_that_is_killed_and_comes_back(
    own: Any, services: Services, watch: Callable[[Rhythm], HealthService], rhythm: Rhythm, bounds: Bounds
) -> None:
    _, sleep, running_now = WORDS[type(own)]
    health = watch(rhythm)
    assert eventually(is_(health, HealthStatus.OK), PATIENCE)
    running = services.queries.submit(Query(sleep, connection="shop"))
    assert eventually(lambda: own.admin(running_now)[0][0] == 1, PATIENCE)
    began = time.monotonic()
    own.kill()
    try:
        with pytest.raises(ConnectError):
            running.wait()
        failed = time.monotonic() - began
        assert eventually(is_(health, HealthStatus.FAILING), PATIENCE)
        red = time.monotonic() - began
        state = health.state("shop")
        assert state.message
        assert state.hint
    finally:
        own.start()
    began = time.monotonic()
    answer = services.queries.run(Query("SELECT 42 AS n", connection="shop")).arrow()
    answered = time.monotonic() - began
    assert answer["n"].to_pylist() == [42]
    if rhythm is QUICK:
        assert eventually(is_(health, HealthStatus.OK), PATIENCE)
    print(f"\nfailed after {failed:.2f} s, red after {red:.2f} s, answered after {answered:.2f} s")
    assert failed <= bounds.failed
    assert red <= bounds.red
    assert answered <= bounds.answered
