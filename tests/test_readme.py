"""The README is true: its cells run, its tables name what there is, and what there is stands in them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pyarrow as pa
import pytest
from nbclient import NotebookClient

from aiser_jupyter.config import describe
from aiser_jupyter.magics.grammar import COMMANDS
from aiser_jupyter.magics.options import QUERY_OPTIONS
from aiser_jupyter.models import Route, Timings
from aiser_jupyter.render import status_line
from aiser_jupyter.result import QueryResult

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def section(name: str) -> str:
    """The text between two comments of that name."""
    found = re.search(rf"<!-- {name} -->(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found, f"the README has no part {name!r}"
    return found[1]


def first_cells(text: str) -> list[str]:
    """The code at the start of each row of a table."""
    return re.findall(r"^\| (`.*?`(?:, `.*?`)*) \|", text, re.MULTILINE)


def test_every_option_is_explained_and_none_else():
    named = {word for cell in first_cells(section("options")) for word in re.findall(r"(--[a-z-]+)", cell)}
    assert named == QUERY_OPTIONS


def test_every_command_is_explained_and_none_else():
    named = {re.search(r"%aiser (\w+)", cell)[1] for cell in first_cells(section("commands"))}
    assert named == set(COMMANDS)


def test_every_setting_stands_in_the_table():
    rows = [
        f"| `{s.part}.{s.name}` | `{s.default!r}` | {'you' if s.preference else 'administrator'} | {s.help} |"
        for s in describe()
    ]
    table = "\n".join(["| setting | default | whose | meaning |", "|---|---|---|---|", *rows])
    assert section("settings").strip() == table, f"put this in the README:\n\n{table}\n"


def test_the_pictures_and_files_it_names_are_there():
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target
    for name in re.findall(r"`((?:[A-Z]+\.md|notebooks/\S+))`", README):
        assert (ROOT / name).is_file(), name


def test_the_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", README, re.MULTILINE)):
        name = "".join(target)
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


@pytest.mark.timeout(180)
def test_every_cell_runs(tmp_path):
    """From top to bottom, in the notebooks' folder, as a reader would paste them."""
    shutil.copy(ROOT / "notebooks" / "sample_data.py", tmp_path)
    cells = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(cells) > 8
    first = "%load_ext aiser_jupyter\nimport datetime, sample_data\nevents = sample_data.create()\n"
    first += "since = datetime.date(2025, 1, 1)"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip()) for source in (first, *cells)]
    )
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = "\n".join(
        output.get("data", {}).get("text/plain", "") for cell in notebook.cells for output in cell.outputs
    )
    assert shown.count("duckdb · ") >= 5
    assert "direct_sql · " in shown


def test_the_example_of_the_top_shows_the_line_that_results_have():
    line = re.search(r"^> (duckdb · .*)$", README, re.MULTILINE)[1]
    why = line.partition("why: ")[2]
    result = QueryResult(
        "1",
        pa.table({"n": range(1204)}),
        Route("duckdb", why),
        Timings(plan=0.003, execute=0.31, fetch=0.088, convert=0.012),
    )
    assert status_line(result) == line
