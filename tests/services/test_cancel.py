"""Whoever of a person's processes asks: a run stops, and a stranger's does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from aiser_jupyter.errors import QueryCancelled
from aiser_jupyter.models import Identity, Query, RunState
from aiser_jupyter.services import Services, build

SLOW = "SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(1000000) b"


@pytest.fixture
def open_services(store_directory: object) -> Iterator[Callable[..., Services]]:
    """Services as another process would have them: a store connection and an executor of their own."""
    made: list[Services] = []

    def open_one(identity: Identity | None = None) -> Services:
        made.append(build(identity=identity))
        return made[-1]

    yield open_one
    for services in made:
        services.close()


def test_a_run_of_another_process_is_stopped(open_services: Callable[..., Services]) -> None:
    kernel, panel = open_services(), open_services()
    submission = kernel.queries.submit(Query(SLOW))
    kernel.queries.flush()
    began = time.monotonic()
    assert panel.queries.cancel_anywhere(submission.id)
    with pytest.raises(QueryCancelled):
        submission.wait()
    assert time.monotonic() - began < 10
    kernel.queries.flush()
    (entry,) = panel.queries.history(1)
    assert (entry.id, entry.state) == (submission.id, RunState.CANCELLED)


def test_a_run_that_has_ended_or_never_was_is_not(open_services: Callable[..., Services]) -> None:
    kernel, panel = open_services(), open_services()
    ended = kernel.queries.run(Query("SELECT 1")).id
    kernel.queries.flush()
    assert not panel.queries.cancel_anywhere(ended)
    assert not panel.queries.cancel_anywhere("0" * 32)


def test_a_strangers_run_goes_on(open_services: Callable[..., Services]) -> None:
    kernel, stranger = open_services(), open_services(Identity("mallory", "configured"))
    submission = kernel.queries.submit(Query(SLOW))
    kernel.queries.flush()
    assert not stranger.queries.cancel_anywhere(submission.id)
    time.sleep(1.5)  # longer than the owner takes to look
    assert kernel.queries.history(1)[0].state is RunState.RUNNING
    submission.cancel()
    with pytest.raises(QueryCancelled):
        submission.wait()
