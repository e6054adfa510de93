"""Too much, too long, or a source that fails: it ends at once, everywhere, and says where."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from typing import Any

import pytest

from aiser_jupyter.engines import transfer
from aiser_jupyter.errors import (
    AiserError,
    DataError,
    DeadlineExceeded,
    QueryCancelled,
    ResultTooLarge,
)
from aiser_jupyter.models import Connection, ConnectionConfig
from aiser_jupyter.run import Run

from .conftest import Federation, wait_for

SLOW = "SELECT count(*) FROM crm.fed.customers c JOIN warehouse.fed_slow s ON s.id = c.id"


def set_cap(federation: Federation, size: int) -> None:
    federation.services.settings.connections.transfer_bytes = size


def test_a_table_that_is_known_to_be_too_large_is_not_asked_for(shop: Federation) -> None:
    set_cap(shop, 100_000)
    with pytest.raises(ResultTooLarge) as caught:
        shop.run("SELECT sum(total), max(day) FROM warehouse.sales.orders o JOIN crm.customers c ON true")
    assert "from warehouse.sales.orders" in caught.value.message
    assert "--max-bytes" in caught.value.hint
    assert caught.value.bytes > 100_000


def test_max_bytes_lifts_the_cap(shop: Federation) -> None:
    set_cap(shop, 100_000)
    text = "SELECT count(total) FROM warehouse.sales.orders"
    assert shop.rows(text, max_bytes=10_000_000) == [(20_000,)]


def test_a_table_of_unknown_size_is_stopped_at_the_cap(shop: Federation) -> None:
    set_cap(shop, 100_000)
    text = "SELECT count(*) FROM warehouse.sales.orders WHERE total >= 0 AND note IS NOT NULL"
    with pytest.raises(
        ResultTooLarge, match=r"sales\.orders: more than 100\.0 kB would be fetched"
    ) as caught:
        shop.run(text)
    assert caught.value.rows > 0
    assert shop.rows("SELECT count(*) FROM warehouse.sales.orders WHERE id = 3") == [(1,)]


@pytest.mark.parametrize(
    ("type", "value", "found"),
    [
        ("numeric(76,50)", "0.5", Decimal("0.5")),
        ("numeric(76,50)", "0." + "3" * 50, None),
        ("numeric(76,50)", "12.5", None),
        ("numeric(60,2)", "12.50", Decimal("12.5")),
        ("numeric(60,2)", "9" * 50, None),
        ("numeric(50,-3)", "12000", Decimal(12000)),
        ("numeric(5,-3)", "12000", Decimal(12000)),
    ],
)
def test_a_number_that_duckdb_has_not_is_an_error_of_the_data(
    servers: Federation, type: str, value: str, found: Decimal | None
) -> None:
    servers.rows(f"CREATE OR REPLACE VIEW fed.wide AS SELECT 1 AS id, {value}::{type} AS n", "crm")
    text = "SELECT w.n FROM crm.fed.wide w JOIN warehouse.fed_orders o ON o.id = w.id"
    try:
        if found is not None:
            assert servers.rows(text) == [(found,)]
        else:
            with pytest.raises(DataError, match="column 'n' holds a number of more than 38 digits") as caught:
                servers.run(text)
            assert "Leave the column out" in caught.value.hint
    finally:
        servers.rows("DROP VIEW fed.wide", "crm")


@pytest.fixture
def slow(servers: Federation) -> Federation:
    """``warehouse.fed_slow`` answers a row every second, ``crm.fed.slow`` too."""
    mysql = servers.services.connections.get("warehouse")
    assert mysql.type == "mysql"
    servers.rows(
        "CREATE OR REPLACE VIEW fed_slow AS SELECT seq AS id, SLEEP(1) AS s FROM seq_1_to_600", "warehouse"
    )
    servers.rows(
        "CREATE OR REPLACE VIEW fed.slow AS SELECT i AS id, pg_sleep(1)::text AS s"
        " FROM generate_series(1, 600) AS i",
        "crm",
    )
    return servers


def running(mysql: Any, postgresql: Any) -> list[str]:
    """What either server still runs of these tests."""
    found = [
        str(row[7])
        for row in mysql.admin("SHOW FULL PROCESSLIST")
        if row[7] and "fed_slow" in str(row[7]) and "aiser" in str(row[7])
    ]
    asked = postgresql.admin(
        "SELECT query FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%fed%slow%'"
        " AND pid <> pg_backend_pid()"
    )
    return found + [str(query) for (query,) in asked]


BOTH = "SELECT sum(a.id), min(a.s), min(b.s) FROM warehouse.fed_slow a JOIN crm.fed.slow b USING (id)"


@pytest.mark.parametrize(
    ("text", "statements"),
    [(BOTH, 2), ("SELECT sum(id), min(s) FROM crm.fed.slow", 1), ("SELECT s FROM warehouse.fed_slow", 1)],
    ids=["joined", "streamed from PostgreSQL", "streamed from MariaDB"],
)
def test_cancel_leaves_no_statement_at_a_server(
    slow: Federation, mysql_data: Any, postgresql_data: Any, text: str, statements: int
) -> None:
    submission = slow.services.queries.submit(slow.query(text))
    wait_for(lambda: len(running(mysql_data, postgresql_data)) == statements)
    began = time.monotonic()
    submission.cancel()
    with pytest.raises(QueryCancelled):
        submission.wait()
    assert time.monotonic() - began < 5
    wait_for(lambda: not running(mysql_data, postgresql_data))
    assert slow.rows("SELECT count(*) FROM crm.fed.customers") == [(100,)]


def test_the_deadline_reaches_every_source(slow: Federation, mysql_data: Any, postgresql_data: Any) -> None:
    with pytest.raises(DeadlineExceeded, match=r"within 1\.5 s"):
        slow.run(BOTH, timeout=1.5)
    wait_for(lambda: not running(mysql_data, postgresql_data))


def test_a_source_that_fails_stops_the_others_and_is_named(
    slow: Federation, mysql_data: Any, postgresql_data: Any
) -> None:
    slow.rows("CREATE OR REPLACE VIEW fed.broken AS SELECT id, 1 / (id - id) AS s FROM fed.customers", "crm")
    began = time.monotonic()
    with pytest.raises(AiserError, match=r"\Acrm\.fed\.broken: .*division by zero"):
        slow.run("SELECT min(a.s), min(b.s) FROM warehouse.fed_slow a JOIN crm.fed.broken b USING (id)")
    assert time.monotonic() - began < 10
    wait_for(lambda: not running(mysql_data, postgresql_data))


def test_a_limit_stops_the_source(slow: Federation, mysql_data: Any, postgresql_data: Any) -> None:
    endless = "SELECT generate_series(1, 1000000000) AS i, repeat('x', 1000) AS s"
    slow.rows(f"CREATE OR REPLACE VIEW fed.endless_slow AS {endless}", "crm")
    result = slow.run("SELECT i, length(s) FROM crm.fed.endless_slow WHERE i % 2 = 0 LIMIT 3")
    assert result.table.to_pydict() == {"i": [2, 4, 6], "length(s)": [1000] * 3}
    wait_for(lambda: not running(mysql_data, postgresql_data))


def test_an_error_in_the_middle_of_a_stream_is_the_sources_own(shop: Federation) -> None:
    set_cap(shop, 200_000)
    with pytest.raises(ResultTooLarge, match=r"\Awarehouse\.sales\.orders: more than"):
        shop.run("SELECT * FROM warehouse.sales.orders WHERE id >= 0")


def test_many_at_the_same_time(servers: Federation) -> None:
    text = (
        "SELECT count(*), sum(o.id) FROM warehouse.fed_orders o JOIN crm.fed.customers c"
        " ON c.id = o.customer_id WHERE c.id <> {{ n }}"
    )
    submissions = [servers.services.queries.submit(servers.query(text, variables={"n": n})) for n in range(8)]
    for n, submission in enumerate(submissions):
        (count,), (total,) = submission.wait().table.to_pydict().values()
        expected = [i for i in range(1, 20_001) if i % 100 != n]
        assert (count, total) == (len(expected), sum(expected))


def test_nothing_is_left_after_a_query(shop: Federation) -> None:
    for _ in range(3):
        shop.rows(
            "SELECT count(*) FROM warehouse.sales.orders o JOIN crm.customers c ON c.id = o.customer_id"
        )
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "aiser-fetch"])
    assert shop.rows("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'warehouse%'") == [(0,)]


def test_one_at_a_time_where_only_one_session_may_be_open(servers: Federation) -> None:
    values = servers.services.connections.get("warehouse").config.values
    config = ConnectionConfig("mysql", "one", {**values, "max_connections": 1, "timeout": 1})
    fetched = transfer.Transfers(Run("r"), None)
    try:
        for name in ("a", "b", "c"):  # the third would wait longer for a session than it may
            fetched.add(transfer.Source(name, Connection("1", "me", config), "SELECT SLEEP(0.8) AS s", {}))
        assert {part.source.name for part in fetched.parts() if part.last} == {"a", "b", "c"}
    finally:
        fetched.close()


def test_what_is_ahead_is_bounded(federation: Federation) -> None:
    federation.file("big", "CREATE TABLE t AS SELECT range AS i, repeat('x', 100) AS s FROM range(500000)")
    connection = federation.services.connections.get("big")
    fetched = transfer.Transfers(Run("r"), None, ahead=1_000_000)
    try:
        fetched.add(transfer.Source("t", connection, "SELECT * FROM t", {}))
        parts = fetched.parts()
        next(parts)
        wait_for(lambda: fetched.rows > 65_536)
        time.sleep(0.3)  # it could run on now
        assert fetched.bytes < 30_000_000
        assert sum(part.rows.num_rows for part in parts if part.rows is not None) < 500_000
        assert fetched.rows == 500_000
    finally:
        fetched.close()
