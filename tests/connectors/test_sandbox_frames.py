"""Tables handed to DuckDB in its sandbox: frames, kept rows, and rows that arrive while it computes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.sandbox import Sandbox
from aiser_jupyter.errors import AiserError, DataError, QueryFailed
from aiser_jupyter.run import Run
from tests.connectors.sandbox_kit import config, eventually, sandbox_in


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_in(tmp_path_factory.mktemp("frames")) as made:
        yield made


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[Any]:
    opened = DuckDBConnector().open(config(sandbox))
    yield opened
    opened.close()


TABLE = pa.table({"n": [1, 2, 3]})
FRAMES = {
    "arrow": TABLE,
    "pandas": TABLE.to_pandas(),
    "polars": pl.DataFrame({"n": [1, 2, 3]}),
    "lazy": pl.LazyFrame({"n": [1, 2, 3]}),
    "batch": TABLE.to_batches()[0],
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_is_read_twice(session: Any, kind: str) -> None:
    session.register("f", FRAMES[kind])
    for _ in range(2):
        found = session.execute("SELECT sum(a.n * b.n) AS s FROM f a, f b", {}, Run("test")).read_all()
        assert found.to_pylist() == [{"s": 36}]


def test_what_is_no_frame_is_said(session: Any) -> None:
    with pytest.raises(DataError, match="not a table"):
        session.register("f", object())


def test_kept_rows_are_one_table(session: Any) -> None:
    session.keep("k", pa.table({"n": [1]}))
    session.keep("k", pa.table({"n": [2, 3]}))
    assert session.rows("SELECT n FROM k ORDER BY n") == [(1,), (2,), (3,)]


class Arriving:
    """Rows that can be read once, as a fetch from another database has them."""

    def __init__(self, batches: int, error: AiserError | None = None) -> None:
        self.schema = pa.schema([("n", pa.int64())])
        self.asked = 0
        self.made = 0
        self._batches = batches
        self._error = error

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        self.asked += 1
        if self.asked > 1:
            raise QueryFailed("It is read twice.")
        reader: Any = pa.RecordBatchReader.from_batches(self.schema, self._rows())
        return reader.__arrow_c_stream__(requested_schema)

    def _rows(self) -> Iterator[pa.RecordBatch]:
        for number in range(self._batches):
            self.made += 1
            yield pa.record_batch({"n": pa.array([number] * 10_000, pa.int64())})
        if self._error is not None:
            raise self._error


def test_rows_are_streamed_in(session: Any) -> None:
    stream = Arriving(100)
    session.register_stream("s", stream)
    assert stream.asked == 0
    found = session.execute("SELECT count(*) AS c, sum(n) AS s FROM s", {}, Run("test")).read_all()
    assert found.to_pylist() == [{"c": 1_000_000, "s": 49_500_000}]


def test_a_second_scan_is_refused_and_the_stream_knows(session: Any) -> None:
    stream = Arriving(1)
    session.register_stream("s", stream)
    with pytest.raises(AiserError, match="once"):
        session.execute("SELECT * FROM s a JOIN s b USING (n)", {}, Run("test")).read_all()
    assert stream.asked == 2


def test_a_stream_that_fails_ends_the_statement(session: Any) -> None:
    session.register_stream("s", Arriving(3, DataError("The source gave up.")))
    with pytest.raises(AiserError, match="The source gave up"):
        session.execute("SELECT sum(n) FROM s", {}, Run("test")).read_all()


def test_a_stream_that_is_not_wanted_any_more_is_left(sandbox: Sandbox) -> None:
    before = threading.active_count()
    session = DuckDBConnector().open(config(sandbox))
    stream = Arriving(1_000_000)
    session.register_stream("s", stream)
    session.execute("SELECT n FROM s LIMIT 5", {}, Run("test")).read_all()
    session.close()
    eventually(lambda: threading.active_count() <= before)
    assert stream.made < 1_000_000
