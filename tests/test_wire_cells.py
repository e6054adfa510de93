"""The text that Arrow writes is JSON, says what Python's would, and is made without Python's lock."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.wire.cells import rows_text


def read(table: pa.Table) -> list[list[Any]]:
    """The rows of a table, as a reader of JSON has them."""
    return json.loads(b"[" + rows_text(table) + b"]", parse_constant=pytest.fail)


def column(values: pa.Array) -> list[Any]:
    return [cell for (cell,) in read(pa.table({"x": values}))]


ODD = st.sampled_from(
    ['"', "\\", "\n", "\r", "\t", "\x00", "\x1f", "\x7f", "\u2028", "é", "😀", "null", "]", ","]
)
TEXTS = st.lists(st.none() | st.text() | st.lists(ODD).map("".join), max_size=20)


@settings(deadline=None)  # the machine may be busy
@given(values=TEXTS, kind=st.sampled_from([pa.string(), pa.large_string()]))
def test_every_text_comes_back(values: list[str | None], kind: pa.DataType) -> None:
    assert column(pa.array(values, kind)) == values


@settings(deadline=None)  # the machine may be busy
@given(values=st.lists(st.none() | st.floats(), max_size=20))
def test_every_float_comes_back_as_one(values: list[float | None]) -> None:
    found = column(pa.array(values, pa.float64()))
    assert list(map(repr, found)) == [
        repr(value if value is None or abs(value) < float("inf") else str(value)) for value in values
    ]


@settings(deadline=None)  # the machine may be busy
@given(values=st.lists(st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_a_short_float_is_the_same_number(values: list[float | None]) -> None:
    assert list(map(repr, column(pa.array(values, pa.float32())))) == list(map(repr, values))


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_the_ends_of_every_integer(bits: int) -> None:
    for name, least, most in (
        (f"int{bits}", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
        (f"uint{bits}", 0, 2**bits - 1),
    ):
        found = column(pa.array([least, None, most], getattr(pa, name)()))
        assert found == [str(each) if each and abs(each) >= 2**53 else each for each in (least, None, most)]


def test_a_part_of_a_table_of_several_chunks_has_its_own_rows() -> None:
    chunks = [['a "quote"', None, "c\n"], ["d"], [], ["e\\", "f", None]]
    texts = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks])
    amounts = pa.chunked_array([pa.array(map(Decimal, range(7)), pa.decimal128(10, 2))])
    flags = pa.array([True, None, False, True, None, False, True])
    table = pa.table({"t": texts, "d": amounts, "b": flags})
    plain = [list(row.values()) for row in table.to_pylist()]
    whole = [[t, str(d), b] for t, d, b in plain]
    for start in range(8):
        for count in range(8):
            assert read(table.slice(start, count)) == whole[start : start + count]


def test_a_part_of_one_chunk_has_its_own_rows() -> None:
    texts = ["a", "b", None, "c", 'd "', "\x00", "e"]
    table = pa.table({"t": texts, "l": pa.array(texts, pa.large_string())})
    for start in range(8):
        for count in range(8):
            wanted = [[each, each] for each in texts[start : start + count]]
            assert read(table.slice(start, count)) == wanted


def test_values_that_only_python_writes_stand_among_the_others() -> None:
    table = pa.table(
        {
            "n": [1, 2],
            "raw": pa.array([b"\x00\xff", None]),
            "list": [[1.5, float("nan")], None],
            "word": pa.array(["a", "b"]).dictionary_encode(),
            "nothing": pa.nulls(2),
            "odd": ["\x00", None],
        }
    )
    assert read(table) == [[1, "AP8=", [1.5, "nan"], "a", None, "\x00"], [2, None, None, "b", None, None]]


def listed(values: pa.Array) -> pa.Array:
    """A list of one value in each row."""
    return pa.ListArray.from_arrays(pa.array(range(len(values) + 1), pa.int32()), values)


FAR = pa.array([6_585_060, None], pa.int32()).cast(pa.date32())
"""The first day of the year 19999, as a database may have it and Python may not."""
FAR_OFF = pa.array([10**18, 0], pa.int64()).cast(pa.timestamp("us", "UTC"))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (listed(FAR), [["19999-04-14"], [None]]),
        (listed(listed(FAR)), [[["19999-04-14"]], [[None]]]),
        (
            pa.StructArray.from_arrays([FAR, FAR_OFF], ["a", "b"]),
            [
                {"a": "19999-04-14", "b": "33658-09-27T01:46:40.000000Z"},
                {"a": None, "b": "1970-01-01T00:00:00+00:00"},
            ],
        ),
        (pa.MapArray.from_arrays([0, 1, 1], FAR.slice(0, 1), pa.array([1])), [[["19999-04-14", 1]], []]),
        (
            pa.UnionArray.from_dense(pa.array([0, 0], pa.int8()), pa.array([0, 1], pa.int32()), [FAR]),
            ["19999-04-14", None],
        ),
        (listed(pa.array([2**63 - 1], pa.duration("s"))), [["9223372036854775807 s"]]),
        (pa.array([3723123456789, None], pa.time64("ns")), ["01:02:03.123456789", None]),
        (listed(pa.array([3723123456789], pa.time64("ns"))), [["01:02:03.123456789"]]),
        (pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), [[1, 2]]),
    ],
    ids=[
        "list",
        "list of lists",
        "struct",
        "map",
        "union",
        "span",
        "nanoseconds",
        "nanoseconds in a list",
        "one name",
    ],
)
def test_what_python_has_no_value_for_is_written_all_the_same(values: pa.Array, wanted: list[Any]) -> None:
    assert column(values) == wanted


@pytest.mark.parametrize("year", ["9999", "32086", "32087", "32767", "32768", "50000", "290000"])
def test_every_year_that_a_database_has_is_the_same_year(year: str) -> None:
    """Arrow's own text has another one from 32768 on."""
    day = int(np.datetime64(f"{year}-03-01", "D").astype(int))
    days = pa.array([day, None, 0], pa.int32())
    assert column(days.view(pa.date32())) == [f"{year}-03-01", None, "1970-01-01"]
    moments = pa.array([day * 86_400_000_000 + 1, None], pa.int64())
    word = f"{year}-03-01T00:00:00.000001"
    assert column(moments.view(pa.timestamp("us"))) == [word, None]
    assert column(moments.view(pa.timestamp("us", "Asia/Kolkata"))) == [f"{word}Z", None]
    seconds = pa.array([-day * 86_400], pa.int64()).view(pa.timestamp("s"))
    assert column(seconds) == [str(np.datetime64(-day * 86_400, "s"))]


