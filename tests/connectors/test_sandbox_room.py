"""The processes of all persons together: how much they are promised, and whose ends for another's."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.config import MIB
from aiser_jupyter.connectors import sandbox as module
from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.sandbox import Sandbox
from aiser_jupyter.connectors.sandbox.room import Room
from aiser_jupyter.errors import (
    AiserError,
    ConnectError,
    ConnectionLost,
    OutOfMemory,
    QueryCancelled,
    QueueFull,
)
from aiser_jupyter.run import Run

from .sandbox_kit import ENDLESS, Heard, config, eventually, fetch, lives, pid_of, sandbox_in

EACH = 768 * MIB
Person = Callable[..., Sandbox]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """One that is empty, and soon says that it is full."""
    made = Room(wait=0.3)
    monkeypatch.setattr(module, "_room", made)
    return made


@pytest.fixture
def person(tmp_path: Path, room: Room) -> Iterator[Person]:
    """``person()`` is another one; there is room for the processes of two."""
    with ExitStack() as stack:

        def made(**changed: Any) -> Sandbox:
            settings = {"server_bytes": EACH, "server_total_bytes": 2 * EACH, **changed}
            return stack.enter_context(sandbox_in(tmp_path, **settings))

        yield made


def asked(sandbox: Sandbox) -> int:
    """Run a statement, and return the process it ran in."""
    assert fetch(sandbox, "SELECT 1").num_rows == 1
    return pid_of(sandbox)


class Endless:
    """A statement that is at work until it is stopped."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.heard = Heard()
        self._session = DuckDBConnector().open(config(sandbox))
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._session.execute(ENDLESS, {}, self.heard.run).read_all()
        except AiserError as exc:
            self.error = exc
        finally:
            self._session.close()

    def stop(self) -> None:
        self.heard.run.cancel()
        self._thread.join()
        assert isinstance(self.error, QueryCancelled)


def test_a_third_has_the_room_of_who_rested_longest(person: Person) -> None:
    ann, bob, eve = person(), person(), person()
    first, second = asked(ann), asked(bob)
    third = asked(eve)
    assert not lives(first)
    assert lives(second)
    assert lives(third)
    again = asked(ann)  # has a new process, and nothing is said to have been lost
    assert not lives(second)
    assert lives(third)
    assert lives(again)


def test_who_has_tables_goes_last_and_is_told(person: Person) -> None:
    ann, bob, eve = person(), person(), person()
    fetch(ann, "CREATE TABLE mine AS SELECT 1")
    kept, second = pid_of(ann), asked(bob)
    third = asked(eve)
    assert lives(kept)
    assert not lives(second)
    assert lives(third)
    fetch(eve, "CREATE TABLE hers AS SELECT 1")
    asked(bob)
    assert not lives(kept)
    heard = Heard()
    fetch(ann, "SELECT 1", run=heard.run)
    assert heard.notices == ["restarted"]


def test_where_all_work_the_next_is_told_and_nobody_is_ended(person: Person) -> None:
    ann, bob, eve = person(), person(), person()
    at_work = [Endless(ann), Endless(bob)]
    pids = [pid_of(ann), pid_of(bob)]
    with pytest.raises(QueueFull, match=r"the 1\.6 GB that") as caught:
        fetch(eve, "SELECT 1")
    assert "server_total_bytes" in caught.value.hint
    assert [lives(pid) for pid in pids] == [True, True]
    assert fetch(ann, "SELECT 1").num_rows == 1  # who is in stays in
    for each in at_work:
        each.stop()
    assert asked(eve)


def test_who_waits_gets_the_room_of_who_comes_to_rest(person: Person, room: Room) -> None:
    room._wait = 60.0
    ann, bob, eve = person(), person(), person()
    at_work = [Endless(ann), Endless(bob)]
    first, second = pid_of(ann), pid_of(bob)
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(asked(eve)))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    at_work[0].stop()
    waiting.join(30.0)
    assert found == [pid_of(eve)]
    assert not lives(first)
    assert lives(second)
    at_work[1].stop()


def test_one_that_is_in_use_after_all_is_left_alone(person: Person) -> None:
    ann = person()
    session = DuckDBConnector().open(config(ann))
    process = ann._child
    assert process is not None
    assert not process.retire()
    assert session.execute("SELECT 1", {}, Run("test")).read_all().num_rows == 1
    session.close()
    before = process.pid
    assert process.retire()
    assert asked(ann) != before


def test_who_is_alone_is_always_let_in(person: Person) -> None:
    ann, bob = person(server_total_bytes=1), person(server_total_bytes=1)
    first = asked(ann)
    assert asked(bob)
    assert not lives(first)


def test_the_room_of_one_that_died_or_was_closed_is_free(person: Person, room: Room) -> None:
    ann, bob = person(), person()
    died = asked(ann)
    os.kill(died, signal.SIGKILL)
    eventually(lambda: ann.pid is None)
    asked(bob)
    bob.close()
    eve, joe = person(), person()
    first, second = asked(eve), asked(joe)
    assert lives(first)
    assert lives(second)
    assert len(room._promised) == 2


def test_one_that_does_not_start_holds_no_room(person: Person, room: Room, tmp_path: Path) -> None:
    ann = person(temp_directory=str(tmp_path / "missing"))
    for _ in range(3):
        with pytest.raises(ConnectError, match="did not start"):
            fetch(ann, "SELECT 1")
    assert not room._promised


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("exit 77", OutOfMemory), ("kill -ABRT $$", OutOfMemory), ("kill -SEGV $$", ConnectionLost)],
)
def test_how_a_process_ended_tells_whether_memory_ran_out(
    person: Person, monkeypatch: pytest.MonkeyPatch, ending: str, kind: type[AiserError]
) -> None:
    def started(end: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["/bin/sh", "-c", f"ulimit -c 0; head -c 9 > /dev/null; {ending}"], stdin=end)

    monkeypatch.setattr(module, "_start", started)
    with pytest.raises(AiserError) as caught:
        fetch(person(), "SELECT 1")
    assert type(caught.value) is kind
    assert ("server_bytes" in caught.value.hint) is (kind is OutOfMemory)
    assert "starts a new one" in caught.value.hint


def test_many_persons_at_once_never_have_more(person: Person, room: Room) -> None:
    room._wait = 60.0
    people = [person() for _ in range(5)]
    most: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            most.append(sum(room._promised.values()))

    def ask(sandbox: Sandbox) -> None:
        for number in range(3):
            assert fetch(sandbox, f"SELECT {number}", run=Run("test")).num_rows == 1

    watcher = threading.Thread(target=watch)
    asking = [threading.Thread(target=ask, args=[each]) for each in people]
    for thread in (watcher, *asking):
        thread.start()
    for thread in asking:
        thread.join(120.0)
    over.set()
    watcher.join()
    assert max(most) == 2 * EACH
    assert sum(each.pid is not None for each in people) <= 2
