"""A small table decides which rows of a large one are fetched, where that cannot change the answer."""

from __future__ import annotations

import re

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from .conftest import Federation, ReceivedByMySQL, ReceivedByPostgreSQL, codes

COUNT = "SELECT count(*), count(o.id), count(k.id) FROM "


@pytest.fixture
def keyed(servers: Federation) -> Federation:
    servers.frames["k"] = pd.DataFrame({"id": [3, 5, 5, 7_000], "note": ["Note 1", None, "note 1", "x"]})
    return servers


def sent(keyed: Federation, text: str, received: ReceivedByMySQL) -> tuple[str, list[tuple[object, ...]]]:
    """Run it, and return the WHERE that MariaDB was sent, and the answer."""
    rows = keyed.rows(text)
    (select,) = received.selects("fed_orders")
    return select.partition(" WHERE ")[2], rows


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("warehouse.fed_orders o JOIN k ON k.id = o.customer_id", "`customer_id` IN (3, 5, 7000)"),
        ("k JOIN warehouse.fed_orders o ON k.id = o.customer_id", "`customer_id` IN (3, 5, 7000)"),
        ("k LEFT JOIN warehouse.fed_orders o ON k.id = o.customer_id", "`customer_id` IN (3, 5, 7000)"),
        (
            "warehouse.fed_orders o, k WHERE o.id = k.id AND o.big < 6000",
            "`big` < 6000 AND `id` IN (3, 5, 7000)",
        ),
        ("warehouse.fed_orders o JOIN k ON k.id = o.id WHERE k.id < 5", "`id` IN (3)"),
        ("warehouse.fed_orders o JOIN k ON k.note = o.note", "`note` IN ('Note 1', 'note 1', 'x')"),
        ("warehouse.fed_orders o JOIN k ON k.id = o.total", "`total` IN (3, 5, 7000)"),
        ("warehouse.fed_orders o JOIN k ON k.id = o.id WHERE k.id > 1000000", "1 = 0"),
        ("warehouse.fed_orders o LEFT JOIN k ON k.id = o.customer_id", ""),
        ("k RIGHT JOIN warehouse.fed_orders o ON k.id = o.customer_id", ""),
        ("k FULL JOIN warehouse.fed_orders o ON k.id = o.customer_id", ""),
        ("warehouse.fed_orders o JOIN k ON k.id = o.weight", ""),
        ("warehouse.fed_orders o JOIN k ON k.id < o.customer_id AND o.id < 9", "`id` < 9"),
        ("warehouse.fed_orders o JOIN k ON k.id = o.customer_id OR o.id = 1", ""),
    ],
)
def test_the_keys_of_a_frame(
    keyed: Federation, mysql_received: ReceivedByMySQL, text: str, where: str
) -> None:
    ask_and_compare(keyed, mysql_received, COUNT + text, where)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("warehouse.fed_orders o SEMI JOIN k ON k.id = o.customer_id", "`customer_id` IN (3, 5, 7000)"),
        ("warehouse.fed_orders o WHERE o.id IN (SELECT id FROM k)", "`id` IN (3, 5, 7000)"),
        ("warehouse.fed_orders o WHERE o.id IN (SELECT id FROM k WHERE id < 5)", "`id` IN (3)"),
        (
            "warehouse.fed_orders o WHERE o.big < 9 AND o.id = ANY (SELECT id FROM k WHERE note = o.note)",
            "`big` < 9 AND `id` IN (3, 5, 7000)",
        ),
        (
            "warehouse.fed_orders o WHERE o.note IN (SELECT note FROM k)",
            "`note` IN ('Note 1', 'note 1', 'x')",
        ),
        (
            "warehouse.fed_orders o WHERE EXISTS (SELECT 1 FROM k WHERE k.id = o.customer_id AND o.id < 400)",
            "`customer_id` IN (3, 5, 7000)",
        ),
        ("k WHERE k.id IN (SELECT o.id FROM warehouse.fed_orders o)", "`id` IN (3, 5, 7000)"),
        (
            "k WHERE NOT EXISTS (SELECT 1 FROM warehouse.fed_orders o WHERE o.id = k.id)",
            "`id` IN (3, 5, 7000)",
        ),
        (
            "k WHERE (SELECT sum(o.total) FROM warehouse.fed_orders o WHERE o.customer_id = k.id) > 1",
            "`customer_id` IN (3, 5, 7000)",
        ),
        ("warehouse.fed_orders o WHERE o.id NOT IN (SELECT id FROM k WHERE id > 4)", ""),
        ("warehouse.fed_orders o WHERE NOT EXISTS (SELECT 1 FROM k WHERE k.id = o.id)", ""),
        ("warehouse.fed_orders o WHERE EXISTS (SELECT max(id) FROM k WHERE k.id = o.id)", ""),
        ("warehouse.fed_orders o WHERE o.weight IN (SELECT id FROM k)", ""),
    ],
)
def test_the_keys_of_a_subquery(
    keyed: Federation, mysql_received: ReceivedByMySQL, text: str, where: str
) -> None:
    ask_and_compare(keyed, mysql_received, f"SELECT count(*) FROM {text}", where)


