"""The AISER panel: the kernel's tables, the store's history, and a word for every state between."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from aiser_jupyter.models import HistoryEntry, RunState, StatementKind, Timings
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History
from tests.browser.doing import faint

COMM = """
from comm import get_comm_manager

TABLES = [
    dict(name="orders", kind="frame", schema=None, rows=3, bytes=240, source="DataFrame", comment=None),
    dict(name="order", kind="frame", schema=None, rows=1, bytes=80, source="DataFrame", comment=None),
    dict(name="it's/sales 2026.parquet", kind="file", schema=None, rows=None, bytes=1572864,
         source="file size", comment=None),
    dict(name="<img src=x onerror=alert(1)>", kind="frame", schema=None, rows=None, bytes=None,
         source="unknown", comment=None),
]
COLUMNS = [dict(name="id", type="BIGINT", nullable=False, comment=None),
           dict(name="amount", type="DECIMAL(18,2)", nullable=True, comment="net, in euro")]
opened = []

def answer(comm, request):
    if request["request"] == "tables":
        return dict(tables=[dict(table, columns=None) for table in TABLES])
    if request["kind"] == "file":
        return dict(error=dict(success=False, error="The file is gone.", error_code="data",
                               hint="Run the cell that writes it."))
    return dict(table=dict(TABLES[0], name=request["table"], columns=COLUMNS))

def accept(comm, message):
    opened.append(comm)
    @comm.on_msg
    def reply(message):
        request = message["content"]["data"]
        comm.send(dict(answer(comm, request), id=request["id"]))

get_comm_manager().register_target("aiser_jupyter", accept)
"""
"""Stands in for the kernel's side of the comm: what the panel does with its answers is tested here."""


def remember_one_of_each_end(remember):
    """Runs that are done, failed, cached, cancelled and still running."""
    remember(
        "SELECT o.region, c.segment, sum(o.amount) AS total\nFROM orders o\n"
        "JOIN 'customers.parquet' c ON c.id = o.customer_id\nGROUP BY ALL",
        ago=4000,
        engine="duckdb",
        reason="DataFrames and files are read where they are, without a copy",
        estimated_seconds=0.9,
        seconds=1.31,
        timings=Timings(0.02, 0.01, 0.08, 0.9, 0.2, 0.1),
        rows=48,
        bytes=4096,
    )
    remember(
        "SELECT * FROM ordres",
        ago=900,
        state=RunState.FAILED,
        engine="duckdb",
        error_code="unknown_table",
        error="There is no table 'ordres'.\nHint: Did you mean 'orders'?",
        seconds=0.004,
    )
    remember("SELECT 1", ago=500, engine="duckdb", seconds=0.0004, rows=1, cached=True)
    remember("SELECT * FROM events", ago=200, state=RunState.CANCELLED, engine="direct_sql", seconds=61)
    remember("SELECT count(*) FROM lineitem", ago=2, state=RunState.RUNNING, engine="duckdb")


def run_all(page):
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")


def sources(page):
    """Sources of the current notebook's cells."""
    return page.evaluate(
        "[...jupyterapp.shell.currentWidget.content.model.cells].map(cell => cell.sharedModel.getSource())"
    )


def test_nothing_open_is_said(lab, page, panel, screenshot):
    lab.open(page)
    expect(panel()).to_contain_text("Open a notebook to see its DataFrames and files.")
    expect(panel()).to_contain_text("No queries yet.")
    screenshot("empty")


def test_a_kernel_without_the_extension_offers_to_load_it(lab, page, panel, screenshot):
    lab.notebook("plain.ipynb", ["x = 1"])
    lab.open(page, "plain.ipynb")
    expect(panel()).to_contain_text("The extension is not loaded in this kernel.")
    screenshot("not-loaded")
    panel().get_by_role("button", name="Insert and run").click()
    page.wait_for_function("jupyterapp.shell.currentWidget.content.widgets.length > 1")
    assert sources(page)[1] == "%load_ext aiser_jupyter"
    expect(panel()).not_to_contain_text("The extension is not loaded")


def test_a_cell_that_loads_the_extension_connects_the_panel_and_a_restart_parts_it(lab, page, panel):
    lab.notebook("late.ipynb", ["x = 1", COMM])
    lab.open(page, "late.ipynb")
    expect(panel()).to_contain_text("The extension is not loaded in this kernel.")
    run_all(page)
    expect(panel().get_by_role("button", name="orders 3 rows")).to_be_visible()
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(panel()).to_contain_text("The extension is not loaded in this kernel.")


