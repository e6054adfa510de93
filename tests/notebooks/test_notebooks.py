"""Every notebook runs from top to bottom in a folder of its own, and what it shows is right.

The values are computed again with pandas, from the files that the notebook's own first cells made.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pyarrow.parquet as pq
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
ALONE = [name for name in NAMES if name != "02_connect"]
"""Those that need no database: see `test_connect` for the other."""
ENGINE_LINE = re.compile(r"duckdb · \S+ (ms|s)\b.*\brows?\b")


@dataclass(frozen=True, slots=True)
class Ran:
    """An executed notebook: its cells by id, the folder it ran in, seconds by cell."""

    cells: Mapping[str, Any]
    folder: Path
    seconds: Mapping[str, float]

    def text(self, cell: str) -> str:
        """Return what the cell shows as plain text, streams included."""
        shown = (
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in self.cells[cell].outputs
        )
        return "\n".join(shown)

    def error(self, cell: str) -> Any:
        return next((o for o in self.cells[cell].outputs if o.output_type == "error"), None)


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """Run a notebook once, in a copy of the folder without data and with a store of its own."""
    ran: dict[str, Ran] = {}

    def run(name: str) -> Ran:
        if name not in ran:
            folder = tmp_path_factory.mktemp("notebooks") / "copy"
            shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("data", ".*", "__pycache__"))
            ran[name] = execute(folder, name)
        return ran[name]

    return run


@pytest.fixture
def quickstart(executed: Callable[[str], Ran]) -> Ran:
    return executed("01_quickstart")


@pytest.fixture
def orders(quickstart: Ran) -> pd.DataFrame:
    return pq.read_table(quickstart.folder / "data" / "orders.parquet").to_pandas()


@pytest.fixture
def customers(quickstart: Ran) -> pd.DataFrame:
    return pd.read_csv(quickstart.folder / "data" / "customers.csv", parse_dates=["signed_up"])


def execute(folder: Path, name: str) -> Ran:
    """Run a notebook as it stands in ``folder``, with a store of its own beside it."""
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    began: dict[str, float] = {}
    seconds: dict[str, float] = {}

    def begin(cell: Any, cell_index: int) -> None:
        began[cell.id] = time.monotonic()

    def end(cell: Any, cell_index: int, execute_reply: Any) -> None:
        seconds[cell.id] = time.monotonic() - began[cell.id]

    environment = {key: value for key, value in os.environ.items() if not key.startswith("AISER")}
    environment |= {"AISER_STORE": str(folder.parent / "store"), "IPYTHONDIR": str(folder.parent / "ipython")}
    client = NotebookClient(
        notebook,
        timeout=60,
        allow_errors=True,  # which cells fail is asserted below
        on_cell_execute=begin,
        on_cell_executed=end,
        resources={"metadata": {"path": folder}},
    )
    client.execute(env=environment)
    return Ran({cell.id: cell for cell in notebook.cells}, folder, seconds)


# -- every notebook ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALONE)
def test_only_the_cells_that_should_fail_do(executed: Callable[[str], Ran], name: str) -> None:
    ran = executed(name)
    failed = {cell for cell in ran.cells if ran.cells[cell].cell_type == "code" and ran.error(cell)}
    meant = {cell for cell in ran.cells if "raises-exception" in ran.cells[cell].metadata.get("tags", [])}
    assert failed == meant


@pytest.mark.parametrize("name", ALONE)
def test_nothing_is_written_to_stderr(executed: Callable[[str], Ran], name: str) -> None:
    ran = executed(name)
    written = [
        output.text
        for cell in ran.cells.values()
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert written == []


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_saved_without_outputs(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_quickstart_runs_again_in_the_same_folder(executed: Callable[[str], Ran]) -> None:
    first = executed("01_quickstart")
    second = execute(first.folder, "01_quickstart")
    assert second.error("connect") is None
    assert _rows(second.text("regulars")) == _rows(first.text("regulars"))


# -- the quickstart: what it shows ------------------------------------------------------------------------


def test_a_parquet_file(quickstart: Ran, orders: pd.DataFrame) -> None:
    expected = orders.groupby("product").agg(orders=("order_id", "size"), revenue=("amount", "sum"))
    best = expected.sort_values("revenue", ascending=False).iloc[0]
    text = quickstart.text("parquet")
    assert best.name in text
    assert str(best.orders) in _digits(text)
    assert str(best.revenue) in _digits(text)
    assert ENGINE_LINE.search(text)


def test_a_csv_file(quickstart: Ran, customers: pd.DataFrame) -> None:
    by_country = customers.groupby("country")
    text = _digits(quickstart.text("csv"))
    for country, count in by_country.size().items():
        assert re.search(rf"{country}\W+{count}\W+{by_country.segment.count()[country]}\W", text)


def test_a_join_of_files_and_a_frame(quickstart: Ran, orders: pd.DataFrame, customers: pd.DataFrame) -> None:
    bought = orders[orders.status != "cancelled"].merge(customers, on="customer_id")
    revenue = bought.groupby("country").amount.sum()
    text = _digits(quickstart.text("join"))
    for country, total in revenue.items():
        assert re.search(rf"{country}\W+{total}\W", text)


def test_output_into_a_frame(quickstart: Ran, orders: pd.DataFrame) -> None:
    december = orders[(orders.ordered_at >= datetime(2025, 12, 1)) & (orders.category == "tea")]
    assert str(december.amount.sum()) in quickstart.text("pivot")


def test_assignment_is_silent(quickstart: Ran, orders: pd.DataFrame) -> None:
    assert quickstart.cells["assign"].outputs == []
    assert str((orders.status == "shipped").sum()) in quickstart.text("assigned")


def test_parameters(quickstart: Ran, orders: pd.DataFrame) -> None:
    recent = orders[(orders.ordered_at >= datetime(2025, 7, 1)) & orders.status.isin(["paid", "shipped"])]
    text = _digits(quickstart.text("parameters"))
    for category, part in recent.groupby("category"):
        assert re.search(rf"{category}\W+{len(part)}\W+{part.amount.sum()}\W", text)


def test_what_a_result_knows(quickstart: Ran) -> None:
    assert "'duckdb'" in quickstart.text("result")
    assert quickstart.text("result").rstrip().endswith("4)")
    assert "'execute'" in quickstart.text("timings")


def test_route_runs_nothing(quickstart: Ran) -> None:
    text = quickstart.text("route")
    assert "duckdb" in text
    assert "nothing was run" in text


def test_a_saved_query_is_a_table(quickstart: Ran, orders: pd.DataFrame) -> None:
    large = orders[orders.amount >= Decimal(200)]
    text = _digits(quickstart.text("with"))
    for product, part in large.groupby("product"):
        assert re.search(rf"{product}\W+{len(part)}\W+{part.amount.max()}\W", text)


def test_what_there_is(quickstart: Ran) -> None:
    tables = quickstart.text("tables")
    assert all(name in tables for name in ("events", "sales", "data/orders.parquet", "data/customers.csv"))
    assert "DECIMAL(10,2)" in quickstart.text("columns")
    assert "segment" in quickstart.text("profile")


def test_an_error_says_what_to_do_and_shows_no_traceback(quickstart: Ran) -> None:
    error = quickstart.error("error")
    assert error.ename == "UnknownColumn"
    assert "product" in "\n".join(error.traceback)
    assert len("\n".join(error.traceback).splitlines()) <= 6


def test_a_deadline_stops_the_query(quickstart: Ran) -> None:
    assert quickstart.error("timeout").ename == "DeadlineExceeded"
    assert 1.0 <= quickstart.seconds["timeout"] < 4.0


def test_history_knows_failures_too(quickstart: Ran) -> None:
    text = quickstart.text("history")
    assert "prodct" in text
    assert "did not finish" in text


def test_a_database_file(quickstart: Ran, orders: pd.DataFrame) -> None:
    per_customer = orders.groupby("customer_id").amount.agg(["size", "sum"])
    regulars = per_customer[per_customer["size"] >= 100]
    text = _digits(quickstart.text("regulars"))
    assert re.search(rf"\b{len(regulars)}\W+{regulars['sum'].sum()}\b", text)
    assert "direct_sql" in text


def test_help_names_the_commands(quickstart: Ran) -> None:
    assert "%aiser route" in quickstart.text("help")


def _digits(text: str) -> str:
    """Return the text without separators of thousands."""
    return re.sub(r"(?<=\d)[,\u202f\u2009 ](?=\d{3}\b)", "", text)


def _rows(text: str) -> list[str]:
    """Return the lines of a shown table, without the line of timings."""
    return [line for line in text.splitlines() if " · " not in line]
