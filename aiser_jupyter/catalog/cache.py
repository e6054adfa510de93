"""``CatalogCache``: what databases said of themselves, kept for a while, and asked for once at a time.

Rules:

- An answer is believed for ``seconds``, counted from when it was asked for; an error is not kept.
- Whoever asks for what is being asked already waits for that answer. Where the asker in front was stopped,
  the next one asks itself.
- `CatalogCache.forget` holds for answers that are still on their way: they go to who asked before, and are
  not kept.
- A connection that changed, or whose file did, is another one. The connections asked least recently go first
  where more is known than ``most`` tables and columns.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..connectors import files
from ..connectors.registry import connector
from ..errors import AiserError, DeadlineExceeded, QueryCancelled
from ..models import LOCAL

if TYPE_CHECKING:
    from ..models import Connection

__all__ = ["CatalogCache", "Stamp", "file_of", "settings_of", "stamp_of"]

T = TypeVar("T")
MOST = 500_000
"""Tables and columns kept: about 200 MB with what a search needs of them."""
TICK = 0.05
"""Seconds between two looks at whether a waiting asker was stopped itself."""

Stamp = tuple[object, ...]


def stamp_of(connection: Connection) -> Stamp | None:
    """Return what makes a connection the one it is; None where nothing of it may be kept.

    Nothing is kept of ``local`` and of the notebook's own objects: they are near, and their tables come and
    go without our notice.
    """
    if connection.id == LOCAL or connection.source == "object":
        return None
    path = file_of(connection)
    return (*settings_of(connection), files.stamps([path] if path else []))


def settings_of(connection: Connection) -> Stamp:
    """Return how a connection is set up; of its secrets only that they changed through us (``version``)."""
    values = repr(sorted(connection.config.values.items()))  # secrets print as ***
    return (connection.id, connection.type, connection.version, values)


def file_of(connection: Connection) -> Path | None:
    """Return the file that the connection is, or None where it is a server."""
    for each in connector(connection.type).fields:
        value = connection.config.values.get(each.name)
        if each.kind == "path" and each.routing and value:
            return Path(value).expanduser()
    return None


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any
    asked: float
    weight: int


@dataclass(slots=True)
class _Branch:
    """What is known of one connection, and what is being asked."""

    stamp: Stamp
    answers: dict[Hashable, _Answer] = field(default_factory=dict)
    asking: dict[Hashable, Future[Any]] = field(default_factory=dict)


class CatalogCache:
    """Answers of databases by connection and by what was asked.

    Parameters
    ----------
    seconds : float
        How long an answer is believed; with 0 each one serves those who wait for it, and nobody else.
    most : int
        Tables and columns kept, over all connections.
    """

    def __init__(self, seconds: float, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._reset()
        _caches.add(self)

    def get(
        self,
        id: str,
        stamp: Stamp,
        part: Hashable,
        ask: Callable[[], T],
        check: Callable[[], None] | None = None,
    ) -> T:
        """Return the answer that is kept, or that is on its way, or else of ``ask``.

        Parameters
        ----------
        id : str
            Of the connection.
        stamp : Stamp
            Of the connection as it is now (`stamp_of`).
        part : hashable
            What is asked.
        ask : callable
            Asks the database, in this thread.
        check : callable, optional
            Raises where the caller should not wait any more.

        Raises
        ------
        AiserError
            What ``ask`` failed with, or that of the asker who was waited for.
        """
        waited = False
        while True:
            with self._lock:
                branch = self._branch(id, stamp)
                kept = branch.answers.get(part)
                if kept is not None and time.monotonic() - kept.asked < self._seconds:
                    value: T = kept.value
                    return value
                flight = branch.asking.get(part)
                if flight is None:
                    flight = branch.asking[part] = Future()
                    break
            _wait(flight, check)
            error = flight.exception()
            if error is None:
                result: T = flight.result()
                return result
            if waited or not isinstance(error, QueryCancelled | DeadlineExceeded):
                if isinstance(error, AiserError):
                    raise copy(error) from error  # each asker's is its own: it may carry a run's id
                raise error
            waited = True  # it was the other asker who was stopped
        return self._ask(branch, part, flight, ask)

    def peek(self, id: str, stamp: Stamp, part: Hashable) -> Any:
        """Return the last answer, however old, or None; nothing is asked."""
        with self._lock:
            branch = self._branches.get(id)
            kept = branch.answers.get(part) if branch is not None and branch.stamp == stamp else None
            return None if kept is None else kept.value

    def fresh(self, id: str, stamp: Stamp, part: Hashable) -> Any:
        """Return the answer that is still believed, or None; nothing is asked."""
        with self._lock:
            branch = self._branches.get(id)
            kept = branch.answers.get(part) if branch is not None and branch.stamp == stamp else None
            believed = kept is not None and time.monotonic() - kept.asked < self._seconds
            return kept.value if kept is not None and believed else None

    def forget(self, id: str) -> None:
        """Believe nothing of a connection that was asked before now."""
        with self._lock:
            self._branches.pop(id, None)

    @property
    def weight(self) -> int:
        """Tables and columns that are kept."""
        with self._lock:
            return self._weigh()

    # -- inside -----------------------------------------------------------------------------------------

    def _branch(self, id: str, stamp: Stamp) -> _Branch:
        """Lock held."""
        branch = self._branches.get(id)
        if branch is None or branch.stamp != stamp:
            branch = self._branches[id] = _Branch(stamp)
        self._branches.move_to_end(id)
        return branch

    def _ask(self, branch: _Branch, part: Hashable, flight: Future[Any], ask: Callable[[], T]) -> T:
        asked = time.monotonic()
        try:
            value = ask()
        except BaseException as exc:
            with self._lock:
                del branch.asking[part]
            # An interrupt is for this thread alone.
            ours = exc if isinstance(exc, Exception) else QueryCancelled("The question was cancelled.")
            flight.set_exception(ours)
            raise
        with self._lock:
            del branch.asking[part]
            weight = _weight(value)
            if weight <= self._most:
                branch.answers[part] = _Answer(value, asked, weight)
                self._shrink(branch)
        flight.set_result(value)
        return value

    def _shrink(self, kept: _Branch) -> None:
        """Lock held. Drop connections until the rest fits; what is being asked of them goes on."""
        total = self._weigh()
        for id, branch in list(self._branches.items()):
            if total <= self._most:
                return
            if branch is not kept:
                total -= sum(answer.weight for answer in branch.answers.values())
                del self._branches[id]
        if total > self._most:  # one connection alone is too large: keep its newest answer
            newest = max(kept.answers, key=lambda part: kept.answers[part].asked)
            kept.answers = {newest: kept.answers[newest]}

    def _weigh(self) -> int:
        return sum(a.weight for branch in self._branches.values() for a in branch.answers.values())

    def _reset(self) -> None:
        # Also in a forked child: whoever asks there is a thread of the parent.
        self._lock = threading.Lock()
        self._branches: OrderedDict[str, _Branch] = OrderedDict()


def _wait(flight: Future[Any], check: Callable[[], None] | None) -> None:
    """Wait in short steps, so that an interrupt of this thread, or a stop of its run, arrives soon."""
    try:
        while not flight.done():
            if check is not None:
                check()
            wait_for([flight], TICK)
    except KeyboardInterrupt:
        raise QueryCancelled("The question was cancelled.") from None


def _weight(value: object) -> int:
    """Count what takes memory: a value says it itself, by its length."""
    size = getattr(value, "weight", None)
    if isinstance(size, int):
        return size
    return len(value) if isinstance(value, list | tuple) else 1


_caches: weakref.WeakSet[CatalogCache] = weakref.WeakSet()


def _after_fork() -> None:
    for cache in list(_caches):
        cache._reset()


os.register_at_fork(after_in_child=_after_fork)
