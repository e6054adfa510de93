"""What ran is kept, found again, and never in the way of a query."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from aiser_jupyter.models import HistoryEntry, RunState, StatementKind, Timings
from aiser_jupyter.store import history as module
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History
from aiser_jupyter.store.process import alive, place, this_process

Entry = Callable[..., HistoryEntry]
Python = Callable[..., subprocess.Popen[str]]

WRITER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from aiser_jupyter.models import HistoryEntry, RunState
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History
history = History(Store(Path(sys.argv[1])))
for id in sys.argv[2:]:
    history.start(HistoryEntry(id, datetime.now(UTC), "ann", "local", RunState.RUNNING, "x", pid=os.getpid()))
"""


@pytest.fixture
def history(store: Store) -> Iterator[History]:
    history = History(store)
    yield history
    history.close()


def test_an_entry_comes_back_as_it_was(history: History, entry: Entry) -> None:
    full = entry(
        state=RunState.FAILED,
        fingerprint="f",
        kind=StatementKind.WRITE,
        engine="duckdb",
        reason="files are read here",
        pinned=True,
        cached=True,
        estimated_seconds=0.5,
        seconds=1.25,
        timings=Timings(0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        rows=12,
        bytes=2**40,
        truncated=True,
        error_code="data",
        error="no such file",
        cell="c1",
        connection_id="c7",
        handle="shop 12:34",
    )
    plain = entry()
    same = {f.name for f in fields(full) if getattr(full, f.name) == getattr(plain, f.name)}
    assert same == {"user", "connection", "pid"}  # every other column is told apart
    history.finish(full)
    assert history.get(full.id) == full
    assert history.get("nothing") is None


def test_times_are_utc_whatever_zone_they_came_in(history: History, entry: Entry) -> None:
    moment = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    history.start(entry(id="zoned", started_at=moment))
    found = history.get("zoned")
    assert found is not None
    assert found.started_at == moment
    assert found.started_at.tzinfo is UTC


def test_newest_first_by_pages(history: History, entry: Entry) -> None:
    entries = [entry() for _ in range(7)]
    same_moment = [replace(entries[3], id=f"same-{n}") for n in range(3)]
    for one in (*entries, *same_moment):
        history.start(one)
    everything = history.list()
    assert [e.started_at for e in everything] == sorted((e.started_at for e in everything), reverse=True)
    paged, before = [], None
    while page := history.list(limit=3, before=before):
        paged += page
        before = page[-1].id
    assert paged == everything
    assert len(paged) == 10


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ("orders", ["1"]),
        ("ORDERS", ["1"]),
        ("100%", ["2"]),
        ("_", ["3"]),
        ("shop", ["3"]),
        ("no file", ["2"]),
    ],
)
def test_search_finds_text_and_no_patterns(
    history: History, entry: Entry, search: str, ids: list[str]
) -> None:
    history.start(entry(id="1", sql="SELECT * FROM Orders"))
    history.start(entry(id="2", sql="SELECT '100%'", error="no file"))
    history.start(entry(id="3", sql="SELECT a_b", connection="shop"))
    assert [e.id for e in history.list(search=search)] == ids


def test_only_one_state(history: History, entry: Entry) -> None:
    history.start(entry(id="1"))
    history.finish(entry(id="2", state=RunState.DONE))
    assert [e.id for e in history.list(state=RunState.RUNNING)] == ["1"]


def test_finishing_changes_the_row_that_was_started(history: History, entry: Entry) -> None:
    started = entry()
    history.start(started)
    history.finish(replace(started, state=RunState.DONE, rows=3))
    (found,) = history.list()
    assert (found.state, found.rows) == (RunState.DONE, 3)


def test_text_that_is_not_unicode_is_kept_readable(history: History, entry: Entry) -> None:
    history.start(entry(id="1", sql="SELECT '\ud800', '\0'"))
    found = history.get("1")
    assert found is not None
    assert found.sql == "SELECT '?', '\0'"


def test_pruning_keeps_the_newest_and_what_runs(store: Store, entry: Entry) -> None:
    history = History(store, rows=3)
    running = entry()
    history.start(running)
    done = [entry(state=RunState.DONE) for _ in range(6)]
    for one in done:
        history.finish(one)
    history.prune()
    assert history.list() == [*reversed(done[3:]), running]
    history.close()


def test_pruning_happens_by_itself(store: Store, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRUNE_EVERY", 10)
    history = History(store, rows=5)
    for _ in range(41):
        history.finish(entry(state=RunState.DONE))
    assert len(history.list()) == 5
    history.close()


def test_another_process_sees_what_runs(history: History, folder: Path, entry: Entry) -> None:
    reader = Store(folder)
    history.start(entry(id="seen"))
    until = time.monotonic() + 0.5
    while not (found := reader.read("SELECT id, state FROM history")) and time.monotonic() < until:
        time.sleep(0.01)
    assert found == [("seen", "running")]
    reader.close()


def test_nothing_is_lost_at_a_normal_exit(history: History, folder: Path, python: Python) -> None:
    ids = [f"exit-{n}" for n in range(50)]
    with python(WRITER, folder, *ids) as writer:
        writer.communicate()
    assert writer.returncode == 0
    assert {e.id for e in history.list()} == set(ids)


def test_rows_of_a_dead_process_are_reaped(
    history: History, folder: Path, python: Python, entry: Entry
) -> None:
    with python(WRITER + "history.flush(); print('ready', flush=True); input()", folder, "theirs") as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        history.start(entry(id="ours"))
        assert len(history.reap()) == 0
        writer.kill()
        os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)
        assert len(history.reap()) == 1  # although its pid is still there, as a zombie
    assert {e.id: e.state for e in history.list()} == {"ours": RunState.RUNNING, "theirs": RunState.LOST}
    assert len(history.reap()) == 0


