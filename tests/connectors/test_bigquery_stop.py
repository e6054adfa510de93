"""A job that is stopped: from here, from another process, by its deadline, and against a silent API."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from aiser_jupyter.errors import (
    ConnectionLost,
    DeadlineExceeded,
    QueryCancelled,
)
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Event, Handle, Run
from tests.connectors.bigquery_kit import KIND, ask, config_of
from tests.endpoints.bigquery import BigQuery
from tests.servers.proxy import Proxy

SLOW = (
    "SELECT SUM(a * b) AS x FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS a,"
    " UNNEST(GENERATE_ARRAY(1, 1000000)) AS b"
)
MANY = "SELECT i FROM UNNEST(GENERATE_ARRAY(1, 50000)) AS i"
BUSY = 5.0
"""Seconds that a busy machine may add."""


@pytest.fixture(autouse=True)
def as_it_began(bigquery: BigQuery) -> Iterator[None]:
    bigquery.behave()
    yield
    bigquery.behave()


def last_job(bigquery: BigQuery) -> dict[str, Any]:
    found: dict[str, Any] = bigquery.seen()["jobs"][-1]
    return found


def stopped(bigquery: BigQuery) -> bool:
    """Say whether BigQuery has stopped the last job."""
    status = last_job(bigquery)["status"]
    return status["state"] == "DONE" and status.get("errorResult", {}).get("reason") == "stopped"


def cancelled(config: ConnectionConfig, sql: str) -> tuple[QueryCancelled, float]:
    """Cancel a statement soon after BigQuery has it; return the error, and the seconds it took."""
    asked: list[float] = []

    def cancel() -> None:
        asked.append(time.monotonic())
        run.cancel()

    def hear(event: Event) -> None:
        if isinstance(event, Handle):
            threading.Timer(0.2, cancel).start()

    run = Run("test", emit=hear)
    with pytest.raises(QueryCancelled) as caught:
        ask(config, sql, run=run)
    return caught.value, time.monotonic() - asked[0]


def test_a_cancel_is_confirmed_by_bigquery(bigquery: BigQuery) -> None:
    error, seconds = cancelled(config_of(bigquery), SLOW)
    assert error.confirmed
    assert seconds < BUSY
    assert stopped(bigquery)


def test_a_job_that_waits_is_cancelled_too(bigquery: BigQuery) -> None:
    bigquery.behave(wait=60)
    error, _ = cancelled(config_of(bigquery), "SELECT 1")
    assert error.confirmed
    assert stopped(bigquery)


def test_what_was_cancelled_before_it_began_is_not_sent(bigquery: BigQuery) -> None:
    run = Run("test")
    run.cancel()
    before = len(bigquery.seen()["jobs"])
    with pytest.raises(QueryCancelled):
        ask(config_of(bigquery), run=run)
    assert len(bigquery.seen()["jobs"]) == before


def test_a_late_request_to_stop_spares_the_next_statement(bigquery: BigQuery) -> None:
    session: Any = KIND.fresh(config_of(bigquery))
    with closing(session):
        session.execute("SELECT 1 AS x", (), Run("one")).read_all()
        session._stopping = session._known  # as a cancel does that comes while the statement ends
        reader = session.execute("SELECT * FROM recorded.endless", (), Run("next"))
        reader.read_next_batch()
        session._ask_to_stop()
        for _ in range(3):
            assert reader.read_next_batch().num_rows


def test_a_session_is_used_again_after_each_of_many_cancels(bigquery: BigQuery) -> None:
    with closing(KIND.fresh(config_of(bigquery))) as session:
        for _ in range(5):
            run = Run("test")
            with run.on_cancel(session.cancel):
                reader = session.execute("SELECT * FROM recorded.endless", (), run)
                reader.read_next_batch()
                threading.Thread(target=run.cancel).start()
                with pytest.raises(QueryCancelled):
                    collections.deque(reader, 0)
            assert session.execute("SELECT 1 AS x", (), Run("next")).read_all().num_rows == 1


def test_the_deadline_is_told_to_bigquery_and_kept_here(bigquery: BigQuery) -> None:
    with closing(KIND.open(config_of(bigquery))) as session:
        run = Run("test", timeout=0.5)
        with run.on_cancel(session.cancel), pytest.raises(DeadlineExceeded) as caught:
            session.execute(SLOW, (), run)
    assert "did not confirm" not in str(caught.value)
    assert stopped(bigquery)


def test_bigquery_ends_what_nobody_is_left_to_stop(
    bigquery: BigQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiser_jupyter.connectors.bigquery.session.GRACE", -9)
    with closing(KIND.fresh(config_of(bigquery))) as session:
        run = Run("test", timeout=10)  # so it is one second at BigQuery
        with pytest.raises(DeadlineExceeded, match="BigQuery stopped the query"):
            session.execute(SLOW, (), run)


def test_another_process_stops_a_job_by_its_handle(bigquery: BigQuery) -> None:
    config = config_of(bigquery)
    handles: list[str] = []
    running = threading.Event()

    def hear(event: Event) -> None:
        if isinstance(event, Handle):
            handles.append(event.value)
            running.set()

    ended: list[BaseException] = []

    def run() -> None:
        try:
            ask(config, SLOW, run=Run("test", emit=hear))
        except QueryCancelled as exc:
            ended.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    assert running.wait(30)
    code = (
        "import json, sys\n"
        "from aiser_jupyter.connectors.registry import connector\n"
        "from aiser_jupyter.models import ConnectionConfig\n"
        "from aiser_jupyter.secret import Secret\n"
        "given = json.load(sys.stdin)\n"
        "given['token'] = Secret(given['token'])\n"
        "config = ConnectionConfig('bigquery', 'lake', given)\n"
        "print(connector('bigquery').stop(config, sys.argv[1]))"
    )
    values = {**config.values, "token": bigquery.password}
    done = subprocess.run(
        [sys.executable, "-c", code, handles[0]], input=json.dumps(values), capture_output=True, text=True
    )
    thread.join(30)
    assert (done.stdout.strip(), done.stderr) == ("True", "")
    assert len(ended) == 1
    assert stopped(bigquery)


def test_a_job_that_is_over_was_not_stopped(bigquery: BigQuery) -> None:
    ask(config_of(bigquery))
    job = last_job(bigquery)["jobReference"]
    assert not KIND.stop(config_of(bigquery), f"{job['projectId']}:{job['location']}.{job['jobId']}")


def test_a_silent_api_ends_at_the_deadline_and_says_that_nothing_is_confirmed(bigquery: BigQuery) -> None:
    with Proxy(("127.0.0.1", bigquery.port)) as proxy:
        there = f"https://127.0.0.1:{proxy.port}"
        config = config_of(bigquery, api_endpoint=there, storage_endpoint=None)

        def hear(event: Event) -> None:
            if isinstance(event, Handle):
                proxy.set("blackhole")

        with closing(KIND.fresh(config)) as session:
            run = Run("test", timeout=2, emit=hear)
            began = time.monotonic()
            with run.on_cancel(session.cancel), pytest.raises(DeadlineExceeded, match="did not confirm"):
                session.execute(SLOW, (), run)
            assert time.monotonic() - began < 2 + 1.5 + BUSY
        proxy.set("pass")
        assert ask(config).num_rows == 1


@pytest.mark.parametrize("asked", ["a statement", "the catalog"])
def test_a_session_that_was_cut_leaves_no_thread(bigquery: BigQuery, asked: str) -> None:
    KIND.fresh(config_of(bigquery)).close()  # the driver is imported
    before = set(threading.enumerate())
    with Proxy(("127.0.0.1", bigquery.port)) as proxy:
        there = f"https://127.0.0.1:{proxy.port}"
        session = KIND.fresh(config_of(bigquery, api_endpoint=there, storage_endpoint=None, timeout=3))
        proxy.set("drip", seconds=0.3)
        if asked == "a statement":
            run = Run("test", timeout=1)
            with run.on_cancel(session.cancel), pytest.raises(DeadlineExceeded):
                session.execute("SELECT 1", (), run)
        else:
            with pytest.raises(ConnectionLost):
                KIND.tables(session)
        session.close()
        end = time.monotonic() + 20
        while time.monotonic() < end and left(before):
            time.sleep(0.05)
        assert left(before) == []


def left(before: set[threading.Thread]) -> list[str]:
    """Return the threads of sessions that are new."""
    return [each.name for each in set(threading.enumerate()) - before if each.name.startswith("aiser-big")]


def test_a_silent_storage_api_ends_at_the_deadline(bigquery: BigQuery) -> None:
    with Proxy(("127.0.0.1", bigquery.storage_port)) as proxy:
        config = config_of(bigquery, storage_endpoint=f"https://127.0.0.1:{proxy.port}")
        with closing(KIND.open(config)) as session:
            run = Run("test", timeout=3)
            began = time.monotonic()
            reader = session.execute("SELECT * FROM recorded.endless", (), run)
            reader.read_next_batch()
            proxy.set("blackhole")
            with run.on_cancel(session.cancel), pytest.raises(DeadlineExceeded):
                reader.read_all()
        assert time.monotonic() - began < 3 + 1.5 + BUSY
        proxy.set("pass")
        assert ask(config, MANY).num_rows == 50_000


def test_a_storage_api_that_resets_in_mid_result_gives_no_result(bigquery: BigQuery) -> None:
    with Proxy(("127.0.0.1", bigquery.storage_port)) as proxy:
        config = config_of(bigquery, storage_endpoint=f"https://127.0.0.1:{proxy.port}")
        with closing(KIND.open(config)) as session:
            reader = session.execute("SELECT * FROM recorded.endless", (), Run("test", timeout=20))
            reader.read_next_batch()
            proxy.set("rst", after=0)
            with pytest.raises((ConnectionLost, DeadlineExceeded)):
                reader.read_all()
