"""Frames: what is recognised without an import, and what is said of it."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest

from aiser_jupyter.errors import DataError
from aiser_jupyter.frames import frame_columns, frame_statistics, frames_in, is_frame
from aiser_jupyter.models import Column, Route, Statistics
from aiser_jupyter.result import QueryResult

FRAMES = {
    "pandas": lambda: pd.DataFrame({"n": [1], "s": ["a"]}),
    "subclass": lambda: type("Sales", (pd.DataFrame,), {})({"n": [1], "s": ["a"]}),
    "polars": lambda: pl.DataFrame({"n": [1], "s": ["a"]}),
    "lazy": lambda: pl.LazyFrame({"n": [1], "s": ["a"]}),
    "table": lambda: pa.table({"n": [1], "s": ["a"]}),
    "batch": lambda: pa.record_batch({"n": [1], "s": ["a"]}),
    "reader": lambda: pa.table({"n": [1], "s": ["a"]}).to_reader(),
    "dataset": lambda: pyarrow.dataset.dataset(pa.table({"n": [1], "s": ["a"]})),
    "relation": lambda: duckdb.sql("SELECT 1 AS n, 'a' AS s"),
    "result": lambda: QueryResult("1", pa.table({"n": [1], "s": ["a"]}), Route("duckdb", "")),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_are_recognised_and_tell_their_columns(name: str) -> None:
    frame = FRAMES[name]()
    assert is_frame(frame)
    assert [column.name for column in frame_columns(frame)] == ["n", "s"]


@pytest.mark.parametrize(
    "other",
    [
        pd.DataFrame,
        QueryResult,
        pd,
        pd.Series([1]),
        pl.Series([1]),
        pa.array([1]),
        pa.chunked_array([[1]]),
        np.zeros(3),
        [1],
        None,
        "text",
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_frame(other: object) -> None:
    assert not is_frame(other)


def test_frames_in_a_namespace() -> None:
    frame = pd.DataFrame({"n": [1]})
    namespace = {"orders": frame, "_": frame, "_12": frame, "__name__": "x", "n": 1, "In": [], "pd": pd}
    assert frames_in(namespace) == {"orders": frame}


def test_statistics() -> None:
    assert frame_statistics(pd.DataFrame({"n": np.zeros(1000)})) == Statistics(1000, 8000, "DataFrame")
    assert frame_statistics(pl.DataFrame({"n": np.zeros(1000)})) == Statistics(1000, 8000, "DataFrame")
    assert frame_statistics(pa.table({"n": np.zeros(1000)})) == Statistics(1000, 8000, "Arrow table")
    assert frame_statistics(FRAMES["result"]()).rows == 1
    for name in ("lazy", "reader", "dataset", "relation"):
        assert frame_statistics(FRAMES[name]()) == Statistics()


def test_columns_speak_the_frames_own_words() -> None:
    assert frame_columns(pd.DataFrame({1: [1.5]})) == (Column("1", "float64"),)
    assert frame_columns(pl.LazyFrame({"a": [1]})) == (Column("a", "Int64"),)
    with pytest.raises(DataError, match="LazyFrame"):
        frame_columns(pl.LazyFrame({"a": [1]}).select("b"))


def test_looking_imports_nothing() -> None:
    code = (
        "import sys\n"
        "from aiser_jupyter.frames import frames_in\n"
        "assert frames_in({'a': 1, 'b': object(), 'sys': sys}) == {}\n"
        "print([m for m in ('pandas', 'polars', 'pyarrow', 'numpy', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
