"""Where DuckDB runs: one in-memory instance a process, and database files opened for one statement.

Tables made in the in-memory instance live as long as the process. A file is opened for each session and
closed with it, read-only where nothing is written, so that two processes do not lock each other out for
longer than a statement. Memory, threads and spill space are the administrator's; nothing else is restricted:
the process is the person's own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import AiserDuckDB, load
from ..errors import ConnectError, DataError, nearest
from .duckdb_errors import locked, split

if TYPE_CHECKING:
    import duckdb

__all__ = ["configure", "memory_cursor", "open_file"]

LOCK_PATIENCE = 2.0
"""Seconds to wait for a database file that another process holds."""

_guard = threading.RLock()
_pid = 0
_settings: AiserDuckDB | None = None
_options: dict[str, Any] | None = None
_memory: duckdb.DuckDBPyConnection | None = None
_spare: duckdb.DuckDBPyConnection | None = None
_orphans: list[object] = []


def configure(settings: AiserDuckDB) -> None:
    """Set the limits of every instance opened from here on, and of the in-memory one where it is open."""
    global _settings, _options
    with _guard:
        _forget_after_fork()
        _settings, _options = settings, None
        if _memory is not None:
            for name in ("memory_limit", "threads", "max_temp_directory_size"):
                if name in options():
                    _memory.execute(f"SET GLOBAL {name} = '{options()[name]}'")


def options() -> dict[str, Any]:
    """Return the settings of an instance; the same throughout, as two opens of one file must agree."""
    global _options
    with _guard:
        _forget_after_fork()
        if _options is None:
            settings = _settings or load().duckdb
            _options = {
                "memory_limit": f"{max(settings.memory_bytes() // 1024, 1)}KiB",
                "temp_directory": settings.temp_directory or _private_folder(),
                # Types leave DuckDB whole, errors with their place, and a Python variable is a table only
                # where it was handed over as one.
                "arrow_lossless_conversion": "true",
                "errors_as_json": "true",
                "python_enable_replacements": "false",
            }
            if settings.threads:
                _options["threads"] = str(settings.threads)
            if settings.temp_limit:
                _options["max_temp_directory_size"] = f"{max(settings.temp_limit // 1024, 1)}KiB"
        return _options


def memory_cursor() -> duckdb.DuckDBPyConnection:
    """Return a connection to the in-memory instance of this process, set up for a `DuckDBSession`."""
    import duckdb

    global _memory, _spare
    with _guard:
        _forget_after_fork()
        if _spare is not None:
            cursor, _spare = _spare, None
            return cursor
        if _memory is None:
            try:
                _memory = duckdb.connect(config=options())
            except (duckdb.Error, OSError) as exc:
                raise ConnectError(f"DuckDB did not start: {split(str(exc))[1]}") from exc
            atexit.register(_close_memory, os.getpid())
        return watched(_memory.cursor())


def give_back(cursor: duckdb.DuckDBPyConnection) -> None:
    """Keep a connection that is as it was when it was opened: setting one up is a third of a small query."""
    global _spare
    with _guard:
        _forget_after_fork()
        if _spare is None and _memory is not None:
            _spare = cursor
            return
    cursor.close()


def watched(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Have a connection count its progress, and print none of it."""
    return connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")


def open_file(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a database file, waiting for another holder up to `LOCK_PATIENCE` seconds.

    Raises
    ------
    ConnectError
        The file is not there, may not be opened, or is held by somebody else.
    DataError
        The file is not a DuckDB database.
    """
    import duckdb

    _require_database(path, read_only)
    until = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return watched(duckdb.connect(str(path), read_only=read_only, config=options()))
        except (duckdb.Error, OSError) as exc:
            text = split(str(exc))[1]
            if "Could not set lock" in text or "different configuration" in text:
                if time.monotonic() < until:
                    time.sleep(0.05)
                    continue
                raise locked(text) from exc
            if "Cannot open" in text or "Permission denied" in text:
                raise ConnectError(f"The database {path.name!r} cannot be opened: {text}") from exc
            raise DataError(f"The database {path.name!r} cannot be read: {text}") from exc


def _require_database(path: Path, read_only: bool) -> None:
    """Look at the file first: DuckDB takes a CSV file for a database, and a missing one for a new one."""
    if not path.exists():
        if not read_only and path.parent.is_dir():
            return
        near = [other.name for other in path.parent.glob("*.d*b")] if path.parent.is_dir() else []
        hint = nearest(path.name, near, noun="databases in that folder")
        hint = hint or "Check the path; a write, or %aiser connect, makes a new database."
        if not path.parent.is_dir():
            hint = f"There is no folder {str(path.parent)!r}: make it first."
        raise ConnectError(f"There is no database file {str(path)!r}.", hint=hint)
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as exc:
        raise ConnectError(f"The database {path.name!r} cannot be opened: {exc.strerror}.") from exc
    if head[8:] != b"DUCK" and (head or read_only):
        raise DataError(
            f"{path.name!r} is not a DuckDB database.",
            hint="A data file needs no connection: write its path in FROM.",
        )


def _private_folder() -> str:
    folder = tempfile.mkdtemp(prefix="aiser-")  # mode 0700
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: str, pid: int) -> None:
    if os.getpid() == pid:  # in a fork the folder is still its parent's
        shutil.rmtree(folder, ignore_errors=True)


def _close_memory(pid: int) -> None:
    global _memory
    with _guard:
        if os.getpid() == pid and _memory is not None:
            _memory.close()
            _memory = None


def _forget_after_fork() -> None:
    """A fork inherits neither DuckDB's threads nor its locks: what it has of the instance is of no use."""
    global _pid, _options, _memory, _spare
    if _pid != os.getpid():
        _orphans.extend((_memory, _spare))  # their destructors would wait for threads that are not there
        _pid, _options, _memory, _spare = os.getpid(), None, None, None
