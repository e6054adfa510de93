"""Sessions that died in the pool, and servers started again: no needless error, and nothing done twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from aiser_jupyter.errors import AiserError, ConnectionLost, HostUnreachable
from aiser_jupyter.run import Run
from tests.faults.target import BUSY, Target
from tests.servers.fixtures import started
from tests.servers.leaks import eventually
from tests.servers.proxy import Proxy

ONE = "SELECT 1 AS one"


@pytest.fixture
def mortal(made: Target) -> Iterator[Target]:
    """A server of one's own, to be killed."""
    for server in started(type(made.server)):
        target = Target(server, made.words)
        target.prepare()
        yield target


def test_a_server_that_was_killed_and_started_again(mortal: Target) -> None:
    config = mortal.config(timeout=2)
    mortal.ask(ONE, config)
    caught: list[AiserError] = []

    def sleep() -> None:
        try:
            mortal.ask(mortal.words.sleep.format(seconds=60), config)
        except AiserError as exc:
            caught.append(exc)

    thread = threading.Thread(target=sleep)
    thread.start()
    assert eventually(lambda: mortal.running() == 1)
    began = time.monotonic()
    mortal.server.kill()
    thread.join()
    assert time.monotonic() - began < 2 + BUSY
    assert isinstance(caught[0], ConnectionLost)
    with pytest.raises(HostUnreachable):
        mortal.ask(ONE, config)
    mortal.server.start()
    began = time.monotonic()
    assert mortal.ask(ONE, config).num_rows == 1
    assert time.monotonic() - began < 5
    mortal.close_idle()


def test_sessions_that_an_administrator_ended_are_replaced_without_a_word(target: Target) -> None:
    config = target.config(max_connections=3)
    held = [target.kind.open(config) for _ in range(3)]
    for session in held:
        session.close()
    assert target.sessions() == 3
    target.end_sessions()
    assert eventually(lambda: target.sessions() == 0)
    began = time.monotonic()
    assert target.ask(ONE, config).num_rows == 1
    assert time.monotonic() - began < 1 + BUSY


def test_sessions_that_were_idle_for_too_long_are_replaced_without_a_word(target: Target) -> None:
    for statement in target.words.impatient:
        target.admin(statement)
    try:
        assert target.ask(ONE, target.config()).num_rows == 1
        assert eventually(lambda: target.sessions() == 0)
        assert target.ask(ONE, target.config()).num_rows == 1
    finally:
        for statement in target.words.patient:
            target.admin(statement)


def trouble(chance: random.Random, target: Target, proxy: Proxy) -> None:
    """Do something to the connections, or nothing."""
    what = chance.choice(["nothing", "rst", "fin", "reset", "end"])
    proxy.set(what, after=chance.randrange(60)) if what in ("rst", "fin") else proxy.set("pass")
    if what == "reset":
        proxy.reset()
    if what == "end":
        target.end_sessions()


@pytest.mark.parametrize("tries", [30, pytest.param(500, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_a_statement_that_may_have_run_is_not_sent_again(target: Target, proxy: Proxy, tries: int) -> None:
    chance = random.Random(tries)
    config = target.config(port=proxy.port, timeout=5)
    target.ask("DROP TABLE IF EXISTS once", target.config())
    target.ask("CREATE TABLE once (id INT)", target.config())
    told, lost = set(), 0
    for number in range(tries):
        trouble(chance, target, proxy)
        try:
            target.ask(f"INSERT INTO once VALUES ({number})", config)
            told.add(number)
        except AiserError:
            lost += 1
    table = target.ask("SELECT id, COUNT(*) AS times FROM once GROUP BY id", target.config())
    done = dict(zip(table["id"].to_pylist(), table["times"].to_pylist(), strict=True))
    assert set(done.values()) == {1}
    assert told <= set(done), "a statement was called done that is not"
    assert lost
    assert len(told) > tries / 4


def test_no_more_sessions_than_the_connection_allows(target: Target) -> None:
    config = target.config(max_connections=2)
    threads = [
        threading.Thread(target=target.ask, args=(target.words.sleep.format(seconds=0.2), config))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, target.sessions())
    assert 1 <= most <= 2


def outcome(target: Target, sql: str, config: object) -> object:
    try:
        return target.ask(sql, config).to_pydict()  # type: ignore[arg-type]
    except AiserError as exc:
        return type(exc)


def test_nothing_that_one_leaves_behind_is_seen_by_the_next(target: Target) -> None:
    for statement in target.words.crew:
        target.admin(statement)
    config = target.config(max_connections=1)
    for leave, look in target.words.leavings:
        fresh = outcome(target, look, config)
        target.ask(leave, config)
        with_it = target.kind.fresh(config)
        try:
            run = Run("r")
            with with_it.execute(leave, {}, run) as reader:
                reader.read_all()
            try:
                with with_it.execute(look, {}, run) as reader:
                    seen: object = reader.read_all().to_pydict()
            except AiserError as exc:
                seen = type(exc)
        finally:
            with_it.close()
        assert seen != fresh, f"{look} does not see {leave}: it proves nothing"
        assert outcome(target, look, config) == fresh, leave
