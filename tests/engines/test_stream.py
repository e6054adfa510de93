"""A cancel is called confirmed where the database has said so, and nowhere else."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.base import Parameters, Session
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.engines.stream import PATIENCE, stream
from aiser_jupyter.errors import ConnectionLost, DeadlineExceeded, QueryCancelled, QueryFailed
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret

MANY = {
    "mysql": "SELECT a.seq FROM seq_1_to_1000000 a CROSS JOIN seq_1_to_1000000 b",
    "postgresql": "SELECT a FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b",
}
RUNNING = {
    "mysql": "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'ann' AND COMMAND = 'Query'",
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ann' AND state = 'active'",
}


class Endless(Session):
    """Sends rows until it is asked to stop, then so many batches more, then ``end``."""

    def __init__(self, more: float, end: Exception | None) -> None:
        self.more = more
        self.end = end
        self.stopped = threading.Event()
        self.read_after = 0

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), self.rows())

    def rows(self) -> Iterator[pa.RecordBatch]:
        for n in itertools.count():
            if self.stopped.is_set():
                self.read_after += 1
                if self.read_after > self.more:
                    break
            time.sleep(0.001)
            yield pa.record_batch({"n": [n]})
        if self.end is not None:
            raise self.end

    def cancel(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        pass


def cancelled(session: Session, run: Run) -> Any:
    """Cancel between two batches, and return the error."""
    reader = stream(session, "", {}, run)
    reader.read_next_batch()
    run.cancel()
    with pytest.raises((QueryCancelled, DeadlineExceeded)) as caught:
        reader.read_next_batch()
    return caught.value


@pytest.mark.parametrize("end", [None, QueryFailed("interrupted")])
def test_what_the_database_ended_is_confirmed(end: Exception | None) -> None:
    session = Endless(3, end)
    assert cancelled(session, Run("r")).confirmed
    assert session.read_after == 4


def test_what_goes_on_is_not_confirmed() -> None:
    began = time.monotonic()
    error = cancelled(Endless(float("inf"), None), Run("r"))
    assert time.monotonic() - began >= PATIENCE
    assert not error.confirmed
    assert "not confirmed" in error.hint


def test_a_lost_connection_confirms_nothing() -> None:
    assert not cancelled(Endless(1, ConnectionLost("gone")), Run("r")).confirmed


def test_a_deadline_between_batches_asks_and_reads_on() -> None:
    session, run = Endless(3, None), Run("r", timeout=0.2)
    reader = stream(session, "", {}, run)
    with pytest.raises(DeadlineExceeded) as caught:
        deque(reader, maxlen=0)
    assert session.read_after == 4
    assert "not confirmed" not in caught.value.hint


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_what_is_confirmed_runs_no_more(request: pytest.FixtureRequest, kind: str) -> None:
    server = request.getfixturevalue({"mysql": "mariadb", "postgresql": "postgresql"}[kind])
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "database": server.database,
        "username": server.user,
        "password": Secret(server.password),
        "ssl_ca": server.authority.pem,
        "timeout": 10,
    }
    config = ConnectionConfig(kind, "db", values)
    for _ in range(5):  # a busy machine may hear of it too late, and then says so
        confirmed = _stopped_and_confirmed(config, server)
        if confirmed:
            break
    assert confirmed


def _stopped_and_confirmed(config: ConnectionConfig, server: Any) -> bool:
    """Stop a statement that is being read; see that none is left where that is confirmed."""
    kind = config.type
    run = Run("r", tag="r3d")
    reader = stream(connector(kind).open(config), MANY[kind], {}, run)
    reader.read_next_batch()
    assert server.admin(RUNNING[kind])[0][0] == 1
    stop = threading.Thread(target=run.cancel)
    stop.start()
    with pytest.raises(QueryCancelled) as caught:
        deque(reader, maxlen=0)
    left = server.admin(RUNNING[kind])[0][0]
    stop.join()
    if caught.value.confirmed:
        assert left == 0
    end = time.monotonic() + 20
    while server.admin(RUNNING[kind])[0][0]:
        assert time.monotonic() < end
        time.sleep(0.05)
    return caught.value.confirmed
