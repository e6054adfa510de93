"""Collecting batches: caps in rows and bytes, and the truth about what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.connectors.base import Parameters, Session
from aiser_jupyter.engines.stream import stream
from aiser_jupyter.errors import OutOfMemory, QueryCancelled, ResultTooLarge
from aiser_jupyter.execution.collect import Collected, collect
from aiser_jupyter.run import Event, Progress, Run

SCHEMA = pa.schema([("n", pa.int64()), ("s", pa.string())])


class Source:
    """Batches of given lengths, counted as they are read."""

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths
        self.read = 0
        self.reader = pa.RecordBatchReader.from_batches(SCHEMA, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        start = 0
        for length in self.lengths:
            self.read += 1
            numbers = range(start, start + length)
            yield pa.record_batch([pa.array(numbers, pa.int64()), [f"row {n}" for n in numbers]], SCHEMA)
            start += length


def take(
    source: Source,
    *,
    limit: int | None = None,
    max_bytes: int | None = None,
    whole: bool = False,
    run: Run | None = None,
) -> Collected:
    return collect(source.reader, run or Run("r"), limit=limit, max_bytes=max_bytes, whole=whole)


def numbers(found: Collected) -> list[int]:
    return found.table.column("n").to_pylist()


def test_everything_where_there_is_no_cap() -> None:
    found = take(Source(3, 0, 4), limit=0, max_bytes=0)
    assert numbers(found) == list(range(7))
    assert found.truncated == ""


def test_no_batches_give_a_table_with_the_schema() -> None:
    found = take(Source(), limit=10, max_bytes=10)
    assert found.table.schema == SCHEMA
    assert (found.table.num_rows, found.truncated) == (0, "")


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("lengths", [(10,), (5, 5), (4, 4, 2), (5, 5, 0), (5, 5, 0, 0)])
def test_exactly_as_many_rows_as_the_limit_are_whole(lengths: tuple[int, ...], whole: bool) -> None:
    found = take(Source(*lengths), limit=10, whole=whole)
    assert numbers(found) == list(range(10))
    assert found.truncated == ""


@pytest.mark.parametrize("lengths", [(11,), (5, 6), (10, 1), (10, 0, 1), (4, 4, 4, 4, 4)])
def test_more_rows_than_the_limit_are_cut_and_said_so(lengths: tuple[int, ...]) -> None:
    found = take(Source(*lengths), limit=10)
    assert numbers(found) == list(range(10))
    assert found.truncated == "The first 10 rows are shown; there are more."


def test_the_words_for_many_rows_and_for_one() -> None:
    assert take(Source(1_500, 1_500), limit=2_000).truncated.startswith("The first 2,000 rows are shown;")
    assert take(Source(2), limit=1).truncated == "The first row is shown; there are more."


def test_no_more_is_read_than_one_batch_past_the_limit() -> None:
    source = Source(*[5] * 100)
    take(source, limit=10)
    assert source.read == 3


def test_a_kept_result_past_the_byte_cap_is_an_error_that_says_how_far_it_got() -> None:
    source = Source(*[100] * 50)
    with pytest.raises(ResultTooLarge) as caught:
        take(source, max_bytes=5_000, whole=True)
    assert caught.value.rows == 100 * source.read
    assert caught.value.bytes > 5_000
    assert "5.0 kB" in caught.value.message
    assert all(word in caught.value.hint for word in ("LIMIT", "columns", "--max-bytes"))
    assert source.read < 5


def test_a_shown_result_is_cut_at_the_byte_cap() -> None:
    source = Source(*[100] * 50)
    found = take(source, max_bytes=5_000)
    rows = found.table.num_rows
    assert numbers(found) == list(range(rows))
    assert found.table.nbytes <= 5_000
    assert take(Source(rows + 1)).table.nbytes > 5_000  # not one more would have fitted
    assert found.truncated.startswith(f"The first {rows:,} rows are shown, ")
    assert found.truncated.endswith(" kB; there are more.")
    assert source.read < 5


def test_a_first_row_that_does_not_fit_is_said_so() -> None:
    found = take(Source(10), max_bytes=3)
    assert found.table.num_rows == 0
    assert found.truncated == "No row is shown: the first one is larger than 3 bytes."


def test_a_cut_batch_does_not_keep_the_whole_one_alive() -> None:
    found = take(Source(100_000), limit=10)
    assert found.table.get_total_buffer_size() < 2_000
    assert numbers(found) == list(range(10))
    assert found.table.column("s").to_pylist() == [f"row {n}" for n in range(10)]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None, "b", "a"]).dictionary_encode(),
        pa.array([[1, None], [], None, [2]]),
        pa.array([{"a": 1}, None, {"a": None}, {"a": 2}]),
        pa.array([b"x", b"", None, b"yy"], pa.large_binary()),
        pa.array(["a", None, "b" * 20, "c"], pa.string_view()),
        pa.array([True, None, False, True]),
        pa.array([None] * 4, pa.null()),
    ],
    ids=lambda column: str(column.type),
)
def test_a_cut_keeps_every_type(column: pa.Array) -> None:
    table = pa.table({"c": column})
    found = collect(table.to_reader(), Run("r"), limit=3, max_bytes=None, whole=False)
    assert found.table.equals(table.slice(0, 3))
    assert found.table.schema == table.schema


class Counting(Session):
    """A session over one source that knows whether it was closed."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.closed = False

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        return self.source.reader

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("caps", "error"),
    [
        ({}, None),
        ({"limit": 15}, None),
        ({"max_bytes": 500}, None),
        ({"max_bytes": 500, "whole": True}, ResultTooLarge),
        ({"cancel": True}, QueryCancelled),
    ],
)
def test_the_session_behind_the_reader_is_closed_however_it_ends(
    caps: dict[str, Any], error: type[Exception] | None
) -> None:
    session, run = Counting(Source(*[10] * 100)), Run("r")
    reader = stream(session, "SELECT", {}, run)
    if caps.pop("cancel", False):
        run.cancel()
    with pytest.raises(error) if error else nullcontext():
        collect(reader, run, **{"limit": None, "max_bytes": None, "whole": False, **caps})
    assert session.closed


