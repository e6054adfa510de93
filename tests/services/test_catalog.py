"""The catalog of a connection through the services, on DuckDB files: what is asked, kept, and forgotten."""

from __future__ import annotations

import threading

import duckdb
import pytest

from aiser_jupyter.errors import AiserError, DeadlineExceeded, UnknownConnection, UnknownTable
from aiser_jupyter.models import LOCAL, ConnectionConfig, Query, Scope, Statistics, TableRef
from aiser_jupyter.run import Run
from aiser_jupyter.services import build
from aiser_jupyter.sql import parse

ENDLESS = "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000_000) b"
SHOP = """
CREATE SCHEMA sales;
CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL);
CREATE TABLE sales.orders (id INTEGER, customer_id INTEGER, amount DECIMAL(10, 2));
CREATE TABLE "odd name" ("a b" INTEGER);
CREATE TABLE "dotted.name" (x INTEGER);
CREATE VIEW sales.totals AS SELECT sum(amount) AS total FROM sales.orders;
COMMENT ON TABLE customers IS 'people who buy';
COMMENT ON COLUMN sales.orders.amount IS 'in euro';
INSERT INTO customers VALUES (1, 'Ann'), (2, 'Bob');
"""


@pytest.fixture
def services(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute(SHOP)
    built = build()
    built.connections.create(ConnectionConfig("duckdb", "shop", {"database": "shop.duckdb"}))
    yield built
    built.close()


@pytest.fixture
def catalog(services):
    return services.catalog


def names(tables):
    return [table.name for table in tables]


def test_databases_schemas_tables_and_columns(catalog):
    assert catalog.databases("shop") == []
    assert catalog.schemas("shop") == ["main", "sales"]
    assert sorted(names(catalog.tables("shop", {}))) == [
        "customers",
        "dotted.name",
        "odd name",
        "orders",
        "totals",
    ]
    assert sorted(names(catalog.tables("shop", {}, schema="sales"))) == ["orders", "totals"]
    found = catalog.columns("shop", "sales.orders", {})
    assert [(c.name, c.type) for c in found.columns] == [
        ("id", "INTEGER"),
        ("customer_id", "INTEGER"),
        ("amount", "DECIMAL(10,2)"),
    ]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("customers", "id"),
        ("main.customers", "id"),
        ("sales.orders", "id"),
        ('"odd name"', "a b"),
        ("odd name", "a b"),
        ('main."odd name"', "a b"),
        ('"dotted.name"', "x"),
        ("dotted.name", "x"),
    ],
)
def test_a_table_is_named_in_every_way(catalog, name, column):
    assert catalog.columns("shop", name, {}).columns[0].name == column


@pytest.mark.parametrize(
    ("name", "near"),
    [("custmers", "'customers'"), ("sales.ordres", "'sales.orders'"), ("zzz", "customers, dotted.name")],
)
def test_a_table_that_is_not_there_is_answered_with_the_nearest(catalog, name, near):
    with pytest.raises(UnknownTable) as raised:
        catalog.columns("shop", name, {})
    assert near in raised.value.hint
    assert "shop" in raised.value.message


def test_a_connection_that_is_not_there(catalog):
    with pytest.raises(UnknownConnection):
        catalog.schemas("shpo")


def test_another_process_is_seen_by_the_file(catalog, tmp_path):
    catalog.tables("shop", {})
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute("CREATE TABLE made_elsewhere (x INTEGER)")
    assert "made_elsewhere" in names(catalog.tables("shop", {}))


@pytest.mark.parametrize(
    ("statement", "name"),
    [("CREATE TABLE fresh (x INTEGER)", "fresh"), ("CREATE VIEW fresh AS SELECT 1 AS x", "fresh")],
)
def test_what_one_makes_is_there_at_once(services, catalog, statement, name):
    assert name not in names(catalog.tables("shop", {}))
    assert catalog.search("shop", name) == []
    services.queries.run(Query(statement, connection="shop"))
    assert name in names(catalog.tables("shop", {}))
    assert catalog.search("shop", name)[0].table.name == name


def test_search_finds_tables_columns_and_comments(catalog):
    def found(word):
        return [(h.table.name, h.column and h.column.name, h.where) for h in catalog.search("shop", word)]

    assert found("CUSTOMER") == [
        ("customers", None, "name"),
        ("orders", "customer_id", "name"),
    ]
    assert found("euro") == [("orders", "amount", "comment")]
    assert found("a b") == [("odd name", "a b", "name")]
    assert found("nothing of the kind") == []
    assert len(catalog.search("shop", "o", limit=2)) == 2


def test_search_of_a_file_with_many_tables(services, catalog, tmp_path):
    with duckdb.connect(str(tmp_path / "many.duckdb")) as database:
        database.execute("BEGIN")
        for number in range(1000):
            database.execute(f"CREATE TABLE table_{number} (a_{number} INTEGER, b VARCHAR NOT NULL)")
        database.execute("COMMIT")
    services.connections.create(ConnectionConfig("duckdb", "many", {"database": "many.duckdb"}))
    (hit,) = catalog.search("many", "a_777")
    assert (hit.table.name, hit.column.type) == ("table_777", "INTEGER")
    assert len(catalog.search("many", "b", limit=2000)) >= 1000
    assert catalog.columns("many", "main.table_5", {}) == catalog.columns("many", "table_5", {})


