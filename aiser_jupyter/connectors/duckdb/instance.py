"""Where DuckDB runs: one in-memory instance a process, and database files opened for one statement.

Tables made in the in-memory instance live as long as the process. A file is opened for each session and
closed with it, read-only where nothing is written, so that two processes do not lock each other out for
longer than a statement. Memory, threads and spill space are the administrator's; nothing else is restricted:
the process is the person's own. Where it is not, `confine` is called first: from then on no instance reaches
anything but one folder, and no setting can be changed.
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

from ...config import AiserDuckDB, load
from ...errors import ConnectError, DataError, nearest
from ..files import quoted
from .errors import locked, split

if TYPE_CHECKING:
    import duckdb

__all__ = ["configure", "confine", "memory_cursor", "open_file"]

LOCK_PATIENCE = 2.0
"""Seconds to wait for a database file that another process holds."""
_CONFINED = {
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",  # now: once a secret was asked for it cannot be set
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_SPARES = 64
"""Connections of a confined instance that count their progress: a locked one cannot be told to."""

_guard = threading.RLock()
_opening = threading.Lock()
_pid = 0
_settings: AiserDuckDB | None = None
_options: dict[str, Any] | None = None
_memory: duckdb.DuckDBPyConnection | None = None
_spares: list[duckdb.DuckDBPyConnection] = []
_folder: Path | None = None
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


def confine(folder: Path) -> None:
    """Let every instance opened from here on reach the files below ``folder``, its own file, and no other.

    Nothing is installed, loaded or fetched, no secret outlives the process, and no setting can be changed.
    """
    global _folder, _options
    with _guard:
        _forget_after_fork()
        _folder, _options = folder, None


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
                **(_CONFINED if _folder else {}),
            }
            if settings.threads:
                _options["threads"] = str(settings.threads)
            if settings.temp_limit:
                _options["max_temp_directory_size"] = f"{max(settings.temp_limit // 1024, 1)}KiB"
        return _options


def memory_cursor() -> duckdb.DuckDBPyConnection:
    """Return a connection to the in-memory instance of this process, set up for a `DuckDBSession`."""
    import duckdb

    global _memory
    with _guard:
        _forget_after_fork()
        if _spares:
            return _spares.pop()
        if _memory is None:
            try:
                started = duckdb.connect(config=options())
                if _folder is not None:
                    _spares.extend(_locked(started, [str(_folder)], _SPARES))
            except (duckdb.Error, OSError) as exc:
                raise ConnectError(f"DuckDB did not start: {split(str(exc))[1]}") from exc
            _memory = started
            atexit.register(_close_memory, os.getpid())
        return _spares.pop() if _spares else watched(_memory.cursor())


def give_back(cursor: duckdb.DuckDBPyConnection) -> None:
    """Keep a connection that is as it was when it was opened: setting one up is a third of a small query."""
    with _guard:
        _forget_after_fork()
        if len(_spares) < (1 if _folder is None else _SPARES) and _memory is not None:
            _spares.append(cursor)
            return
    cursor.close()


def watched(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Have a connection count its progress, and print none of it; one of a locked instance does not count."""
    if _folder is not None and _is_locked(connection):
        return connection
    return connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")


def _is_locked(connection: duckdb.DuckDBPyConnection) -> bool:
    ((is_locked,),) = connection.execute("SELECT current_setting('lock_configuration')").fetchall()
    return bool(is_locked)


def _locked(
    connection: duckdb.DuckDBPyConnection, folders: list[str], spares: int
) -> list[duckdb.DuckDBPyConnection]:
    """Take an instance's ways out, and return connections to it that count their progress.

    The order matters: what is set last forbids to set anything. A database file that is open stays within
    reach, with its log; so does the folder for spilled data.
    """
    made = [watched(connection.cursor()) for _ in range(spares)]
    ((zone,),) = connection.execute("SELECT current_setting('TimeZone')").fetchall()
    for name, value in (
        ("TimeZone", quoted(zone)),
        ("allowed_directories", f"[{', '.join(map(quoted, folders))}]"),
        ("enable_external_access", "false"),
        ("lock_configuration", "true"),
    ):
        connection.execute(f"SET GLOBAL {name} = {value}")
    return made


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
            return _connect(str(path), read_only)
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


def _connect(path: str, read_only: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    if _folder is None:
        return watched(duckdb.connect(path, read_only=read_only, config=options()))
    with _opening:  # sessions of one file share its instance: the first locks it before another has it
        connection = watched(duckdb.connect(path, read_only=read_only, config=options()))
        if not _is_locked(connection):
            _locked(connection, [], 0)
        return connection


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
    global _pid, _options, _memory, _spares
    if _pid != os.getpid():
        _orphans.extend((_memory, _spares))  # their destructors would wait for threads that are not there
        _pid, _options, _memory, _spares = os.getpid(), None, None, []
