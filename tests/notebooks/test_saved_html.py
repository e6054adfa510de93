"""A notebook of hostile values is inert when it is saved and exported to HTML.

The values are read as a browser would read them: whatever of a value became an element or an attribute in the
output is found by the parser. Text that only looks like markup is harmless, and must still be there.
"""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook

PAYLOADS = (
    "<script>hostile()</script>",
    "<img src=hostile onerror=hostile()>",
    '"><svg onload="hostile()">',
    "<iframe srcdoc='<script>hostile()</script>'></iframe>",
    "</pre></td></table><hostile-element>",
    "' onmouseover='hostile()",
    "<a href='javascript:hostile()'>hostile</a>",
    "<style>@import 'hostile'</style>",
    "<form action=hostile><input autofocus onfocus=hostile()>",
    "[hostile](javascript:hostile()) ![](hostile)",
    "$\\href{javascript:hostile()}{x}$ \\(\\require{hostile}\\)",
    "\x1b]8;;javascript:hostile()\x1b\\link\x1b]8;;\x1b\\ <!-- hostile",
)

CELLS = {
    "load": "import pandas as pd\n%load_ext aiser_jupyter",
    "frame": f"payloads = {PAYLOADS!r}\nhostile = pd.DataFrame({{p: [p] for p in payloads}})",
    "values": "%aiser SELECT unnest({{ payloads }}) AS value",
    "nested": "%aiser SELECT {{ payloads }} AS list, {'k': list_extract({{ payloads }}, 1)} AS struct",
    "names": "%aiser SELECT * FROM hostile",
    "alias": '%aiser SELECT 1 AS "<script>hostile()</script>"',
    "bound": "value = payloads[0]\n%aiser SELECT {{ value }}",
    "unknown_column": '%aiser SELECT "<b onclick=hostile()>" FROM hostile',
    "unknown_table": '%aiser SELECT * FROM "<script>hostile()</script>"',
    "conversion": "%aiser SELECT '<script>hostile()</script>'::INTEGER",
    "option": "%aiser --<script>hostile()</script> SELECT 1",
    "connection": "%aiser test <script>hostile()</script>",
    "explain": "%aiser EXPLAIN SELECT '<script>hostile()</script>' AS value FROM hostile",
    "columns": "%aiser columns hostile",
    "profile": "%aiser profile hostile",
    "history": "%aiser history",
}
FAIL = {"unknown_column", "unknown_table", "conversion", "option", "connection"}


class Outputs(HTMLParser):
    """Collects every element and attribute that carries a payload's word, and the text beside them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.alive: list[str] = []
        self.text = ""
        self._raw = ""  # the page's own <script> or <style> that the text is in

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._raw = tag if tag in ("script", "style") else ""
        if tag == "script" and (dict(attrs).get("type") or "").endswith("json"):
            self._raw = "data"  # of the widgets: no browser runs it, and nothing may stand after its end
        if "hostile" in tag:
            self.alive.append(tag)
        self.alive += [
            f"{tag} {name}={value}"
            for name, value in attrs
            if "hostile" in name or ("hostile" in (value or "") and name not in ("title", "id"))
        ]
        self.alive += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.text += data
        elif self._raw != "data" and "hostile" in data:
            self.alive.append(f"{self._raw}: {data[:80]}")

    def handle_comment(self, data: str) -> None:
        if "hostile" in data:
            self.alive.append(f"comment: {data[:80]}")


def read(page: str) -> Outputs:
    found = Outputs()
    found.feed(page)
    found.close()
    return found


@pytest.fixture(scope="module", params=[True, False], ids=["grid", "static"])
def notebook(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> nbformat.NotebookNode:
    """The notebook after all its cells ran: with the grid, whose export is data, and with static tables."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    made = new_notebook(cells=[new_code_cell(source, id=name) for name, source in CELLS.items()])
    made.cells[0].source += f"\n%config AiserPreferences.grid = {request.param}"
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AISER")}
    environment |= {"AISER_STORE": str(folder / "store"), "IPYTHONDIR": str(folder / "ipython")}
    client = NotebookClient(made, timeout=60, allow_errors=True, resources={"metadata": {"path": folder}})
    client.execute(env=environment)
    return made


@pytest.fixture(scope="module")
def page(notebook: nbformat.NotebookNode) -> str:
    """The export of the outputs alone: the sources are the reader's own, and not in question."""
    exporter = HTMLExporter(exclude_input=True, embed_images=False)
    body, _ = exporter.from_notebook_node(notebook)
    return str(body)


def test_the_cells_ran(notebook: nbformat.NotebookNode) -> None:
    failed = {c.id for c in notebook.cells if any(o.output_type == "error" for o in c.outputs)}
    assert failed == FAIL
    assert all(c.outputs for c in notebook.cells if c.id not in ("load", "frame"))


def test_no_value_became_an_element_or_an_attribute(page: str) -> None:
    assert read(page).alive == []


def test_every_value_is_there_as_text(page: str) -> None:
    text = read(page).text
    assert [payload for payload in PAYLOADS[:-1] if payload not in text] == []


@pytest.mark.parametrize("payload", PAYLOADS[:-3])
def test_the_parser_sees_what_is_not_escaped(payload: str) -> None:
    quoted = f"<p title='{payload}'>" if payload.startswith("'") else payload
    assert read(f"<div>{quoted}</div>").alive
