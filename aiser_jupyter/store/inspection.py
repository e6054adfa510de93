"""Is this file a sound store, and what does an SQLite error say about it?

Three answers are kept apart: the file is *broken* (it is set aside), it is a *newer* version's (it is left),
or the *surroundings* are at fault (disk, permission, lock: it is left, and tried again).
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

from ..errors import StoreError
from . import schema
from .files import OWN_FOLDER

__all__ = ["Broken", "inspect", "is_damage", "is_of_surroundings", "os_error", "store_error"]

_SURROUNDINGS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
LITTLE = 256 * 1024  # bytes: with less free, an I/O error of SQLite means a full disk


class Broken(Exception):
    """The file is not a sound store; the text says why."""


def inspect(connection: sqlite3.Connection, *, deep: bool = False) -> None:
    """Look at mark, version, pages and tables.

    Parameters
    ----------
    connection : sqlite3.Connection
    deep : bool
        Compare the indexes with their tables too, which takes twice as long.

    Raises
    ------
    Broken
    StoreError
        A newer version wrote it.
    sqlite3.Error
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise Broken("it is not a store")
    version = schema.user_version(connection)
    if version > schema.VERSION:
        raise StoreError(
            f"The store was written by a newer aiser_jupyter (version {version} of its tables, "
            f"this one knows {schema.VERSION}). Queries run; nothing is saved.",
            hint="Upgrade aiser_jupyter, or set AiserStore.directory to another folder.",
        )
    check = "integrity_check" if deep else "quick_check"  # 8 ms for a history of 10,000 runs
    found = connection.execute(f"PRAGMA {check}(1)").fetchone()[0]
    if found != "ok":
        raise Broken(str(found).splitlines()[-1])
    if tuple(schema.shape(connection)) != schema.expected_shape(version):
        raise Broken("its tables are not those of a store")


def is_damage(exc: sqlite3.Error) -> bool:
    """Say whether SQLite found what it read to be no sound database."""
    return _code(exc) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_of_surroundings(exc: sqlite3.Error, path: Path) -> bool:
    """Say whether disk, permission or lock is at fault, and not what the file at ``path`` holds."""
    if _code(exc) == sqlite3.SQLITE_READONLY:
        # The header can claim a format that SQLite only reads, while the file itself can be written.
        return not all(os.access(place, os.W_OK) for place in (path.parent, path))
    return _code(exc) & 0xFF in _SURROUNDINGS


def is_locked(exc: BaseException) -> bool:
    """Say whether what was translated is that another process holds the lock: a moment later it may work."""
    cause = exc.__cause__
    return isinstance(cause, sqlite3.Error) and _code(cause) & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


def store_error(exc: sqlite3.Error, path: Path) -> StoreError:
    """Translate an error of SQLite on the file at ``path``."""
    code = _code(exc) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _free(path) < LITTLE):
        return _disk_full(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"Another process keeps {path} locked.", hint="Try again.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return StoreError(f"The store {path} cannot be written: {exc}.", hint=OWN_FOLDER)
    return StoreError(f"The store {path} failed: {exc}.", hint="`aiser doctor` looks at the store.")


def os_error(exc: OSError, path: Path) -> StoreError:
    """Translate an error of the file system on the store at ``path``."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full(path)
    return StoreError(f"The store {path} cannot be opened: {exc.strerror}.", hint=OWN_FOLDER)


def _disk_full(path: Path) -> StoreError:
    return StoreError(
        f"The disk that holds {path.parent} is full; nothing was changed.",
        hint="Free some space there; the store goes on by itself.",
    )


def _code(exc: sqlite3.Error) -> int:
    return int(getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR))


def _free(path: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free
    return LITTLE
