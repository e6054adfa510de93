"""Results and errors as text and HTML: readable, small, and never markup made of data."""

from __future__ import annotations

import datetime as dt
import decimal
import doctest
import html.parser
import importlib
import re
import uuid

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import DataError, QuerySyntaxError
from aiser_jupyter.models import Candidate, Estimate, Notice, Route, Timings
from aiser_jupyter.render import (
    error_html,
    error_text,
    format_cell,
    format_column,
    mimebundle,
    result_text,
    status_line,
    visible,
)
from aiser_jupyter.result import QueryResult

REASON = "files and DataFrames are read here"
TIMINGS = Timings(plan=0.003, execute=0.31, fetch=0.088, convert=0.0124)

PAYLOADS = {
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "command": '<button data-commandlinker-command="notebook:run-all-cells">x</button>',
    "link": '<a href="javascript:alert(1)">x</a>',
    "attribute": '" onmouseover="alert(1)" x="',
    "quote": "' onmouseover='alert(1)' x='",
    "table": "</td></tr></table></div><h1>x</h1>",
    "comment": "<!-- --><!--",
    "style": "<style>*{display:none}</style>",
    "entity": "&lt;script&gt;&amp;",
    "inline math": r"$\href{javascript:alert(1)}{x}$",
    "display math": r"$$\href{javascript:alert(1)}{x}$$",
    "parenthesis math": r"\(\href{javascript:alert(1)}{x}\)",
    "environment": r"\begin{equation}x\end{equation}",
    "ansi": "\x1b[31mred\x1b]8;;http://127.0.0.1/\x07link\x1b]8;;\x07\x9b2J",
    "bidi": "abc\u202edcba\u2066x\u2069\u200f",
    "hidden": "a\u200bb\ufeffc\u2028d\U000e0041",
    "control": "a\0b\rc\bd\ne",
    "path": "/etc/hostname",
    "address": "http://127.0.0.1:9/canary",
    "megabyte": "<b>" * 350_000,
}
ELEMENTS = {
    *("div", "table", "thead", "tbody", "tr", "th", "td", "br", "small", "em", "strong", "span", "p", "pre"),
    *("details", "summary"),
}
ATTRIBUTES = {
    "class": {"aiser-output", "aiser-error", "aiser-result", "tex2jax_ignore", "mathjax_ignore"},
    "style": {
        "overflow-x:auto",
        "text-align:left",
        "text-align:left;white-space:nowrap",
        "text-align:right;white-space:nowrap",
        "text-align:left;min-width:30em;overflow-wrap:anywhere",
    },
    "role": {"alert"},
}
DANGEROUS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200f\u2028-\u202e\u2066-\u2069\ufeff\U000e0041]")


