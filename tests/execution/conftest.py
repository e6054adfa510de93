"""A pool of threads, runs for it, and work that ends when the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from aiser_jupyter.execution.executor import Executor
from aiser_jupyter.run import Run


@pytest.fixture
def a_run() -> Callable[..., Run]:
    """Make a run with an id of its own."""
    numbers = count(1)
    return lambda timeout=None: Run(f"run-{next(numbers)}", timeout=timeout)


@pytest.fixture
def make() -> Iterator[Callable[[int, int], Executor]]:
    made: list[Executor] = []

    def start(workers: int, queue: int) -> Executor:
        made.append(Executor(workers, queue))
        return made[-1]

    yield start
    for executor in made:
        executor.close()


@pytest.fixture
def executor(make: Callable[[int, int], Executor]) -> Executor:
    return make(4, 8)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Work that ignores every cancel waits for it; opened at the end."""
    event = threading.Event()
    yield event
    event.set()
