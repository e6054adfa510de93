"""What is listed of a real PostgreSQL: every kind of table, its columns and its size, whatever its name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from aiser_jupyter.connectors.postgresql.catalog import quoted_identifier
from aiser_jupyter.errors import NotPermitted, UnknownTable
from aiser_jupyter.models import Column, Statistics, TableRef
from tests.connectors.postgresql_kit import KIND, ask, session

SHOP = [
    "CREATE SCHEMA sales",
    "CREATE TABLE sales.customers (id int PRIMARY KEY, name varchar(40) NOT NULL, joined date)",
    "COMMENT ON TABLE sales.customers IS 'who buys'",
    "COMMENT ON COLUMN sales.customers.name IS 'as written'",
    "CREATE TABLE sales.orders (id int, customer int REFERENCES sales.customers, total numeric(9,2)[],"
    " PRIMARY KEY (customer, id))",
    "CREATE TABLE sales.events (day date NOT NULL, n int) PARTITION BY RANGE (day)",
    "CREATE TABLE sales.events_1 PARTITION OF sales.events FOR VALUES FROM ('2024-01-01') TO ('2024-07-01')",
    "CREATE TABLE sales.events_2 PARTITION OF sales.events FOR VALUES FROM ('2024-07-01') TO ('2025-01-01')"
    " PARTITION BY HASH (n)",
    "CREATE TABLE sales.events_2a PARTITION OF sales.events_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    "INSERT INTO sales.events SELECT date '2024-01-01' + i, i FROM generate_series(0, 365) i",
    "CREATE VIEW sales.recent AS SELECT * FROM sales.events WHERE day > '2024-06-01'",
    "CREATE MATERIALIZED VIEW sales.days AS SELECT day, count(*) AS n FROM sales.events GROUP BY day",
    "CREATE TABLE sales.uncounted (a int)",
]
NASTY = ['a"; drop table x;--', "a.b", "🦆 duck", "é" * 31, "$$", "$name", "Select", "a'b", "{x}", "%s", " "]


@pytest.fixture(scope="module")
def opened(postgresql: Any) -> Iterator[Any]:
    with session(postgresql) as made:
        ask(made, "DROP SCHEMA IF EXISTS sales CASCADE")
        for sql in SHOP:
            ask(made, sql)
        for table in ("customers", "orders", "events", "days"):
            ask(made, f"ANALYZE sales.{table}")
        yield made
        ask(made, "DROP SCHEMA sales CASCADE")


def test_every_kind_of_table_is_listed_once(opened: Any) -> None:
    listed = {table.name: table for table in KIND.tables(opened, "sales")}
    assert {name: table.kind for name, table in listed.items()} == {
        "customers": "table",
        "days": "materialized view",
        "events": "partitioned table",
        "orders": "table",
        "recent": "view",
        "uncounted": "table",
    }
    assert listed["customers"].comment == "who buys"
    assert listed["customers"].statistics == Statistics(0, 0, "pg_class")
    assert listed["events"].statistics == Statistics(366, 16384, "pg_class")  # a page of each partition
    assert listed["days"].statistics.rows == 366
    assert listed["recent"].statistics == listed["uncounted"].statistics == Statistics()
    assert "customers" in [table.name for table in KIND.tables(opened)]
    assert all(table.schema and not table.schema.startswith("pg_") for table in KIND.tables(opened))


def test_the_columns_of_a_table_tell_everything(opened: Any) -> None:
    customers = KIND.columns(opened, TableRef("customers", "sales"))
    assert (customers.schema, customers.kind, customers.comment) == ("sales", "table", "who buys")
    assert customers.columns == (
        Column("id", "integer", False, None, True),
        Column("name", "character varying(40)", False, "as written"),
        Column("joined", "date", True),
    )
    orders = KIND.columns(opened, TableRef("orders", "sales"))
    assert orders.columns == (
        Column("id", "integer", False, None, True),
        Column("customer", "integer", False, None, True, "sales.customers.id"),
        Column("total", "numeric(9,2)[]", True),
    )


def test_all_columns_come_in_one_answer(opened: Any) -> None:
    described = KIND.describe(opened, "sales")
    assert described == [
        KIND.columns(opened, TableRef(table.name, "sales")) for table in KIND.tables(opened, "sales")
    ]


def test_a_name_is_found_as_the_database_finds_it(opened: Any) -> None:
    assert KIND.columns(opened, TableRef("CUSTOMERS", "Sales")).name == "customers"
    with pytest.raises(UnknownTable):
        KIND.columns(opened, TableRef("customers"))  # not on the search path
    assert KIND.columns(opened, TableRef("pg_class")).schema == "pg_catalog"
    with pytest.raises(UnknownTable) as caught:
        KIND.columns(opened, TableRef("custmers", "sales"))
    assert caught.value.hint == "Did you mean 'sales.customers'?"


def test_the_size_of_one_table(opened: Any) -> None:
    assert KIND.statistics(opened, TableRef("events", "sales")).rows == 366
    assert KIND.statistics(opened, TableRef("uncounted", "sales")) == Statistics()
    assert KIND.statistics(opened, TableRef("nowhere")) == Statistics()


def test_schemas_and_databases(opened: Any) -> None:
    assert {"public", "sales"} <= set(KIND.schemas(opened))
    assert {"postgres", "shop"} <= set(KIND.databases(opened))
    assert not {"template0", "pg_catalog", "information_schema"} & {
        *KIND.databases(opened),
        *KIND.schemas(opened),
    }


@pytest.mark.parametrize("name", NASTY)
def test_any_name_is_only_a_name(opened: Any, name: str) -> None:
    ask(opened, f"CREATE SCHEMA {quoted_identifier(name)}")
    try:
        place = f"{quoted_identifier(name)}.{quoted_identifier(name)}"
        ask(opened, f"CREATE TABLE {place} ({quoted_identifier(name)} int PRIMARY KEY)")
        (listed,) = KIND.tables(opened, name)
        assert (listed.schema, listed.name) == (name, name)
        columns = KIND.columns(opened, TableRef(name, name)).columns
        assert columns is not None
        assert [column.name for column in columns] == [name]
        assert ask(opened, f"SELECT * FROM {place}").column_names == [name]
    finally:
        ask(opened, f"DROP SCHEMA {quoted_identifier(name)} CASCADE")


def test_rights_are_counted_and_too_many_are_warned_of(postgresql: Any, opened: Any) -> None:
    assert "tables and views can be read" in KIND.rights(opened)
    assert "WARNING" not in KIND.rights(opened)
    for role in ("poor", "mighty", "filer"):
        if not postgresql.admin("SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            postgresql.admin(f"CREATE ROLE {role} LOGIN PASSWORD '{postgresql.password}'")
    postgresql.admin("ALTER ROLE mighty SUPERUSER")
    postgresql.admin("ALTER ROLE filer BYPASSRLS")
    postgresql.admin("GRANT pg_read_server_files TO filer")
    postgresql.admin("GRANT USAGE ON SCHEMA sales TO poor", database="shop")
    with session(postgresql, username="mighty") as made:
        assert "WARNING: mighty is a superuser" in KIND.rights(made)
    with session(postgresql, username="poor") as made:
        with pytest.raises(NotPermitted) as caught:
            KIND.rights(made)
        assert "GRANT SELECT" in caught.value.hint
        assert KIND.sample(made) == "no table to read; SELECT 1 answered"
    postgresql.admin("GRANT SELECT ON sales.events TO filer", database="shop")
    postgresql.admin("GRANT USAGE ON SCHEMA sales TO filer", database="shop")
    with session(postgresql, username="filer") as made:
        said = KIND.rights(made)
        assert "WARNING: filer has pg_read_server_files" in said
        assert "bypasses row security" in said
        assert KIND.sample(made) == "a row in sales.events"


def test_a_locked_table_does_not_hold_the_listing_up(postgresql: Any, opened: Any) -> None:
    with session(postgresql) as other:
        ask(other, "BEGIN")
        ask(other, "LOCK TABLE sales.events, sales.customers IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        KIND.tables(opened)
        KIND.describe(opened)
        KIND.statistics(opened, TableRef("events", "sales"))
        assert time.monotonic() - started < 5


@pytest.mark.long
def test_ten_thousand_tables_are_listed_in_a_second(opened: Any) -> None:
    ask(opened, "CREATE SCHEMA crowd")
    for part in range(10):
        ask(
            opened,
            f"DO $$ BEGIN FOR i IN 1..1000 LOOP EXECUTE 'CREATE TABLE crowd.t' || {part} * 1000 + i ||"
            " ' (id int PRIMARY KEY, a text, b numeric(9,2), c date)'; END LOOP; END $$",
        )
    try:
        ask(opened, "ANALYZE pg_class")
        started = time.monotonic()
        assert len(KIND.tables(opened, "crowd")) == 10_000
        tables = time.monotonic() - started
        described = KIND.describe(opened, "crowd")
        total = time.monotonic() - started
        assert sum(len(table.columns or ()) for table in described) == 40_000
        print(f"10,000 tables: {tables:.2f} s, with their columns {total - tables:.2f} s")
        assert tables < 1
    finally:
        for part in range(10):
            ask(
                opened,
                f"DO $$ BEGIN FOR i IN 1..1000 LOOP EXECUTE 'DROP TABLE crowd.t' || {part} * 1000 + i;"
                " END LOOP; END $$",
            )
        ask(opened, "DROP SCHEMA crowd")
