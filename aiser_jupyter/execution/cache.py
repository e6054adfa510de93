"""Results kept in memory, least recently used out first, under a cap in bytes.

What may be kept, and for how long it is an answer, is the caller's knowledge (`CacheKey`, ``max_age``). Here:

- a result counts with every buffer that it keeps alive, also where it is a slice of a larger one;
- it is as old as the beginning of its run, and not as its arrival;
- a write to a connection forgets the connection's results, and those that were read while it happened.
"""

from __future__ import annotations

import datetime as dt
import decimal
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from ..models import Notice, Route
    from ..result import QueryResult

__all__ = ["CacheKey", "CacheStats", "Cached", "ResultCache"]

ENTRY_BYTES = 4096  # an entry's own weight: without it, results of no rows would never fill the cache

_EXACT = (str, bytes, int, bool, type(None), uuid.UUID)
# Equal values of these may be told apart by a query: 0.0 and -0.0, 1.0 and 1.00, one instant in two zones.
_BY_REPR = (float, decimal.Decimal, dt.date, dt.time, dt.datetime, dt.timedelta)


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What identifies an answer.

    Parameters
    ----------
    identity, connection_id, text : str
        Who asks, where, and what.
    parameters : hashable
        Values with their types: 1, True and 1.0 are three answers.
    files : tuple
        Stamps of the files read, by which a changed file is another key.
    limit : int, optional
        Rows asked for.
    whole : bool
        Whether a byte cap was an error, and not a cut.
    max_bytes : int, optional
        The byte cap asked for.
    """

    identity: str
    connection_id: str
    text: str
    parameters: Hashable = ()
    files: tuple[Hashable, ...] = ()
    limit: int | None = None
    whole: bool = False
    max_bytes: int | None = None

    @classmethod
    def of(
        cls,
        *,
        identity: str,
        connection: str,
        text: str,
        parameters: Mapping[str, Any] | Sequence[Any] = (),
        files: tuple[Hashable, ...] = (),
        limit: int | None = None,
        whole: bool = False,
        max_bytes: int | None = None,
    ) -> CacheKey | None:
        """Return the key, or None where a parameter's value cannot be compared exactly: not cached.

        Examples
        --------
        >>> one = CacheKey.of(identity="ann", connection="local", text="SELECT ?", parameters=[1])
        >>> one == CacheKey.of(identity="ann", connection="local", text="SELECT ?", parameters=[True])
        False
        >>> CacheKey.of(identity="ann", connection="local", text="SELECT ?", parameters=[[1]]) is None
        True
        """
        try:
            typed = _typed_all(parameters)
        except TypeError:
            return None
        return cls(identity, connection, text, typed, files, limit, whole, max_bytes)


@dataclass(frozen=True, slots=True)
class Cached:
    """A kept result; ``stored_at`` is the time (``time.time()``) at which its run began."""

    table: pa.Table
    route: Route
    stored_at: float
    truncated: str = ""
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What the cache holds and did since it was made."""

    entries: int = 0
    bytes: int = 0
    hits: int = 0
    misses: int = 0
    evictions: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    cached: Cached
    began: float
    bytes: int


class ResultCache:
    """Keeps results under a cap in bytes. Safe from any thread.

    Parameters
    ----------
    max_bytes : int
        Bytes of all results together; 0 keeps none.
    max_result_bytes : int
        A larger result is not kept.
    """

    def __init__(self, max_bytes: int, max_result_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._max_result_bytes = min(max_result_bytes, max_bytes)
        self._entries: OrderedDict[CacheKey, _Entry] = OrderedDict()
        self._written: dict[str, float] = {}
        self._cleared = float("-inf")
        self._bytes = self._hits = self._misses = self._evictions = 0
        self._lock = threading.Lock()

    def get(self, key: CacheKey, max_age: float | None) -> Cached | None:
        """Return the kept result, or None.

        Parameters
        ----------
        max_age : float, optional
            Seconds since its run began, at most; None takes any age.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or (max_age is not None and _now() - entry.began >= max_age):
                self._misses += 1
                return None
            self._hits += 1
            self._entries.move_to_end(key)
            return entry.cached

    def put(self, key: CacheKey, result: QueryResult) -> bool:
        """Keep a result that has just arrived; False where it is too large, or a write overtook it."""
        took = result.timings.total
        size = ENTRY_BYTES + len(key.text) + int(result.table.get_total_buffer_size())
        cached = Cached(result.table, result.route, time.time() - took, result.truncated, result.notices)
        began = _now() - took
        with self._lock:
            if size > self._max_result_bytes:
                return False
            if began <= max(self._cleared, self._written.get(key.connection_id, self._cleared)):
                return False
            self._remove(key)
            self._entries[key] = _Entry(cached, began, size)
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._remove(next(iter(self._entries)))
                self._evictions += 1
            return True

    def invalidate(self, connection_id: str) -> None:
        """Forget the results of a connection: it was written to."""
        with self._lock:
            self._written[connection_id] = _now()
            for key in [key for key in self._entries if key.connection_id == connection_id]:
                self._remove(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._cleared = _now()
            self._entries.clear()
            self._bytes = 0

    @property
    def stats(self) -> CacheStats:
        with self._lock:
            return CacheStats(len(self._entries), self._bytes, self._hits, self._misses, self._evictions)

    def _remove(self, key: CacheKey) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.bytes


def _now() -> float:
    # A monotonic clock that goes on while a laptop sleeps, where there is one: a night makes an answer old.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _typed_all(parameters: Mapping[str, Any] | Sequence[Any]) -> Hashable:
    if isinstance(parameters, Mapping):
        return tuple(sorted((str(name), _typed(value)) for name, value in parameters.items()))
    return tuple(_typed(value) for value in parameters)


def _typed(value: object) -> Hashable:
    kind = type(value)
    if kind in _EXACT:
        return kind, value
    if kind in _BY_REPR:
        return kind, repr(value)
    if kind is tuple:
        return kind, tuple(_typed(item) for item in value)  # type: ignore[attr-defined]
    raise TypeError(f"a {kind.__name__} cannot be compared exactly")