class TestCatalog:
    @pytest.fixture
    def shown(self, lab, page, panel):
        lab.notebook("catalog.ipynb", [COMM])
        lab.open(page, "catalog.ipynb")
        run_all(page)
        panel().get_by_role("button", name="orders 3 rows").wait_for()
        return panel()

    def test_columns_are_asked_for_when_a_table_is_opened(self, shown, page, screenshot):
        shown.get_by_role("button", name="orders 3 rows").click()
        expect(shown.locator(".aiser-Column").nth(1)).to_have_text("amountDECIMAL(18,2)net, in euro")
        shown.get_by_role("button", name="it's/sales 2026.parquet 1.5 MiB").click()
        expect(shown).to_contain_text("The file is gone.")
        expect(shown).to_contain_text("Run the cell that writes it.")
        screenshot("catalog")

    def test_names_are_text(self, shown):
        expect(shown).to_contain_text("<img src=x onerror=alert(1)>")
        assert shown.locator("img").count() == 0

    def test_a_long_name_ends_before_the_actions(self, shown):
        row = shown.locator(".aiser-Row", has_text="onerror")
        row.hover()
        name = row.locator(".aiser-Row-name").bounding_box()
        actions = row.locator(".aiser-Row-actions").bounding_box()
        assert name["x"] + name["width"] <= actions["x"]

    def test_search_narrows_the_list(self, shown):
        shown.get_by_label("Search tables").fill("SALES")
        expect(shown.locator(".aiser-Table")).to_have_count(1)
        shown.get_by_label("Search tables").fill("nothing like it")
        expect(shown).to_contain_text("Nothing here is named “nothing like it”.")

    def test_a_query_is_inserted_quoted(self, shown, page):
        expected = ["orders", '"order"', "'it''s/sales 2026.parquet'"]
        names = ["orders", "order", "it's/sales 2026.parquet"]
        for at, (name, quoted) in enumerate(zip(names, expected, strict=True), start=2):
            button = page.get_by_role("button", name=f"Insert query on {name}", exact=True)
            shown.locator(".aiser-Row", has=button).hover()  # the buttons of a row show on hover or focus
            button.click()
            page.wait_for_function(f"jupyterapp.shell.currentWidget.content.widgets.length === {at}")
            assert sources(page)[at - 1] == f"%%aiser\nSELECT * FROM {quoted} LIMIT 100"

    def test_the_kernel_says_when_to_ask_again(self, shown, page):
        page.evaluate(
            """code => jupyterapp.shell.currentWidget.sessionContext.session.kernel
                .requestExecute({code}).done""",
            "TABLES[0]['rows'] = 4; opened[-1].send({'event': 'changed'})",
        )
        expect(shown.get_by_role("button", name="orders 4 rows")).to_be_visible()

    def test_it_is_worked_with_the_keyboard(self, shown, page):
        shown.get_by_label("Search tables").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(shown.get_by_role("button", name="orders 3 rows")).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_function("jupyterapp.shell.currentWidget.content.widgets.length === 2")


