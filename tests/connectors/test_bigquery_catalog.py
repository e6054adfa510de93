"""What there is in BigQuery: by calls that cost nothing, and no more of them than needed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from aiser_jupyter.connectors.base import Session
from aiser_jupyter.errors import AiserError, NotPermitted, UnknownTable
from aiser_jupyter.models import Column, Table, TableRef
from tests.connectors.bigquery_kit import KIND, ask, config_of
from tests.endpoints.bigquery import BigQuery

FIELDS = [
    {"name": "id", "type": "INTEGER", "mode": "REQUIRED", "description": "Number of the order"},
    {"name": "customer", "type": "INTEGER", "mode": "NULLABLE"},
    {"name": "day", "type": "DATE", "mode": "NULLABLE"},
    {
        "name": "lines",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [{"name": "sku", "type": "STRING"}, {"name": "price", "type": "NUMERIC"}],
    },
]
ORDERS = {
    "tableReference": {"projectId": "acme-test-1", "datasetId": "catalog", "tableId": "orders"},
    "schema": {"fields": FIELDS},
    "description": "Every order",
    "timePartitioning": {"type": "DAY", "field": "day"},
    "clustering": {"fields": ["customer", "id"]},
    "tableConstraints": {
        "primaryKey": {"columns": ["id"]},
        "foreignKeys": [
            {
                "referencedTable": {
                    "projectId": "acme-test-1",
                    "datasetId": "catalog",
                    "tableId": "customers",
                },
                "columnReferences": [{"referencingColumn": "customer", "referencedColumn": "id"}],
            }
        ],
    },
    "type": "TABLE",
}
COMMENT = "partitioned by day of day; clustered by customer, id"


@pytest.fixture(scope="module", autouse=True)
def made(bigquery: BigQuery) -> None:
    bigquery.behave()
    bigquery.ask("/_table", ORDERS)
    config = config_of(bigquery, dataset="catalog")
    ask(config, "CREATE OR REPLACE TABLE customers AS SELECT 1 AS id, 'ann' AS name")
    ask(config, "CREATE OR REPLACE VIEW names AS SELECT name FROM customers")


@pytest.fixture
def opened(bigquery: BigQuery) -> Iterator[Session]:
    bigquery.behave()
    with closing(KIND.open(config_of(bigquery, dataset="catalog"))) as session:
        yield session


def asked(bigquery: BigQuery) -> list[str]:
    """Return what was asked but for the login, whose dry run is the first."""
    found: list[str] = bigquery.seen()["requests"]
    return [each.removeprefix("GET /bigquery/v2/projects") for each in found if not each.endswith("/jobs")]


def test_projects_datasets_and_tables_are_a_call_each(bigquery: BigQuery, opened: Session) -> None:
    assert KIND.databases(opened) == ["acme-test-1"]
    assert {"catalog", "shop"} <= set(KIND.schemas(opened))
    found = {table.name: table for table in KIND.tables(opened)}
    assert {name: table.kind for name, table in found.items()} == {
        "customers": "table",
        "names": "view",
        "orders": "table",
    }
    assert found["orders"] == Table("orders", "table", "catalog", comment=COMMENT, catalog="acme-test-1")
    assert asked(bigquery) == ["", "/acme-test-1/datasets", "/acme-test-1/datasets/catalog/tables"]


def test_a_table_is_described_with_keys_comments_and_layout(bigquery: BigQuery, opened: Session) -> None:
    found = KIND.columns(opened, TableRef("orders"))
    assert found.columns == (
        Column("id", "INT64", False, "Number of the order", primary_key=True),
        Column("customer", "INT64", True, references="catalog.customers.id"),
        Column("day", "DATE", True),
        Column("lines", "ARRAY<STRUCT<sku STRING, price NUMERIC>>", True),
    )
    assert found.comment == f"Every order; {COMMENT}"
    assert asked(bigquery) == ["/acme-test-1/datasets/catalog/tables/orders"]


def test_a_size_is_exact_and_a_view_has_none(opened: Session) -> None:
    found = KIND.statistics(opened, TableRef("customers", "catalog"))
    assert (found.rows, found.bytes, found.source) == (1, 16, "BigQuery")
    assert KIND.statistics(opened, TableRef("names", "catalog")).rows is None
    assert KIND.statistics(opened, TableRef("nothing", "catalog")).rows is None


def test_all_tables_are_described(opened: Session) -> None:
    found = {table.name: table for table in KIND.describe(opened)}
    assert [column.name for column in found["customers"].columns or ()] == ["id", "name"]
    assert [column.name for column in found["names"].columns or ()] == ["name"]


def test_many_tables_are_described_by_one_query(bigquery: BigQuery) -> None:
    config = config_of(bigquery, dataset="wide")
    ask(config, "CREATE SCHEMA IF NOT EXISTS wide")
    for number in range(25):
        ask(config, f"CREATE OR REPLACE TABLE t{number} (a INT64 NOT NULL, b STRING)")
    bigquery.behave()
    with closing(KIND.open(config)) as session:
        found = KIND.describe(session)
    assert len(found) == 25
    assert all(each.columns == (Column("a", "INT64", False), Column("b", "STRING", True)) for each in found)
    assert len([path for path in asked(bigquery) if "/tables/" in path]) == 0


def test_what_is_not_there_is_said_with_what_is_near(opened: Session) -> None:
    with pytest.raises(UnknownTable) as caught:
        KIND.columns(opened, TableRef("ordres"))
    assert caught.value.hint == "Did you mean 'orders'?"
    with pytest.raises(UnknownTable):
        KIND.columns(opened, TableRef("orders", "no_such_dataset"))


def test_without_a_dataset_every_one_is_listed(bigquery: BigQuery) -> None:
    with closing(KIND.open(config_of(bigquery, dataset=None))) as session:
        found = {(table.schema, table.name) for table in KIND.tables(session)}
        assert ("catalog", "orders") in found
        with pytest.raises(UnknownTable) as caught:
            KIND.columns(session, TableRef("orders"))
    assert "dataset.table" in caught.value.hint


def test_ten_thousand_tables_are_ten_pages(bigquery: BigQuery) -> None:
    bigquery.behave(many={"crowded": 10_000})
    with closing(KIND.open(config_of(bigquery))) as session:
        began = time.monotonic()
        found = KIND.tables(session, "crowded")
        seconds = time.monotonic() - began
    assert len({table.name for table in found}) == 10_000
    assert len([path for path in asked(bigquery) if path.endswith("/crowded/tables")]) == 10
    assert seconds < 20


NASTY = ["a b", "drop--", "Ünïcode", "sélect", "1st", "naïve-name", "x" * 200]


@pytest.mark.parametrize("name", NASTY, ids=lambda name: name[:12])
def test_names_that_bigquery_takes_are_quoted(bigquery: BigQuery, opened: Session, name: str) -> None:
    at = {"projectId": bigquery.project, "datasetId": "catalog", "tableId": name}
    fields = [{"name": "group", "type": "INTEGER"}]
    bigquery.ask("/_table", {"tableReference": at, "schema": {"fields": fields}})
    found = KIND.columns(opened, TableRef(name, "catalog"))
    assert found.columns == (Column("group", "INT64", True),)
    assert name in [table.name for table in KIND.tables(opened)]
    ask(config_of(bigquery), f"DROP TABLE `catalog`.`{name}`")


@pytest.mark.parametrize("name", ["../../jobs", "a`b", "a\\b", "x?y=1", "a/b", "..", "%2e%2e", "#"])
def test_names_that_it_does_not_take_lead_nowhere(bigquery: BigQuery, opened: Session, name: str) -> None:
    with pytest.raises(AiserError):
        KIND.columns(opened, TableRef(name, "catalog"))
    with pytest.raises(AiserError):
        KIND.columns(opened, TableRef("orders", name))
    with pytest.raises(AiserError):
        KIND.columns(opened, TableRef("orders", "catalog", name))
    assert set(asked(bigquery)) <= {"/acme-test-1/datasets/catalog/tables"}  # for what is near


def test_rights_and_a_sample_cost_nothing(bigquery: BigQuery) -> None:
    session: Any = KIND.fresh(config_of(bigquery, dataset="catalog"))
    before = len(bigquery.seen()["jobs"])
    try:
        assert "tables and views in catalog" in KIND.rights(session)
        assert KIND.sample(session) == "a row in catalog.customers"
    finally:
        session.close()
    assert len(bigquery.seen()["jobs"]) == before


def test_an_account_that_may_see_nothing_is_told(bigquery: BigQuery) -> None:
    bigquery.behave(hidden=True)
    session: Any = KIND.fresh(config_of(bigquery, dataset=None))
    try:
        with pytest.raises(NotPermitted) as caught:
            KIND.rights(session)
        assert "BigQuery Data Viewer" in caught.value.hint
    finally:
        session.close()
        bigquery.behave()
