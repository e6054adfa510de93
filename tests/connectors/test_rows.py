"""Rows of a driver that may declare no types: each column is exact, or said to be text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiser_jupyter.connectors.rows import READ_AHEAD, read_rows
from aiser_jupyter.errors import DataError
from aiser_jupyter.run import Run


def streamed(rows: list[tuple[Any, ...]], names: str = "x", run: Run | None = None) -> pa.Table:
    """Read rows of a driver that declares nothing."""
    source = iter(rows)
    description = [(name, None, None, None, None, None, None) for name in names.split()]

    def fetch(size: int) -> list[tuple[Any, ...]]:
        return [row for _, row in zip(range(size), source, strict=False)]

    return read_rows(description, fetch, run or Run("r")).read_all()


@pytest.mark.parametrize(
    ("values", "type_", "code"),
    [
        ([1, None, -(2**63)], pa.int64(), None),
        ([1, 2**63], pa.decimal128(38, 0), None),
        ([10**60], pa.decimal256(76, 0), None),
        ([10**80], pa.string(), "lossy_type"),
        ([1, 2.5], pa.float64(), None),
        ([2**53 + 1, 2.5], pa.string(), "lossy_type"),
        ([Decimal("1.25"), Decimal("100"), 7], pa.decimal128(38, 2), None),
        ([Decimal("1.25"), Decimal("NaN")], pa.string(), "lossy_type"),
        ([Decimal("1.25"), 0.5], pa.string(), "lossy_type"),
        ([True, None], pa.bool_(), None),
        ([True, 2], pa.string(), "lossy_type"),
        ([date(2026, 1, 1)], pa.date32(), None),
        ([datetime(2026, 1, 1)], pa.timestamp("us"), None),
        ([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"), None),
        ([datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)], pa.string(), "lossy_type"),
        ([{"a": [1]}], pa.string(), "lossy_type"),
        ([None, None], pa.string(), "inferred_type"),
    ],
)
def test_a_type_that_holds_every_value(values: list[Any], type_: pa.DataType, code: str | None) -> None:
    run = Run("r")
    table = streamed([(value,) for value in values], run=run)
    assert table.schema.types == [type_]
    assert [notice.code for notice in run.notices] == ([code] if code else [])
    if code is None:
        assert table["x"].to_pylist() == values


def test_text_keeps_every_digit() -> None:
    rows = [(2**53 + 1,), (2.5,), ("a",), (True,), (b"\xff",), ([1, "é"],), (None,)]
    assert streamed(rows)["x"].to_pylist() == ["9007199254740993", "2.5", "a", "true", "ff", '[1, "é"]', None]


@pytest.mark.parametrize(
    ("first", "later", "what"),
    [
        (1, 1.5, "holds float"),
        (1, "a", "holds text"),
        (1, 2**70, "does not fit int64"),
        (1.5, 2**53 + 1, "does not fit double"),
        ("a", b"a", "holds binary"),
        (date(2026, 1, 1), datetime(2026, 1, 1, 5), "holds timestamp"),
        (Decimal("1.5"), Decimal("1.25"), "does not fit decimal128"),
    ],
)
def test_a_later_value_is_never_bent_to_fit(first: Any, later: Any, what: str) -> None:
    with pytest.raises(DataError, match=what) as caught:
        streamed([(first,)] * READ_AHEAD + [(later,)], names="amount")
    assert "'amount'" in caught.value.message
    assert "CAST(amount AS TEXT)" in caught.value.hint


def test_reading_past_the_first_rows_says_where_types_are_from() -> None:
    run = Run("r")
    assert streamed([(n,) for n in range(READ_AHEAD + 1)], run=run)["x"].to_pylist()[-1] == READ_AHEAD
    assert [notice.code for notice in run.notices] == ["inferred_type"]


def test_a_driver_that_declares_types_is_believed_for_a_column_of_nulls() -> None:
    run = Run("r")
    described = [("n", int, None, None, None, None, None), ("d", Decimal, None, None, 10, 2, None)]
    pages = iter([[(None, None)], []])
    reader = read_rows(described, lambda size: next(pages), run, lambda entry: entry[1])
    assert (reader.schema.types, run.notices) == ([pa.int64(), pa.decimal128(38, 2)], [])


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(),
    st.dates(),
)


@given(st.lists(scalars, min_size=1, max_size=20))
def test_any_column_is_exact_or_said_to_be_text(values: list[Any]) -> None:
    run = Run("r")
    found = streamed([(value,) for value in values], run=run)["x"].to_pylist()
    if run.notices:
        assert {type(value) for value in found} <= {str, type(None)}
    else:
        assert found == values
