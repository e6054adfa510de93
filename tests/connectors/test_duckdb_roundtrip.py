"""Any column of any type that DuckDB and Arrow share comes back as it went in."""

from __future__ import annotations

import datetime as dt
import string
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
PLAIN: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-(2**7), 2**7 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.string(), TEXT),
    (pa.binary(), st.binary(max_size=30)),
    (pa.decimal128(38, 9), st.decimals(-(10**28), 10**28, places=9).map(lambda d: d + Decimal(0))),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.timestamp("us"), st.datetimes()),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.UTC))),
]


@st.composite
def columns(draw: st.DrawFn) -> pa.Array[Any]:
    """An Arrow array of a plain type, a list of one, or a struct of two."""
    type_, values = draw(st.sampled_from(PLAIN))
    shape = draw(st.sampled_from(["plain", "list", "struct"]))
    item = st.none() | values
    if shape == "list":
        type_, item = pa.list_(type_), st.none() | st.lists(item, max_size=4)
    elif shape == "struct":
        other, more = draw(st.sampled_from(PLAIN))
        item = st.none() | st.fixed_dictionaries({"a": item, "b": st.none() | more})
        type_ = pa.struct([("a", type_), ("b", other)])
    return pa.array(draw(st.lists(item, max_size=20)), type_)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A table of up to three columns of one length, under names that need quoting."""
    arrays = draw(st.lists(columns(), min_size=1, max_size=3))
    rows = min(map(len, arrays))
    names = [f"{draw(st.text(string.ascii_letters + ' ?$.', max_size=8))}_{i}" for i in range(len(arrays))]
    return pa.table([array[:rows] for array in arrays], names=names)


def there_and_back(table: pa.Table) -> pa.Table:
    session = DuckDBConnector().open(ConnectionConfig("duckdb", "local"))
    try:
        session.register("given", table)
        back = session.execute("SELECT * FROM given", {}, Run("test")).read_all()
    finally:
        session.close()
    back.validate(full=True)
    return back


def check(table: pa.Table) -> None:
    back = there_and_back(table)
    assert back.column_names == table.column_names
    for before, after in zip(table.columns, back.columns, strict=True):
        assert after.to_pylist() == before.to_pylist()


@given(tables())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_table_comes_back_as_it_went_in(table: pa.Table) -> None:
    check(table)


@pytest.mark.long
@pytest.mark.timeout(600)
@given(tables())
@settings(max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_tables_come_back_as_they_went_in(table: pa.Table) -> None:
    check(table)


@given(st.lists(st.none() | st.integers(-(2**127), 2**127 - 1), max_size=30))
@settings(max_examples=30, deadline=None)
def test_wide_integers_keep_every_digit(values: list[int | None]) -> None:
    table = pa.table({"text": pa.array([None if v is None else str(v) for v in values], pa.string())})
    session = DuckDBConnector().open(ConnectionConfig("duckdb", "local"))
    session.register("given", table)
    back = session.execute("SELECT text::HUGEINT AS n FROM given", {}, Run("test")).read_all()
    session.close()
    assert back.column("n").to_pylist() == values
