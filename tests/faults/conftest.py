"""Both real servers behind one face, with a proxy before each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.target import MARIADB, POSTGRESQL, Target
from tests.servers.proxy import Proxy
from tests.servers.server import Server

KINDS = {"mysql": ("mariadb", MARIADB), "postgresql": ("postgresql", POSTGRESQL)}


@pytest.fixture(scope="session", params=list(KINDS))
def made(request: pytest.FixtureRequest) -> Target:
    fixture, words = KINDS[request.param]
    server: Server = request.getfixturevalue(fixture)
    target = Target(server, words)
    target.prepare()
    return target


@pytest.fixture
def target(made: Target) -> Iterator[Target]:
    """A server with a user of its own for these tests; its idle sessions are closed afterwards."""
    yield made
    made.close_idle()


@pytest.fixture
def proxy(target: Target) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", target.server.port)) as proxy:
        yield proxy


@pytest.fixture
def later() -> Iterator[Any]:
    """Call something in a moment, from another thread."""
    timers: list[threading.Timer] = []

    def call(seconds: float, what: Any) -> None:
        timers.append(threading.Timer(seconds, what))
        timers[-1].start()

    yield call
    for timer in timers:
        timer.join()
