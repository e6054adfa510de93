"""What there is at Databricks, and what a statement is expected to take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.connectors.databricks import DatabricksConnector
from aiser_jupyter.connectors.databricks.catalog import described
from aiser_jupyter.connectors.databricks.estimate import estimate_of
from aiser_jupyter.errors import MultipleStatements, QuerySyntaxError, UnknownColumn, UnknownTable
from aiser_jupyter.models import Statistics, TableRef
from aiser_jupyter.run import Run
from aiser_jupyter.sql.parameters import quote_identifier
from tests.conformance.databricks import config as config_of
from tests.endpoints.databricks import Databricks

KIND = DatabricksConnector()
NASTY = ["a` b", "a.b", 'q"', "per%cent", "under_score", "$$", "🦆", "ש", "x; drop table y;--", "back\\slash"]


@pytest.fixture(scope="module")
def session(databricks: Databricks) -> Iterator[Any]:
    databricks.behave()
    with closing(KIND.fresh(config_of(Path(), databricks))) as session:
        run(session, "CREATE SCHEMA IF NOT EXISTS sales")
        run(session, "CREATE OR REPLACE TABLE sales.customers (id INT NOT NULL PRIMARY KEY, name STRING)")
        run(
            session,
            "CREATE OR REPLACE TABLE sales.orders (id BIGINT NOT NULL PRIMARY KEY, amount DECIMAL(10, 2),"
            " customer INT REFERENCES sales.customers (id), at TIMESTAMP, tags ARRAY<STRING>)",
        )
        run(session, "INSERT INTO sales.customers VALUES (1, 'ann')")
        run(session, "INSERT INTO sales.orders (id) SELECT id FROM range(1000)")
        run(session, "CREATE OR REPLACE VIEW sales.big AS SELECT * FROM sales.orders WHERE amount > 10")
        run(session, "COMMENT ON TABLE sales.customers IS 'Who buys'")
        run(session, "COMMENT ON COLUMN sales.customers.name IS 'As on the card'")
        yield session
        for sql in ("DROP VIEW sales.big", "DROP TABLE sales.orders", "DROP TABLE sales.customers"):
            run(session, sql)


def run(session: Any, sql: str) -> Any:
    return session.execute(sql, (), Run("test")).read_all()


def test_catalogs_and_schemas(session: Any) -> None:
    assert KIND.databases(session) == ["lake", "samples"]
    assert {"default", "sales"} <= set(KIND.schemas(session))
    assert "information_schema" not in KIND.schemas(session)


def test_tables_of_a_schema(session: Any) -> None:
    found = [(table.name, table.kind, table.schema, table.catalog) for table in KIND.tables(session, "sales")]
    assert found == [
        ("big", "view", "sales", "lake"),
        ("customers", "table", "sales", "lake"),
        ("orders", "table", "sales", "lake"),
    ]
    assert {"sales"} <= {table.schema for table in KIND.tables(session)}
    assert KIND.tables(session, "s%") == []  # a name, not a pattern


def test_a_table_with_its_keys_comments_and_size(session: Any) -> None:
    orders = KIND.columns(session, TableRef("orders", "sales"))
    assert orders.columns is not None
    assert [(c.name, c.type, c.nullable, c.primary_key, c.references) for c in orders.columns] == [
        ("id", "BIGINT", False, True, ""),
        ("amount", "DECIMAL(10,2)", True, False, ""),
        ("customer", "INT", True, False, "sales.customers.id"),
        ("at", "TIMESTAMP", True, False, ""),
        ("tags", "STRING[]", True, False, ""),
    ]
    assert orders.statistics == Statistics(1000, 16000, "DESCRIBE")
    assert orders.comment == "clustered by id"
    customers = KIND.columns(session, TableRef("customers", "sales", "lake"))
    assert customers.comment == "Who buys; clustered by id"
    assert customers.columns is not None
    assert customers.columns[1].comment == "As on the card"
    assert KIND.statistics(session, TableRef("customers", "sales")).rows == 1
    assert KIND.columns(session, TableRef("big", "sales")).kind == "view"
    assert KIND.statistics(session, TableRef("big", "sales")) == Statistics()


def test_a_table_that_is_not_there(session: Any) -> None:
    with pytest.raises(UnknownTable) as caught:
        KIND.columns(session, TableRef("oders", "sales"))
    assert caught.value.hint == "Did you mean 'sales.orders'?"
    with pytest.raises(UnknownTable):
        KIND.columns(session, TableRef("order_", "sales"))  # nor does a pattern find one


def test_every_table_with_its_columns(session: Any) -> None:
    described = {table.name: table for table in KIND.describe(session, "sales")}
    assert set(described) == {"big", "customers", "orders"}
    columns = described["customers"].columns
    assert columns is not None
    assert [column.name for column in columns] == ["id", "name"]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_of_any_letters(session: Any, name: str) -> None:
    quoted = quote_identifier(["default", name], dialect="databricks")
    column = quote_identifier([name], dialect="databricks")
    run(session, f"CREATE OR REPLACE TABLE {quoted} ({column} INT)")
    try:
        assert name in [table.name for table in KIND.tables(session, "default")]
        found = KIND.columns(session, TableRef(name, "default"))
        assert found.columns is not None
        assert (found.name, [each.name for each in found.columns]) == (name, [name])
        assert KIND.sample(session)
    finally:
        run(session, f"DROP TABLE {quoted}")


def test_what_the_user_may_do_is_said(session: Any) -> None:
    assert KIND.rights(session).endswith("names are looked up in lake.default")
    assert "a row in lake." in KIND.sample(session) or "no row in lake." in KIND.sample(session)


@pytest.mark.long
def test_ten_thousand_tables(databricks: Databricks, session: Any) -> None:
    databricks.ask("/_tables", {"schema": "many", "count": 10_000})
    try:
        began = time.monotonic()
        assert len(KIND.tables(session, "many")) == 10_000
        assert len(KIND.describe(session, "many")) == 10_000
        assert KIND.columns(session, TableRef("t9999", "many")).columns
        assert time.monotonic() - began < 30
    finally:
        databricks.ask("/_tables", {"schema": "many", "count": 0})


# -- recorded forms ----------------------------------------------------------------------------------------

EXTENDED = [
    ("key", "string", None),
    ("day", "date", "when it was"),
    ("# Partition Information", "", ""),
    ("# col_name", "data_type", "comment"),
    ("day", "date", "when it was"),
    ("", "", ""),
    ("# Detailed Table Information", "", ""),
    ("Catalog", "main", ""),
    ("Database", "shop", ""),
    ("Table", "events", ""),
    ("Created Time", "Thu Nov 20 10:00:00 UTC 2025", ""),
    ("Type", "EXTERNAL", ""),
    ("Comment", "What happened", ""),
    ("Location", "s3://bucket/events", ""),
    ("Provider", "delta", ""),
    ("Statistics", "134217728 bytes, 5000000 rows", ""),
    ("Table Properties", "[delta.minReaderVersion=1]", ""),
]


def test_what_describe_prints() -> None:
    table = described(EXTENDED)
    assert (table.name, table.kind) == ("events", "external table")
    assert table.statistics == Statistics(5_000_000, 134_217_728, "DESCRIBE")
    assert table.comment == "What happened; partitioned by day"
    never_counted = [row for row in EXTENDED if row[0] != "Statistics"]
    assert described(never_counted).statistics == Statistics()
    bytes_alone = [*never_counted, ("Statistics", "1024 bytes", "")]
    assert described(bytes_alone).statistics == Statistics(None, 1024, "DESCRIBE")


# From the vendor's page on the cost-based optimizer, and from Spark's own change that added the command.
JOINED = """\
== Optimized Logical Plan ==
Aggregate [s_store_sk], [s_store_sk, count(1) AS count(1)L], Statistics(sizeInBytes=20.0 B, rowCount=1)
+- Project [s_store_sk], Statistics(sizeInBytes=18.5 MB, rowCount=1.62E+6, hints=none)
   +- Join Inner, (s_store_sk = ss_store_sk), Statistics(sizeInBytes=48.9 GB, rowCount=2.63E+9, hints=none)
      :- Project [ss_store_sk], Statistics(sizeInBytes=39.1 GB, rowCount=2.63E+9, hints=none)
      :  +- Filter isnotnull(ss_store_sk), Statistics(sizeInBytes=39.1 GB, rowCount=2.63E+9, hints=none)
      :     +- Relation[ss_store_sk] parquet, Statistics(sizeInBytes=134.6 GB, rowCount=2.88E+9, hints=none)
      +- Project [s_store_sk], Statistics(sizeInBytes=11.7 KB, rowCount=1.00E+3, hints=none)
         +- Relation[s_store_sk] parquet, Statistics(sizeInBytes=88.0 KB, rowCount=1.00E+3, hints=none)

