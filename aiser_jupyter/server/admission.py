"""Who may run now, who waits, and who is told to come back: fair among persons, and known at once.

A person has only so many queries running, so that another person's first one does not wait behind them. Where
everything is taken, whoever has nothing here is still let in; whoever has is refused without a wait.

Used on the event loop only, so there is no lock.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from ..errors import QueueFull

__all__ = ["Admission", "Pace", "Turn"]


class Admission:
    """A bounded number of places, and a bounded queue for them.

    Parameters
    ----------
    running : int
        Places.
    waiting : int
        How many may wait.
    user_running : int
        Places of one person.
    """

    def __init__(self, running: int, waiting: int, user_running: int) -> None:
        self._places = running
        self._capacity = running + waiting
        self._user_places = user_running
        self._running: Counter[Hashable] = Counter()
        self._queue: deque[Turn] = deque()

    @property
    def running(self) -> int:
        """How many have a place."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._queue)

    def enter(self, user: Hashable) -> Turn:
        """Take a place, or stand in the queue for one; hold what is returned with ``async with``.

        Raises
        ------
        QueueFull
            At once.
        """
        if self.running + self.waiting >= self._capacity and self._is_here(user):
            raise QueueFull(
                f"{self.running} calls run and {self.waiting} wait; no more are taken.",
                hint="Try again when some have finished, or cancel some.",
            )
        turn = Turn(self, user)
        self._queue.append(turn)
        self._admit()
        return turn

    def leave(self, turn: Turn) -> None:
        """Give a place back, or stop waiting for it. Safe to call twice."""
        if turn in self._queue:
            self._queue.remove(turn)
        elif turn.placed:
            turn.placed = False
            self._running[turn.user] -= 1
            if not self._running[turn.user]:
                del self._running[turn.user]
        self._admit()

    def _is_here(self, user: Hashable) -> bool:
        return self._running[user] > 0 or any(turn.user == user for turn in self._queue)

    def _admit(self) -> None:
        """Give free places to those who wait longest and have not enough."""
        for turn in tuple(self._queue):
            if self.running >= self._places:
                return
            if self._running[turn.user] < self._user_places:
                self._queue.remove(turn)
                self._running[turn.user] += 1
                turn.come()


class Turn:
    """A place, or the wait for it; given back when the block ends, however it does."""

    def __init__(self, admission: Admission, user: Hashable) -> None:
        self.user = user
        self.placed = False
        self._admission = admission
        self._come = asyncio.Event()

    def come(self) -> None:
        """Let the block begin."""
        self.placed = True
        self._come.set()

    def leave(self) -> None:
        """Give it back before the block began."""
        self._admission.leave(self)

    async def __aenter__(self) -> None:
        try:
            await self._come.wait()
        except BaseException:
            self.leave()
            raise

    async def __aexit__(self, *exc: object) -> None:
        self.leave()


class Pace:
    """How often one person may try out a connection: one at a time, and so many a minute.

    A test says whether something answers at an address: who may do it without end has a scanner of the
    network that the server stands in.

    Parameters
    ----------
    a_minute : int
    """

    def __init__(self, a_minute: int) -> None:
        self._most = a_minute
        self._begun: dict[Hashable, deque[float]] = {}
        self._at_it: set[Hashable] = set()

    @contextmanager
    def step(self, user: Hashable) -> Iterator[None]:
        """Hold it while a connection is tried.

        Raises
        ------
        QueueFull
            Another one of this person is being tried, or too many were in the last minute.
        """
        begun = self._begun.setdefault(user, deque())
        now = time.monotonic()
        while begun and now - begun[0] >= 60:
            begun.popleft()
        if user in self._at_it:
            raise QueueFull("A connection of yours is being tested.", hint="Wait until that test has ended.")
        if len(begun) >= self._most:
            seconds = 60 - int(now - begun[0])
            raise QueueFull(
                f"{self._most} connections were tested in the last minute; no more are.",
                hint=f"Try again in {seconds} s.",
            )
        begun.append(now)
        self._at_it.add(user)
        try:
            yield
        finally:
            self._at_it.discard(user)