def test_a_question_has_a_deadline_and_says_so(services, catalog, monkeypatch):
    """It is about tables: what can be done about the deadline of a query does not help here."""
    monkeypatch.setattr("aiser_jupyter.services.catalog.SECONDS", 0.3)
    with pytest.raises(DeadlineExceeded) as raised:
        catalog._ask(services.connections.get("shop"), lambda session, kind: session.rows(ENDLESS))
    assert "shop" in raised.value.message
    assert "--timeout" not in str(raised.value)


def test_search_in_local(services, catalog):
    services.queries.run(Query("CREATE TABLE near_by (some_column INTEGER)"))
    try:
        assert [h.column.name for h in catalog.search(LOCAL, "some_c")] == ["some_column"]
        services.queries.run(Query("ALTER TABLE near_by ADD COLUMN some_colour VARCHAR"))
        assert len(catalog.search(LOCAL, "some_c")) == 2
    finally:
        services.queries.run(Query("DROP TABLE near_by"))


# -- sizes ------------------------------------------------------------------------------------------------


def sizes(services, text, kind="shop"):
    connection = services.connections.get(kind)
    return services.catalog.statistics(parse(text, dialect="duckdb"), Scope(connection))


def test_sizes_are_those_of_the_last_listing_and_nothing_is_asked_for_them(services, catalog):
    text = "SELECT * FROM customers JOIN sales.orders USING (id)"
    assert sizes(services, text) == {}
    catalog.tables("shop", {})
    assert sizes(services, text) == {
        "customers": Statistics(2, None, "catalog"),
        "sales.orders": Statistics(0, None, "catalog"),
    }


def test_sizes_of_one_table_are_known_from_its_description(services, catalog):
    assert catalog.columns("shop", "customers", {}).statistics.rows == 2
    assert sizes(services, "SELECT * FROM customers") == {"customers": Statistics(2, None, "catalog")}


def test_sizes_are_for_reads(services, catalog):
    catalog.tables("shop", {})
    assert sizes(services, "DELETE FROM customers") == {}


def test_a_route_says_how_many_rows_are_known(services, catalog):
    query = Query("SELECT * FROM customers", connection="shop", engine="direct_sql")
    assert services.queries.route(query)[1].estimate.rows is None
    catalog.tables("shop", {})
    assert services.queries.route(query)[1].estimate.rows == 2


# -- tables for a query -----------------------------------------------------------------------------------


def describe(services, *refs, **options):
    connection = services.connections.get("shop")
    run = Run("1", timeout=30)
    return services.catalog.describe_tables(connection, refs, run, **options)


def test_tables_are_described_for_a_query(services):
    customers, orders = TableRef("customers"), TableRef("orders", "sales")
    found = describe(services, customers, orders, customers)
    assert list(found) == ["customers", "sales.orders"]
    assert [c.type for c in found["sales.orders"].columns] == ["INTEGER", "INTEGER", "DECIMAL(10,2)"]
    assert found["customers"].statistics.rows == 2


def test_several_tables_that_were_described_are_each_known(services):
    describe(services, TableRef("customers"), TableRef("orders", "sales"))
    services.executor.close()  # nothing can be asked through it any more
    assert services.catalog.columns("shop", "customers", {}).columns[0].name == "id"
    assert services.catalog.columns("shop", "sales.orders", {}).columns[0].name == "id"
    with pytest.raises(AiserError):
        services.catalog.columns("shop", "sales.totals", {})


def test_columns_are_known_after_a_search(services, catalog):
    catalog.search("shop", "x")
    services.executor.close()
    assert len(catalog.columns("shop", "sales.orders", {}).columns) == 3


def test_a_table_that_is_not_there_is_said_before_the_query_runs(services):
    with pytest.raises(UnknownTable, match="ordres") as raised:
        describe(services, TableRef("customers"), TableRef("ordres", "sales"))
    assert "sales.orders" in raised.value.hint


def test_what_is_described_for_a_query_can_be_asked_anew(services, tmp_path):
    ref = TableRef("customers")
    describe(services, ref)
    services.queries.run(Query("ALTER TABLE customers ADD COLUMN age INTEGER", connection="shop"))
    assert len(describe(services, ref)["customers"].columns) == 3
    assert len(describe(services, ref, refresh=True)["customers"].columns) == 3


def test_a_run_that_is_over_asks_nothing(services):
    run = Run("1", timeout=30)
    run.cancel(timed_out=True)
    with pytest.raises(DeadlineExceeded):
        services.catalog.describe_tables(services.connections.get("shop"), [TableRef("customers")], run)


def test_the_notebook_s_own_objects_are_always_asked(services, catalog, tmp_path):
    with duckdb.connect() as mine:
        services.connections.adopt("mine", mine)
        mine.execute("CREATE TABLE one (x INTEGER)")
        assert names(catalog.tables("mine", {})) == ["one"]
        mine.execute("CREATE TABLE two (x INTEGER)")
        assert names(catalog.tables("mine", {})) == ["one", "two"]


def test_many_threads_see_the_same(catalog):
    seen, threads = [], []
    for _ in range(8):
        threads.append(threading.Thread(target=lambda: seen.append(len(catalog.search("shop", "o")))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
