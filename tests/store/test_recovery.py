"""A store file that is broken, newer, out of space or gone: queries go on, nothing is lost."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiser_jupyter.errors import StoreError
from aiser_jupyter.execution.executor import Executor
from aiser_jupyter.models import ConnectionConfig, HistoryEntry, RunState
from aiser_jupyter.run import Run
from aiser_jupyter.store import schema
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History
from aiser_jupyter.store.inspection import os_error
from aiser_jupyter.store.keys import KeyFile

WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from aiser_jupyter.store.database import Store
store = Store(Path(sys.argv[1]))
with store.write() as connection:
    for number in range(200):
        row = (f"late-{number}", "ann", f"late{number}", "duckdb", "{}", "2026-03-01", 1, "", "{}")
        connection.execute(f"INSERT INTO connections VALUES ({', '.join('?' * len(row))})", row)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _records(store: Store) -> ConnectionRecords:
    return ConnectionRecords(store, KeyFile(store.folder / "key"))


def _save(store: Store, name: str) -> None:
    config = ConnectionConfig("duckdb", name, {"path": f"{name}.duckdb"})
    _records(store).add("ann", config, "", frozenset(), datetime.now(UTC))


def _names(store: Store) -> list[str]:
    return [found.name for found in _records(store).list("ann")]


def _broken(folder: Path) -> list[Path]:
    sides = ("-wal", "-shm", "-journal")
    return sorted(p for p in folder.glob("aiser.db.broken-*") if not p.name.endswith(sides))


@pytest.fixture
def saved(store: Store) -> Store:
    """A store with one connection, and a backup of it."""
    _save(store, "shop")
    store.close()
    assert store.state.ok
    assert store.backup_path.exists()
    store.close()
    return store


@pytest.fixture
def template(saved: Store, python: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> Path:
    """The folder of a store whose last writer was killed: there is content in its write-ahead log."""
    with python(WRITE_AND_DIE, saved.folder) as writer:
        writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    assert (saved.folder / "aiser.db-wal").stat().st_size > 0
    return saved.folder.rename(tmp_path / "template")


def _mutate(path: Path, chance: random.Random) -> str:
    data = bytearray(path.read_bytes())
    kind = chance.choice(["truncate", "empty", "random", "random page", "header", "flip"])
    if kind == "truncate":
        del data[chance.randrange(1, len(data)) :]
    elif kind == "empty":
        data.clear()
    elif kind == "random":
        data[:] = chance.randbytes(len(data))
    elif kind == "random page":
        page = chance.randrange(len(data) // 4096) * 4096
        data[page : page + 4096] = chance.randbytes(4096)
    elif kind == "header":
        at = chance.randrange(100)
        data[at] ^= chance.randrange(1, 256)
    else:
        for _ in range(chance.randrange(1, 20)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return kind


def _query_path(store: Store) -> None:
    """What a query does with the store, and that it does not suffer from it."""
    history, executor = History(store), Executor(2, 2)
    entry = HistoryEntry(
        "q", datetime.now(UTC), "ann", "local", RunState.RUNNING, "SELECT 1", pid=os.getpid()
    )
    run = Run("q", timeout=10)
    history.start(entry)
    assert executor.wait(executor.submit(run, lambda: 42), run) == 42
    history.finish(replace(entry, state=RunState.DONE))
    assert len(history.list()) <= 1
    history.close()
    executor.close()


@pytest.mark.parametrize("log", [True, False], ids=["with log", "without log"])
def test_a_damaged_file_never_stops_a_query_and_is_kept_as_it_was(
    template: Path, tmp_path: Path, log: bool
) -> None:
    seen: dict[str, int] = {}
    backup = (template / "aiser.db.backup").read_bytes()
    for seed in range(100):
        folder = tmp_path / f"damaged-{seed}"
        shutil.copytree(template, folder)
        if not log:
            (folder / "aiser.db-wal").unlink()
            (folder / "aiser.db-shm").unlink()
        kind = _mutate(folder / "aiser.db", random.Random(seed))
        before = (folder / "aiser.db").read_bytes()
        store = Store(folder)
        state = store.state
        _query_path(store)
        if not state.ok:
            seen[kind] = seen.get(kind, 0) + 1
            (kept,) = _broken(folder) or [folder / "aiser.db"]
            assert kept.read_bytes() == before, (seed, kind)
            assert state.message, (seed, kind)
            assert state.hint, (seed, kind)
            if log and kept.name != "aiser.db":
                assert Path(f"{kept}-wal").read_bytes() == (template / "aiser.db-wal").read_bytes()
        assert (folder / "aiser.db.backup").read_bytes() == backup, (seed, kind)
        store.close()
    # The log holds the newest version of some pages, so that damage under it does not show; and SQLite
    # has no checksums: a flipped bit in a text is another text.
    assert {"truncate", "empty", "random"} | ({"random page"} if log else {"header", "flip"}) <= set(seen)


def test_a_broken_file_is_not_replaced_by_an_empty_store(saved: Store) -> None:
    saved.path.write_bytes(b"\0" * 20_000)
    for store in (saved, Store(saved.folder), saved):  # this process, the next one, and later
        assert not store.state.ok
        assert str(saved.backup_path) in store.state.hint
        assert store.read("SELECT * FROM connections") == []
        with pytest.raises(StoreError, match="is kept as"):
            _save(store, "other")
    assert len(_broken(saved.folder)) == 1
    assert not saved.path.exists()


def test_the_backup_can_be_restored_and_every_process_goes_on(saved: Store) -> None:
    saved.path.write_bytes(b"")
    other = Store(saved.folder)
    assert not saved.state.ok
    assert not other.state.ok
    saved.restore_backup()
    assert _names(saved) == ["shop"]
    assert other.state.ok
    assert _names(other) == ["shop"]
    assert len(_broken(saved.folder)) == 1
    with pytest.raises(StoreError, match="is not replaced"):
        saved.restore_backup()
    other.close()


def test_the_backup_can_be_restored_before_anybody_looked(saved: Store) -> None:
    saved.close()
    saved.path.write_bytes(b"broken" * 1000)
    other = Store(saved.folder)
    other.restore_backup()
    assert other.state.ok
    assert len(list(saved.folder.glob("aiser.db.broken-*"))) == 1
    other.close()


def test_a_broken_backup_is_not_restored(saved: Store) -> None:
    saved.path.write_bytes(b"")
    saved.backup_path.write_bytes(b"\0" * 20_000)
    assert not saved.state.ok
    with pytest.raises(StoreError, match="broken too"):
        saved.restore_backup()
    assert not saved.path.exists()


def test_without_a_backup_the_hint_says_so(store: Store) -> None:
    assert store.state.ok
    store.close()
    store.path.write_bytes(b"")
    assert "There is no backup" in store.state.hint
    with pytest.raises(StoreError, match="no backup"):
        store.restore_backup()


def test_an_empty_store_is_begun_when_somebody_says_so(saved: Store) -> None:
    saved.path.write_bytes(b"")
    assert not saved.state.ok
    saved.start_fresh()
    assert saved.state.ok
    assert _names(saved) == []
    assert len(_broken(saved.folder)) == 1


def test_or_when_the_broken_file_is_moved_away(saved: Store, tmp_path: Path) -> None:
    saved.path.write_bytes(b"")
    assert not saved.state.ok
    for path in saved.folder.glob("aiser.db.broken-*"):
        path.rename(tmp_path / path.name)
    assert saved.state.ok


def test_two_broken_files_of_one_second_are_both_kept(saved: Store) -> None:
    for content in (b"first", b"second"):
        if saved.path.exists():
            saved.close()
        saved.path.write_bytes(content)
        saved.path.chmod(0o600)
        assert not saved.state.ok
    assert sorted(path.read_bytes() for path in _broken(saved.folder)) == [b"first", b"second"]


def test_damage_that_is_found_while_reading_sets_the_file_aside(saved: Store) -> None:
    assert saved.state.ok
    page = saved.read("SELECT rootpage FROM sqlite_schema WHERE name = 'connections'")[0][0]
    saved.close()
    assert saved.state.ok  # opened and sound; then the disk goes bad under it
    with saved.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(StoreError):
        saved.read("SELECT * FROM connections")
    assert not saved.state.ok
    assert len(_broken(saved.folder)) == 1


def test_another_programs_database_is_not_touched(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "aiser.db")) as connection:
        connection.execute("CREATE TABLE theirs (n)")
    before = (folder / "aiser.db").read_bytes()
    store = Store(folder)
    assert "not a store" in store.state.message
    assert [path.read_bytes() for path in _broken(folder)] == [before]


def test_a_newer_version_is_left_where_it_is(saved: Store) -> None:
    with closing(sqlite3.connect(saved.path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = saved.path.read_bytes()
    assert "newer aiser_jupyter" in saved.state.message
    assert "Upgrade" in saved.state.hint
    assert saved.read("SELECT * FROM connections") == []
    with pytest.raises(StoreError, match="newer"):
        _save(saved, "other")
    assert saved.path.read_bytes() == before
    assert _broken(saved.folder) == []


def test_a_store_that_was_deleted_is_begun_anew(saved: Store) -> None:
    assert _names(saved) == ["shop"]
    saved.path.unlink()  # its log stays, and must not be read into the new file
    assert saved.state.ok
    assert _names(saved) == []


def test_a_log_without_its_database_is_kept_and_not_read_into_another(template: Path) -> None:
    log = (template / "aiser.db-wal").read_bytes()
    (template / "aiser.db").unlink()
    store = Store(template)
    assert not _broken(template)
    assert _names(store) == []
    assert store.read("PRAGMA integrity_check") == [("ok",)]
    assert [path.read_bytes() for path in template.glob("aiser.db.broken-*-wal")] == [log]
    store.close()


def test_a_temporary_file_left_by_a_dead_process_is_removed(saved: Store) -> None:
    (saved.folder / "aiser.db.tmp").write_bytes(b"half")
    (saved.folder / "aiser.db.tmp-journal").write_bytes(b"half")
    assert saved.state.ok
    assert list(saved.folder.glob("*.tmp*")) == []


def test_the_backup_is_made_once_a_day(saved: Store) -> None:
    _save(saved, "second")
    first = saved.backup_path.read_bytes()
    saved.close()
    assert saved.state.ok
    assert saved.backup_path.read_bytes() == first
    saved.close()
    yesterday = saved.backup_path.stat().st_mtime - 90_000
    os.utime(saved.backup_path, (yesterday, yesterday))
    assert saved.state.ok
    with closing(sqlite3.connect(saved.backup_path)) as connection:
        assert connection.execute("SELECT count(*) FROM connections").fetchone() == (2,)


def test_a_write_that_fails_leaves_nothing_behind(store: Store) -> None:
    def write() -> None:
        with store.write() as connection:
            connection.execute("DELETE FROM connections")
            raise ZeroDivisionError

    _save(store, "shop")
    with pytest.raises(ZeroDivisionError):
        write()
    assert _names(store) == ["shop"]


def _save_many(store: Store) -> None:
    for number in range(200):
        _save(store, f"c{number}_" + "x" * 50)


def test_a_file_that_cannot_be_made_for_want_of_space_is_the_same_error(tmp_path: Path) -> None:
    full = os_error(OSError(errno.ENOSPC, "No space left on device"), tmp_path / "aiser.db")
    assert "is full" in full.message
    other = os_error(OSError(errno.EACCES, "Permission denied"), tmp_path / "aiser.db")
    assert "Permission denied" in other.message


def test_a_store_cannot_be_begun_on_a_full_disk_but_later(
    small_disk: Path, fill: Callable[[Path], Path]
) -> None:
    store = Store(small_disk / "aiser")
    filler = fill(small_disk)
    assert "is full" in store.state.message
    filler.unlink()
    assert store.state.ok
    store.close()


def test_a_full_disk_is_a_typed_error_and_the_store_recovers(
    small_disk: Path, fill: Callable[[Path], Path], entry: Callable[..., HistoryEntry]
) -> None:
    store = Store(small_disk / "aiser")
    _save(store, "shop")
    history = History(store)
    filler = fill(small_disk)
    with pytest.raises(StoreError, match="full") as caught:
        _save_many(store)
    assert "Free some space" in caught.value.hint
    saved = _names(store)
    assert "shop" in saved
    history.start(entry(sql="x" * 100_000))
    assert history.list() == []
    assert history.problem is not None
    assert "full" in history.problem.message
    again = Store(store.folder)
    filler.unlink()
    assert _names(again) == saved
    _save(store, "after")
    assert set(_names(store)) == {*saved, "after"}
    assert store.read("PRAGMA integrity_check") == [("ok",)]
    history.close()
    store.close()
    again.close()
