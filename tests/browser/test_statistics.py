"""The statistics in the panel and in a tab: figures of a real store, tests of real databases."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from aiser_jupyter.models import RunState, Timings
from tests.browser.doing import HOSTILE, STEPS, faint, steps_of
from tests.browser.lab import prepared

DAY = 86400.0
LINES = """element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getClientRects().length;
}"""


@pytest.fixture
def section(page, panel):
    """Show the section in the sidebar, alone, and return it."""

    def show(width=300):
        shown = panel(width)
        for title in shown.locator(".lm-AccordionPanel-title").all():
            wanted = title.inner_text().strip().lower() == "statistics"
            if title.get_attribute("aria-expanded") != str(wanted).lower():
                title.locator(".lm-AccordionPanel-titleLabel").click()
        return shown.locator(".aiser-Section", has=page.get_by_label("Statistics of"))

    return show


def part(section, name):
    return section.get_by_role("region", name=name, exact=True)


def remember_some(remember):
    """Eleven runs: two engines, three days, every end."""
    for number in range(5):
        remember(f"SELECT {number}", ago=100 + number, engine="duckdb", seconds=0.01 * (number + 1), rows=10)
    remember(
        "SELECT region, sum(amount) AS total\nFROM orders GROUP BY region",
        ago=2 * DAY,
        connection="shop",
        engine="direct_sql",
        seconds=4.0,
        rows=1200,
        timings=Timings(plan=0.1, execute=3.4, fetch=0.5),
    )
    remember("SELECT 1", ago=20, engine="duckdb", seconds=0.0004, rows=1, cached=True)
    failed = {"state": RunState.FAILED, "error_code": "unknown_table", "seconds": 0.002}
    remember("SELECT * FROM ordres", ago=9 * DAY, error="There is no table 'ordres'.", **failed)
    remember(f"SELECT * FROM {HOSTILE}", ago=30, error=f"There is no table {HOSTILE!r}.", **failed)
    remember(
        "SELECT * FROM events",
        ago=40,
        connection="shop",
        state=RunState.FAILED,
        error_code="deadline_exceeded",
        error="It took longer than 30 s.",
        engine="direct_sql",
        seconds=30.0,
    )
    remember("SELECT * FROM events", ago=50, state=RunState.CANCELLED, engine="direct_sql", seconds=61.0)


def lengths(place):
    """How long the bars are that stand in it, in pixels."""
    return [bar.bounding_box()["width"] for bar in place.locator(".aiser-Bar > span").all()]


class TestFigures:
    def test_nothing_has_run_yet(self, lab, page, section, remember, screenshot):
        lab.open(page)
        shown = section()
        expect(part(shown, "Queries")).to_contain_text("Nothing has run yet in the last 7 days.")
        expect(part(shown, "Queries")).to_contain_text("Run a cell that begins with %%aiser")
        expect(part(shown, "Connections")).to_contain_text("No database is connected yet.")
        screenshot("statistics-empty")
        part(shown, "Connections").get_by_role("button", name="Connect a database").click()
        expect(page.get_by_role("form", name="New connection")).to_be_visible()

    def test_they_are_those_of_the_store(self, lab, page, section, remember):
        remember_some(remember)
        lab.open(page)
        shown = section()
        tiles = part(shown, "Queries").locator(".aiser-Tile")
        expect(tiles).to_have_text([r"queries10", "median30 ms", "95 % within4.00 s", "rows1,251"])
        ends = part(shown, "Queries").get_by_role("list", name="Queries by how they ended")
        expect(ends.get_by_role("listitem")).to_have_text(
            ["computed 6", "cached 1", "failed 2", "cancelled 1"]
        )
        engines = part(shown, "By engine")
        expect(engines.get_by_role("listitem")).to_have_text(
            [
                "duckdb6 queriesmedian 30 ms · 95 % within 50 ms · 1 cached",
                "direct_sql3 queriesmedian 4.00 s · 95 % within 4.00 s · 1 failed",
                "no engine yet1 querynothing computed · 1 failed",
            ]
        )
        longest, second, last = lengths(engines)
        assert (longest / second, longest / last) == (pytest.approx(2, rel=0.05), pytest.approx(6, rel=0.05))
        connections = part(shown, "By connection")
        expect(connections.get_by_role("listitem").first).to_contain_text("local8 queries")

    def test_another_time_is_counted_anew(self, lab, page, section, remember):
        remember_some(remember)
        lab.open(page)
        shown = section()
        runs = part(shown, "Queries").locator(".aiser-Tile dd").first
        expect(runs).to_have_text("10")
        shown.get_by_label("Statistics of").select_option("today")
        expect(runs).to_have_text(re.compile("^[0-9]$"))  # minutes after midnight some are of yesterday
        expect(shown.locator(".aiser-Day")).to_have_count(0)
        shown.get_by_label("Statistics of").select_option("the last 30 days")
        expect(runs).to_have_text("11")
        expect(shown.locator(".aiser-Day")).to_have_count(30)
        days = shown.get_by_role("list", name="Queries by day").get_by_role("listitem")
        expect(days.first).to_contain_text("1 query, 1 failed")

    def test_the_slowest_opens_its_statement_and_copies_it(self, lab, page, section, remember):
        remember_some(remember)
        lab.open(page)
        slowest = part(section(), "Slowest")
        entries = slowest.locator(".aiser-Entry")
        expect(entries).to_have_count(6)
        expect(entries.first).to_contain_text("direct_sql · 4.00 s · 1,200 rows · shop")
        entries.first.get_by_role("button").first.click()
        expect(entries.first.get_by_label("Statement", exact=True)).to_have_text(
            "SELECT region, sum(amount) AS total\nFROM orders GROUP BY region"
        )
        page.evaluate("navigator.clipboard.writeText('something else')")
        entries.first.get_by_role("button", name="Copy the statement").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("SELECT region, sum(amount)")
        shown = lengths(slowest)
        assert shown[0] / shown[1] == pytest.approx(80, rel=0.2)

    def test_errors_have_their_newest_message_as_text_and_what_helps(self, lab, page, section, remember):
        remember_some(remember)
        lab.open(page)
        shown = section()
        shown.get_by_label("Statistics of").select_option("the last 30 days")
        errors = part(shown, "Errors").get_by_role("listitem")
        expect(errors).to_have_count(2)
        expect(errors.first).to_contain_text(re.compile("unknown table2 timesnewest .* ago"))
        expect(errors.first.locator("pre")).to_have_text(f"There is no table '{HOSTILE}'.")
        expect(errors.first).to_contain_text("Look for it in the catalog, or with %aiser search.")
        expect(errors.nth(1)).to_contain_text("Ask for less, or give it longer with --timeout.")
        assert shown.locator("img").count() == 0


class TestConnections:
    def test_each_is_tried_down_to_a_query_with_its_time_step_by_step(
        self, lab, page, section, shop, screenshot
    ):
        lab.open(page)
        shown = part(section(), "Connections")
        expect(shown).to_contain_text("1 connection")
        expect(shown.get_by_role("list", name="Connections by state")).to_have_text("working 1")
        shown.get_by_role("button", name="Test shop").click()
        test = shown.get_by_role("region", name="Test of shop")
        expect(test).to_contain_text("The connection works.")
        assert steps_of(test) == dict.fromkeys(STEPS, "passed")
        times = lengths(test)  # the slowest step has the whole width
        assert max(times) == pytest.approx(test.locator(".aiser-Bar").first.bounding_box()["width"], abs=1)
        assert min(times) < max(times)
        screenshot("statistics-test")
        shown.get_by_role("button", name="Close the test of shop").click()
        expect(test).to_have_count(0)

    def test_one_that_fails_is_red_and_says_at_which_step(self, lab, page, section, shop, postgresql):
        lab.open(page)
        shown = part(section(), "Connections")
        expect(shown.get_by_role("list", name="Connections by state")).to_have_text("working 1")
        postgresql.admin("ALTER ROLE ann PASSWORD 'changed meanwhile'")
        try:
            shown.get_by_role("button", name="Test shop").click()
            last = shown.get_by_role("region", name="Test of shop").locator(".aiser-Check").last
            expect(last).to_contain_text("Login")
            expect(last).to_contain_text("Check user and password.")
            expect(last.get_by_role("img", name="failed")).to_be_visible()
        finally:
            postgresql.admin(f"ALTER ROLE ann PASSWORD '{postgresql.password}'")
        shown.get_by_role("button", name="Test shop").click()
        expect(shown).to_contain_text("The connection works.")


class TestStates:
    def test_it_says_that_it_counts(self, lab, page, section, remember):
        held = []
        address = "**/aiser/data/enterprise/statistics*"
        page.route(address, lambda route: held.append(route))
        lab.open(page)
        shown = section()
        expect(shown.get_by_role("status")).to_have_text("Counting…")
        page.unroute(address)
        for route in held:
            route.continue_()
        expect(shown).to_contain_text("Nothing has run yet")
        page.unroute_all(behavior="ignoreErrors")

    def test_it_is_worked_with_the_keyboard(self, lab, page, section, remember, shop):
        remember_some(remember)
        lab.open(page)
        shown = section()
        expect(part(shown, "Queries")).to_be_visible()
        shown.get_by_label("Statistics of").focus()
        page.keyboard.press("Tab")
        expect(shown.get_by_role("button", name="Test shop")).to_be_focused()
        page.keyboard.press("Enter")
        expect(shown.get_by_role("region", name="Test of shop")).to_contain_text("The connection works.")
        first = part(shown, "Slowest").get_by_role("button").first
        first.press("Enter")
        expect(first).to_have_attribute("aria-expanded", "true")

    @pytest.mark.timeout(300)  # it starts a server three times
    def test_a_server_that_is_restarted(self, assets, page, section, context, tmp_path_factory, screenshot):
        lab = prepared(tmp_path_factory.mktemp("restarted"))
        page.add_locator_handler(  # JupyterLab says that the server is gone, too
            page.locator(".jp-Dialog"), lambda _: page.keyboard.press("Escape")
        )
        with lab.running():
            assert lab.ask("POST", "data/query/execute", {"query": "SELECT 42"})["data"] == [[42]]
            lab.open(page)
            shown = section()
            runs = part(shown, "Queries").locator(".aiser-Tile dd").first
            expect(runs).to_have_text("1")
        alert = shown.get_by_role("alert")
        page.get_by_role("button", name="Refresh the statistics").click()
        expect(alert).to_contain_text("The Jupyter server does not answer.")
        expect(shown).to_contain_text(re.compile(r"The figures are of \d"))
        expect(runs).to_have_text("1")
        screenshot("statistics-gone")
        with lab.running():
            shown.get_by_role("button", name="Try again").click()
            expect(alert).to_have_count(0)
            expect(shown).not_to_contain_text("The figures are of")
        with replace(lab, token="another").running():
            context.clear_cookies()
            page.get_by_role("button", name="Refresh the statistics").click()
            expect(alert).to_contain_text("reload the page")


def test_it_is_pleasant_in_both_themes_and_widths(
    lab, page, section, panel, theme, remember, shop, screenshot
):
    remember_some(remember)
    lab.open(page)
    shown = section()
    shown.get_by_role("button", name="Test shop").click()
    expect(shown).to_contain_text("The connection works.")
    for name in ("JupyterLab Light", "JupyterLab Dark"):
        theme(name)
        assert faint(shown) == []
        for width in (240, 300):
            panel(max(250, width))  # JupyterLab has no narrower one
            shown.evaluate("(e, width) => { e.style.maxWidth = `${width}px` }", width)
            page.mouse.move(1000, 700)
            day = shown.locator(".aiser-Days-axis > span").first
            assert day.evaluate(LINES) == 1
            for at, place in enumerate(("Connections", "Queries", "By connection", "Errors")):
                part(shown, place).evaluate("e => e.scrollIntoView({block: 'start'})")
                assert shown.evaluate("e => [e, ...e.children].every(c => c.scrollWidth <= c.clientWidth)")
                screenshot(f"statistics-{name.split()[1].lower()}-{width}-{at}")
    shown.evaluate("e => { e.style.maxWidth = '' }")
    panel(540).get_by_role("button", name="Open the statistics in a tab").click()
    tab = page.locator("#aiser-statistics")
    expect(part(tab, "By engine")).to_be_visible()
    tab.get_by_role("button", name="Test shop").click()
    expect(tab).to_contain_text("The connection works.")
    for name in ("JupyterLab Light", "JupyterLab Dark"):
        theme(name)
        for width in (540, 250):  # leaves about 700 px, and 1000
            panel(width)
            page.mouse.move(1000, 700)
            assert tab.evaluate("e => e.scrollWidth <= e.clientWidth")
            screenshot(f"statistics-tab-{name.split()[1].lower()}-{width}")
