"""``ResultView``: what crosses to the browser, what is saved, and when rows are let go."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.models import Candidate, Estimate, Notice, Route, Timings
from aiser_jupyter.render import mimebundle, status_line
from aiser_jupyter.result import QueryResult
from aiser_jupyter.widgets import ResultView
from aiser_jupyter.widgets.windows import LIVE_TABLES

ROUTE = Route(
    "duckdb",
    "files are read here",
    (
        Candidate("duckdb", True, "files are read here", Estimate(0.4, 3, 1000, unknown=("rows",))),
        Candidate("spark", False, "not installed"),
    ),
)


def answer(rows: int = 3, **other: Any) -> QueryResult:
    table = pa.table({"n": range(rows), "s": ["<b>x</b>"] * rows})
    return QueryResult("1", table, ROUTE, Timings(plan=0.003, execute=0.3), **other)


class Sent(ResultView):
    """Keeps what it would send: a comm needs a kernel."""

    def __init__(self, result: QueryResult) -> None:
        self.sent: list[Any] = []
        super().__init__(result)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append(content)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    ResultView.close_all()


def test_the_state_holds_the_first_rows_and_what_is_said() -> None:
    result = answer(cached=True, truncated="Only 3 rows.", notices=(Notice("lossy", "n is text"),))
    view = ResultView(result)
    state = json.loads(
        json.dumps({name: getattr(view, name) for name in ("rows", "columns", "head", "summary")})
    )
    assert state["rows"] == 3
    assert state["head"] == [["0", "1", "2"], ["<b>x</b>"] * 3]
    summary = state["summary"]
    assert summary["status"] == status_line(result)
    assert [part["name"] for part in summary["parts"]] == ["plan", "execute"]
    assert [remark["label"] for remark in summary["remarks"]] == ["cached", "truncated", "note"]
    assert [(c["engine"], c["chosen"], c["feasible"]) for c in summary["candidates"]] == [
        ("duckdb", True, True),
        ("spark", False, False),
    ]
    assert summary["candidates"][0]["unknown"] == "rows"


def test_the_state_stays_small() -> None:
    view = ResultView(answer(100_000))
    shown = json.dumps([view.head, view.summary, view.columns])
    assert len(shown) < 5_000
    assert len(view.head[0]) == 50


def test_saved_beside_the_widget_is_the_static_table() -> None:
    result = answer(100)
    view = ResultView(result, rows=5)
    bundle = view._repr_mimebundle_()
    assert bundle is not None
    data, _ = bundle
    assert data["text/html"] == mimebundle(result, 5)["text/html"]
    assert data["text/plain"] == mimebundle(result, 5)["text/plain"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id


def test_messages_are_answered_through_the_widget() -> None:
    view = Sent(answer(3))
    view._handle_custom_msg({"kind": "window", "start": 1, "count": 5, "sort": None}, [])
    view._handle_custom_msg({"kind": "window", "start": "1"}, [])
    view._handle_custom_msg("nonsense", [])
    assert [message["kind"] for message in view.sent] == ["window", "error"]
    assert view.sent[0]["cells"][0] == ["1", "2"]


def test_an_old_view_lets_its_table_go_and_says_so() -> None:
    first = Sent(answer(3))
    held = weakref.ref(first.shelf.get(first._number))
    for _ in range(LIVE_TABLES):
        ResultView(answer(1))
    gc.collect()
    assert held() is None
    first._handle_custom_msg({"kind": "window", "start": 0, "count": 5, "sort": None}, [])
    assert first.sent[0]["kind"] == "released"
    assert "run the cell again" in first.sent[0]["message"]
    assert len(ResultView.shelf) == LIVE_TABLES


def test_closing_a_view_lets_its_table_go() -> None:
    view = ResultView(answer(3))
    assert view.shelf.get(view._number) is not None
    view.close()
    assert view.shelf.get(view._number) is None


def test_a_statement_without_rows_is_only_its_status() -> None:
    view = ResultView(QueryResult("1", pa.table({}), ROUTE))
    assert view.columns == []
    assert view.summary["status"].startswith("duckdb")


def test_columns_that_are_not_shown_are_counted() -> None:
    wide = QueryResult("1", pa.table({f"c{i}": [1] for i in range(250)}), ROUTE)
    assert ResultView(wide).summary["remarks"] == [
        {"label": "note", "text": "50 more columns are not shown here."}
    ]


def test_the_module_sent_to_the_browser_is_whole() -> None:
    script = str(ResultView._esm)
    assert script.index("class Rows") < script.index("class Grid") < script.index("export default { render }")
    assert ".aiser-grid" in str(ResultView._css)


def test_importing_the_package_imports_no_widget_library() -> None:
    code = (
        "import sys, aiser_jupyter.widgets\n"
        "print([m for m in ('anywidget', 'ipywidgets', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
