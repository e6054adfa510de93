"""BigQuery's types: the same in Arrow by both ways that rows come, whatever the number of rows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.bigquery.types import column_of, schema_of
from aiser_jupyter.errors import DataError
from aiser_jupyter.run import Run
from tests.connectors.bigquery_kit import ask, config_of
from tests.endpoints.bigquery import BigQuery

BIG = Decimal("12345678901234567890123456789012345678.12345678901234567890123456789012345678")
POINT = "struct<x: int64, tags: list<item: string>>"
LAST = dt.datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=dt.UTC)
TYPES: list[tuple[str, str, list[Any]]] = [
    ("INT64", "int64", [-(2**63), None]),
    ("FLOAT64", "double", [float("inf"), None]),
    ("BOOL", "bool", [True, None]),
    ("NUMERIC", "decimal128(38, 9)", [Decimal("99999999999999999999999999999.999999999"), None]),
    ("NUMERIC(10, 2)", "decimal128(10, 2)", [Decimal("12345678.90"), None]),
    ("BIGNUMERIC", "decimal256(76, 38)", [BIG, None]),
    ("BIGNUMERIC(50)", "decimal256(50, 0)", [Decimal("9" * 50), None]),
    ("STRING(9)", "string", ["Grüße 🦆", None]),
    ("BYTES", "binary", [b"\x00\xff", None]),
    ("DATE", "date32[day]", [dt.date(1, 1, 1), None]),
    ("TIME", "time64[us]", [dt.time(23, 59, 59, 999999), None]),
    ("DATETIME", "timestamp[us]", [dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None]),
    ("TIMESTAMP", "timestamp[us, tz=UTC]", [dt.datetime(1, 1, 1, tzinfo=dt.UTC), None]),
    ("TIMESTAMP(12)", "timestamp[us, tz=UTC]", [LAST, None]),
    ("INTERVAL", "month_day_nano_interval", [pa.MonthDayNano([-14, 3, -14_706_789_000_000]), None]),
    ("JSON", "string", ['{"a":1.50,"a":2}', None]),
    ("GEOGRAPHY", "string", ["POINT(1 2)", None]),
    (
        "RANGE<DATE>",
        "struct<start: date32[day], end: date32[day]>",
        [{"start": dt.date(2024, 2, 29), "end": None}, None],
    ),
    (
        "RANGE<TIMESTAMP>",
        "struct<start: timestamp[us, tz=UTC], end: timestamp[us, tz=UTC]>",
        [{"start": None, "end": LAST}, None],
    ),
    ("STRUCT<x INT64, tags ARRAY<STRING>>", POINT, [{"x": 1, "tags": ["a", "b"]}, None]),
    ("ARRAY<STRUCT<x INT64, tags ARRAY<STRING>>>", f"list<item: {POINT}>", [[{"x": None, "tags": []}], []]),
    ("ARRAY<NUMERIC>", "list<item: decimal128(38, 9)>", [[Decimal("1.5")], []]),
]


@pytest.fixture
def by_arrow(bigquery: BigQuery, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read every row by the Storage API: none comes with the answer to a poll."""
    monkeypatch.setattr("aiser_jupyter.connectors.bigquery.session.FIRST_ROWS", 1)
    return bigquery


def test_every_type_by_json(bigquery: BigQuery) -> None:
    bigquery.behave()
    check(ask(config_of(bigquery), "SELECT * FROM recorded.types"))
    assert bigquery.seen()["storage"] == []


def test_every_type_by_arrow(by_arrow: BigQuery) -> None:
    by_arrow.behave()
    check(ask(config_of(by_arrow), "SELECT * FROM recorded.types"))
    assert by_arrow.seen()["storage"] == ["CreateReadSession"]


