"""The time that is reported is the time that it took, whatever became of the query."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

import pytest

from aiser_jupyter.errors import AiserError
from aiser_jupyter.models import ConnectionConfig, HistoryEntry, Query
from aiser_jupyter.secret import Secret
from aiser_jupyter.services import Services, build
from tests.servers.server import Server

SLEEP = "SELECT pg_sleep({seconds})::text AS slept"


@pytest.fixture
def services(postgresql: Server) -> Iterator[Services]:
    built = build()
    values = {
        "host": "127.0.0.1",
        "port": postgresql.port,
        "database": postgresql.database,
        "username": postgresql.user,
        "password": Secret(postgresql.password),
        "ssl_ca": postgresql.authority.pem,
    }
    built.connections.create(ConnectionConfig("postgresql", "warehouse", values))
    yield built
    built.close()


def differences(services: Services, runs: int) -> list[float]:
    """Run statements that sleep for a known time; return by how much what is reported misses the clock."""
    found = []
    for turn in range(runs):
        seconds = 0.01 + 0.01 * (turn % 5)
        began = time.perf_counter()
        result = services.queries.run(Query(SLEEP.format(seconds=seconds), "warehouse"))
        outside = time.perf_counter() - began
        assert result.timings.execute + result.timings.fetch >= seconds
        assert min(result.timings.as_dict().values()) >= 0
        assert result.timings.total <= outside
        found.append(max(0.0, outside - result.timings.total - 0.02 * outside))
    return found


def last(services: Services) -> HistoryEntry:
    services.queries.flush()
    (entry,) = services.queries.history(limit=1)
    return entry


def test_what_is_reported_is_what_a_clock_outside_says(services: Services) -> None:
    assert median(differences(services, 20)) < 0.05  # a busy machine; the figure is below


@pytest.mark.long
def test_the_time_is_right_within_five_milliseconds(services: Services) -> None:
    assert median(differences(services, 200)) < 0.005


def test_the_parts_are_where_the_time_went(services: Services) -> None:
    parts = services.queries.run(Query(SLEEP.format(seconds=0.5), "warehouse")).timings
    assert parts.execute + parts.fetch > 0.8 * parts.total


def test_an_error_and_a_cancel_are_timed_too(services: Services) -> None:
    with pytest.raises(AiserError):
        services.queries.run(Query("SELECT 1 / (count(*) - 1) FROM pg_sleep(0.2)", "warehouse"))
    entry = last(services)
    assert (entry.state, entry.error_code != "") == ("failed", True)
    assert entry.seconds is not None
    assert 0.2 <= entry.seconds < 20
    began = time.monotonic()
    submission = services.queries.submit(Query(SLEEP.format(seconds=60), "warehouse"))
    time.sleep(0.3)
    submission.cancel()
    with pytest.raises(AiserError):
        submission.wait()
    took = time.monotonic() - began
    entry = last(services)
    assert entry.state == "cancelled"
    assert entry.seconds is not None
    assert 0.2 <= entry.seconds <= took
