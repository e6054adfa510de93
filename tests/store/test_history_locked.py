"""Runs that end while another process keeps the store locked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aiser_jupyter.models import HistoryEntry, RunState
from aiser_jupyter.store import database
from aiser_jupyter.store import history as module
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History

Entry = Callable[..., HistoryEntry]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits a moment for a lock, and not seconds."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)


def test_they_are_written_when_it_is_free_again(folder: Path, entry: Entry) -> None:
    history, other = History(Store(folder)), Store(folder)
    assert history.list() == []
    with other.write():
        for id in ("1", "2"):
            history.start(entry(id=id))
            history.finish(entry(id=id, state=RunState.DONE))
        assert not history.flush(0.5)  # tried some times, and not given up
    assert [(e.id, e.state) for e in reversed(history.list())] == [("1", RunState.DONE), ("2", RunState.DONE)]
    assert history.problem is None
    history.close()
    other.close()


def test_they_are_given_up_at_last_and_it_is_said(
    folder: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCKED_SECONDS", 0.2)
    history, other = History(Store(folder)), Store(folder)
    assert history.list() == []
    with other.write():
        history.start(entry(id="1"))
        assert history.flush()
        assert history.problem is not None
        assert "locked" in history.problem.message
    history.start(entry(id="2"))
    assert [e.id for e in history.list()] == ["2"]
    history.close()
    other.close()


def test_closing_does_not_wait_for_the_lock(
    folder: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.3)
    history, other = History(Store(folder)), Store(folder)
    assert history.list() == []
    with other.write():
        history.start(entry(id="1"))
        history.flush(0.3)
        history.close()
        assert history.problem is not None
    assert history.list() == []
    history.close()
    other.close()
