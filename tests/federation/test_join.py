"""A join over several databases answers as the same join over local copies of them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from .conftest import Federation, codes, rows_of

JOIN = """
SELECT c.country, f.segment, d.weight, count(*) AS n, sum(o.total) AS total, max(o.day) AS last, min(c.name)
FROM {orders} o JOIN {customers} c ON c.id = o.customer_id
JOIN d ON d.id = c.id JOIN '{file}' f ON f.id = c.id
WHERE o.day >= '2024-02-01' AND o.total > 100 AND c.since < DATE '2020-03-01'
GROUP BY ALL ORDER BY ALL
"""


@pytest.fixture
def all_kinds(servers: Federation) -> Federation:
    servers.frames["d"] = pd.DataFrame({"id": range(0, 100, 3), "weight": [n / 2 for n in range(34)]})
    duckdb.execute(
        f"COPY (SELECT range AS id, range % 4 AS segment FROM range(50)) TO '{servers.folder}/f.parquet'"
    )
    return servers


def local_copies(federation: Federation) -> duckdb.DuckDBPyConnection:
    """The whole tables, fetched by each database itself, in a DuckDB of its own."""
    copies = duckdb.connect()
    copies.register("o_", federation.run("SELECT * FROM fed_orders", "warehouse").table)
    copies.register("c_", federation.run("SELECT * FROM fed.customers", "crm").table)
    copies.register("d", federation.frames["d"])
    return copies


def test_postgresql_mariadb_a_frame_and_parquet_in_one_statement(all_kinds: Federation) -> None:
    text = JOIN.format(orders="warehouse.fed_orders", customers="crm.fed.customers", file="f.parquet")
    same = JOIN.format(orders="o_", customers="c_", file=all_kinds.folder / "f.parquet")
    expected = local_copies(all_kinds).sql(same).fetchall()
    result = all_kinds.run(text)
    assert rows_of(result.table) == expected
    assert len(expected) > 10
    assert "fetched from warehouse" in result.route.reason
    assert "fetched from crm" in result.route.reason


def test_the_way_of_a_name(servers: Federation) -> None:
    count = "SELECT count(*) FROM {}"
    for name in (
        "warehouse.fed_orders",
        "warehouse.shop.fed_orders",
        'WAREHOUSE."shop"."fed_orders"',
        "warehouse . fed_orders",
    ):
        assert servers.rows(count.format(name)) == [(20_000,)], name
    assert servers.rows("SELECT count(*) FROM crm.fed.customers") == [(100,)]
    text = "SELECT crm.fed.customers.name, customers.id FROM crm.fed.customers WHERE crm.fed.customers.id = 7"
    assert servers.rows(text) == [("name 7", 7)]


def test_names_without_quotes_are_found_in_small_letters(servers: Federation) -> None:
    assert servers.rows("SELECT count(*) FROM crm.Fed.Customers JOIN crm.fed.customers c USING (Id)") == [
        (100,)
    ]
    portable = "SELECT Name AS n FROM FED.Customers WHERE ID = 3"
    assert servers.rows(portable, "crm", engine="duckdb") == [("name 3",)]


def test_one_table_under_two_names(servers: Federation) -> None:
    text = "SELECT count(*) FROM warehouse.fed_orders a JOIN WAREHOUSE.fed_orders b USING (id)"
    assert servers.rows(text) == [(20_000,)]


def test_a_column_that_was_added_is_there(servers: Federation) -> None:
    servers.rows("DROP TABLE IF EXISTS fed.growing", "crm")
    servers.rows("CREATE TABLE fed.growing AS SELECT 1 AS a", "crm")
    assert servers.rows("SELECT * FROM crm.fed.growing") == [(1,)]
    connection = servers.servers["crm"].connect()
    connection.cursor().execute("ALTER TABLE fed.growing ADD COLUMN b integer DEFAULT 2")
    connection.close()
    assert servers.rows("SELECT * FROM crm.fed.growing") == [(1, 2)]
    assert servers.rows("FROM crm.fed.growing g JOIN range(3) r(a) USING (a)") == [(1, 2)]


def test_two_connections_to_the_same_server(servers: Federation, mysql_data) -> None:
    servers.server("again", "mysql", mysql_data)
    text = (
        "SELECT count(*), sum(warehouse.fed_orders.id - again.fed_orders.id) FROM warehouse.fed_orders"
        " JOIN again.fed_orders ON warehouse.fed_orders.id = again.fed_orders.id"
    )
    assert servers.rows(text) == [(20_000, 0)]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM {o} a JOIN {o} b ON a.id = b.id + 1",
        "WITH q AS (SELECT * FROM {o} WHERE id < 50) SELECT count(*) FROM q a, q b WHERE a.id = b.id",
        "SELECT id, (SELECT max(b.id) FROM {o} b WHERE b.id < a.id) FROM {o} a WHERE id < 9 ORDER BY id",
        "SELECT id FROM {o} WHERE id < 3 UNION ALL SELECT id FROM {o} WHERE id < 3 ORDER BY id",
        "SELECT (SELECT max(id) FROM {o}), count(*) FROM {o} WHERE id = (SELECT min(id) FROM {o})",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n JOIN {o} o ON o.id = i WHERE i < 9)"
        " SELECT count(*), sum(i) FROM n",
        "SELECT count(*) FROM {o} o WHERE EXISTS (FROM {c} c WHERE c.id = o.customer_id AND c.id < 3)",
        "SELECT count(*) FROM {o} WHERE customer_id IN (SELECT id FROM {c} WHERE name = 'name 3')",
        "SELECT c.id, count(o.id) FROM {c} c LEFT JOIN {o} o ON o.customer_id = c.id AND o.id > 19000"
        " GROUP BY 1 ORDER BY 1",
        "SELECT count(*), count(o.id), count(c.id) FROM {o} o FULL JOIN {c} c ON o.id = c.id",
        "SELECT * FROM {o} ORDER BY id DESC LIMIT 3",
        "SELECT customer_id, rank() OVER (ORDER BY sum(total) DESC) FROM {o} GROUP BY 1 ORDER BY 1",
        "PIVOT {c} ON name USING max(id)",
        "SUMMARIZE SELECT id, total FROM {o}",
        "SELECT count(*) FROM {n}",
        "SELECT c.id, n.name FROM {c} c LEFT JOIN {n} n ON n.id = c.id ORDER BY 1",
        "SELECT COLUMNS('i.*') FROM {c} ORDER BY 1",
        "FROM {c} SELECT max(name)",
        "SELECT c.*, o.* EXCLUDE (note) FROM {c} c POSITIONAL JOIN (FROM {o} WHERE id < 10 ORDER BY id) o"
        " ORDER BY c.id",
    ],
)
def test_a_table_that_is_read_more_than_once(shop: Federation, text: str) -> None:
    names = {"o": "warehouse.sales.orders", "c": "crm.customers", "n": "warehouse.main.nothing"}
    native = duckdb.connect()
    for name in ("warehouse", "crm"):
        native.execute(f"ATTACH '{shop.folder}/{name}.duckdb' AS {name} (READ_ONLY)")
    names_there = {**names, "c": "crm.main.customers"}
    expected = native.sql(text.format(**names_there)).fetchall()
    assert shop.rows(text.format(**names)) == expected


def test_quoted_names_of_every_kind(servers: Federation, mysql_data, postgresql_data) -> None:
    with mysql_data.connect() as connection, connection.cursor() as cursor:
        cursor.execute('CREATE OR REPLACE TABLE `fed "a`` %s.b` (`se``lect %` INT, `x"y` VARCHAR(9), z INT)')
        cursor.execute("INSERT INTO `fed \"a`` %s.b` VALUES (1, 'one', 3), (2, 'two', 4)")
    connection = postgresql_data.connect()
    cursor = connection.cursor()
    cursor.execute('CREATE TABLE IF NOT EXISTS fed."O""dd.Name %" ("A b" integer, "$p1" text)')
    cursor.execute("""INSERT INTO fed."O""dd.Name %" VALUES (1, 'eins')""")
    connection.close()
    text = (
        'SELECT a."se`lect %", a."x""y", b."$p1" FROM warehouse."fed ""a` %s.b" a'
        ' JOIN crm.fed."O""dd.Name %" b ON a."se`lect %" = b."A b" WHERE a.z = 3'
    )
    assert servers.rows(text) == [(1, "one", "eins")]


def test_a_schema_of_duckdb_itself_wins(shop: Federation) -> None:
    shop.run("CREATE SCHEMA IF NOT EXISTS crm")
    try:
        shop.run("CREATE OR REPLACE TABLE crm.customers AS SELECT 'mine' AS name")
        result = shop.run("SELECT name FROM crm.customers")
        assert rows_of(result.table) == [("mine",)]
        assert "not the connection" in codes(result)["hidden_connection"]
    finally:
        shop.run("DROP SCHEMA crm CASCADE")


def test_an_object_of_the_notebook_is_a_connection_too(shop: Federation, tmp_path: Path) -> None:
    import sqlite3

    lite = sqlite3.connect(tmp_path / "lite.db", check_same_thread=False)
    lite.execute("CREATE TABLE names (id INTEGER, name TEXT, day DATE)")
    lite.executemany("INSERT INTO names VALUES (?, ?, ?)", [(n, f"n{n}", "2024-01-01") for n in range(5)])
    lite.commit()
    shop.services.connections.adopt("lite", lite)
    text = (
        "SELECT n.name, c.name FROM lite.names n JOIN lite.names m USING (id) JOIN crm.customers c USING (id)"
    )
    assert shop.rows(f"{text} WHERE m.day = '2024-01-01' AND id > 2 ORDER BY 1") == [
        ("n3", "name 3"),
        ("n4", "name 4"),
    ]
    lite.close()


def test_parameters_reach_duckdb_and_the_source(servers: Federation) -> None:
    text = "SELECT count(*) FROM warehouse.fed_orders WHERE note IN {{ notes }} AND id <= {{ most }} AND :yes"
    variables = {"notes": ["Note 1", "it's"], "most": 50, "yes": True}
    assert servers.rows(text, variables=variables) == [(10,)]


def test_an_unknown_table_of_a_connection(shop: Federation) -> None:
    from aiser_jupyter.errors import UnknownTable

    with pytest.raises(UnknownTable, match=r"'sales\.ordres' in warehouse") as caught:
        shop.run("SELECT * FROM warehouse.sales.ordres")
    assert "Did you mean 'sales.orders'?" in caught.value.hint
