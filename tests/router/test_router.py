"""The router over engines that only answer its three questions."""

from __future__ import annotations

import pytest

from aiser_jupyter.engines.base import Engine
from aiser_jupyter.errors import EngineUnavailable, UnknownEngine
from aiser_jupyter.models import (
    LOCAL,
    Availability,
    Connection,
    ConnectionConfig,
    Estimate,
    Scope,
    StatementKind,
    Statistics,
    Support,
)
from aiser_jupyter.router import Router
from aiser_jupyter.sql import Statement

READ = Statement("SELECT 1", "duckdb", StatementKind.READ)


class Answers(Engine):
    """An engine that answers what it is told to; it is never run."""

    def __init__(self, name, seconds=1.0, support=None, available=None):
        self.name, self.label, self.seconds = name, name, seconds
        self.support = support or Support(True, f"{name} can")
        self.availability = available or Availability(True, "installed")
        self.asked_with = None

    def available(self):
        return self.availability

    def supports(self, statement, scope):
        return self.support

    def estimate(self, statement, scope, statistics):
        self.asked_with = statistics
        return Estimate(self.seconds, unknown=() if self.seconds is not None else ("rows of orders",))

    def execute(self, statement, scope, run):
        raise AssertionError("routing runs nothing")


def scope(name=LOCAL, type="duckdb"):
    return Scope(Connection(name, "ada", ConnectionConfig(type, name)))


def router(*engines, margin=1.5):
    return Router({engine.name: engine for engine in engines}, margin)


def test_a_doubt_is_overruled_by_a_pin_and_said():
    doubtful = Answers(
        "duckdb", support=Support(False, "avg differs", overridable=True, plan=("shop: SELECT",))
    )
    both = router(Answers("direct_sql", seconds=900.0), doubtful)
    assert both.route(READ, scope("shop")).engine == "direct_sql"
    route = both.route(READ, scope("shop"), pin="duckdb")
    assert (route.engine, route.pinned) == ("duckdb", True)
    assert route.reason == "asked for with --engine, though it may answer differently: avg differs"
    assert route.estimate is not None
    (candidate,) = [one for one in route.candidates if one.engine == "duckdb"]
    assert (candidate.feasible, candidate.plan) == (False, ("shop: SELECT",))


def test_a_no_without_a_doubt_is_not_overruled():
    cannot = Answers("duckdb", support=Support(False, "it cannot"))
    with pytest.raises(EngineUnavailable, match="it cannot"):
        router(Answers("direct_sql"), cannot).route(READ, scope("shop"), pin="duckdb")


def test_the_reason_of_a_write_that_fetches_says_what():
    write = Statement("CREATE TABLE t AS FROM shop.u", "duckdb", StatementKind.DDL)
    fetching = Answers("duckdb", support=Support(True, "1 table fetched from shop", plan=("shop: SELECT",)))
    route = router(fetching, Answers("direct_sql")).route(write, scope())
    assert route.reason == "it is a ddl statement: 1 table fetched from shop"


def test_default_of_local_is_duckdb_and_of_a_connection_direct_sql():
    both = router(Answers("duckdb"), Answers("direct_sql"))
    assert both.route(READ, scope()).engine == "duckdb"
    assert both.route(READ, scope("shop")).engine == "direct_sql"


@pytest.mark.parametrize(
    ("other", "chosen"),
    [(0.5, "duckdb"), (0.66, "duckdb"), (0.67, "direct_sql"), (2.0, "direct_sql")],
)
def test_default_is_left_only_past_the_margin(other, chosen):
    route = router(Answers("direct_sql", 1.0), Answers("duckdb", other)).route(READ, scope("shop"))
    assert route.engine == chosen
    if chosen == "duckdb":
        assert route.reason == f"expected {other:.2g} s here, 1 s on direct_sql"


@pytest.mark.parametrize(("home", "other"), [(None, 0.1), (9.0, None), (None, None)])
def test_an_unknown_size_is_no_error_and_keeps_the_default(home, other):
    route = router(Answers("direct_sql", home), Answers("duckdb", other)).route(READ, scope("shop"))
    assert route.engine == "direct_sql"
    assert len(route.candidates) == 2


def test_every_candidate_keeps_its_reason():
    route = router(
        Answers("duckdb"),
        Answers("spark", available=Availability(False, "pyspark is not installed.", "pip install pyspark")),
        Answers("cube", support=Support(False, "no cube covers orders")),
    ).route(READ, scope())
    reasons = {c.engine: (c.feasible, c.reason) for c in route.candidates}
    assert reasons == {
        "duckdb": (True, "duckdb can"),
        "spark": (False, "pyspark is not installed. pip install pyspark"),
        "cube": (False, "no cube covers orders"),
    }


@pytest.mark.parametrize("kind", [k for k in StatementKind if k is not StatementKind.READ])
def test_what_is_not_provably_a_read_is_never_routed(kind):
    fast = Answers("duckdb", 0.0001)
    route = router(Answers("direct_sql", 100.0), fast).route(Statement("…", "duckdb", kind), scope("shop"))
    assert route.engine == "direct_sql"
    assert "sent as written to shop" in route.reason
    assert {c.engine: c.feasible for c in route.candidates} == {"direct_sql": True, "duckdb": False}


def test_a_pin_wins_over_cost():
    route = router(Answers("duckdb", 0.1), Answers("direct_sql", 99.0)).route(READ, scope(), pin="direct_sql")
    assert (route.engine, route.pinned, route.reason) == ("direct_sql", True, "asked for with --engine")


def test_a_pin_that_cannot_run_it_says_why_and_what_can():
    with pytest.raises(EngineUnavailable, match="cube cannot run this: no cube covers orders") as failed:
        router(Answers("duckdb"), Answers("cube", support=Support(False, "no cube covers orders"))).route(
            READ, scope(), pin="cube"
        )
    assert failed.value.hint == "Leave --engine out to run it on duckdb."


def test_an_unknown_pin_names_the_nearest():
    with pytest.raises(UnknownEngine) as failed:
        router(Answers("duckdb")).route(READ, scope(), pin="duckbd")
    assert failed.value.hint == "Did you mean 'duckdb'?"


def test_nothing_feasible_lists_every_reason():
    with pytest.raises(EngineUnavailable) as failed:
        router(
            Answers("duckdb", support=Support(False, "not a file")),
            Answers("direct_sql", support=Support(False, "local is files")),
        ).route(READ, scope())
    assert failed.value.hint == "duckdb: not a file; direct_sql: local is files"


def test_a_default_that_cannot_gives_way_to_the_cheapest_that_can():
    route = router(
        Answers("duckdb", support=Support(False, "too wide")), Answers("b", 2.0), Answers("a", 1.0)
    ).route(READ, scope())
    assert (route.engine, route.reason) == ("a", "a can")


def test_estimates_are_asked_with_the_statistics():
    engine = Answers("duckdb")
    sizes = {"orders": Statistics(10, 100, "parquet footer")}
    assert router(engine).route(READ, scope(), sizes).estimate.seconds == 1.0
    assert engine.asked_with == sizes
