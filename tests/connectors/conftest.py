"""Connection objects of the user, and what is done with each kind of them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy
from sqlalchemy.pool import StaticPool

from aiser_jupyter.connectors.objects import ObjectConnector
from aiser_jupyter.errors import QueryCancelled
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run

LONG = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000000)"
    " SELECT count(*) FROM n"
)


@pytest.fixture
def lite() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    yield connection
    connection.close()


@pytest.fixture
def engine() -> Iterator[sqlalchemy.Engine]:
    made = sqlalchemy.create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    yield made
    made.dispose()


@pytest.fixture
def opened() -> Callable[[object], Any]:
    """Open a session on an object."""
    return lambda obj: ObjectConnector().open(ConnectionConfig("object", "mine", {"object": obj}))


@pytest.fixture
def ask(opened: Callable[[object], Any]) -> Callable[..., pa.Table]:
    """Run a statement on an object, in a session of its own."""

    def rows_of(obj: object, sql: str, run: Run | None = None, **parameters: Any) -> pa.Table:
        session = opened(obj)
        try:
            return session.execute(sql, parameters, run or Run("r")).read_all()
        finally:
            session.close()

    return rows_of


@pytest.fixture
def cancel_long_query() -> Callable[[Any], float]:
    """Cancel a statement of many seconds while it runs; give the seconds from there to its end."""

    def cancelled(session: Any) -> float:
        run, asked = Run("r"), []

        def cancel() -> None:
            asked.append(time.monotonic())
            run.cancel()

        timer = threading.Timer(0.2, cancel)
        timer.start()
        with run.on_cancel(session.cancel), pytest.raises(QueryCancelled):
            session.execute(LONG, {}, run).read_all()
        timer.join()
        return time.monotonic() - asked[0]

    return cancelled
