"""What crosses the wire keeps its meaning."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal, localcontext

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiser_jupyter import wire
from aiser_jupyter.errors import UsageError
from aiser_jupyter.models import (
    Candidate,
    Column,
    Estimate,
    HistoryEntry,
    Notice,
    Route,
    RunState,
    StatementKind,
    Statistics,
    Table,
    TableRef,
    Timings,
)
from aiser_jupyter.result import QueryResult
from aiser_jupyter.sql import Statement

ROUTE = Route(
    "duckdb",
    "files are read here",
    (
        Candidate("duckdb", True, "files are read here", Estimate(seconds=0.5, unknown=("rows",))),
        Candidate("spark", False, "not installed"),
    ),
)


STATEMENT = Statement("SELECT 1", "duckdb", StatementKind.READ, (TableRef("orders", "shop"),))


def cells(array) -> list:
    """The cells of one column, after a round trip through JSON text."""
    return [row[0] for row in page_of(pa.table({"x": array}))["data"]]


def page_of(table, start=0, count=None, **said) -> dict:
    """A page of a result, after a round trip through JSON text."""
    head = wire.head_json(QueryResult("1", table, ROUTE, **said), start, statement=STATEMENT)
    return json.loads(b"".join(wire.json_chunks(head, table.slice(start, count))))


def test_numbers_stay_numbers_where_javascript_holds_them():
    assert cells(pa.array([2**53 - 1, -(2**53) + 1, None])) == [2**53 - 1, -(2**53) + 1, None]
    assert cells(pa.array([2**53, -(2**63)])) == ["9007199254740992", "-9223372036854775808"]
    assert cells(pa.array([True, False])) == [True, False]
    assert cells(pa.array([1.5, float("nan"), float("-inf")])) == [1.5, "nan", "-inf"]


def test_exact_and_binary_values_are_text():
    assert cells(pa.array([Decimal("1.10"), Decimal("-99999999999999999999.01")])) == [
        "1.10",
        "-99999999999999999999.01",
    ]
    assert cells(pa.array([b"\x00\xff"])) == ["AP8="]


@given(
    scale=st.integers(0, 38),
    digits=st.lists(st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-20, 20) | st.none(), min_size=1),
)
def test_a_decimal_has_the_words_of_pythons_own(scale, digits):
    with localcontext(prec=100):
        values = [None if each is None else Decimal(each).scaleb(-scale) for each in digits]
        column = pa.array(values, pa.decimal256(76, scale))
    assert cells(column) == [None if each is None else str(each) for each in column.to_pylist()]


def test_instants_are_iso_in_utc_with_all_their_digits():
    instant = pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns", "Europe/Berlin"))
    assert cells(instant) == ["2023-11-14T22:13:20.123456789Z", None]
    assert cells(pa.array([0], pa.timestamp("s"))) == ["1970-01-01T00:00:00"]
    assert cells(pa.array([dt.date(2026, 3, 1)])) == ["2026-03-01"]
    assert cells(pa.array([dt.time(1, 2, 3)])) == ["01:02:03"]
    assert cells(pa.array([dt.timedelta(days=2, seconds=1)])) == ["2 days, 0:00:01"]


def test_an_instant_past_the_calendar_does_not_fail_the_page():
    assert cells(pa.array([10**15], pa.timestamp("s"))) == ["31690708-07-05T01:46:40"]


def test_nested_values_follow_the_same_rules():
    nested = pa.array([{"id": 2**60, "tags": [Decimal("1.0"), None], "raw": b"a"}])
    assert cells(nested) == [{"id": str(2**60), "tags": ["1.0", None], "raw": "YQ=="}]


@given(st.lists(st.integers(min_value=-(2**63), max_value=2**63 - 1), max_size=20))
def test_every_integer_survives_a_reader_with_doubles(values):
    text = json.dumps(cells(pa.array(values, pa.int64())))
    read = json.loads(text, parse_int=lambda digits: int(float(digits)))
    assert [int(value) for value in read] == values


def test_a_page_has_its_rows_and_the_count_of_the_whole():
    table = pa.Table.from_arrays([pa.array(range(10)), pa.array(range(10))], names=["n", "n"])
    page = page_of(table, 8, 5, timings=Timings(plan=0.25, execute=0.5))
    assert page["data"] == [[8, 8], [9, 9]]
    assert (page["row_count"], page["start"]) == (10, 8)
    assert page["columns"] == [{"name": "n", "type": "int64"}] * 2
    assert page["execution_time"] == 0.75
    assert page["route"]["candidates"][0]["estimate"]["unknown"] == ["rows"]
    assert page["route"]["candidates"][1] == {
        "engine": "spark",
        "feasible": False,
        "reason": "not installed",
        "overridable": False,
        "plan": [],
        "estimate": None,
    }


def test_a_result_without_columns_or_rows_is_a_page():
    assert page_of(pa.table({}))["data"] == []
    assert page_of(pa.table({"a": [1]}), 5)["data"] == []


def test_what_was_cut_or_lossy_is_told():
    page = page_of(pa.table({"a": [1]}), truncated="Only 1 row.", notices=(Notice("lossy", "A cut."),))
    assert (page["truncated"], page["truncated_reason"]) == (True, "Only 1 row.")
    assert page["notices"] == [{"code": "lossy", "message": "A cut."}]


def test_a_table_without_asked_columns_says_so():
    table = Table("orders", "frame", statistics=Statistics(3, 240, "DataFrame"))
    shown = wire.table_json(table)
    assert (shown["rows"], shown["bytes"], shown["source"]) == (3, 240, "DataFrame")
    assert shown["columns"] is None
    table = Table("orders", columns=(Column("id", "BIGINT", nullable=False, primary_key=True),))
    assert wire.table_json(table)["columns"] == [
        {
            "name": "id",
            "type": "BIGINT",
            "nullable": False,
            "comment": None,
            "primary_key": True,
            "references": "",
        }
    ]


def test_a_run_starts_in_utc_whatever_zone_it_was_kept_in():
    zone = dt.timezone(dt.timedelta(hours=2))
    entry = HistoryEntry(
        "1", dt.datetime(2026, 3, 1, 14, tzinfo=zone), "ann", "local", RunState.LOST, "SELECT 1"
    )
    shown = wire.history_json(entry)
    assert shown["started_at"] == "2026-03-01T12:00:00Z"
    assert (shown["state"], shown["seconds"], shown["kind"]) == ("lost", None, "unknown")


@given(st.text().filter(lambda text: not (text.isascii() and text.isdecimal())) | st.just("0"))
def test_what_is_no_whole_number_in_the_range_is_refused(text):
    with pytest.raises(UsageError) as refused:
        wire.integer(text, "limit", minimum=1, maximum=1000)
    assert refused.value.hint == "Give a whole number from 1 to 1000."


@pytest.mark.parametrize("text", ["1", "1000", "007"])
def test_a_whole_number_in_the_range_is_read(text):
    assert wire.integer(text, "limit", minimum=1, maximum=1000) == int(text)
