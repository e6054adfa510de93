"""The sandbox's process is killed, stuck, out of memory, fed with damaged files, idle: only it suffers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiser_jupyter.config import MIB
from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.sandbox import PREFIX, Sandbox
from aiser_jupyter.connectors.sandbox import session as sandbox_session
from aiser_jupyter.errors import (
    AiserError,
    ConnectionLost,
    DeadlineExceeded,
    OutOfMemory,
    QueryCancelled,
    ResourceError,
    UnknownTable,
)
from aiser_jupyter.run import Run
from tests.connectors.sandbox_kit import (
    ENDLESS,
    Heard,
    computes,
    config,
    eventually,
    fetch,
    lives,
    pid_of,
    sandbox_in,
    spill_of,
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox_in(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One for several tests: it has little memory, and little to spill to."""
    with sandbox_in(tmp_path_factory.mktemp("small"), server_bytes=768 * MIB, temp_limit=16 * MIB) as made:
        yield made


class Statement:
    """One that runs in a thread, and how it ended."""

    def __init__(self, sandbox: Sandbox, sql: str = ENDLESS, timeout: float | None = None) -> None:
        self.run = Run("test", timeout=timeout)
        self.error: AiserError | None = None
        self._sandbox, self._sql = sandbox, sql
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        eventually(lambda: sandbox.pid and computes(sandbox.pid))

    def _work(self) -> None:
        session = DuckDBConnector().open(config(self._sandbox))
        try:
            with self.run.on_cancel(session.cancel):
                session.execute(self._sql, {}, self.run).read_all()
        except AiserError as exc:
            self.error = exc
        finally:
            session.close()

    def end(self) -> AiserError | None:
        """Wait for it, and return its error."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.error


# -- killed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGKILL, "was killed"), (signal.SIGSEGV, r"crashed \(SIGSEGV\)")]
)
def test_a_process_that_dies_takes_only_what_it_ran(sandbox: Sandbox, number: int, said: str) -> None:
    fetch(sandbox, "CREATE TABLE mine AS SELECT 1 AS a")
    statements = [Statement(sandbox) for _ in range(2)]
    killed, spill = pid_of(sandbox), spill_of(sandbox)
    assert spill.exists()
    os.kill(killed, number)
    for statement in statements:
        error = statement.end()
        assert isinstance(error, ConnectionLost)
        assert "Tables that were made in memory are gone" in error.hint
        with pytest.raises(ConnectionLost, match=said):
            raise error
    heard = Heard()
    with pytest.raises(UnknownTable):
        fetch(sandbox, "FROM mine", run=heard.run)
    assert heard.notices == ["restarted"]
    again = Heard()
    assert fetch(sandbox, "SELECT 1", run=again.run).num_rows == 1
    assert again.notices == []
    assert sandbox.pid != killed
    assert not spill.exists()


def test_where_no_table_was_made_nothing_is_said_of_tables(sandbox: Sandbox) -> None:
    fetch(sandbox, "SELECT 1")
    os.kill(pid_of(sandbox), signal.SIGKILL)
    heard = Heard()
    assert fetch(sandbox, "SELECT 1", run=heard.run).num_rows == 1
    assert heard.notices == []


def test_killed_between_two_batches(sandbox: Sandbox) -> None:
    session = DuckDBConnector().open(config(sandbox))
    try:
        reader = session.execute("SELECT i FROM range(1000000000) t(i)", {}, Run("test"))
        assert reader.read_next_batch().num_rows
        os.kill(pid_of(sandbox), signal.SIGKILL)
        with pytest.raises(ConnectionLost):
            for _ in reader:
                pass
    finally:
        session.close()


def test_many_that_find_it_dead_start_one(sandbox: Sandbox) -> None:
    fetch(sandbox, "SELECT 1")
    os.kill(pid_of(sandbox), signal.SIGKILL)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(_own_pid(sandbox))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 8
    assert set(found) == {sandbox.pid}


def _own_pid(sandbox: Sandbox) -> int:
    fetch(sandbox, "SELECT 1")
    return pid_of(sandbox)


# -- stuck --------------------------------------------------------------------------------------------------


def stuck(sandbox: Sandbox, timeout: float | None = None) -> Statement:
    """Return a statement whose process does not move any more."""
    fetch(sandbox, "CREATE TABLE mine AS SELECT 1 AS a")
    statement = Statement(sandbox, timeout=timeout)
    os.kill(pid_of(sandbox), signal.SIGSTOP)
    return statement


@pytest.mark.parametrize("timeout", [None, 2.0])
def test_what_does_not_stop_is_ended_with_its_process(tmp_path: Path, timeout: float | None) -> None:
    with sandbox_in(tmp_path, patience=0.5) as sandbox:
        other = Statement(sandbox)
        statement = stuck(sandbox, timeout)
        killed = pid_of(sandbox)
        if timeout is None:
            statement.run.cancel()
        error = statement.end()
        assert type(error) is (QueryCancelled if timeout is None else DeadlineExceeded)
        assert "It did not stop by itself" in str(error)
        assert "are gone" in error.hint
        assert not lives(killed)
        with pytest.raises(ConnectionLost, match="because of another statement"):
            raise other.end() or AssertionError
        heard = Heard()
        assert fetch(sandbox, "SELECT 1", run=heard.run).num_rows == 1
        assert heard.notices == ["restarted"]


def test_a_process_that_opens_no_session_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sandbox_in(tmp_path) as sandbox:
        fetch(sandbox, "SELECT 1")
        stopped = pid_of(sandbox)
        os.kill(stopped, signal.SIGSTOP)
        monkeypatch.setattr(sandbox_session, "OPEN_SECONDS", 1.0)
        found: list[int] = []
        asking = threading.Thread(target=lambda: found.append(fetch(sandbox, "SELECT 1").num_rows))
        asking.start()
        asking.join(0.5)  # it waits for the first process by now, or waits for it longer
        monkeypatch.undo()
        asking.join(90)
        assert found == [1]  # of another process
        assert not lives(stopped)


def test_a_sandbox_is_closed_though_its_process_is_stuck(tmp_path: Path) -> None:
    with sandbox_in(tmp_path, patience=0.5) as sandbox:
        statement = stuck(sandbox)
        killed = pid_of(sandbox)
    assert isinstance(statement.end(), AiserError)
    assert not lives(killed)


# -- limits -------------------------------------------------------------------------------------------------

TOO_MUCH = {
    "a value": ("SELECT repeat('x', 900000000) AS v", OutOfMemory),
    "a batch": ("SELECT repeat('x', 3000000) AS v FROM range(65536)", OutOfMemory),
    "a list": ("SELECT list(i) AS v FROM range(100000000) t(i)", OutOfMemory),
    "a sort": ("SELECT * FROM range(30000000) t(i) ORDER BY hash(i)", ResourceError),
    "a table": (
        "CREATE TABLE big AS SELECT hash(i) AS a, hash(i + 1) AS b FROM range(30000000) t(i)",
        ResourceError,
    ),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_too_much_is_an_error_and_the_next_statement_works(small: Sandbox, what: str) -> None:
    sql, kind = TOO_MUCH[what]
    # Where the C library itself finds no memory the process ends, which is told as well.
    with pytest.raises((kind, ConnectionLost)):
        fetch(small, sql)
    assert fetch(small, "SELECT 1").num_rows == 1
    peak = Path(f"/proc/{pid_of(small)}/status").read_text().partition("VmPeak:")[2].split()[0]
    assert int(peak) * 1024 <= 768 * MIB + MIB


# -- its end ------------------------------------------------------------------------------------------------


def test_an_idle_process_ends_and_the_next_statement_has_another(tmp_path: Path) -> None:
    with sandbox_in(tmp_path, server_seconds=0.5) as sandbox:
        fetch(sandbox, "CREATE TABLE mine AS SELECT 1")
        spill, ended = spill_of(sandbox), pid_of(sandbox)
        eventually(lambda: sandbox.pid is None)
        assert not lives(ended)
        assert not spill.exists()
        heard = Heard()
        assert fetch(sandbox, "SELECT 1", run=heard.run).num_rows == 1
        assert heard.notices == ["restarted"]


def test_what_runs_is_not_idle(tmp_path: Path) -> None:
    with sandbox_in(tmp_path, server_seconds=0.3) as sandbox:
        statement = Statement(sandbox, timeout=2.0)
        assert isinstance(statement.end(), DeadlineExceeded)


def test_closing_ends_the_process_and_removes_what_it_spilled(tmp_path: Path) -> None:
    with sandbox_in(tmp_path, temp_directory=str(tmp_path), temp_limit=512 * MIB) as sandbox:
        spilling = Statement(sandbox, "SELECT * FROM range(100000000) t(i) ORDER BY hash(i)")
        eventually(lambda: list(tmp_path.glob(f"{PREFIX}*/*")))
        ended = pid_of(sandbox)
    spilling.end()
    eventually(lambda: not lives(ended))
    assert list(tmp_path.glob(f"{PREFIX}*")) == []


PARENT = """
import sys
from pathlib import Path
from aiser_jupyter.config import MIB
from aiser_jupyter.run import Run
from aiser_jupyter.connectors.duckdb import DuckDBConnector
from tests.connectors.sandbox_kit import config, sandbox_in

