"""Several processes on one store: nothing is lost, whoever dies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History

Python = Callable[..., subprocess.Popen[str]]
INSERT = "INSERT INTO connections VALUES (?, 'ann', 'n', '0', '{}', '2026-03-01', 1, '', '{}')"

UPDATER = """
import os, sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from aiser_jupyter.models import HistoryEntry, RunState
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History
store = Store(Path(sys.argv[1]))
history = History(store)
for number in range(int(sys.argv[3])):
    entry = HistoryEntry(
        f"{sys.argv[2]}-{number}", datetime.now(UTC), "ann", "local", RunState.RUNNING, "x", pid=os.getpid()
    )
    history.start(entry)
    history.finish(replace(entry, state=RunState.DONE))
    assert history.flush()
    with store.write() as connection:
        ((value,),) = connection.execute("SELECT type FROM connections WHERE id = 'n'").fetchall()
        connection.execute("UPDATE connections SET type = ? WHERE id = 'n'", (str(int(value) + 1),))
assert history.problem is None, history.problem
"""

FORKER = """
import os, sys
from pathlib import Path
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History
store = Store(Path(sys.argv[1]))
history = History(store)
add = "INSERT INTO connections VALUES (?, 'ann', ?, 'duckdb', '{}', '2026-03-01', 1, '', '{}')"
with store.write() as connection:
    connection.execute(add, ("before", "before"))
assert history.list() == []
child = os.fork()
name = "child" if child == 0 else "parent"
for number in range(20):
    with store.write() as connection:
        connection.execute(add, (f"{name}{number}", f"{name}{number}"))
    history.prune()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""

CHANGER = """
import sys
from pathlib import Path
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile
folder, name = Path(sys.argv[1]), sys.argv[2]
records = ConnectionRecords(Store(folder), KeyFile(folder / "key"))
for number in range(int(sys.argv[3])):
    host = f"{name}-{number}"
    values = {"host": host, "password": Secret("password of " + host)}
    records.change("ann", "shop", ConnectionConfig("mysql", "shop", values), host, {"password"})
    found = records.get("ann", "shop")
    values = found.config.values
    assert values["password"].reveal() == "password of " + values["host"]
    assert found.version > number + 1
"""


def _updates(folder: Path, store: Store, python: Python, processes: int, updates: int) -> None:
    with store.write() as connection:
        connection.execute(INSERT, ("n",))
    started = [python(UPDATER, folder, name, updates) for name in range(processes)]
    for process in started:
        process.communicate()
    assert [process.returncode for process in started] == [0] * processes
    assert store.read("SELECT type FROM connections") == [(str(processes * updates),)]
    assert store.read("SELECT state, count(*) FROM history GROUP BY 1") == [("done", processes * updates)]


def test_every_update_of_every_process_counts(folder: Path, store: Store, python: Python) -> None:
    _updates(folder, store, python, processes=6, updates=40)


@pytest.mark.long
def test_every_update_of_sixteen_processes_counts(folder: Path, store: Store, python: Python) -> None:
    _updates(folder, store, python, processes=16, updates=200)


def _kills(folder: Path, kills: int) -> None:
    program = Path(__file__).with_name("killed_writers.py")
    command = [sys.executable, "-W", "error", str(program), str(folder), str(kills), "7"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout.split()
    assert printed  # they got somewhere
    store = Store(folder)
    assert store.state.ok, store.state
    assert store.read("PRAGMA integrity_check") == [("ok",)]
    kept = {id for (id,) in store.read("SELECT id FROM history")}
    assert set(printed) - kept == set()
    assert [path.name for path in folder.iterdir() if ".tmp" in path.name or ".broken" in path.name] == []
    history = History(store)
    assert len(history.reap()) == len(kept)
    history.close()
    store.close()


def test_a_killed_writer_loses_nothing_that_it_acknowledged(folder: Path) -> None:
    _kills(folder, 20)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_thousand_killed_writers_lose_nothing(folder: Path) -> None:
    _kills(folder, 1_000)


def test_every_change_of_a_connection_by_several_processes_counts(
    folder: Path, records: ConnectionRecords, python: Python
) -> None:
    config = ConnectionConfig("mysql", "shop", {"host": "db", "password": Secret("password of db")})
    records.add("ann", config, "db", {"password"}, datetime.now(UTC))
    started = [python(CHANGER, folder, name, 25) for name in range(4)]
    for process in started:
        process.communicate()
    assert [process.returncode for process in started] == [0] * 4
    (found,) = records.list("ann")
    assert found.version == 1 + 4 * 25
    assert found.config.values["password"].reveal() == f"password of {found.config.values['host']}"


def _killed_changes(folder: Path, kills: int) -> None:
    program = Path(__file__).with_name("killed_changes.py")
    command = [sys.executable, "-W", "error", str(program), str(folder), str(kills), "7"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout
    assert int(printed) > 0  # they got somewhere
    store = Store(folder)
    assert store.read("PRAGMA integrity_check") == [("ok",)]
    assert [path.name for path in folder.iterdir() if ".tmp" in path.name or ".broken" in path.name] == []
    store.close()


def test_a_killed_change_is_kept_whole_or_not_at_all(folder: Path) -> None:
    _killed_changes(folder, 20)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_thousand_killed_changes_are_kept_whole_or_not_at_all(folder: Path) -> None:
    _killed_changes(folder, 1_000)


def test_both_sides_of_a_fork_go_on(folder: Path, store: Store, python: Python) -> None:
    with python(FORKER, folder) as process:
        process.communicate()
    assert process.returncode == 0
    assert store.read("SELECT count(*) FROM connections") == [(41,)]
    assert store.read("PRAGMA integrity_check") == [("ok",)]


def test_a_database_moved_under_an_open_store_is_not_written_to(folder: Path, store: Store) -> None:
    assert store.read("SELECT count(*) FROM connections") == [(0,)]
    store.path.rename(folder / "kept")
    with store.write() as connection:
        connection.execute(INSERT, ("1",))
    assert store.path.exists()
    assert store.read("SELECT count(*) FROM connections") == [(1,)]