def test_a_text_that_is_none_does_not_spoil_the_answer() -> None:
    """A driver takes its database's word that a text is UTF-8."""
    offsets = pa.array([0, 1, 4, 5], pa.int32()).buffers()[1]
    values = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"a\xffb\xc3c"))
    assert column(values) == ["a", "\ufffdb\ufffd", "c"]


@contextmanager
def nobody_is_made_to_give_up_the_lock() -> Iterator[None]:
    """Within the block a thread keeps Python's lock until it gives it up by itself."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5.0)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


ROWS = 300_000


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array(range(ROWS)), id="integers"),
        pytest.param(pa.array(range(ROWS), pa.float64()), id="floats"),
        pytest.param(pa.array(['with a " quote', "without", None] * (ROWS // 3)), id="texts"),
        pytest.param(pa.array([Decimal("1.50")] * ROWS, pa.decimal128(20, 2)), id="decimals"),
        pytest.param(pa.array(range(ROWS), pa.timestamp("us")), id="instants"),
    ],
)
def test_others_run_while_a_page_is_made_into_text(values: pa.Array) -> None:
    """What the other thread computes between two steps of this one is a small part of all it computes."""
    table, go = pa.table({"x": values}), threading.Event()
    made: list[int] = []

    def make() -> None:
        go.wait()
        for _ in range(3):
            made.append(len(rows_text(table)))
        over.wait()

    over = threading.Event()
    maker = threading.Thread(target=make)
    maker.start()
    assert maker.ident is not None
    clock = time.pthread_getcpuclockid(maker.ident)
    steps = [time.clock_gettime(clock)]
    with nobody_is_made_to_give_up_the_lock():
        go.set()
        while len(made) < 3:
            time.sleep(0.0005)
            steps.append(time.clock_gettime(clock))
    over.set()
    maker.join()
    longest = max(after - before for before, after in pairwise(steps))
    assert longest < 0.2 * (steps[-1] - steps[0])
