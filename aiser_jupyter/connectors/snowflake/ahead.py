"""Reading ahead: the parts of a result are fetched by a few threads, and come in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

__all__ = ["read_ahead"]

T = TypeVar("T")


def read_ahead(reads: Sequence[Callable[[], T]], most: int) -> Iterator[T]:
    """Yield what each of ``reads`` returns, in order, while ``most`` of them are under way or done.

    A reader that is left before its end starts nothing more; what is under way is given up. What a read
    raises is raised in its turn.
    """
    waiting: deque[_Read[T]] = deque()
    begun = iter(reads)
    for read in begun:
        waiting.append(_Read(read))
        if len(waiting) == most:
            break
    while waiting:
        found = waiting.popleft().result()
        for read in begun:
            waiting.append(_Read(read))
            break
        yield found


class _Read(Generic[T]):
    """One read in a thread of its own, which ends with the process."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="aiser-read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found.append(self._read())
        except BaseException as exc:  # raised again where the part is due
            self._error = exc

    def result(self) -> T:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found.pop()
