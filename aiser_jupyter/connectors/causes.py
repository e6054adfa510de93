"""What led to an exception: drivers say the reason in one place, and hold the secret in another."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TypeVar

__all__ = ["bare", "causes", "forget_locals"]

E = TypeVar("E", bound=BaseException)


def causes(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield ``exc`` and all that led to it, the nearest first; each once, for an error may be its own cause.

    PyMySQL keeps what it caught as ``original_exception``, and Google's retries as ``cause``.
    """
    seen: set[int] = set()
    waiting = [exc]
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        kept = getattr(found, "original_exception", None), getattr(found, "cause", None)
        waiting += [found.__context__, found.__cause__, *reversed(kept)]


def bare(exc: E) -> E:
    """Take the frames from ``exc`` and from what led to it: they hold the secret of a login."""
    for each in causes(exc):
        each.__traceback__ = None
    return exc


def forget_locals(exc: BaseException) -> None:
    """Empty the frames of ``exc`` and of what led to it, where the lines that failed are still of use.

    A verbose traceback prints local variables, and a driver's are the secret.
    """
    for each in causes(exc):
        traceback.clear_frames(each.__traceback__)