== Physical Plan ==
*(3) HashAggregate(keys=[s_store_sk#1], functions=[count(1)]), Statistics(sizeInBytes=1.0 B)
"""
COUNTED = """\
== Optimized Logical Plan ==
Aggregate [count(1) AS count(1)#24L], Statistics(sizeInBytes=16.0 B, rowCount=1, isBroadcastable=false)
+- Project, Statistics(sizeInBytes=4.3 GB, rowCount=5.76E+8, isBroadcastable=false)
   +- Relation[sr_item_sk#5] parquet, Statistics(sizeInBytes=28.6 GB, rowCount=5.76E+8, isBroadcastable=false)
"""
RANGE = """\
== Optimized Logical Plan ==
Project [(id#5L + 1) AS (id + 1)#7L], Statistics(sizeInBytes=7.6 MiB)
+- Range (0, 1000000, step=1, splits=Some(1)), Statistics(sizeInBytes=7.6 MiB)

== Physical Plan ==
*(1) Project [(id#5L + 1) AS (id + 1)#7L]
"""
NEVER = """\
== Optimized Logical Plan ==
Relation spark_catalog.default.t[a#1] csv, Statistics(sizeInBytes=8.0 EiB)
"""


@pytest.mark.parametrize(
    ("plan", "bytes_", "rows"),
    [
        (JOINED, round(134.6 * 1024**3) + round(88.0 * 1024), 1),
        (COUNTED, round(28.6 * 1024**3), 1),
        (RANGE, round(7.6 * 1024**2), None),
        (NEVER, None, None),
        ("", None, None),
    ],
    ids=["joined", "counted", "range", "never counted", "nothing"],
)
def test_a_plan_with_its_cost(plan: str, bytes_: int | None, rows: int | None) -> None:
    estimate = estimate_of(plan)
    assert (estimate.bytes, estimate.rows, estimate.money) == (bytes_, rows, None)
    unknown = " ".join(estimate.unknown)
    assert ("never counted" in unknown) is (bytes_ is None)
    assert ("how many rows" in unknown) is (rows is None)
    assert "what it costs" in unknown


def test_a_statement_is_estimated_without_being_run(databricks: Databricks, session: Any) -> None:
    databricks.behave()
    estimate = KIND.expect(session, "SELECT * FROM sales.orders WHERE id > ?", (5,))
    assert (estimate.rows, estimate.bytes) == (1000, 15_974)  # printed as 15.6 KiB
    seen = databricks.seen()
    assert [each["sql"] for each in seen["statements"]] == [
        "/* aiser catalog */ EXPLAIN COST SELECT * FROM sales.orders WHERE id > ?"
    ]
    with pytest.raises(UnknownTable):
        KIND.expect(session, "SELECT * FROM sales.ordes", ())
    with pytest.raises(UnknownColumn):
        KIND.expect(session, "SELECT nope FROM sales.orders", ())
    with pytest.raises(QuerySyntaxError) as caught:
        KIND.expect(session, "SELEC 1", ())
    assert (caught.value.line, caught.value.column) == (1, 7)
    with pytest.raises(MultipleStatements):
        KIND.expect(session, "SELECT 1; DROP TABLE sales.orders", ())
