"""The catalog of live databases: a real MariaDB and a real PostgreSQL, through all layers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from aiser_jupyter.errors import AiserError, UnknownTable
from aiser_jupyter.models import ConnectionConfig, Query, Scope, TableRef
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from aiser_jupyter.services import Services, build
from aiser_jupyter.sql import parse
from tests.servers.mariadb import MariaDB
from tests.servers.proxy import Proxy
from tests.servers.server import Server

COMMON = (
    "CREATE TABLE {s}.customers (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL)",
    "CREATE TABLE {s}.orders (id INTEGER PRIMARY KEY, customer_id INTEGER, amount DECIMAL(10, 2) NOT NULL,"
    " FOREIGN KEY (customer_id) REFERENCES {s}.customers (id))",
    "CREATE TABLE {s}.{q}odd name{q} ({q}a b{q} INTEGER)",
    "CREATE TABLE {s}.{q}dotted.name{q} (x INTEGER)",
    "CREATE VIEW {s}.totals AS SELECT sum(amount) AS total FROM {s}.orders",
    "INSERT INTO {s}.customers VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cleo')",
)
OWN = {
    "mysql": (
        "ALTER TABLE {s}.customers COMMENT 'people who buy'",
        "ALTER TABLE {s}.orders MODIFY amount DECIMAL(10, 2) NOT NULL COMMENT 'in euro'",
        "ANALYZE TABLE {s}.customers",
    ),
    "postgresql": (
        "COMMENT ON TABLE {s}.customers IS 'people who buy'",
        "COMMENT ON COLUMN {s}.orders.amount IS 'in euro'",
        "ANALYZE {s}.customers",
    ),
}
COLUMNS = ", ".join(f"column_{number} INTEGER" for number in range(10))
MANY = """DO $$ BEGIN FOR i IN {first}..{last} - 1 LOOP
  EXECUTE format('CREATE TABLE many.table_%s ({columns})', i); END LOOP; END $$"""


@dataclass
class Live:
    """One server with a saved connection ``shop`` to it, through a proxy that can take it away."""

    type: str
    server: Any
    services: Services
    proxy: Proxy
    schema: str

    @property
    def catalog(self):
        return self.services.catalog

    def connect(self, name: str, **values: object) -> None:
        server = self.server
        values = {
            "host": "127.0.0.1",
            "port": self.proxy.port,
            "database": server.database,
            "username": server.user,
            "password": Secret(server.password),
            "ssl_ca": server.authority.pem,
            **values,
        }
        self.services.connections.create(ConnectionConfig(self.type, name, values), tested=False)

    def lose(self) -> None:
        """Take the server away: what is answered from now on was known, or is an error."""
        self.proxy.set("refuse")
        self.proxy.reset()

    def describe(self, *refs: TableRef, **options):
        connection = self.services.connections.get("shop")
        return self.catalog.describe_tables(connection, refs, Run("1", timeout=30), **options)


SCHEMA = "catalog_sales"


@pytest.fixture(scope="module", params=["mysql", "postgresql"])
def prepared(request) -> Iterator[Server]:
    """A server with the tables of this module."""
    server = request.getfixturevalue("mariadb" if request.param == "mysql" else "postgresql")
    drop(server, SCHEMA)
    elsewhere(server, f"CREATE SCHEMA {SCHEMA}")
    for statement in (*COMMON, *OWN[request.param]):
        elsewhere(server, statement.format(s=SCHEMA, q="`" if request.param == "mysql" else '"'))
    grant(server, SCHEMA)
    yield server
    drop(server, SCHEMA)


@pytest.fixture
def live(prepared, tmp_path, monkeypatch) -> Iterator[Live]:
    monkeypatch.chdir(tmp_path)
    services = build()
    with Proxy(("127.0.0.1", prepared.port)) as proxy:
        kind = "mysql" if isinstance(prepared, MariaDB) else "postgresql"
        found = Live(kind, prepared, services, proxy, SCHEMA)
        found.connect("shop")
        yield found
        services.close()


def elsewhere(server: Server, statement: str) -> None:
    """Run a statement as somebody else."""
    if isinstance(server, MariaDB):
        server.admin(statement)
    else:
        server.admin(statement, database=server.database)


@contextmanager
def table_of_others(live: Live, name: str) -> Iterator[None]:
    elsewhere(live.server, f"CREATE TABLE {SCHEMA}.{name} (x INTEGER)")
    try:
        yield
    finally:
        elsewhere(live.server, f"DROP TABLE {SCHEMA}.{name}")


def drop(server: Server, schema: str) -> None:
    cascade = "" if isinstance(server, MariaDB) else " CASCADE"
    elsewhere(server, f"DROP SCHEMA IF EXISTS {schema}{cascade}")


def grant(server: Server, schema: str) -> None:
    if isinstance(server, MariaDB):
        elsewhere(server, f"GRANT ALL ON {schema}.* TO ann@'%'")
    else:
        elsewhere(server, f"GRANT ALL ON SCHEMA {schema} TO ann")
        elsewhere(server, f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO ann")


def names(tables):
    return sorted(table.name for table in tables)


ALL = ["customers", "dotted.name", "odd name", "orders", "totals"]


def test_schemas_and_their_tables(live):
    assert live.schema in live.catalog.schemas("shop")
    listed = live.catalog.tables("shop", {}, schema=live.schema)
    assert names(listed) == ALL
    assert {table.name: table.kind for table in listed}["totals"] == "view"
    comments = {table.name: table.comment for table in listed}
    assert (comments["customers"], comments["orders"]) == ("people who buy", None)
    assert {table.name: table.statistics.rows for table in listed}["customers"] == 3
    assert all(table.columns is None for table in listed)


def test_columns_with_keys_comments_and_sizes(live):
    table = live.catalog.columns("shop", f"{live.schema}.orders", {})
    columns = {column.name: column for column in table.columns}
    assert list(columns) == ["id", "customer_id", "amount"]
    assert [c.name for c in table.columns if c.primary_key] == ["id"]
    assert columns["customer_id"].references == f"{live.schema}.customers.id"
    assert columns["amount"].comment == "in euro"
    assert (columns["amount"].nullable, columns["customer_id"].nullable) == (False, True)
    assert live.catalog.columns("shop", f"{live.schema}.customers", {}).statistics.rows == 3


@pytest.mark.parametrize(
    ("name", "column"), [('{s}."odd name"', "a b"), ("{s}.odd name", "a b"), ('{s}."dotted.name"', "x")]
)
def test_odd_names(live, name, column):
    assert live.catalog.columns("shop", name.format(s=live.schema), {}).columns[0].name == column


def test_a_table_that_is_not_there(live):
    with pytest.raises(UnknownTable, match="ordres") as raised:
        live.catalog.columns("shop", f"{live.schema}.ordres", {})
    assert "orders'" in raised.value.hint


def test_what_was_asked_is_known_when_the_server_is_gone(live):
    listed = live.catalog.tables("shop", {}, schema=live.schema)
    schemas = live.catalog.schemas("shop")
    orders = live.catalog.columns("shop", f"{live.schema}.orders", {})
    live.lose()
    assert live.catalog.tables("shop", {}, schema=live.schema) == listed
    assert live.catalog.schemas("shop") == schemas
    assert live.catalog.columns("shop", f"{live.schema}.orders", {}) == orders
    with pytest.raises(AiserError):
        live.catalog.columns("shop", f"{live.schema}.customers", {})
    with pytest.raises(AiserError):
        live.catalog.schemas("shop", refresh=True)


def test_an_error_is_not_remembered(live):
    live.lose()
    with pytest.raises(AiserError):
        live.catalog.schemas("shop")
    live.proxy.set("pass")
    assert live.schema in live.catalog.schemas("shop")


def test_own_changes_are_seen_at_once_and_those_of_others_on_refresh(live):
    assert names(live.catalog.tables("shop", {}, schema=live.schema)) == ALL
    with table_of_others(live, "theirs"):
        assert names(live.catalog.tables("shop", {}, schema=live.schema)) == ALL
        assert "theirs" in names(live.catalog.tables("shop", {}, schema=live.schema, refresh=True))
        live.services.queries.run(Query(f"CREATE TABLE {live.schema}.mine (x INTEGER)", connection="shop"))
        assert "mine" in names(live.catalog.tables("shop", {}, schema=live.schema))
        live.services.queries.run(Query(f"DROP TABLE {live.schema}.mine", connection="shop"))
        assert "mine" not in names(live.catalog.tables("shop", {}, schema=live.schema))


def test_a_write_that_fails_makes_the_catalog_doubtful_too(live):
    live.catalog.tables("shop", {}, schema=live.schema)
    with table_of_others(live, "theirs"):
        with pytest.raises(AiserError):
            live.services.queries.run(Query(f"DROP TABLE {live.schema}.nothing_such", connection="shop"))
        assert "theirs" in names(live.catalog.tables("shop", {}, schema=live.schema))


def test_a_read_leaves_the_catalog_as_it_is(live):
    live.catalog.tables("shop", {}, schema=live.schema)
    live.services.queries.run(Query(f"SELECT * FROM {live.schema}.customers", connection="shop"))
    live.lose()
    assert names(live.catalog.tables("shop", {}, schema=live.schema)) == ALL


def test_many_askers_are_one_question(live):
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: seen.append(len(live.catalog.tables("shop", {}, live.schema))))
        for _ in range(12)
    ]
    before = live.proxy.connections
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == [len(ALL)] * 12
    assert live.proxy.connections - before == 1


def test_tables_for_a_query_in_one_session(live):
    orders, customers = TableRef("orders", live.schema), TableRef("customers", live.schema)
    before = live.proxy.connections
    found = live.describe(orders, customers)
    assert live.proxy.connections - before == 1
    assert list(found) == [str(orders), str(customers)]
    types = [column.type.upper() for column in found[str(orders)].columns]
    assert types[2].replace("DECIMAL", "NUMERIC") == "NUMERIC(10,2)"
    assert found[str(customers)].statistics.rows == 3
    live.lose()
    assert live.describe(customers, orders)[str(orders)] == found[str(orders)]
    with pytest.raises(AiserError):
        live.describe(customers, refresh=True)


def test_a_statement_is_planned_with_sizes_that_are_known_and_asks_for_none(live):
    connection = live.services.connections.get("shop")
    dialect = "mysql" if live.type == "mysql" else "postgres"
    statement = parse(f"SELECT * FROM {live.schema}.customers", dialect=dialect)
    before = live.proxy.connections
    assert live.catalog.statistics(statement, Scope(connection)) == {}
    assert live.proxy.connections == before
    live.catalog.tables("shop", {}, schema=live.schema)
    sizes = live.catalog.statistics(statement, Scope(connection))
    assert sizes[f"{live.schema}.customers"].rows == 3


def many(live: Live, count: int) -> None:
    """Make ``count`` tables of 10 columns, in a schema of their own that is the connection's."""
    if isinstance(live.server, MariaDB):
        live.server.make_many("many", count, COLUMNS)
    else:
        drop_many(live)
        elsewhere(live.server, "CREATE SCHEMA many")
        for first in range(0, count, 500):  # each holds a lock until its block is over
            last = min(first + 500, count)
            elsewhere(live.server, MANY.format(first=first, last=last, columns=COLUMNS))
    grant(live.server, "many")
    live.connect("many", **({"database": "many"} if live.type == "mysql" else {}))


