"""The quickstart as a person meets it: cells run, the grid, the engine line and the panel are there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PAYLOADS = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<button data-commandlinker-command='application:close'>close</button>",
    "$\\href{javascript:document.title='owned'}{x}$",
    "</td></table><h1>out</h1>",
]


@pytest.fixture
def quickstart(lab, page):
    folder = lab.root / "quickstart"
    shutil.copytree(
        NOTEBOOKS, folder, ignore=shutil.ignore_patterns("data", ".*", "__pycache__"), dirs_exist_ok=True
    )
    lab.open(page, "quickstart/01_quickstart.ipynb")
    return page


def run_all(page):
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")


def wait_until_idle(page):
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'")


def wait_until_run(page, timeout=120_000):
    """Wait until the last code cell has been executed and the kernel is idle."""
    page.wait_for_function(
        """() => {
            const notebook = jupyterapp.shell.currentWidget;
            const cells = [...notebook.content.model.cells].filter(cell => cell.type === 'code');
            return cells.at(-1).executionCount !== null
                && notebook.sessionContext.session.kernel.status === 'idle';
        }""",
        timeout=timeout,
    )


def test_every_cell_of_the_quickstart_runs(quickstart, panel, theme, screenshot):
    page = quickstart
    panel(340)
    run_all(page)
    wait_until_run(page)
    page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 4")
    grids = page.locator("[role=grid]")
    expect(grids.first).to_be_attached()
    shown = panel(340)
    expect(shown).to_contain_text("events")
    expect(shown).to_contain_text("data/orders.parquet")
    expect(shown).to_contain_text("SELECT count(*) AS customers, sum(spent)")
    first = page.locator(".jp-OutputArea-output [role=grid]").first
    first.scroll_into_view_if_needed()
    expect(page.locator(".jp-OutputArea", has=page.locator("[role=grid]")).first).to_contain_text("duckdb ·")
    screenshot("quickstart-light")
    theme("JupyterLab Dark")
    screenshot("quickstart-dark")
    theme("JupyterLab Light")


def test_hostile_values_and_names_are_text(lab, page, screenshot):
    rows = ", ".join("('" + payload.replace("'", "''") + "')" for payload in PAYLOADS)
    name = PAYLOADS[1].replace('"', '""')
    lab.notebook(
        "hostile.ipynb",
        [
            "%load_ext aiser_jupyter",
            f'%%aiser\nSELECT v AS "{name}" FROM (VALUES {rows}) t(v)',
            f'%%aiser\nSELECT * FROM "{name}"',
            f"%config AiserPreferences.grid = False\n%aiser SELECT v FROM (VALUES {rows}) t(v)",
        ],
    )
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    lab.open(page, "hostile.ipynb")
    run_all(page)
    page.wait_for_selector("text=UnknownTable", timeout=30_000)
    wait_until_idle(page)
    page.wait_for_timeout(500)
    page.evaluate(
        "(async () => { const n = jupyterapp.shell.currentWidget; n.content.activeCellIndex = 3;"
        " await jupyterapp.commands.execute('notebook:run-cell'); })()"
    )
    page.wait_for_selector(".jp-RenderedHTMLCommon table", timeout=30_000)
    outputs = page.locator(".jp-OutputArea-output")
    for tag in ("script", "img", "h1", "[data-commandlinker-command]", "a[href^=javascript]"):
        assert outputs.locator(tag).count() == 0, tag
    assert outputs.filter(has_text="<script>").count() >= 2
    screenshot("hostile")
    page.wait_for_timeout(500)
    assert "owned" not in page.title()
    assert [url for url in asked if not url.startswith((lab.url, "data:", "blob:"))] == []


def test_stop_gives_the_prompt_back(lab, page):
    endless = "%aiser SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000_000) b"
    lab.notebook("stop.ipynb", ["%load_ext aiser_jupyter", endless, "print('after', 1 + 1)"])
    lab.open(page, "stop.ipynb")
    run_all(page)
    page.wait_for_selector("text=interrupt the kernel to stop", timeout=20_000)
    page.evaluate("void jupyterapp.commands.execute('notebook:interrupt-kernel')")
    expect(page.locator(".jp-OutputArea").nth(1)).to_contain_text("QueryCancelled", timeout=4_000)
    wait_until_idle(page)  # until then the kernel refuses what was queued behind the error
    page.wait_for_timeout(500)
    page.evaluate(
        "(async () => { const n = jupyterapp.shell.currentWidget; n.content.activeCellIndex = 2;"
        " await jupyterapp.commands.execute('notebook:run-cell'); })()"
    )
    page.wait_for_selector("text=after 2")


def test_a_grid_says_that_its_kernel_is_gone(lab, page):
    lab.notebook("gone.ipynb", ["%load_ext aiser_jupyter", "%aiser FROM range(100_000)"])
    lab.open(page, "gone.ipynb")
    run_all(page)
    grid = page.locator("[role=grid]")
    expect(grid).to_contain_text("range")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    grid.evaluate("grid => { grid.scrollTop = grid.scrollHeight; }")
    output = page.locator(".jp-OutputArea").nth(1)
    expect(output).to_contain_text("run the cell again", timeout=25_000)


def test_notebook_7_shows_the_grid_and_colours_the_statement(lab, page, screenshot):
    lab.notebook("seven.ipynb", ["%load_ext aiser_jupyter", "%%aiser\nSELECT 42 AS answer"])
    page.goto(f"{lab.url}notebooks/seven.ipynb?token={lab.token}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for(timeout=60_000)
    expect(page.locator(".jp-CodeCell").nth(1).locator(".cm-line").nth(1).locator("span").first).to_have_text(
        "SELECT"
    )
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    grid = page.locator("[role=grid]")
    expect(grid).to_contain_text("answer")
    expect(grid).to_contain_text("42")
    expect(page.locator(".jp-OutputArea").nth(1)).to_contain_text("duckdb ·")
    screenshot("notebook-7")
