"""The magics in a real kernel: what a front end receives."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.magics.front import Front

SLOW = "SELECT sum(a.range % 7 + b.range % 11) FROM range(200000) a, range(2000000) b"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("kernel")
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(
        cwd=str(folder), env={**os.environ, "AISER_STORE": str(folder / "store"), "IPYTHONDIR": str(folder)}
    )
    front = Front(manager)
    reply, _ = front.run("%load_ext aiser_jupyter")
    assert reply["status"] == "ok", reply
    yield front
    front.client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def shown(published: list[dict]) -> list[dict]:
    return [
        message
        for message in published
        if message["msg_type"] in ("execute_result", "display_data", "update_display_data")
    ]


def test_a_result_is_a_grid_with_a_static_table_beside_it(front):
    reply, published = front.run("%aiser SELECT 42 AS answer")
    assert reply["status"] == "ok"
    (message,) = [message for message in published if message["msg_type"] == "execute_result"]
    data = message["content"]["data"]
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "answer" in data["text/html"]
    assert "duckdb" in data["text/plain"]


def test_without_the_grid_the_static_table_is_shown(front):
    front.run("%config AiserPreferences.grid = False")
    _, published = front.run("%aiser SELECT 42 AS answer")
    front.run("%config AiserPreferences.grid = True")
    assert set(shown(published)[0]["content"]["data"]) == {"text/html", "text/plain"}


def test_quiet_publishes_nothing_and_fast_queries_no_live_line(front):
    for source in ("%aiser --quiet SELECT 1 AS n", "%%aiser x <<\nSELECT 1 AS n"):
        _, published = front.run(source)
        assert shown(published) == []
    _, published = front.run("_.table.num_rows, x.shape")
    assert shown(published)[0]["content"]["data"]["text/plain"] == "(1, (1, 1))"


def test_a_slow_query_shows_a_line_that_goes_and_an_interrupt_stops_it(front):
    reply, published = front.run(f"%aiser {SLOW}", interrupt_after=1.5)
    assert (reply["status"], reply["ename"]) == ("error", "QueryCancelled")
    lines = [message["content"]["data"]["text/plain"] for message in shown(published)]
    assert shown(published)[0]["msg_type"] == "display_data"
    assert lines[0].startswith("duckdb · 0.")
    assert lines[0].endswith("interrupt the kernel to stop")
    assert len(lines) > 2
    assert lines[-1] == ""
    reply, _ = front.run("%aiser SELECT 1 AS n")
    assert reply["status"] == "ok"


def test_parallel_queries_show_a_line_each_and_an_interrupt_stops_all_of_them(front):
    cell = f"%%aiser parallel\n%% -o one\n{SLOW}\n%% -o two\n{SLOW}\n%% -o three\nSELECT 3 AS n"
    reply, published = front.run(cell, interrupt_after=2)
    assert (reply["status"], reply["ename"]) == ("error", "QueryCancelled")
    lines = [message["content"]["data"]["text/plain"] for message in shown(published)]
    parts = lines[-2].splitlines()
    assert [part.split(":")[0] for part in parts[:3]] == ["one", "two", "three"]
    assert parts[0].startswith("one: duckdb · ")
    assert parts[2] == "three: ended"
    assert lines[-1] == ""
    reply, published = front.run("%aiser SELECT 1 AS n")
    assert reply["status"] == "ok"


def test_an_error_reaches_the_front_end_as_two_lines(front):
    for mode in ("Plain", "Verbose"):
        front.run(f"%xmode {mode}")
        reply, published = front.run("%aiser SELECT * FROM nothing_here")
        (error,) = [message["content"] for message in published if message["msg_type"] == "error"]
        assert reply["ename"] == error["ename"] == "UnknownTable"
        assert "nothing_here" in error["evalue"]
        assert len("\n".join(error["traceback"]).splitlines()) <= 3


def test_completion_is_asked_as_a_front_end_asks(front):
    code = "%%aiser --lim"
    request = front.client.complete(code, len(code))
    content = front.reply(request)
    assert content["matches"] == ["--limit"]
    assert (content["cursor_start"], content["cursor_end"]) == (8, 13)


def test_the_panel_is_answered_and_told(front):
    front.run("import pandas as pd\nframe = pd.DataFrame({'id': [1, 2]})")
    front.comm("c1", "comm_open", target_name="aiser_jupyter", data={})
    front.comm("c1", "comm_msg", data={"id": 5, "request": "tables"})
    (answer,) = front.comm_messages("c1", 1)
    assert answer["id"] == 5
    assert ("frame", 2) in [(table["name"], table["rows"]) for table in answer["tables"]]
    front.client.execute("%aiser SELECT 1 AS n")
    assert front.comm_messages("c1", 2) == [{"event": "history"}, {"event": "changed"}]
    front.comm("c1", "comm_close", data={})


def test_a_notebook_runs_until_its_first_error(tmp_path):
    sources = (
        "%load_ext aiser_jupyter",
        "import pandas as pd\norders = pd.DataFrame({'id': [1, 2, 3]})\nleast = 1",
        "%%aiser -o big\nSELECT id FROM orders WHERE id > {{ least }}",
        "print(big['id'].tolist())",
        "%aiser SELECT {{ nowhere }}",
        "print('not reached')",
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(
        book, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    with pytest.raises(CellExecutionError) as caught:
        client.execute()
    assert caught.value.ename == "UndefinedParameter"
    assert "duckdb" in json.dumps(book.cells[2].outputs)
    assert book.cells[3].outputs[0].text == "[2, 3]\n"
    assert book.cells[5].outputs == []