def test_a_cancel_is_heard_between_batches() -> None:
    run, source = Run("r"), Source(*[10] * 100)
    reader = stream(Counting(source), "SELECT", {}, run)
    reader.read_next_batch()
    run.cancel()
    with pytest.raises(QueryCancelled):
        collect(reader, run, limit=5, max_bytes=None, whole=False)


def test_running_out_of_memory_is_an_error_of_ours() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"n": [1]})
        raise MemoryError("no more")

    reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), batches())
    with pytest.raises(OutOfMemory, match="1 rows were read") as caught:
        collect(reader, Run("r"), limit=None, max_bytes=None, whole=True)
    assert "LIMIT" in caught.value.hint


def test_progress_counts_the_rows() -> None:
    events: list[Event] = []
    take(Source(3, 4), run=Run("r", emit=events.append))
    assert events == [Progress(rows=3), Progress(rows=7)]


@given(
    lengths=st.lists(st.integers(0, 40), max_size=12),
    limit=st.one_of(st.none(), st.integers(0, 120)),
    max_bytes=st.one_of(st.none(), st.integers(0, 4_000)),
)
@settings(max_examples=150, deadline=None)
def test_caps_hold_and_a_cut_is_said_exactly_where_rows_are_missing(
    lengths: list[int], limit: int | None, max_bytes: int | None
) -> None:
    source = Source(*lengths)
    found = take(source, limit=limit, max_bytes=max_bytes)
    assert numbers(found) == list(range(found.table.num_rows))
    assert not limit or found.table.num_rows <= limit
    assert not max_bytes or found.table.nbytes <= max_bytes
    assert bool(found.truncated) == (found.table.num_rows < sum(lengths))
