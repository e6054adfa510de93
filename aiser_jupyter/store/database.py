"""One SQLite file a user, and what is done when it cannot be used.

Rules:

- Nothing here breaks a query. `Store` opens at its first use and again whenever the file on disk is
  another one than the file it has open; `Store.state` says whether that worked. While it does not, reads
  give nothing and writes raise `StoreError`.
- A broken file is set aside under a name of its own (``aiser.db.broken-<UTC time>``) and no empty file takes
  its place: an empty store would answer "no such connection", which is not the truth, and the next
  backup of it would replace the last good one. The store stays without content, in every process
  and after every restart, until somebody decides: `Store.restore_backup`, `Store.start_fresh`, or by hand
  in the folder.
- A file of a newer version is left where it is, and so is one that merely cannot be reached now (disk full,
  no permission, locked): the next use tries again.
- The file is inspected through a read-only connection before it is opened for writing, so that a broken file
  and its write-ahead log are kept byte for byte.
- Write-ahead log on a local file system; a rollback journal where other machines may see the folder.
- One connection, guarded by a lock. It is closed before a fork and opened again on either side: a SQLite
  connection must not be carried into another process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import StoreError
from . import files, schema
from .inspection import Broken, inspect, is_damage, is_of_surroundings, os_error, store_error

__all__ = ["Store", "StoreState"]

BUSY_SECONDS = 5.0
BACKUP_SECONDS = 86_400.0
SIDE_FILES = ("-wal", "-shm", "-journal")
SMALLEST = 512  # bytes of the smallest SQLite page: less is no database


@dataclass(frozen=True, slots=True)
class StoreState:
    """Whether the store can be used. ``message`` may also say, with ``ok``, that a backup is overdue."""

    ok: bool
    message: str = ""
    hint: str = ""


class Store:
    """The store file of one user. Safe from any thread, and across a fork.

    Parameters
    ----------
    folder : Path
        Made with mode 0700 at the first use; it belongs to the store alone.

    Examples
    --------
    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()) / "aiser")
    >>> store.state.ok
    True
    >>> store.read("SELECT count(*) FROM history")
    [(0,)]
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.path = self.folder / "aiser.db"
        self.backup_path = self.folder / "aiser.db.backup"
        self._temporary = self.folder / "aiser.db.tmp"
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._note = ""
        _stores.add(self)

    @property
    def state(self) -> StoreState:
        """Open the store if it is not, and say how that went. Never raises."""
        with self._lock:
            try:
                self._ready()
            except StoreError as exc:
                return StoreState(False, exc.message, exc.hint)
            return StoreState(True, self._note)

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT; none while the store cannot be used.

        Raises
        ------
        StoreError
            The statement failed on a store that could be opened.
        """
        with self._lock:
            try:
                connection = self._ready()
            except StoreError:
                return []
            try:
                return connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as exc:
                raise self._failed(exc) from exc

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside one transaction: all of it is kept, or nothing.

        Raises
        ------
        StoreError
            With a hint: the store cannot be used, the disk is full, another process holds the lock.
        """
        with self._lock:
            connection = self._ready()
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as exc:
                raise self._failed(exc) from exc

    def restore_backup(self) -> None:
        """Put the last good backup in the place of a file that was set aside; both stay where they are.

        Raises
        ------
        StoreError
            The store is there, there is no backup, or the backup is broken too.
        """
        with self._replacing():
            if not self.backup_path.exists():
                raise StoreError("There is no backup to restore.", hint="Begin an empty store.")
            files.protect(self.backup_path)
            shutil.copyfile(self.backup_path, self._new_temporary())
            try:
                with closing(self._connect(self._temporary, "ro")) as connection:
                    inspect(connection, deep=True)
            except (Broken, sqlite3.Error) as exc:
                raise StoreError(f"The backup {self.backup_path} is broken too: {exc}") from exc
            self._install(self.path)

    def start_fresh(self) -> None:
        """Begin an empty store in the place of a file that was set aside, which stays.

        Raises
        ------
        StoreError
            The store is there.
        """
        with self._replacing():
            self._create()

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _ready(self) -> sqlite3.Connection:
        connection = self._connection
        if connection is not None and _inode(self.path) == self._inode:
            return connection
        return self._open()

    def _open(self, *, deep: bool = False) -> sqlite3.Connection:
        self.close()
        self._note = ""
        try:
            files.make_folder(self.folder)
            with files.folder_lock(self.folder):
                self._remove_temporary()
                if os.path.lexists(self.path):
                    self._check(deep)
                else:
                    self._refuse_if_broken()
                    self._create()
                connection = self._connect(self.path, "rw")
                self._inode = _inode(self.path)
        except sqlite3.Error as exc:
            raise store_error(exc, self.path) from exc
        except OSError as exc:
            raise os_error(exc, self.path) from exc
        self._connection = connection
        return connection

    def _check(self, deep: bool) -> None:
        """Inspect the file, bring it to this version and make the daily backup; set it aside if broken."""
        for name in ("", *SIDE_FILES):
            files.protect(Path(f"{self.path}{name}"))
        try:
            # SQLite takes a file of no bytes for a new one, and deletes the log beside it.
            if self.path.stat().st_size < SMALLEST:
                raise Broken("it is cut short")
            # A journal is rolled back by a writer only; without one the look leaves no trace.
            mode = "rw" if Path(f"{self.path}-journal").exists() else "ro"
            with closing(self._connect(self.path, mode)) as connection:
                inspect(connection, deep=deep)
            with closing(self._connect(self.path, "rw")) as connection:
                connection.execute("BEGIN IMMEDIATE")  # shows now whether it can be written
                connection.execute("ROLLBACK")
                schema.migrate(connection)
                self._back_up(connection)
        except Broken as exc:
            self._set_aside()
            self._refuse_if_broken(str(exc), exc)
        except sqlite3.Error as exc:
            if is_of_surroundings(exc, self.path):
                raise
            self._set_aside()
            self._refuse_if_broken(str(exc), exc)

    def _connect(self, path: Path, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        # A flipped byte must not make a whole list unreadable.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        if mode == "ro":
            return connection
        try:
            network = files.is_network(files.file_system_of(self.folder))
            wanted = "delete" if network or path != self.path else "wal"
            found = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
            if wanted == "wal" and found == "wal":
                connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self) -> None:
        with closing(self._connect(self._new_temporary(), "rw")) as connection:
            schema.create_schema(connection)
        self._install(self.path)

    def _back_up(self, connection: sqlite3.Connection) -> None:
        """Copy the inspected file to ``aiser.db.backup`` unless there is one of today."""
        with suppress(FileNotFoundError):
            if abs(time.time() - self.backup_path.stat().st_mtime) < BACKUP_SECONDS:
                return
        try:
            with closing(self._connect(self._new_temporary(), "rw")) as copy:
                connection.backup(copy)
            self._install(self.backup_path)
        except (sqlite3.Error, OSError) as exc:
            self._remove_temporary()
            self._note = f"The daily backup of the store could not be made: {exc}."

    def _new_temporary(self) -> Path:
        self._remove_temporary()
        files.create(self._temporary)
        return self._temporary

    def _remove_temporary(self) -> None:
        # Made under the folder's lock only, so one that is there was left by a process that died.
        for name in ("", *SIDE_FILES):
            Path(f"{self._temporary}{name}").unlink(missing_ok=True)

    def _install(self, target: Path) -> None:
        """Let the finished temporary file appear under its name, at once and whole."""
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if target == self.path:
            self._set_aside()  # a log without its database must not meet another database
        self._temporary.replace(target)
        files.sync_folder(self.folder)

    def _set_aside(self) -> None:
        """Rename the file and what lies beside it; nothing is ever overwritten."""
        base = f"{self.path}.broken-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        name, number = base, 1
        while any(os.path.lexists(f"{name}{side}") for side in ("", *SIDE_FILES)):
            number += 1
            name = f"{base}.{number}"
        for side in ("", *SIDE_FILES):
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{side}", f"{name}{side}")

    def _refuse_if_broken(self, why: str = "", cause: Exception | None = None) -> None:
        broken = [p for p in self.folder.glob("aiser.db.broken-*") if not p.name.endswith(SIDE_FILES)]
        if not broken:
            return
        newest = max(broken)
        if self.backup_path.exists():
            day = datetime.fromtimestamp(self.backup_path.stat().st_mtime, UTC)
            hint = (
                f"The last good backup is {self.backup_path}, of {day:%Y-%m-%d %H:%M} UTC: "
                "`aiser doctor --restore-backup` goes back to it, and `aiser doctor --new-store` begins "
                "an empty store."
            )
        else:
            hint = "There is no backup. `aiser doctor --new-store` begins an empty store."
        message = f"The store was broken{f' ({why})' if why else ''}; it is kept as {newest}."
        raise StoreError(f"{message} Queries run; nothing is saved.", hint=hint) from cause

    @contextmanager
    def _replacing(self) -> Iterator[None]:
        with self._lock:
            works = os.path.lexists(self.path) and self.state.ok  # a look sets a broken file aside
            self.close()
            try:
                files.make_folder(self.folder)
                with files.folder_lock(self.folder):
                    if works or os.path.lexists(self.path):
                        raise StoreError(f"{self.path} is there and is not replaced.")
                    yield
            except sqlite3.Error as exc:
                raise store_error(exc, self.path) from exc
            except OSError as exc:
                raise os_error(exc, self.path) from exc

    def _failed(self, exc: sqlite3.Error) -> StoreError:
        """Translate; where the file seems damaged, inspect it thoroughly and set it aside if it is."""
        if is_damage(exc):
            try:
                self._open(deep=True)
            except StoreError as state:
                return state
        return store_error(exc, self.path)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_held: list[Store] = []


def _close_all() -> None:
    for store in list(_stores):
        store.close()


def _before_fork() -> None:
    for store in list(_stores):
        store._lock.acquire()
        store.close()
        _held.append(store)


def _after_fork() -> None:
    while _held:
        _held.pop()._lock.release()


atexit.register(_close_all)
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
