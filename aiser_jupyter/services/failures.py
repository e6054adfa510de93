"""Failed runs, one line of JSON each, for whoever looks after an installation.

Rules:

- A run that failed has exactly one record, with the id that its history row has; a cancelled one has none.
- No statement, no value and no secret is in it. Of the error's message stays what is in no quotes and no
  literal of the statement, at most `MESSAGE` characters; where the statement carries a secret, nothing. The
  whole message is in the history, which only its owner reads.
- No text can forge a record: what cannot be printed becomes a blank, and JSON is written in ASCII.
- Writing never raises. What could not be written is told by `FailureLog.problem`, and the query goes on.
- `FILES` files of `BYTES` bytes at most, 0600, shared by every process of the user. Appending and rotating
  are guarded by a lock on the file itself; who does not get it in `WAIT` seconds appends without rotating.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AiserError, StoreError
from ..models import Notice, RunState
from ..words import short_id

if TYPE_CHECKING:
    from ..models import HistoryEntry

__all__ = ["BYTES", "FILES", "MESSAGE", "Failure", "FailureLog", "failure"]

BYTES = 1024 * 1024
FILES = 3
MESSAGE = 300
WAIT = 1.0
FIELD = 128  # characters of any other field

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_QUOTED = re.compile(r"(?<!\w)'[^']*'?|\"[^\"]*\"?|`[^`]*`?")
_WORDS = re.compile(r"[^\s'\",;$()]{3,}")


@dataclass(frozen=True, slots=True)
class Failure:
    """One record. ``time`` is when the run ended, ISO 8601 in UTC; ``error`` is the class of the error.

    ``retryable`` is true where the same call may succeed later with nothing changed.
    """

    id: str
    time: str
    user: str
    connection_id: str
    engine: str
    error: str
    code: str
    seconds: float | None
    retryable: bool
    pid: int | None
    message: str


def failure(entry: HistoryEntry, error: BaseException) -> Failure:
    """Return the record of a run that failed with ``error``."""
    ours = error if isinstance(error, AiserError) else None
    return Failure(
        id=_plain(entry.id),
        time=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        user=_plain(entry.user),
        connection_id=_plain(entry.connection_id),
        engine=_plain(entry.engine),
        error=_plain(type(error).__name__),
        code=_plain("internal" if ours is None else ours.code),
        seconds=None if entry.seconds is None else round(entry.seconds, 6),
        retryable=ours is not None and ours.retryable,
        pid=entry.pid,
        message=_plain(_message(entry), MESSAGE),
    )


class FailureLog:
    """The failed runs of one store. Safe from any thread and any process.

    Parameters
    ----------
    folder : Path
        The store's; made with mode 0700 at the first failure.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "failures.jsonl"
        self.problem: Notice | None = None

    def write(self, entry: HistoryEntry, error: BaseException) -> None:
        """Keep why a run failed. Never raises; waits `WAIT` seconds at most for another process."""
        if entry.state is not RunState.FAILED:
            return
        line = json.dumps(asdict(failure(entry, error))).encode("ascii") + b"\n"
        try:
            self._append(line)
        except (OSError, StoreError) as exc:
            self.problem = Notice("failures", f"The failure log misses run {entry.id}: {exc}")

    def find(self, id: str, user: str) -> Failure | None:
        """Return the record of a run of ``user``, by its id or the beginning that people are shown.

        None where there is none, or none any more.
        """
        names = {field.name for field in fields(Failure)}
        for line in self._lines():
            try:
                found = json.loads(line)
            except ValueError:  # cut short by a full disk
                continue
            if (
                isinstance(found, dict)
                and found.keys() == names
                and id in (found["id"], short_id(found["id"]))
                and found["user"] == user
            ):
                return Failure(**found)
        return None

    def count(self) -> int:
        """Return how many records there are."""
        return sum(1 for _ in self._lines())

    def check(self) -> str:
        """Return why the next record could not be written, or "" where it could; nothing is made."""
        if self.problem is not None:
            return self.problem.message
        try:
            os.close(os.open(self.path, _FLAGS))
        except FileNotFoundError:
            folder = self.path.parent
            if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
                return f"{folder} cannot be written."
        except OSError as exc:
            return f"{self.path} cannot be written: {exc.strerror}."
        return ""

    def _lines(self) -> Iterator[bytes]:
        for path in self._paths():
            try:
                yield from path.read_bytes().splitlines()
            except FileNotFoundError:
                continue

    def _paths(self) -> list[Path]:
        """The files, the newest first."""
        older = [self.path.with_name(f"{self.path.name}.{number}") for number in range(1, FILES)]
        return [self.path, *older]

    # -- writing --------------------------------------------------------------------------------------

    def _append(self, line: bytes) -> None:
        from ..store import files

        files.make_folder(self.path.parent)
        while True:
            files.protect(self.path)
            with _opened(self.path) as file:
                held = _held(file)
                if held and not _is_at(file, self.path):
                    continue  # somebody rotated meanwhile
                size = os.fstat(file).st_size
                if held and size and size + len(line) > BYTES:
                    self._rotate()
                    continue
                _write(file, line, size)
                return

    def _rotate(self) -> None:
        """The lock is held: of all who found the file full, one moves it."""
        paths = self._paths()
        for older, newer in zip(reversed(paths), reversed(paths[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, _FLAGS | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)  # gives the lock back


def _held(file: int) -> bool:
    """Take the lock of the file; False where somebody has kept it for `WAIT` seconds."""
    until = time.monotonic() + WAIT
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.002)
        else:
            return True


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def _write(file: int, line: bytes, size: int) -> None:
    if size and os.pread(file, 1, size - 1) != b"\n":
        line = b"\n" + line  # a full disk cut the record before
    if os.write(file, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _message(entry: HistoryEntry) -> str:
    """Return what may be told of the error: ``entry`` has its words and its statement, both redacted."""
    from ..sql.scan import scan

    if "***" in entry.sql:
        return ""
    text = (entry.error.splitlines() or [""])[0]
    literals = [token.text for token in scan(entry.sql) if token.kind in ("value", "dollar", "name")]
    words = {word for literal in literals for word in _WORDS.findall(literal)}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "…")
    return _QUOTED.sub("…", text)


def _plain(text: str, most: int = FIELD) -> str:
    """Return ``text`` on one line, without control, format and surrogate characters."""
    return "".join(char if char.isprintable() else " " for char in str(text)[:most])
