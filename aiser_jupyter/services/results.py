"""Results that wait to be read page by page, each by a handle that only its owner can use.

Rules:

- a result is given up a while after it was made, when its owner says so, and with the process;
- in memory there are so many bytes at most; what is more goes to disk, the largest first, and is mapped from
  there; past the bytes that the disk may take, and past `EACH` of one person, the oldest are given up;
- a file on disk has no name from its first byte on: whoever looks into the folder finds nothing, and a
  process that is killed leaves nothing behind.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import DiskFull, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from ..config import AiserResults
    from ..models import Identity
    from ..result import QueryResult

__all__ = ["KeptResult", "ResultStore"]

EACH = 100
"""Results of one person. One on disk holds a file descriptor."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptResult:
    """A handle: whose result, how large, and until when. ``on_disk`` says where its rows are."""

    id: str
    owner: Identity
    result: QueryResult = field(repr=False)
    rows: int
    bytes: int
    expires_at: datetime
    until: float = field(repr=False)
    on_disk: bool = False


class ResultStore:
    """The kept results of every user of one process. Safe from any thread.

    Parameters
    ----------
    settings : AiserResults

    Examples
    --------
    >>> import pyarrow as pa
    >>> from aiser_jupyter.config import Settings
    >>> from aiser_jupyter.models import Identity, Route
    >>> from aiser_jupyter.result import QueryResult
    >>> store = ResultStore(Settings().results)
    >>> kept = store.put(Identity("ann"), QueryResult("1", pa.table({"n": [1, 2]}), Route("duckdb", "")))
    >>> store.get(Identity("ann"), kept.id).result.row_count
    2
    """

    def __init__(self, settings: AiserResults) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._kept: dict[tuple[Identity, str], KeptResult] = {}

    def put(self, owner: Identity, result: QueryResult) -> KeptResult:
        """Keep a result under its own id. May write to disk, so not for an event loop.

        Raises
        ------
        DiskFull
            It belongs on disk, and there is no room.
        """
        seconds = self._settings.seconds
        kept = KeptResult(
            result.id,
            owner,
            result,
            result.row_count,
            result.table.nbytes,
            datetime.now(UTC) + timedelta(seconds=seconds),
            time.monotonic() + seconds,
        )
        if kept.bytes > self._settings.memory_bytes:
            if kept.bytes > self._settings.disk_bytes:
                raise DiskFull("The result is larger than what is kept here.", hint="Read less of it.")
            kept = self._moved(kept)
        with self._lock:
            self._kept[owner, kept.id] = kept
        self.sweep()
        for old in self._surplus():
            self._to_disk(old)
        return kept

    def get(self, owner: Identity, id: str) -> KeptResult:
        """Return what is kept under a handle.

        Raises
        ------
        NotFound
            There is nothing, or no more, or it is somebody else's: in the same words.
        """
        with self._lock:
            kept = self._kept.get((owner, id))
        if kept is None or kept.until <= time.monotonic():
            raise _unknown()
        return kept

    def drop(self, owner: Identity, id: str) -> None:
        """Give a result up. Raises `NotFound` as `get` does."""
        with self._lock:
            if self._kept.pop((owner, id), None) is None:
                raise _unknown()

    def sweep(self) -> None:
        """Give up what has expired, and the oldest where they are too many, or too large for the disk."""
        now = time.monotonic()
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if kept.until > now}
            for owner, count in Counter(owner for owner, _ in self._kept).items():
                for key in [key for key in self._kept if key[0] == owner][: max(0, count - EACH)]:
                    del self._kept[key]
            on_disk = [kept for kept in self._kept.values() if kept.on_disk]
            total = sum(kept.bytes for kept in on_disk)
            for kept in on_disk:
                if total <= self._settings.disk_bytes:
                    break
                del self._kept[kept.owner, kept.id]
                total -= kept.bytes

    def close(self) -> None:
        """Give everything up."""
        with self._lock:
            self._kept.clear()

    def _surplus(self) -> list[KeptResult]:
        """Return the largest in memory, as many as have to leave it."""
        with self._lock:
            in_memory = [kept for kept in self._kept.values() if not kept.on_disk]
        total = sum(kept.bytes for kept in in_memory)
        found = []
        for kept in sorted(in_memory, key=lambda kept: -kept.bytes):
            if total <= self._settings.memory_bytes:
                break
            found.append(kept)
            total -= kept.bytes
        return found

    def _to_disk(self, kept: KeptResult) -> None:
        try:
            moved = self._moved(kept)
        except DiskFull:
            moved = None  # no room: given up before its time, and `get` says so
        with self._lock:
            if self._kept.get((kept.owner, kept.id)) is not kept:
                return  # dropped meanwhile, or moved by another thread
            if moved is None:
                del self._kept[kept.owner, kept.id]
            else:
                self._kept[kept.owner, kept.id] = moved
        if moved is not None:
            self.sweep()

    def _moved(self, kept: KeptResult) -> KeptResult:
        try:
            table = _mapped(kept.result.table, self._settings.directory or None)
        except OSError as exc:
            raise DiskFull(f"The result cannot be kept on disk: {exc.strerror}.") from exc
        return replace(kept, result=replace(kept.result, table=table), on_disk=True)


def _mapped(table: pa.Table, folder: str | None) -> pa.Table:
    """Return the same rows, read from a file without a name that lives as long as they do."""
    import pyarrow as pa

    with tempfile.TemporaryFile(dir=folder, prefix="aiser-") as file:
        os.fchmod(file.fileno(), 0o600)
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table.unify_dictionaries())  # a file has one dictionary a column
        file.flush()
        whole = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    with pa.ipc.open_file(pa.BufferReader(pa.py_buffer(whole))) as reader:
        return reader.read_all()


def _unknown() -> NotFound:
    return NotFound(
        "There is no such result.", hint="Results are kept for a while only: run the query again."
    )
