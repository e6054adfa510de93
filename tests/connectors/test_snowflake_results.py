"""What comes back from Snowflake: rows in parts, counts, and what is told while they are waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.snowflake.ahead import read_ahead
from aiser_jupyter.connectors.snowflake.session import console
from aiser_jupyter.errors import ConnectionLost
from aiser_jupyter.run import Handle, Progress
from tests.conformance.snowflake import DATABASE
from tests.connectors.snowflake_kit import column, encoded, lay_rows, opened, read

assert DATABASE is not None
ROWS = DATABASE.rows


@pytest.fixture
def session(snowflake: Any) -> Iterator[Any]:
    with opened(snowflake) as session:
        yield session


@pytest.fixture(autouse=True)
def nothing_laid(snowflake: Any) -> Iterator[None]:
    yield
    snowflake.lay()


# -- what comes back -------------------------------------------------------------------------------------


def test_changed_rows_are_told(session: Any) -> None:
    assert read(session, "CREATE OR REPLACE TABLE changed (a INTEGER)").table.num_columns == 0
    inserted = read(session, "INSERT INTO changed VALUES (1), (2), (3)")
    assert (inserted.table.num_columns, inserted.notices) == (0, ["3 rows changed."])
    assert read(session, "DELETE FROM changed WHERE a = 1").notices == ["1 row changed."]
    read(session, "DROP TABLE changed")


def test_parts_come_in_order_whatever_order_they_arrive_in(session: Any) -> None:
    found = read(session, ROWS.format(n=420_000)).table
    assert found.num_rows == 420_000
    assert found.column(0).combine_chunks().cast(pa.int64()).to_pylist() == list(range(420_000))


def test_a_broken_part_is_no_end(snowflake: Any, session: Any) -> None:
    """A result of which a part is missing must not look like a whole one."""
    rows = encoded("FIXED", pa.array([1, 2], pa.int64()), precision=38, scale=0)
    lay_rows(snowflake, "laid", [column("X", "fixed", precision=38, scale=0)], rows, rows, rows)
    whole = read(session, "SELECT laid").table
    assert whole.num_rows == 6
    laid = [{"what": "chunk", "key": "laid1", "base64": "AAAA"}]
    lay_rows(snowflake, "laid", [column("X", "fixed", precision=38, scale=0)], rows, rows, rows)
    snowflake.ask("/test/answer/first", laid)
    with pytest.raises(ConnectionLost):
        read(session, "SELECT laid")


def test_what_a_statement_waits_for_is_told(snowflake: Any, session: Any) -> None:
    snowflake.lay({"what": "status", "status": "RESUMING_WAREHOUSE", "times": 4})
    found = read(session, "SELECT 1")
    said = next(event.message for event in found.events if isinstance(event, Progress))
    handle = next(event.value for event in found.events if isinstance(event, Handle))
    assert said == f"Snowflake starts the warehouse: query {handle}"


def test_a_query_is_found_in_the_console() -> None:
    end = "#/compute/history/queries/01b2/detail"
    assert console({"account": "xy.eu-central-1"}, "01b2") == (
        f"https://app.snowflake.com/eu-central-1/xy/{end}"
    )
    assert console({"account": "myorg-shop"}, "01b2") == f"https://app.snowflake.com/myorg/shop/{end}"
    assert console({"account": "myorg-shop", "host": "127.0.0.1"}, "01b2") == ""
    assert console({"account": "xy"}, "01b2") == ""


# -- reading ahead ---------------------------------------------------------------------------------------


def test_reading_ahead_keeps_the_order_and_the_limit() -> None:
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def reader(place: int) -> Any:
        def read() -> int:
            with lock:
                running.append(place)
                most.append(len(running))
            time.sleep(0.02 if place % 2 else 0)
            with lock:
                running.remove(place)
            return place

        return read

    assert list(read_ahead([reader(place) for place in range(20)], 3)) == list(range(20))
    assert max(most) <= 3


def test_reading_ahead_raises_in_turn() -> None:
    def fails() -> int:
        raise ValueError("broken")

    found = read_ahead([lambda: 1, fails, lambda: 3], 3)
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)