class Page(html.parser.HTMLParser):
    """Reads a page and keeps its elements, their attributes and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.other: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def handle_decl(self, decl: str) -> None:
        self.other.append(decl)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def assert_ours(page: Page) -> None:
    assert page.other == []
    for tag, attributes in page.elements:
        assert tag in ELEMENTS
        for name, value in attributes.items():
            if name == "title":
                continue
            assert name in ATTRIBUTES
            assert set((value or "").split(" ")) <= ATTRIBUTES[name]
    for text in page.texts:  # a formula needs both its ends in one text
        assert text in ("$", "\\") or not re.search(r"[$\\]", text)
    assert not DANGEROUS.search(page.text)


def result(table: pa.Table, **other: object) -> QueryResult:
    route = other.pop("route", Route("duckdb", REASON))
    return QueryResult("1", table, route, other.pop("timings", TIMINGS), **other)  # type: ignore[arg-type]


def payload_result(payload: str) -> QueryResult:
    """The payload in every place that data reaches."""
    estimate = Estimate(1.5, 10, 1000, unknown=(payload,))
    candidates = (Candidate("duckdb", True, payload, estimate), Candidate(payload, False, payload))
    table = pa.table(
        {
            payload: [payload, None],
            "nested": [{"a": payload}, None],
            "list": [[payload], []],
            "enum": pa.array([payload, ""]).dictionary_encode(),
            "bytes": [payload.encode(), b""],
            "struct": pa.array([{payload[:300]: 1}, None]),
        }
    )
    return result(
        table,
        route=Route("duckdb", payload, candidates),
        connection=payload,
        sql=payload,
        truncated=payload,
        cached=True,
        notices=(Notice(payload, payload), Notice("lossy", payload)),
    )


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_anywhere_in_a_result_is_only_text(name: str) -> None:
    bundle = mimebundle(payload_result(PAYLOADS[name]))
    assert set(bundle) == {"text/html", "text/plain"}
    assert_ours(Page(bundle["text/html"]))
    assert not DANGEROUS.search(bundle["text/plain"])
    assert len(bundle["text/html"]) < 60_000
    assert len(bundle["text/plain"]) < 10_000


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_in_an_error_is_only_text(name: str) -> None:
    exc = QuerySyntaxError(PAYLOADS[name], hint=PAYLOADS[name], line=2, column=5)
    assert_ours(Page(error_html(exc)))
    assert not DANGEROUS.search(error_text(exc))
    assert len(error_text(exc)) < 10_000


def test_a_payload_is_shown_and_not_dropped() -> None:
    page = Page(mimebundle(payload_result(PAYLOADS["table"]))["text/html"])
    assert page.text.count(PAYLOADS["table"]) >= 5
    math = Page(mimebundle(payload_result(PAYLOADS["inline math"]))["text/html"])
    assert PAYLOADS["inline math"] in math.text


@given(st.text(max_size=60))
@example("\ud800")
@settings(max_examples=300, deadline=None)
def test_any_text_is_one_harmless_line(text: str) -> None:
    shown = visible(text)
    assert not DANGEROUS.search(shown)
    assert "\n" not in shown
    shown.encode()
    page = Page(mimebundle(result(pa.table({shown: [shown]})))["text/html"])
    assert_ours(page)
    assert shown in page.text


def test_status_line() -> None:
    table = pa.table({"n": pa.nulls(1204)})
    assert status_line(result(table)) == (
        "duckdb · 0.41 s (plan 3 ms, execute 310, fetch 88, convert 12) · 1,204 rows · "
        "why: files and DataFrames are read here"
    )
    assert status_line(result(table.slice(0, 1), timings=Timings(plan=0.0004))) == (
        f"duckdb · <1 ms · 1 row · why: {REASON}"
    )
    assert status_line(result(table, timings=Timings(execute=12.3456, queue=1.2))) == (
        f"duckdb · 13.5 s (queue 1,200 ms, execute 12,346) · 1,204 rows · why: {REASON}"
    )


def test_status_line_names_the_cache_a_cut_and_notices() -> None:
    notices = tuple(Notice(code, "") for code in ("lossy_type", "hidden_name", "x", "y", "z"))
    line = status_line(
        result(
            pa.table({"n": [1, 2]}),
            cached=True,
            truncated="Only the first 2 rows were fetched.",
            notices=notices,
        )
    )
    assert line.startswith("duckdb · cached · 0.41 s (")
    assert " · 2 rows, truncated · notes: lossy_type, hidden_name, x, 2 more · why: " in line


def test_a_statement_without_rows_has_no_table() -> None:
    done = result(pa.table({}))
    assert result_text(done) == status_line(done)
    assert "rows" not in status_line(done)
    assert 'class="aiser-result' not in mimebundle(done)["text/html"]


def test_text_table_aligns_wide_letters_and_numbers() -> None:
    table = pa.table({"市": ["東京", "a", None, ""], "n": [1, 20, 300, None]})
    assert result_text(result(table)).split("\n")[:6] == [
        "市       n",
        "────  ────",
        "東京     1",
        "a       20",
        "NULL   300",
        "      NULL",
    ]


def test_text_table_keeps_to_the_width_and_counts_what_is_left_out() -> None:
    table = pa.table({f"column_{i}": ["x" * 300] * 30 for i in range(5)})
    lines = result_text(result(table), width=60).split("\n")
    assert all(len(line) <= 60 for line in lines[:23])
    assert lines[22] == "… 10 more rows and 4 more columns"
    assert lines[2].endswith("x…")


def test_saved_html_is_small() -> None:
    wide = pa.table({f"c{i}": ["x" * 1000] * 100 for i in range(80)})
    page = Page(mimebundle(result(wide))["text/html"])
    tags = [tag for tag, _ in page.elements]
    assert tags.count("tr") == 21 + 5  # and a row for each part of the timings
    assert tags.count("td") == 20 * 50 + 4 * 2
    assert "80 more rows and 30 more columns" in page.text
    assert max(map(len, page.texts)) <= 200


def test_html_tells_null_from_empty_and_numbers_to_the_right() -> None:
    page = mimebundle(result(pa.table({"s": ["", None], "n": [1, 2]})))["text/html"]
    left, right = "text-align:left;white-space:nowrap", "text-align:right;white-space:nowrap"
    assert f'<td style="{left}"></td><td style="{right}">1</td>' in page
    assert f'<td style="{left}"><em>NULL</em></td>' in page
    assert f'<th style="{right}" title="int64">n<br><small>int64</small></th>' in page


def test_html_shows_every_candidate_and_the_timings() -> None:
    candidates = (
        Candidate(
            "duckdb", True, REASON, Estimate(0.42, 1204, 1_200_000, unknown=("rows after the filter",))
        ),
        Candidate("direct_sql", False, "the local connection has no server"),
    )
    page = Page(
        mimebundle(result(pa.table({"n": [1]}), route=Route("duckdb", REASON, candidates)))["text/html"]
    )
    details = page.text.partition("Engines and timings")[2]
    for word in ("duckdb (chosen)", "0.42 s", "1,204", "1.2 MB", "rows after the filter"):
        assert word in details
    assert "direct_sqlno" in details
    assert "unknown" in details
    assert "execute0.31 s" in details


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "NULL"),
        ("", ""),
        ("NULL", "NULL"),
        (True, "true"),
        (2**64, "18446744073709551616"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (float("nan"), "nan"),
        (-0.0, "-0.0"),
        (np.float64(0.1), "0.1"),
        (decimal.Decimal("1E-10"), "0.0000000001"),
        (decimal.Decimal("1.50"), "1.50"),
        (b"\x00\xff", "0x00ff"),
        (b"a" * 100, "0x" + "61" * 32 + "… (100 bytes)"),
        (dt.datetime(2024, 1, 2, 3, 4, 5, 600000), "2024-01-02 03:04:05.600000"),
        (dt.date(1, 1, 1), "0001-01-01"),
        (dt.time(23, 59), "23:59:00"),
        (dt.timedelta(days=-1, seconds=1), "-23:59:59"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([1, None, "a\n"], r'[1, NULL, "a\n"]'),
        ({"a": [0.5]}, '{"a": [0.5]}'),
        ("a\tb\nc", "a⇥b↵c"),
        ("x" * 201, "x" * 199 + "…"),
        ("x" * 200, "x" * 200),
    ],
    ids=repr,
)
def test_format_cell(value: object, shown: str) -> None:
    assert format_cell(value) == shown


def test_a_date_that_python_has_not_is_shown_wherever_it_stands() -> None:
    far = pa.array([6_585_060], pa.int32()).view(pa.date32())
    union = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [far])
    struct = pa.StructArray.from_arrays([far], ["a"])
    shown = [format_cell(each[0]) for each in (far, far.dictionary_encode(), union, struct)]
    assert shown == ["19999-04-14", "19999-04-14", "19999-04-14", "{a: 19999-04-14}"]


COLUMNS = {
    "far date": (pa.array([2932897, 2**31 - 1, -719163], pa.date32()), ["10000-01-01", "5881580-07-11"]),
    "far instant": (pa.array([2**62], pa.timestamp("us")), ["148108-07-06 14:00:27.387904"]),
    "nanoseconds": (pa.array([1_000_000_001], pa.timestamp("ns")), ["1970-01-01 00:00:01.000000001"]),
    "milliseconds": (pa.array([1500], pa.timestamp("us")), ["1970-01-01 00:00:00.001500"]),
    "zone": (pa.array([0], pa.timestamp("s", "Europe/Berlin")), ["1970-01-01 01:00:00+01:00"]),
    "far zone": (pa.array([2**62], pa.timestamp("us", "UTC")), ["148108-07-06 14:00:27.387904+00:00"]),
    "midnight": (pa.array([86_400 * 10**6, 0], pa.time64("us")), ["24:00:00", "00:00:00"]),
    "float32": (pa.array([0.1, None], pa.float32()), ["0.1", None]),
    "list of float32": (pa.array([[0.1, None]], pa.list_(pa.float32())), ["[0.1, NULL]"]),
    "interval": (
        pa.array([(14, 3, 10**9), (0, 0, 0), (-1, 0, 0)], pa.month_day_nano_interval()),
        ["1 year 2 months 3 days 00:00:01", "00:00:00", "-1 month"],
    ),
    "span": (pa.array([-(86_400 * 10**3 + 500)], pa.duration("ms")), ["-1 day 00:00:00.500"]),
    "map": (pa.array([[(1, "a")]], pa.map_(pa.int8(), pa.string())), ['{1: "a"}']),
    "struct": (pa.array([{"a": None}]), ["{a: NULL}"]),
    "same fields": (pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), ["{a: 1, a: 2}"]),
    "uuid": (
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"\0" * 16], pa.binary(16))),
        [str(uuid.UUID(int=0))],
    ),
    "empty text": (pa.array(["", None]), ["", None]),
    "long list": (pa.array([list(range(10**5))]), [("[" + ", ".join(map(str, range(100))))[:199] + "…"]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_shown_as_it_is(name: str) -> None:
    array, shown = COLUMNS[name]
    assert format_column(pa.chunked_array([array]))[: len(shown)] == shown


def test_error_text_says_where_and_what_to_do() -> None:
    exc = QuerySyntaxError("syntax error\nat or near FORM", hint="Did you mean 'FROM'?", line=2, column=5)
    assert error_text(exc) == (
        "QuerySyntaxError (line 2, column 5): syntax error\nat or near FORM\nHint: Did you mean 'FROM'?"
    )
    assert error_text(DataError("It is not UTF-8.")) == "DataError: It is not UTF-8."
    said_already = QuerySyntaxError("near FORM (line 2, column 5).", line=2, column=5)
    assert error_text(said_already) == "QuerySyntaxError: near FORM (line 2, column 5)."
    assert Page(error_html(exc)).text == error_text(exc)


@pytest.mark.parametrize("module", ["render.cells", "render.text", "frames", "result"])
def test_examples_run(module: str) -> None:
    done = doctest.testmod(importlib.import_module(f"aiser_jupyter.{module}"))
    assert done.attempted > 0
    assert done.failed == 0
