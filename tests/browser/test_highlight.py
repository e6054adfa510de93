"""A `%%aiser` cell is coloured as SQL, from its first keystroke on."""

from __future__ import annotations

import json

import pytest

KEYWORDS = """(cell) => [...document.querySelectorAll('.jp-CodeCell')[cell].querySelectorAll('.cm-line')]
    .map(line => [...line.querySelectorAll('span')]
        .filter(span => getComputedStyle(span).fontWeight >= 700).map(span => span.textContent.trim())
        .filter(word => /^\\w+$/.test(word)))"""
"""Words of a cell that the theme sets in bold, line by line: in JupyterLab's themes, the keywords."""


def becomes(page, cell, keywords):
    """Wait until a cell's lines have just these keywords: the editor parses in the background, in pieces."""
    page.wait_for_function(
        f"([cell, wanted]) => JSON.stringify(({KEYWORDS})(cell)) === wanted",
        arg=[cell, json.dumps(keywords, separators=(",", ":"))],
    )
    return True


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
    assert becomes(notebook, 0, [[], ["SELECT", "FROM"], ["WHERE"]])
    assert becomes(notebook, 1, [[], [], [], ["SELECT"]])
    assert notebook.evaluate(KEYWORDS, 4) == [[], []]


def test_python_cells_stay_python(notebook):
    assert becomes(notebook, 2, [[], ["for", "in", "pass"]])


def test_colours_come_and_go_while_the_magic_is_typed(notebook):
    editor = notebook.locator(".jp-CodeCell").nth(3).locator(".cm-content")
    editor.click()
    notebook.keyboard.type("SELECT 1 FROM t")
    assert becomes(notebook, 3, [[]])
    notebook.keyboard.press("Home")
    notebook.keyboard.type("%%aiser\n")
    assert becomes(notebook, 3, [[], ["SELECT", "FROM"]])
    notebook.keyboard.press("Backspace")
    assert becomes(notebook, 3, [[]])
