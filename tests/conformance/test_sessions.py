"""Sessions behind a network: nobody waits for a silent one, and a dead one costs nobody an error."""

from __future__ import annotations

import random
import time
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

import pytest

from aiser_jupyter.connectors import warehouse
from aiser_jupyter.connectors.network import NetworkConnector
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import AiserError, ConnectError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from tests.conformance.network import BUSY, Network
from tests.servers.leaks import eventually
from tests.servers.proxy import Proxy


def kept(config: ConnectionConfig) -> int:
    """Return how many sessions of this kind of database wait for another use."""
    kind = cast(NetworkConnector, connector(config.type))
    return sum(len(sessions) for sessions in kind._pool._idle.values())


def emptied(config: ConnectionConfig) -> None:
    kind = cast(NetworkConnector, connector(config.type))
    assert eventually(lambda: kind._pool._returned.empty())
    kind._pool.close()


@pytest.mark.parametrize("mode", ["drip", "half way"])
def test_a_login_that_goes_on_for_ever_ends_in_time(network: Network, proxy: Proxy, mode: str) -> None:
    """One byte at a time, or a half of what is said in a login and then no more."""
    config = network.config(proxy.port)
    kind = cast(NetworkConnector, connector(config.type))
    kind.fresh(config).close()
    short = network.config(proxy.port, timeout=1)
    if mode == "drip":
        proxy.set("drip")
    else:
        proxy.set("blackhole", after=proxy.answered // 2)
    began = time.monotonic()
    with pytest.raises(ConnectError, match=r"within 1 s|did not") as caught:
        kind.fresh(short).close()
    assert time.monotonic() - began < 1 + BUSY
    assert caught.value.hint
    proxy.set("pass")
    assert network.ask(config).num_rows == 1


@pytest.mark.parametrize("fate", ["reset", "silent"])
def test_a_session_that_died_while_it_was_idle_is_replaced_without_a_word(
    network: Network, proxy: Proxy, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line was reset, or is swallowed, as by a firewall that forgot it; the way for new ones is free."""
    monkeypatch.setattr(warehouse, "TRUSTED_SECONDS", 0.0)  # a line that was just used is believed in
    config = network.config(proxy.port)
    emptied(config)
    assert network.ask(config).num_rows == 1
    assert eventually(lambda: kept(config) == 1)
    if fate == "reset":
        proxy.reset()
    else:
        proxy.set("blackhole", new=False)
    began = time.monotonic()
    assert network.ask(config, run=Run("test", timeout=20)).num_rows == 1
    assert time.monotonic() - began < network.database.notices + BUSY


@pytest.mark.parametrize("tries", [8, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_a_statement_that_may_have_run_is_not_sent_again(network: Network, proxy: Proxy, tries: int) -> None:
    chance = random.Random(tries)
    direct, config = network.config(), network.config(proxy.port)
    network.ask(direct, network.database.make_table)
    told: set[int] = set()
    again = 0
    try:
        for number in range(tries):
            kind = cast(NetworkConnector, connector(config.type))
            with closing(kind.fresh(config)) as session:
                after, before = chance.randrange(2000) * (number % 4 > 0), proxy.connections
                proxy.set(chance.choice(["rst", "fin"]), after=after, new=False)  # a new line would work
                run = Run("test", timeout=10)
                try:
                    insert = network.database.insert.format(n=number)
                    with run.on_cancel(session.cancel), session.execute(insert, (), run) as reader:
                        reader.read_all()
                    told.add(number)
                except AiserError:
                    pass
                finally:
                    proxy.set("pass")
                again += proxy.connections - before
        found = network.ask(direct, network.database.count).to_pylist()
        done = {int(row["i"]): int(row["n"]) for row in found}
        assert set(done.values()) <= {1}, done
        assert told <= done.keys(), "a statement was called done that is not"
        assert len(told) < tries or again, "nothing broke off: it proves nothing"
    finally:
        network.ask(direct, network.database.drop_table)


def test_two_persons_of_one_server_share_no_session(network: Network) -> None:
    config = network.config()
    emptied(config)
    kind = cast(NetworkConnector, connector(config.type))
    mine: Any = kind.open(replace(config, sandbox="ann's"))
    mine.close()
    assert eventually(lambda: kept(config) == 1)
    theirs: Any = kind.open(replace(config, sandbox="bob's"))
    again: Any = kind.open(replace(config, sandbox="ann's"))
    assert theirs._session is not mine._session
    assert again._session is mine._session
    theirs.close()
    again.close()
