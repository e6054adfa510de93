"""Reading ahead: the parts of a result are fetched by a few threads, and come in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["read_ahead"]

T = TypeVar("T")


def read_ahead(reads: Sequence[Callable[[], T]], threads: int, most: int) -> Iterator[T]:
    """Begin at once, and give what each of ``reads`` returns, in order.

    So many ``threads`` are at it, and ``most`` of the reads are under way, done or next. A reader that is
    left before its end begins no others. What a read raises is raised in its turn.
    """
    begun = map(_Crew[T](threads).begin, reads)
    return _in_order(deque(islice(begun, most)), begun)


def _in_order(waiting: deque[Future[T]], begun: Iterator[Future[T]]) -> Iterator[T]:
    while waiting:
        found = waiting.popleft().result()
        waiting.extend(islice(begun, 1))
        yield found


class _Crew(Generic[T]):
    """A few threads, each of which goes when there is nothing left to read, or ends with the process."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._next: deque[tuple[Callable[[], T], Future[T]]] = deque()
        self._lock = threading.Lock()

    def begin(self, read: Callable[[], T]) -> Future[T]:
        found: Future[T] = Future()
        with self._lock:
            self._next.append((read, found))
            if not self._free:
                return found
            self._free -= 1
        threading.Thread(target=self._work, name="aiser-read-ahead", daemon=True).start()
        return found

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._next:
                    self._free += 1
                    return
                read, found = self._next.popleft()
            try:
                found.set_result(read())
            except BaseException as exc:  # raised again where the part is due
                found.set_exception(exc)
