"""What a cell may name: with a connection in its first line, without one, and with a pinned engine."""

from __future__ import annotations

import pandas as pd
import pytest

from aiser_jupyter.errors import DataError, EngineUnavailable, UnknownTable, UsageError
from tests.servers.server import Server

from .conftest import Federation, codes, rows_of

PORTABLE = "SELECT customer_id, sum(total) AS total FROM fed_orders WHERE id < 5000 GROUP BY customer_id"


# -- a cell of local ---------------------------------------------------------------------------------------


def test_create_table_as_keeps_the_rows_here(shop: Federation) -> None:
    result = shop.run(
        "CREATE OR REPLACE TABLE mine AS SELECT id, total FROM warehouse.sales.orders WHERE id < 7"
    )
    try:
        assert "fetched from warehouse (2 of 5 columns, 1 filter)" in result.route.reason
        assert shop.rows("SELECT count(*), sum(id) FROM mine") == [(7, 21)]
        shop.run(
            "INSERT INTO mine SELECT o.id, 0 FROM warehouse.sales.orders o JOIN crm.customers c USING (id)"
        )
        assert shop.rows("SELECT count(*) FROM mine") == [(17,)]
        shop.run("DELETE FROM mine WHERE id IN (SELECT id FROM crm.customers WHERE id > 1)")
        assert shop.rows("SELECT count(*) FROM mine") == [(4,)]
    finally:
        shop.run("DROP TABLE mine")


def test_a_remote_table_is_written_on_its_own_connection_only(shop: Federation) -> None:
    with pytest.raises(UsageError) as caught:
        shop.run("INSERT INTO crm.customers SELECT 99, 'new'")
    assert caught.value.hint == "Write in a cell of that connection: %%aiser crm."
    text = "SELECT name FROM crm.customers WHERE id = 99"
    assert shop.rows(text, max_age=600.0) == []
    shop.run("INSERT INTO customers SELECT 99, 'new'", "crm")
    assert shop.rows(text, max_age=600.0) == [("new",)]  # an answer from before the write is not used


def test_a_route_says_what_each_source_is_sent(shop: Federation) -> None:
    text = "SELECT o.id FROM warehouse.sales.orders o JOIN crm.customers c ON c.id = o.customer_id"
    text += " WHERE o.id < 9"
    assert shop.plan(text) == (
        'warehouse: SELECT "id", "customer_id" FROM "sales"."orders" WHERE "id" < $p1'
        " AND customer_id IN (those of crm.customers, up to 2,000)",
        'crm: SELECT "id" FROM "customers"',
    )
    _, route = shop.services.queries.route(shop.query(text))
    assert route.reason == (
        "1 table fetched from warehouse (2 of 5 columns, 1 filter),"
        " 1 table fetched from crm (1 of 2 columns), joined here"
    )
    assert route.estimate is not None
    assert route.estimate.terms["transfer"] > 0


def test_the_phases_of_a_run(shop: Federation) -> None:
    result = shop.run("SELECT count(*) FROM warehouse.sales.orders o JOIN crm.customers c USING (id)")
    assert result.timings.execute > 0
    assert result.timings.connect > 0
    said = "Fetched 10 rows (82 bytes) from crm, 10 rows (82 bytes) from warehouse."
    assert codes(result)["fetched"] == said
    entry = shop.services.queries.history(limit=1)[0]
    assert "fetched from warehouse" in entry.reason


# -- a cell that names a connection ------------------------------------------------------------------------


def test_a_frame_and_another_connections_table_are_refused(servers: Federation) -> None:
    servers.frames["d"] = pd.DataFrame({"id": [1]})
    for text, what in [
        ("SELECT * FROM d", "d is a DataFrame, which warehouse does not know"),
        ("SELECT * FROM crm.customers", "a table of the connection crm, which warehouse does not know"),
        ("SELECT * FROM `files/a.parquet`", "a file, which warehouse does not know"),
    ]:
        with pytest.raises(UnknownTable, match=what) as caught:
            servers.run(text, "warehouse")
        assert "warehouse.schema.table" in caught.value.hint


def test_a_table_of_the_connection_wins_over_a_frame_of_its_name(servers: Federation) -> None:
    servers.frames["fed_orders"] = pd.DataFrame({"id": [1]})
    result = servers.run("SELECT count(*) FROM fed_orders", "warehouse")
    assert rows_of(result.table) == [(20_000,)]
    assert "not the DataFrame" in codes(result)["hidden_frame"]


def test_the_default_of_a_connection_stays_its_own(servers: Federation) -> None:
    result = servers.run(PORTABLE, "warehouse")
    assert result.route.engine == "direct_sql"
    (candidate,) = [one for one in result.route.candidates if one.engine == "duckdb"]
    assert "--engine duckdb" in candidate.reason


def test_a_portable_statement_runs_here_when_asked_to(servers: Federation) -> None:
    here = servers.run(f"{PORTABLE} ORDER BY customer_id", "warehouse", engine="duckdb")
    there = servers.rows(f"{PORTABLE} ORDER BY customer_id", "warehouse")
    assert rows_of(here.table) == there
    assert here.route.pinned
    assert here.route.reason == "asked for with --engine"
    assert "differs" not in codes(here)


def test_a_doubtful_statement_runs_when_asked_to_and_says_so(servers: Federation) -> None:
    text = "SELECT avg(total) AS mean FROM fed_orders WHERE note LIKE {{ x }}"
    options = {"variables": {"x": "note%"}}
    assert servers.rows(text, "warehouse", **options)[0][0] is not None
    result = servers.run(text, "warehouse", engine="duckdb", **options)
    assert rows_of(result.table) == [(None,)]  # DuckDB tells capital letters from small ones
    assert "may answer differently" in result.route.reason
    assert codes(result)["differs"].startswith("DuckDB may answer differently: ")


def test_a_write_is_never_run_elsewhere(servers: Federation) -> None:
    with pytest.raises(EngineUnavailable):
        servers.run("DELETE FROM fed_orders", "warehouse", engine="duckdb")
    assert servers.rows("SELECT count(*) FROM fed_orders", "warehouse") == [(20_000,)]


def test_a_portable_answer_fails_where_a_value_has_no_equal(servers: Federation, mysql_data: Server) -> None:
    with mysql_data.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        cursor.execute("CREATE OR REPLACE TABLE fed_zero (d DATE)")
        cursor.execute("INSERT INTO fed_zero VALUES ('0000-00-00'), ('2024-01-01')")
    text = "SELECT d FROM fed_zero WHERE d < '2024-01-01'"
    with pytest.raises(DataError, match="The answer would be another one"):
        servers.run(text, "warehouse", engine="duckdb")
    assert servers.rows("SELECT count(*) FROM warehouse.fed_zero WHERE d < '2024-01-01'") == [(0,)]
