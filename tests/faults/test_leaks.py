"""Whatever happens to a query, everything is given back: threads, descriptors, and the server's sessions."""

from __future__ import annotations

import random
import threading

import pytest

from aiser_jupyter.errors import AiserError
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from tests.faults.target import Target
from tests.servers.leaks import eventually, nothing_left_behind
from tests.servers.proxy import Proxy

FATES = ["read", "wrong", "cancel", "late", "break", "half", "login", "nothing listens"]


def happen(what: str, chance: random.Random, target: Target, proxy: Proxy) -> str:
    """Do one of the things that happen to a query."""
    config = target.config(port=proxy.port, timeout=5)
    many = target.words.many.format(rows=20_000)
    run = Run("r", timeout=0.2 if what == "late" else None)
    if what == "cancel":
        timer = threading.Timer(0.1, run.cancel)
        timer.start()
    if what == "break":
        proxy.set(chance.choice(["rst", "fin"]), after=chance.randrange(200_000))
    if what == "nothing listens":
        proxy.set("refuse")
        proxy.reset()
    try:
        if what == "half":
            session = target.kind.open(config)
            next(iter(session.execute(many, {}, run)))
            session.close()
        elif what == "login":
            target.kind.open(target.config(port=proxy.port, password=Secret("wrong")))
        elif what in ("cancel", "late"):
            target.ask(target.words.sleep.format(seconds=20), config, run)
        else:
            target.ask("SELECT FROM WHERE" if what == "wrong" else many, config, run)
        return f"{what}: done"
    except AiserError as exc:
        return f"{what}: {type(exc).__name__}"
    finally:
        proxy.set("pass")
        if what == "cancel":
            timer.join()


@pytest.mark.parametrize("runs", [20, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_nothing_is_left_after_many_runs_of_every_kind(target: Target, proxy: Proxy, runs: int) -> None:
    chance = random.Random(7)
    fates = (FATES * runs)[:runs]
    chance.shuffle(fates)
    seen = {happen(what, chance, target, proxy) for what in FATES[:3]}
    target.close_idle()
    before = target.sessions()
    with nothing_left_behind():
        seen |= {happen(what, chance, target, proxy) for what in fates}
        target.close_idle()
    assert eventually(lambda: target.sessions() == before)
    assert {"read: done", "half: done", "cancel: QueryCancelled", "late: DeadlineExceeded"} <= seen, seen
    assert {"login: AuthenticationFailed", "nothing listens: HostUnreachable"} <= seen, seen
    assert "cancel: done" not in seen