class TestHistory:
    def test_a_run_is_told_in_full(self, lab, page, panel, remember):
        remember(
            "-- by region\nSELECT region, sum(amount) AS total\nFROM orders GROUP BY region",
            kind=StatementKind.READ,
            engine="duckdb",
            reason="DataFrames are read where they are",
            estimated_seconds=0.9,
            seconds=1.25,
            timings=Timings(plan=0.05, execute=1.0, fetch=0.2),
            rows=1234,
            bytes=1572864,
        )
        lab.open(page)
        entry = panel().locator(".aiser-Entry").first
        expect(entry.locator(".aiser-Entry-sql")).to_have_text("SELECT region, sum(amount) AS total")
        expect(entry.locator(".aiser-Entry-line")).to_have_text("duckdb · 1.25 s · 1,234 rows · local")
        expect(entry.get_by_role("img", name="Done")).to_be_visible()
        entry.get_by_role("button").first.click()
        facts = dict(
            zip(entry.locator("dt").all_inner_texts(), entry.locator("dd").all_inner_texts(), strict=True)
        )
        assert facts["Why"] == "DataFrames are read where they are"
        assert (facts["Took"], facts["Expected"]) == ("1.25 s", "900 ms")
        assert facts["Result"] == "1,234 rows, 1.5 MiB"
        parts = entry.locator(".aiser-Parts-legend li").all_inner_texts()
        assert parts == ["plan 50 ms", "execute 1.00 s", "fetch 200 ms"]
        widths = [box.bounding_box()["width"] for box in entry.locator(".aiser-Parts-bar > span").all()]
        assert widths[1] / widths[2] == pytest.approx(5, rel=0.1)

    def test_a_run_that_goes_on_is_followed_to_its_end(self, lab, page, panel, remember):
        lab.open(page)
        panel()
        id = remember("SELECT 1", ago=3, state=RunState.RUNNING, engine="duckdb")
        entry = panel().locator(".aiser-Entry").first
        expect(entry.get_by_role("img", name="Running")).to_be_visible()
        store = Store(lab.store)
        history = History(store)
        done = history.get(id)
        history.finish(
            HistoryEntry(id, done.started_at, done.user, "local", RunState.CANCELLED, "SELECT 1", seconds=4.0)
        )
        history.close()
        store.close()
        expect(entry.get_by_role("img", name="Cancelled")).to_be_visible()

    def test_search_asks_the_server(self, lab, page, panel, remember):
        remember("SELECT * FROM orders")
        remember("SELECT * FROM customers", ago=30)
        lab.open(page)
        expect(panel().locator(".aiser-Entry")).to_have_count(2)
        panel().get_by_label("Search history").fill("orders")
        expect(panel().locator(".aiser-Entry")).to_have_count(1)
        panel().get_by_label("Search history").fill("no such text")
        expect(panel()).to_contain_text("No query holds “no such text”.")

    def test_a_statement_goes_back_into_the_notebook(self, lab, page, panel, remember):
        remember("SELECT 1\nFROM t", connection="shop", engine="duckdb", pinned=True)
        lab.notebook("back.ipynb", ["x = 1"])
        lab.open(page, "back.ipynb")
        entry = panel().locator(".aiser-Entry").first
        entry.get_by_role("button").first.click()
        entry.get_by_role("button", name="Insert as cell").click()
        page.wait_for_function("jupyterapp.shell.currentWidget.content.widgets.length === 2")
        assert sources(page)[1] == "%%aiser shop --engine duckdb\nSELECT 1\nFROM t"

    def test_a_server_that_fails_is_said(self, lab, page, panel):
        page.route(
            "**/aiser/data/query/history*", lambda route: route.fulfill(status=502, body="<h1>Bad</h1>")
        )
        lab.open(page)
        expect(panel().get_by_role("alert")).to_have_text("The server answered 502 Bad Gateway.")

    def test_it_is_pleasant_in_both_themes_and_widths(self, lab, page, panel, theme, remember, screenshot):
        remember_one_of_each_end(remember)
        lab.notebook("look.ipynb", [COMM, "%%aiser\nSELECT region, sum(amount)\nFROM orders GROUP BY region"])
        lab.open(page, "look.ipynb")
        page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
        page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
        panel().get_by_role("button", name="orders 3 rows").click()
        entries = panel().locator(".aiser-Entry")
        for row in (3, 4):
            entries.nth(row).get_by_role("button").first.click()
        line = entries.nth(3).locator(".aiser-Entry-line")
        expect(line).to_have_text("unknown table · duckdb · 4 ms · local")
        expect(line).to_have_attribute("title", "unknown table · duckdb · 4 ms · local")
        expect(entries.nth(3).locator(".aiser-Entry-sql")).to_have_attribute("title", "SELECT * FROM ordres")
        for name in ("JupyterLab Light", "JupyterLab Dark"):
            theme(name)
            entries.nth(1).get_by_role("button").first.hover()
            assert faint(panel()) == []
            for width in (250, 300, 500):
                shown = panel(width)
                page.mouse.move(1000, 700)
                for row, part in ((0, "top"), (4, "bottom")):
                    entries.nth(row).evaluate("e => e.scrollIntoView({block: 'start'})")
                    assert shown.evaluate("e => e.scrollWidth <= e.clientWidth")
                    screenshot(f"{name.split()[1].lower()}-{width}-{part}")
