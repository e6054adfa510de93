"""A `%%aiser` cell is coloured as SQL, from its first keystroke on."""

from __future__ import annotations

import pytest

KEYWORDS = """(cell) => [...document.querySelectorAll('.jp-CodeCell')[cell].querySelectorAll('.cm-line')]
    .map(line => [...line.querySelectorAll('span')]
        .filter(span => getComputedStyle(span).fontWeight >= 700).map(span => span.textContent.trim())
        .filter(word => /^\\w+$/.test(word)))"""
"""Words of a cell that the theme sets in bold, line by line: in JupyterLab's themes, the keywords."""


@pytest.fixture
def notebook(lab, page):
    cells = [
        "%%aiser\nSELECT region, amount FROM orders\nWHERE note = 'from here'  -- FROM there",
        "# about\n\n%%aiser -o sales\nSELECT 1",
        "SELECT = 1\nfor FROM in [SELECT]: pass",
        "",
        "%%aiser_other\nSELECT 1",
    ]
    lab.notebook("highlight.ipynb", cells)
    lab.open(page, "highlight.ipynb")
    page.wait_for_function(f"({KEYWORDS})(0)[1].length > 0")
    return page


def test_sql_is_coloured_where_the_magic_is(notebook):
    assert notebook.evaluate(KEYWORDS, 0)[1:] == [["SELECT", "FROM"], ["WHERE"]]
    assert notebook.evaluate(KEYWORDS, 1)[3] == ["SELECT"]
    assert notebook.evaluate(KEYWORDS, 4)[1] == []


def test_python_cells_stay_python(notebook):
    assert notebook.evaluate(KEYWORDS, 2) == [[], ["for", "in", "pass"]]


def test_colours_come_and_go_while_the_magic_is_typed(notebook):
    editor = notebook.locator(".jp-CodeCell").nth(3).locator(".cm-content")
    editor.click()
    notebook.keyboard.type("SELECT 1 FROM t")
    assert notebook.evaluate(KEYWORDS, 3) == [[]]
    notebook.keyboard.press("Home")
    notebook.keyboard.type("%%aiser\n")
    notebook.wait_for_function(f"({KEYWORDS})(3)[1]?.join() === 'SELECT,FROM'")
    notebook.keyboard.press("Backspace")
    notebook.wait_for_function(f"({KEYWORDS})(3).length === 1 && ({KEYWORDS})(3)[0].length === 0")
