"""What there is in a MySQL server, and what the user may do there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from aiser_jupyter.connectors.mysql import MySQLConnector
from aiser_jupyter.connectors.mysql.catalog import quoted
from aiser_jupyter.errors import NotPermitted, UnknownTable
from aiser_jupyter.models import Column, Statistics, TableRef
from tests.connectors.mysql_database import fetch, session_of
from tests.servers.mariadb import MariaDB

KIND = MySQLConnector()
STATEMENTS = [
    "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(20) COMMENT 'as on the door')"
    " COMMENT 'who buys'",
    "CREATE TABLE orders (id BIGINT UNSIGNED AUTO_INCREMENT, customer INT NOT NULL, state ENUM('New','gone'),"
    " amount DECIMAL(9,2), PRIMARY KEY (id, customer), FOREIGN KEY (customer) REFERENCES customers (id))",
    "CREATE VIEW big AS SELECT * FROM orders WHERE amount > 100",
    "INSERT INTO customers SELECT seq, CONCAT('c', seq) FROM seq_1_to_1000",
    "ANALYZE TABLE customers",
]


@pytest.fixture(scope="module")
def shop(mariadb: MariaDB) -> Iterator[MariaDB]:
    """A database of its own for a user of its own."""
    mariadb.admin("CREATE OR REPLACE DATABASE store CHARACTER SET utf8mb4")
    mariadb.admin("CREATE OR REPLACE USER fay@'%' IDENTIFIED BY 'secret'")
    mariadb.admin("GRANT ALL ON store.* TO fay@'%'")
    mariadb.admin("GRANT ALL ON `odd ``name`.* TO fay@'%'")
    for statement in STATEMENTS:
        mariadb.admin(statement, database="store")
    yield mariadb
    mariadb.admin("DROP DATABASE store")


@pytest.fixture
def session(shop: MariaDB) -> Iterator[Any]:
    with session_of(shop, username="fay", password="secret", database="store") as opened:
        yield opened


def test_tables_and_views_with_their_sizes(session: Any) -> None:
    found = {table.name: table for table in KIND.tables(session)}
    assert {name: (table.kind, table.schema, table.comment) for name, table in found.items()} == {
        "customers": ("table", "store", "who buys"),
        "orders": ("table", "store", None),
        "big": ("view", "store", None),
    }
    assert found["customers"].statistics.rows == 1000
    assert (found["customers"].statistics.bytes or 0) > 0
    assert found["big"].statistics == Statistics()
    assert KIND.statistics(session, TableRef("customers")) == found["customers"].statistics
    assert KIND.statistics(session, TableRef("nowhere")) == Statistics()


def test_columns_with_keys_and_references(session: Any) -> None:
    found = KIND.columns(session, TableRef("orders"))
    assert found.columns == (
        Column("id", "bigint(20) unsigned", False, primary_key=True),
        Column("customer", "int(11)", False, primary_key=True, references="store.customers.id"),
        Column("state", "enum('New','gone')", True),
        Column("amount", "decimal(9,2)", True),
    )
    assert KIND.columns(session, TableRef("customers", "store")).columns[1].comment == "as on the door"  # type: ignore[index]
    with pytest.raises(UnknownTable) as caught:
        KIND.columns(session, TableRef("order"))
    assert "'orders'" in caught.value.hint


def test_everything_at_once_is_what_it_is_one_by_one(session: Any) -> None:
    described = KIND.describe(session)
    assert {table.name for table in described} == {"customers", "orders", "big"}
    for table in described:
        assert table == KIND.columns(session, TableRef(table.name, "store"))


def test_schemas_and_the_connections_own(shop: MariaDB, session: Any) -> None:
    assert KIND.schemas(session) == ["store"]
    assert KIND.databases(session) == []
    assert KIND.tables(session, "nowhere") == []
    assert KIND.tables(session, "information_schema")
    with session_of(shop, username="fay", password="secret", database=None) as nowhere:
        assert {table.schema for table in KIND.tables(nowhere)} == {"store"}


@pytest.mark.parametrize(
    "name", ['a"; drop table x;--', "`", "a`b``", '"', "]", "a.b", "$$", "x" * 64, "表🖐é"[:1], "%s", "%"]
)
def test_names_are_quoted(shop: MariaDB, session: Any, name: str) -> None:
    table = quoted(TableRef(name, "store"))
    fetch(session, f"CREATE TABLE {table} (`{name.replace('`', '``')}` INT)")
    try:
        found = KIND.columns(session, TableRef(name, "store"))
        assert [(found.name, column.name) for column in found.columns or ()] == [(name, name)]
        assert fetch(session, f"SELECT * FROM {quoted(found)}").column_names == [name]
    finally:
        fetch(session, f"DROP TABLE {table}")


def test_rights_are_counted_and_too_many_named(shop: MariaDB, session: Any) -> None:
    assert KIND.rights(session) == "3 tables and views"
    assert KIND.sample(session) == "no row in store.big"
    shop.admin("CREATE OR REPLACE USER gil@'%' IDENTIFIED BY 'secret'")
    with session_of(shop, username="gil", password="secret", database=None) as opened:
        with pytest.raises(NotPermitted) as caught:
            KIND.rights(opened)
        assert caught.value.hint
    shop.admin("GRANT FILE, SUPER, SELECT ON *.* TO gil@'%'")
    with session_of(shop, username="gil", password="secret", database="store") as opened:
        assert KIND.rights(opened) == (
            "3 tables and views; the user also has FILE, SUPER: reading needs none of it"
        )
    shop.admin("GRANT ALL PRIVILEGES ON *.* TO gil@'%'")
    with session_of(shop, username="gil", password="secret", database="store") as opened:
        assert "ALL PRIVILEGES" in KIND.rights(opened)
    shop.admin("DROP USER gil@'%'")


@pytest.mark.long
def test_ten_thousand_tables_are_listed_within_a_second(shop: MariaDB) -> None:
    shop.make_many("crowd", 10_000, "x INT")
    shop.admin("GRANT ALL ON crowd.* TO fay@'%'")
    try:
        with session_of(shop, username="fay", password="secret", database="crowd") as opened:
            seconds = []
            for _ in range(3):
                started = time.monotonic()
                assert len(KIND.tables(opened)) == 10_000
                seconds.append(time.monotonic() - started)
            assert KIND.statistics(opened, TableRef("table_7")).bytes
        assert min(seconds) <= 1.0, seconds
    finally:
        shop.drop_many("crowd")