def ask_and_compare(keyed: Federation, mysql_received: ReceivedByMySQL, text: str, where: str) -> None:
    """See that MariaDB was sent ``where``, and that the answer is that over whole copies."""
    asked, rows = sent(keyed, text, mysql_received)
    assert asked == where
    whole = keyed.run("SELECT * FROM fed_orders", "warehouse").table
    copies = duckdb.connect()
    copies.register("o_", whole)
    copies.register("k", keyed.frames["k"])
    assert rows == copies.sql(text.replace("warehouse.fed_orders", "o_")).fetchall()


def test_fewer_rows_come_from_a_server(keyed: Federation, postgresql_received: ReceivedByPostgreSQL) -> None:
    """Of either server only the rows that the other one asks about, in whichever way the statement does."""
    few = "SELECT c.id FROM crm.fed.customers c WHERE c.since < '2020-01-03'"
    for text in (
        f"SELECT count(*), sum(o.total) FROM warehouse.fed_orders o WHERE o.customer_id IN ({few})",
        "SELECT count(*), sum(o.total) FROM warehouse.fed_orders o WHERE EXISTS"
        f" ({few} AND o.customer_id = c.id)",
        "SELECT sum(n), sum(t) FROM (SELECT (SELECT count(*) FROM warehouse.fed_orders o WHERE"
        " o.customer_id = c.id) AS n, (SELECT sum(total) FROM warehouse.fed_orders p WHERE"
        f" p.customer_id = c.id) AS t {few.removeprefix('SELECT c.id')})",
    ):
        result = keyed.run(text)
        same = "sum(total) FROM fed_orders WHERE customer_id IN (0, 1)"
        if "p.customer_id" not in text:
            assert result.table.column(0).to_pylist() == [400]
            assert re.search(r"400 rows \(.*?\) from warehouse", codes(result)["fetched"])
        else:  # a table that is read twice is fetched whole
            assert re.search(r"20,000 rows \(.*?\) from warehouse", codes(result)["fetched"])
        assert result.table.column(1).to_pylist() == [keyed.rows(f"SELECT {same}", "warehouse")[0][0]]
        assert re.search(r"\b2 rows \(.*?\) from crm", codes(result)["fetched"])


def test_more_keys_than_are_sent(keyed: Federation, mysql_received: ReceivedByMySQL) -> None:
    keyed.frames["k"] = pa.table({"id": range(2_001)})
    where, rows = sent(keyed, COUNT + "warehouse.fed_orders o JOIN k ON k.id = o.id", mysql_received)
    assert (where, rows) == ("", [(2_000, 2_000, 2_000)])


def test_a_remote_table_with_few_rows_is_fetched_first(
    keyed: Federation, mysql_received: ReceivedByMySQL, postgresql_received: ReceivedByPostgreSQL
) -> None:
    text = (
        "SELECT count(*), sum(o.total) FROM warehouse.fed_orders o"
        " JOIN crm.fed.customers c ON c.id = o.customer_id WHERE c.since < '2020-01-04'"
    )
    result = keyed.run(text)
    assert result.table.column(0).to_pylist() == [600]
    assert mysql_received.selects("fed_orders")[0].endswith("WHERE `customer_id` IN (0, 1, 2)")
    assert "IN" not in postgresql_received.selects("customers")[0]
    assert codes(result)["keys"].endswith("only rows with one of 3 values of crm.fed.customers came.")
    assert keyed.plan(text)[0].endswith("WHERE customer_id IN (those of crm.fed.customers, up to 2,000)")


def test_keys_of_a_local_table_and_a_file(keyed: Federation, mysql_received: ReceivedByMySQL) -> None:
    keyed.run("CREATE OR REPLACE TABLE few AS SELECT 9 AS id, 'Note 1' AS note")
    duckdb.execute(f"COPY (SELECT 8 AS id) TO '{keyed.folder}/eight.parquet'")
    try:
        for text, end in [
            ("few k ON k.id = o.id", "WHERE `id` IN (9)"),
            ("'eight.parquet' k ON k.id = o.id", "WHERE `id` IN (8)"),
            ("few k ON k.note = o.note", "`fed_orders`"),  # its column may have a collation of its own
        ]:
            keyed.rows(f"{COUNT} warehouse.fed_orders o JOIN {text}")
            assert mysql_received.selects("fed_orders")[-1].endswith(end)
    finally:
        keyed.run("DROP TABLE few")
