"""The id that a failed cell shows finds one record; where no run was made there is none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from aiser_jupyter.services import os_identity
from aiser_jupyter.services.failures import FailureLog
from tests.magics.front import Front

AISER = Path(sys.executable).with_name("aiser")
ENDLESS = "SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE a.range + b.range = -1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def front(folder: Path) -> Iterator[Front]:
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


def failed(front: Front, source: str, interrupt_after: float | None = None) -> list[str]:
    """Run a cell that fails; return the lines that it shows."""
    reply, published = front.run(source, interrupt_after)
    assert reply["status"] == "error"
    (error,) = [message["content"] for message in published if message["msg_type"] == "error"]
    return "\n".join(error["traceback"]).splitlines()


def records(folder: Path) -> list[dict]:
    path = folder / "store" / "failures.jsonl"
    return [json.loads(line) for line in path.read_text("ascii").splitlines()] if path.exists() else []


def listed(folder: Path, *words: str) -> list[str]:
    """The lines of ``aiser history`` in another process."""
    done = subprocess.run(
        [AISER, "history", *words],
        env={**os.environ, "AISER_STORE": str(folder / "store")},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.splitlines()[1:]


@pytest.mark.parametrize(
    "source",
    [
        "%aiser SELECT * FROM nothing_here",  # found wrong while it was planned
        "%%aiser\nSELECT error('it ran')",
        "%aiser --max-bytes 10KB x << SELECT * FROM range(100000)",
        f"%aiser --timeout 0.3 {ENDLESS}",  # ended by the watcher
        "%aiser SELECT {{ no_such_variable }}",
        "%aiser SELEC 1",
    ],
)
def test_the_id_shown_finds_one_record(front, folder, source):
    before = len(records(folder))
    last = failed(front, source)[-1]
    shown = re.fullmatch("Run: ([0-9a-f]{12})", last)
    assert shown, last
    assert len(records(folder)) == before + 1
    (record,) = [each for each in records(folder) if each["id"].startswith(shown[1])]
    assert FailureLog(folder / "store").find(shown[1], os_identity().name).id == record["id"]
    (row,) = listed(folder, "--search", shown[1])
    assert " failed " in row
    assert shown[1] in row
    reply, published = front.run(f"%aiser history --search {shown[1]}")
    assert reply["status"] == "ok"
    (table,) = [m["content"]["data"] for m in published if m["msg_type"] == "execute_result"]
    assert record["id"] in table["text/plain"]


@pytest.mark.parametrize(
    "source",
    [
        "%%aiser nowhere\nSELECT 1",
        "%aiser --limit x SELECT 1",
        "%aiser columns nothing_here",
        "%aiser route SELECT {{ no_such_variable }}",
    ],
)
def test_no_id_is_shown_where_no_run_was_made(front, folder, source):
    before, runs = len(records(folder)), len(listed(folder))
    assert not [line for line in failed(front, source) if line.startswith("Run:")]
    assert (len(records(folder)), len(listed(folder))) == (before, runs)


def test_a_cancelled_cell_shows_none(front, folder):
    before = len(records(folder))
    lines = failed(front, f"%aiser {ENDLESS}", interrupt_after=1.0)
    assert lines[0].startswith("QueryCancelled: ")
    assert not [line for line in lines if line.startswith("Run:")]
    assert len(records(folder)) == before


def test_a_search_for_a_few_letters_finds_no_ids(front, folder):
    failed(front, "%aiser SELECT * FROM nothing_here")
    digits = records(folder)[-1]["id"][:7]
    assert listed(folder, "--search", digits) == []


def test_a_defect_in_a_run_shows_its_id_too(front, folder):
    broken = (
        "from aiser_jupyter.engines.duckdb import DuckDBEngine\n"
        "whole = DuckDBEngine.execute\n"
        "del DuckDBEngine.execute"
    )
    assert front.run(broken)[0]["status"] == "ok"
    try:
        lines = failed(front, "%aiser SELECT 41")
    finally:
        front.run("DuckDBEngine.execute = whole")
    assert "This is a defect of aiser_jupyter." in lines[-2]
    (record,) = [each for each in records(folder) if lines[-1] == f"Run: {each['id'][:12]}"]
    assert record["code"] == "internal"
