"""What comes back from Snowflake: rows in parts, counts, and what is told while they are waited for."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.snowflake.ahead import read_ahead
from aiser_jupyter.connectors.snowflake.session import console
from aiser_jupyter.run import Handle, Progress
from tests.conformance.snowflake import DATABASE
from tests.connectors.snowflake_kit import chunk, column, encoded, lay_rows, opened, read

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


KINDS = {
    "SELECT": 0x1000,
    "EXPLAIN": 0x2000,
    "COPY": 0x3600,
    "SHOW": 0x4400,
    "DESCRIBE": 0x4500,
    "LIST": 0x4700,
    "CALL": 0x9000,
}


def lay_text(server: Any, kind: int, rows: list[list[Any]], *chunks: bytes) -> None:
    """Have the endpoint answer with rows of text, as Snowflake does to whatever is no query."""
    data: dict[str, Any] = {
        "rowtype": [
            column("name", "text", length=9, byteLength=36),
            column("n", "fixed", precision=9, scale=0),
        ],
        "rowset": rows,
        "total": len(rows),
        "returned": len(rows),
        "queryResultFormat": "json",
        "statementTypeId": kind,
    }
    if chunks:
        urls = [f"https://127.0.0.1:{server.port}/chunks/laid{place}" for place in range(len(chunks))]
        about = {"rowCount": 1, "uncompressedSize": 9, "compressedSize": 9}
        data |= {"chunks": [{"url": url, **about} for url in urls], "qrmk": "k"}
    laid: list[dict[str, Any]] = [
        {"what": "statement", "pattern": "laid", "times": 9, "answer": {"data": data}}
    ]
    laid += [chunk(place, b64encode(each).decode(), times=9) for place, each in enumerate(chunks)]
    server.lay(*laid)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [[["a", "1"], [None, None]], []])
def test_what_has_rows_gives_them(snowflake: Any, session: Any, kind: str, rows: list[list[Any]]) -> None:
    lay_text(snowflake, KINDS[kind], rows)
    snowflake.look()
    found = read(session, f"{kind} laid ?", (7,)).table
    assert found.schema.types == [pa.string(), pa.int64()]
    assert found.to_pylist() == [{"name": a, "n": None if n is None else int(n)} for a, n in rows]
    (sent,) = snowflake.look()["statements"]
    assert sent["bindings"]["1"]["value"] == "7"


def test_rows_of_text_come_in_parts_too(snowflake: Any, session: Any) -> None:
    lay_text(snowflake, KINDS["SHOW"], [["a", "1"]], b'["b","2"]', b'["c",null]')
    found = read(session, "SHOW laid").table
    assert found.to_pylist() == [{"name": "a", "n": 1}, {"name": "b", "n": 2}, {"name": "c", "n": None}]


WITHOUT = {"ALTER SESSION": 0x4100, "USE": 0x4300, "COMMIT": 0x5100, "CREATE": 0x6100, "DROP": 0x6300}


@pytest.mark.parametrize("kind", WITHOUT)
def test_what_has_no_rows_gives_none(snowflake: Any, session: Any, kind: str) -> None:
    """Snowflake answers with a row that says it went well."""
    lay_text(snowflake, WITHOUT[kind], [["fine", None]])
    found = read(session, f"{kind} laid")
    assert (found.table.num_columns, found.notices) == (0, [])


def test_what_a_statement_waits_for_is_told(snowflake: Any, session: Any) -> None:
    rows = encoded("FIXED", pa.array([1], pa.int64()), precision=38, scale=0)
    lay_rows(snowflake, "laid", [column("X", "fixed", precision=38, scale=0)], rows, seconds=2)
    snowflake.ask("/test/answer/first", [{"what": "status", "status": "RESUMING_WAREHOUSE", "times": 99}])
    found = read(session, "SELECT laid")
    (said,) = [event.message for event in found.events if isinstance(event, Progress)]
    handle = next(event.value for event in found.events if isinstance(event, Handle))
    assert found.table.num_rows == 1, "word that it still runs is no result"
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

    assert list(read_ahead([reader(place) for place in range(20)], 3, 5)) == list(range(20))
    assert max(most) <= 3


def test_reading_ahead_begins_before_anything_is_taken() -> None:
    """So that parts are on their way while the first one, which is at hand, is unpacked."""
    begun = threading.Event()
    found = read_ahead([begun.set], 3, 3)
    assert begun.wait(30)
    assert list(found) == [None]


def test_reading_ahead_raises_in_turn() -> None:
    def fails() -> int:
        raise ValueError("broken")

    found = read_ahead([lambda: 1, fails, lambda: 3], 3, 3)
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)