def drop_many(live: Live) -> None:
    if isinstance(live.server, MariaDB):
        live.server.drop_many("many")
    else:
        drop(live.server, "many")


def test_1_000_tables(live):
    many(live, 1000)
    try:
        assert len(live.catalog.tables("many", {}, schema="many")) == 1000
        hits = live.catalog.search("many", "table_77")
        assert [hit.table.name for hit in hits[:3]] == ["table_77", "table_770", "table_771"]
        assert len(live.catalog.search("many", "column_3", limit=2000)) == 1000
        live.lose()
        assert len(live.catalog.columns("many", "many.table_5", {}).columns) == 10
    finally:
        drop_many(live)


@pytest.mark.long
def test_10_000_tables_are_listed_in_1_s_and_searched_in_100_ms(live):
    many(live, 10_000)
    try:
        took = {}
        for word in ("first", "again"):
            began = time.perf_counter()
            listed = live.catalog.tables("many", {}, schema="many", refresh=True)
            took[f"list, {word}"] = time.perf_counter() - began
        assert len(listed) == 10_000
        began = time.perf_counter()
        live.catalog.search("many", "table_77")
        took["first search"] = time.perf_counter() - began
        for word in ("table_9999", "column", "nothing such"):
            began = time.perf_counter()
            live.catalog.search("many", word)
            took[f"search {word}"] = time.perf_counter() - began
        print(f"\n{live.type}: " + ", ".join(f"{name} {value:.3f} s" for name, value in took.items()))
        assert took["list, again"] < 1
        assert max(value for name, value in took.items() if name.startswith("search")) < 0.1
    finally:
        drop_many(live)