def check(table: pa.Table) -> None:
    for name, field, (source, type_, values) in zip(table.column_names, table.schema, TYPES, strict=True):
        assert (source, str(field.type)) == (field.metadata[b"aiser.source_type"].decode(), type_)
        assert table.column(name).to_pylist() == values, source


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_rows_have_the_same_schema(bigquery: BigQuery, rows: int) -> None:
    few = ask(config_of(bigquery), f"SELECT * FROM recorded.types LIMIT {rows}")
    whole = ask(config_of(bigquery), "SELECT * FROM recorded.types")
    assert few.num_rows == rows
    assert few.schema.equals(whole.schema, check_metadata=True)


def test_what_a_type_cannot_hold_is_said(bigquery: BigQuery) -> None:
    run = Run("test")
    ask(config_of(bigquery), "SELECT * FROM recorded.types", run=run)
    (notice,) = [each for each in run.notices if each.code == "lossy_type"]
    assert "picoseconds" in notice.message
    assert f"'c{[source for source, *_ in TYPES].index('TIMESTAMP(12)')}'" in notice.message


@pytest.mark.parametrize(
    ("name", "type_"), [("bignumeric", "BIGNUMERIC"), ("interval", "INTERVAL"), ("unknown", "HOLOGRAM")]
)
def test_a_value_that_does_not_fit_is_refused(bigquery: BigQuery, name: str, type_: str) -> None:
    with pytest.raises(DataError, match=type_) as caught:
        ask(config_of(bigquery), f"SELECT * FROM recorded.{name}")
    assert "STRING" in caught.value.hint


@pytest.mark.parametrize("name", ["bignumeric", "interval"])
def test_nor_does_it_fit_when_it_comes_as_arrow(name: str) -> None:
    column = column_of({"name": "x", "type": name.upper()})
    number = 5 * 10**76
    wide = pa.Array.from_buffers(
        pa.decimal256(76, 38), 1, [None, pa.py_buffer(number.to_bytes(32, "little", signed=True))]
    )
    with pytest.raises(DataError, match="does not fit"):
        column.from_arrow(wide if name == "bignumeric" else pa.array(["0-0 0 87840000:0:0"]))


def test_the_storage_may_give_other_types_for_the_same_values() -> None:
    """NUMERIC(10, 2) with 9 digits after the point, an interval as text, NULL for an empty array."""
    fields = [
        {"name": "a", "type": "NUMERIC", "precision": "10", "scale": "2"},
        {"name": "b", "type": "INTERVAL"},
        {"name": "c", "type": "INTEGER", "mode": "REPEATED"},
        {"name": "d", "type": "TIMESTAMP"},
    ]
    columns = [column_of(each) for each in fields]
    given = [
        pa.array([Decimal("1.50")], pa.decimal128(38, 9)),
        pa.array(["0-0 0 1:0:0"]),
        pa.array([None], pa.list_(pa.int64())),
        pa.array([LAST], pa.timestamp("ns", "UTC")),
    ]
    arrays = [column.from_arrow(array) for column, array in zip(columns, given, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns))
    (row,) = batch.to_pylist()
    assert row == {
        "a": Decimal("1.50"),
        "b": pa.MonthDayNano([0, 0, 3_600_000_000_000]),
        "c": [],
        "d": LAST,
    }


def test_a_slice_of_lists_and_structs_stays_itself() -> None:
    column = column_of(
        {"name": "x", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "n", "type": "NUMERIC"}]}
    )
    narrow = pa.list_(pa.struct([("n", pa.decimal128(38, 3))]))
    whole = pa.array([[{"n": Decimal("1")}], [{"n": Decimal("2")}, {"n": None}], None, [None]], narrow)
    found = column.from_arrow(whole.slice(1))
    found.validate(full=True)
    assert found.to_pylist() == [[{"n": Decimal("2")}, {"n": None}], [], [None]]


def test_digits_that_would_be_rounded_are_refused() -> None:
    column = column_of({"name": "x", "type": "NUMERIC", "precision": "5", "scale": "1"})
    for cells in (column.from_json, lambda texts: column.from_arrow(pa.array(map(Decimal, texts)))):
        assert cells(["1.5"]).to_pylist() == [Decimal("1.5")]
        with pytest.raises(DataError):
            cells(["1.55"])