folder = Path(sys.argv[1])
with sandbox_in(folder, temp_directory=str(folder), temp_limit=512 * MIB) as sandbox:
    session = DuckDBConnector().open(config(sandbox))
    print(sandbox.pid, flush=True)
    session.execute("SELECT * FROM range(100000000000) t(i) ORDER BY hash(i)", {}, Run("test")).read_all()
"""


def spilling_parent(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Return a process like a server, and that of its sandbox, which has spilled something."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    eventually(lambda: list(folder.glob(f"{PREFIX}*/*")))
    return parent, pid


def test_a_killed_server_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    parent, pid = spilling_parent(tmp_path)
    assert lives(pid)
    parent.kill()
    parent.wait()
    eventually(lambda: not lives(pid))
    assert list(tmp_path.glob(f"{PREFIX}*")) == []


def test_what_both_left_behind_is_removed_by_the_next(tmp_path: Path) -> None:
    parent, pid = spilling_parent(tmp_path)
    os.kill(pid, signal.SIGSTOP)  # so that it does not tidy up
    parent.kill()
    parent.wait()
    os.kill(pid, signal.SIGKILL)
    (left,) = tmp_path.glob(f"{PREFIX}*")
    with sandbox_in(tmp_path, temp_directory=str(tmp_path)) as sandbox:
        held = spill_of(sandbox)
        with sandbox_in(tmp_path, temp_directory=str(tmp_path)) as other:
            assert fetch(other, "SELECT 1").num_rows == 1
            assert held.exists()
        assert not left.exists()
