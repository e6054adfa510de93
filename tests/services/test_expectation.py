"""What a database itself expects of a statement is asked before a run, and only when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.services import Services, build
from tests.conformance.bigquery import config


@pytest.fixture
def services(bigquery: Any, tmp_path: Path) -> Iterator[Services]:
    built = build()
    known = config(tmp_path, bigquery, price_per_tib="6.25", currency="EUR")
    built.connections.create(replace(known, name="bq"))
    yield built
    built.close()


def jobs(bigquery: Any) -> int:
    return len(bigquery.seen()["jobs"])


def test_the_databases_word_takes_the_place_of_a_guess(services: Services, bigquery: Any) -> None:
    statement, route = services.queries.route(Query("SELECT 1 AS n", "bq"))
    assert (statement.kind, route.engine) == ("read", "direct_sql")
    estimate = route.estimate
    assert estimate is not None
    assert estimate.bytes is not None
    assert estimate.money is not None
    assert estimate.currency == "EUR"


def test_a_run_asks_nothing_of_the_kind(services: Services, bigquery: Any) -> None:
    before = jobs(bigquery)
    assert services.queries.run(Query("SELECT 1 AS n", "bq")).table.num_rows == 1
    assert jobs(bigquery) == before + 1


def test_what_cannot_be_asked_is_not_known_and_no_error(services: Services) -> None:
    statement, route = services.queries.route(Query("SELECT * FROM no_such_table_of_it", "bq"))
    assert statement.kind == "read"
    assert route.estimate is not None
    assert any("what bq expects" in each for each in route.estimate.unknown)


def test_a_statement_that_writes_is_not_asked_about(services: Services, bigquery: Any) -> None:
    before = jobs(bigquery)
    _, route = services.queries.route(Query("CREATE TABLE never_made (id INT64)", "bq"))
    assert route.engine == "direct_sql"
    assert jobs(bigquery) == before


def test_a_connection_without_such_a_word_is_as_it_was(tmp_path: Path) -> None:
    services = build()
    path = str(tmp_path / "shop.duckdb")
    services.connections.create(ConnectionConfig("duckdb", "shop", {"database": path}))
    _, route = services.queries.route(Query("SELECT 1 AS n", "shop"))
    assert route.estimate is not None
    assert route.estimate.money is None
    services.close()
