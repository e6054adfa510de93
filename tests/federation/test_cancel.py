"""A stop of several databases is called confirmed where all of them that had begun have confirmed it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from aiser_jupyter.errors import DeadlineExceeded, QueryCancelled
from tests.servers.proxy import Proxy

from .conftest import Federation, wait_for

BOTH = "SELECT sum(a.id), min(a.s), min(b.s) FROM warehouse.fed_stop a JOIN crm.fed.stop b USING (id)"
ONE = "SELECT s FROM crm.fed.stop"
DEEP = "WITH q AS (SELECT id FROM crm.fed.stop) SELECT count(*) FROM q"


class Line:
    """The two servers behind a proxy each, and what they run of these tests."""

    def __init__(self, federation: Federation, mysql: Any, postgresql: Any) -> None:
        self.federation, self.mysql, self.postgresql = federation, mysql, postgresql
        self.proxies: dict[str, Proxy] = {}

    def running(self) -> set[str]:
        """Return the connections whose servers run a statement of these tests now."""
        rows = self.mysql.admin("SHOW FULL PROCESSLIST")
        found = {"warehouse" for row in rows if "fed_stop" in str(row[7]) and "aiser" in str(row[7])}
        asked = self.postgresql.admin(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
            " AND (query LIKE '%\"stop\"%' OR query LIKE '%generate_series%') AND pid <> pg_backend_pid()"
        )
        return found | ({"crm"} if asked[0][0] else set())

    def cancelled(self, text: str, names: set[str], **fault: Any) -> QueryCancelled:
        """Run it until it runs at ``names``, let the line to crm fail, cancel; return what is said."""
        wait_for(lambda: not self.running())
        submission = self.federation.services.queries.submit(self.federation.query(text))
        wait_for(lambda: self.running() == names)
        if fault:
            self.proxies["crm"].set(**fault)
        submission.cancel()
        with pytest.raises(QueryCancelled) as caught:
            submission.wait()
        return caught.value


@pytest.fixture
def line(federation: Federation, mysql_data: Any, postgresql_data: Any) -> Iterator[Line]:
    made = Line(federation, mysql_data, postgresql_data)
    with ExitStack() as stack:
        for name, type, server in [
            ("warehouse", "mysql", mysql_data),
            ("crm", "postgresql", postgresql_data),
        ]:
            made.proxies[name] = stack.enter_context(Proxy(("127.0.0.1", server.port)))
            federation.server(name, type, server, port=made.proxies[name].port)
        federation.rows(
            "CREATE OR REPLACE VIEW fed_stop AS SELECT seq AS id, SLEEP(1) AS s FROM seq_1_to_600",
            "warehouse",
        )
        federation.rows(
            "CREATE OR REPLACE VIEW fed.stop AS SELECT i AS id, pg_sleep(1)::text AS s"
            " FROM generate_series(1, 600) AS i",
            "crm",
        )
        yield made
    postgresql_data.admin(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%\"stop\"%'"
        " AND pid <> pg_backend_pid()"
    )
    wait_for(lambda: not made.running())


@pytest.mark.parametrize(
    ("text", "names"),
    [(BOTH, {"warehouse", "crm"}), (ONE, {"crm"}), (DEEP, {"crm"})],
    ids=["both", "one", "deep"],
)
def test_confirmed_is_said_when_nothing_runs_any_more(line: Line, text: str, names: set[str]) -> None:
    said = line.cancelled(text, names)
    for _ in range(5):
        if said.confirmed:
            break
        assert "not confirmed by" in said.hint  # a machine that is too busy to hear of it in time
        said = line.cancelled(text, names)
    assert line.running() == set()
    assert said.confirmed
    assert "not confirmed" not in str(said)


@pytest.mark.parametrize(
    ("text", "names"),
    [(BOTH, {"warehouse", "crm"}), (ONE, {"crm"}), (DEEP, {"crm"})],
    ids=["both", "one", "deep"],
)
def test_who_has_not_confirmed_is_named(line: Line, text: str, names: set[str]) -> None:
    said = line.cancelled(text, names, mode="mute")
    assert "crm" in line.running()  # it was never asked: the request did not come through
    assert not said.confirmed
    assert "Asked to stop, not confirmed by crm: it may go on there" in said.hint
    assert "warehouse" not in said.hint


def test_a_late_confirmation_is_waited_for(line: Line) -> None:
    """Every piece of the line to crm comes late: the request to stop, and what is said to it."""
    said = line.cancelled(BOTH, {"warehouse", "crm"}, mode="latency", seconds=0.05)
    if said.confirmed:
        assert line.running() == set()
    else:  # on a slow machine it comes too late
        assert "not confirmed by crm:" in said.hint


def test_an_answer_that_comes_too_late_confirms_nothing(line: Line) -> None:
    said = line.cancelled(BOTH, {"warehouse", "crm"}, mode="latency", seconds=5.0, new=False)
    assert not said.confirmed
    assert "not confirmed by crm:" in said.hint


def test_a_deadline_says_it_too(line: Line) -> None:
    submission = line.federation.services.queries.submit(line.federation.query(BOTH, timeout=3.0))
    wait_for(lambda: line.running() == {"warehouse", "crm"})
    line.proxies["crm"].set("mute")
    with pytest.raises(DeadlineExceeded, match=r"within 3 s") as caught:
        submission.wait()
    assert not caught.value.confirmed
    assert "not confirmed by crm:" in caught.value.hint
    assert "--timeout" in caught.value.hint


def test_nothing_has_to_be_confirmed_by_a_source_that_had_not_begun(line: Line) -> None:
    line.federation.plan(BOTH)  # so that the names are known
    for proxy in line.proxies.values():
        proxy.reset()
        proxy.set("mute")  # every login waits
    submission = line.federation.services.queries.submit(line.federation.query(BOTH))
    wait_for(lambda: line.proxies["crm"].open > 0 and line.proxies["warehouse"].open > 0)
    submission.cancel()
    with pytest.raises(QueryCancelled) as caught:
        submission.wait()
    assert caught.value.confirmed
    assert caught.value.hint == ""
    assert line.running() == set()
    for proxy in line.proxies.values():
        proxy.set("pass")
    wait_for(lambda: not [one for one in threading.enumerate() if one.name == "aiser-fetch"])
    assert line.running() == set()  # a login that came late sent nothing


def test_a_limit_of_the_database_is_not_the_run_s_own(line: Line) -> None:
    server = line.postgresql
    server.admin("DROP ROLE IF EXISTS fed_limited")
    server.admin("CREATE ROLE fed_limited LOGIN PASSWORD 'limited' IN ROLE pg_read_all_data")
    server.admin("ALTER ROLE fed_limited SET statement_timeout = '500ms'")
    try:
        line.federation.server("limited", "postgresql", server, username="fed_limited", password="limited")
        text = "SELECT min(a.s), min(b.s) FROM limited.fed.stop a JOIN warehouse.fed_stop b USING (id)"
        with pytest.raises(DeadlineExceeded, match=r"\Alimited\.fed\.stop: The server's own limit"):
            line.federation.run(text, timeout=0)
        wait_for(lambda: not line.running())
    finally:
        line.federation.services.close()
        server.admin("DROP ROLE fed_limited")