def test_a_pid_that_another_process_has_now_counts_as_dead() -> None:
    assert alive(os.getpid(), this_process()) is True
    assert alive(os.getpid(), f"{place()} 1") is False


def test_a_process_elsewhere_is_judged_by_its_heartbeat(history: History, store: Store, entry: Entry) -> None:
    for id, silent in (("awake", 5.0), ("silent", 500.0)):
        history.start(entry(id=id))
        history.flush()
        with store.write() as connection:
            connection.execute(
                "UPDATE history SET host = 'far boot ns 1', heartbeat = ? WHERE id = ?",
                (time.time() - silent, id),
            )
    assert len(history.reap()) == 1
    assert {e.id: e.state for e in history.list()} == {"awake": RunState.RUNNING, "silent": RunState.LOST}


def test_what_somebody_has_to_stop_at_a_database_is_left_to_them(
    history: History, store: Store, entry: Entry
) -> None:
    """Else the first of several persons would take the rows of all, and what runs there would go on."""
    for id, user, handle, silent in (
        ("to stop", "bob", "shop 17", 500.0),
        ("too old", "bob", "shop 18", 4000.0),
        ("ended with it", "bob", "", 500.0),
        ("mine", "ann", "shop 19", 500.0),
    ):
        history.start(entry(id=id, user=user, handle=handle))
        history.flush()
        with store.write() as connection:
            connection.execute(
                "UPDATE history SET host = 'far boot ns 1', heartbeat = ? WHERE id = ?",
                (time.time() - silent, id),
            )
    assert {lost.id for lost in history.reap("ann")} == {"too old", "ended with it", "mine"}
    assert [(lost.id, lost.handle) for lost in history.reap("bob")] == [("to stop", "shop 17")]
    assert len(history.reap()) == 0


def test_a_run_that_goes_on_beats(store: Store, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.05)
    history = History(store)
    history.start(entry(id="long"))
    history.start(entry(id="short"))
    history.finish(entry(id="short", state=RunState.DONE))
    history.flush()
    began = dict(store.read("SELECT id, heartbeat FROM history"))
    time.sleep(0.3)
    now = dict(store.read("SELECT id, heartbeat FROM history"))
    assert now["long"] > began["long"]
    assert now["short"] == began["short"]
    history.close()


def test_a_store_that_fails_is_a_notice_and_not_an_error(folder: Path, entry: Entry) -> None:
    folder.symlink_to("/nowhere")
    history = History(Store(folder))
    assert history.problem is None
    history.start(entry())
    history.finish(entry())
    assert history.flush()
    assert history.list() == []
    assert len(history.reap()) == 0
    assert history.problem is not None
    assert history.problem.code == "history"
    assert "symbolic link" in history.problem.message
    history.close()


def test_a_damaged_row_hides_only_itself(history: History, store: Store, entry: Entry) -> None:
    history.start(entry(id="good"))
    history.start(entry(id="bad"))
    history.flush()
    with store.write() as connection:
        connection.execute("UPDATE history SET state = 'nonsense' WHERE id = 'bad'")
    assert [e.id for e in history.list()] == ["good"]
    assert history.problem is not None
    assert "nonsense" in history.problem.message


def test_an_entry_that_cannot_be_written_does_not_stop_the_others(history: History, entry: Entry) -> None:
    history.start(entry(id="bad", rows=2**70))
    assert history.flush()
    assert history.problem is not None
    history.start(entry(id="good"))
    assert [e.id for e in history.list()] == ["good"]


def test_the_query_does_not_wait_for_a_locked_store(history: History, folder: Path, entry: Entry) -> None:
    assert history.list() == []
    other = Store(folder)
    with other.write():
        began = time.perf_counter()
        for _ in range(100):
            one = entry()
            history.start(one)
            history.finish(replace(one, state=RunState.DONE))
        assert time.perf_counter() - began < 0.1  # 1 ms a query
    assert len(history.list(limit=200)) == 100
    assert history.problem is None
    other.close()


def test_the_queue_is_bounded(
    history: History, folder: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CAPACITY", 10)
    assert history.list() == []
    other = Store(folder)
    with other.write():
        for _ in range(50):
            history.start(entry())
    assert 10 <= len(history.list(limit=100)) <= 20
    assert history.problem is not None
    assert "does not keep up" in history.problem.message
    other.close()


def test_closing_ends_the_thread_and_a_later_run_is_kept_still(history: History, entry: Entry) -> None:
    before = set(threading.enumerate())
    history.start(entry(id="1"))
    history.close()
    assert "aiser-history" not in {thread.name for thread in set(threading.enumerate()) - before}
    history.start(entry(id="2"))
    assert {e.id for e in history.list()} == {"1", "2"}
