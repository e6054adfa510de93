"""What there is in Snowflake: by SHOW and DESCRIBE, with nasty names, in pages, and what a query may cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aiser_jupyter.connectors.snowflake import catalog
from aiser_jupyter.errors import StatementError, UnknownTable
from aiser_jupyter.models import TableRef
from tests.connectors.snowflake_kit import KIND, column, opened, read

NASTY = [
    'a"; drop table x;--',
    "`",
    "]",
    "a.b",
    "$$",
    "x" * 64,
    "🦆",
    "\u202eabc",
    "A b",
    "lower",
    "a\\b",
]
MANY = 10_050


@pytest.fixture(scope="module")
def session(snowflake: Any) -> Iterator[Any]:
    with opened(snowflake, database="CATALOG", schema="MAIN_SCHEMA") as session:
        yield session


@pytest.fixture(autouse=True)
def nothing_laid(snowflake: Any) -> Iterator[None]:
    yield
    snowflake.lay()


@pytest.fixture(scope="module")
def orders(session: Any) -> Iterator[None]:
    read(session, "CREATE OR REPLACE TABLE customers (id INTEGER NOT NULL, name VARCHAR(20) NOT NULL)")
    read(
        session,
        "CREATE OR REPLACE TABLE orders (id INTEGER NOT NULL, customer INTEGER, total NUMBER(12, 2),"
        " placed TIMESTAMP_NTZ)",
    )
    read(session, "INSERT INTO customers VALUES (1, 'ann'), (2, 'bob')")
    read(session, "CREATE OR REPLACE VIEW big AS SELECT * FROM orders WHERE total > 100")
    yield
    read(session, "DROP VIEW big")
    read(session, "DROP TABLE orders")
    read(session, "DROP TABLE customers")


def test_what_there_is_is_listed(session: Any, orders: None) -> None:
    assert "CATALOG" in KIND.databases(session)
    assert "SNOWFLAKE" not in KIND.databases(session)
    assert KIND.schemas(session) == ["MAIN_SCHEMA"]
    found = {table.name: table for table in KIND.tables(session)}
    assert {name: table.kind for name, table in found.items()} == {
        "BIG": "view",
        "CUSTOMERS": "table",
        "ORDERS": "table",
    }
    size = found["CUSTOMERS"].statistics
    assert (size.rows, size.source) == (2, "SHOW OBJECTS")
    assert found["BIG"].statistics.rows is None
    assert [table.name for table in KIND.tables(session, "MAIN_SCHEMA")] == sorted(found)


def test_a_table_is_described(session: Any, orders: None) -> None:
    table = KIND.columns(session, TableRef("ORDERS", "MAIN_SCHEMA"))
    assert table.columns is not None
    assert [(each.name, each.type, each.nullable) for each in table.columns] == [
        ("ID", "NUMBER(38,0)", False),
        ("CUSTOMER", "NUMBER(38,0)", True),
        ("TOTAL", "NUMBER(12,2)", True),
        ("PLACED", "TIMESTAMP_NTZ(9)", True),
    ]
    assert KIND.columns(session, TableRef("ORDERS", "MAIN_SCHEMA", "CATALOG")).columns == table.columns


def test_a_name_is_found_as_it_is_written_in_a_statement(snowflake: Any, session: Any, orders: None) -> None:
    words = "SQL compilation error:\nTable 'orders' does not exist or not authorized."
    data = {"errorCode": "002003", "sqlState": "42S02"}
    missing = {"data": data, "code": "002003", "message": words, "success": False}
    pattern = '(?-i:DESCRIBE TABLE "main_schema"."orders")'  # the endpoint folds what is quoted, too
    snowflake.lay({"what": "statement", "pattern": pattern, "answer": missing, "times": 9})
    assert KIND.columns(session, TableRef("orders", "main_schema")).name == "ORDERS"
    assert KIND.statistics(session, TableRef("customers")).rows == 2
    assert KIND.statistics(session, TableRef("customers", "MAIN_SCHEMA")).rows == 2
    assert KIND.statistics(session, TableRef("nothing")).rows is None


def test_a_table_that_is_not_there_has_the_nearest_name(session: Any, orders: None) -> None:
    with pytest.raises(UnknownTable, match="ORDRES") as caught:
        KIND.columns(session, TableRef("ORDRES"))
    assert caught.value.hint == "Did you mean 'ORDERS'?"


def test_all_is_described_at_once(snowflake: Any, session: Any, orders: None) -> None:
    _lay_keys(snowflake)
    snowflake.look()
    found = {table.name: table for table in KIND.describe(session)}
    assert len(snowflake.look()["statements"]) == 4, "however many tables there are"
    assert set(found) == {"BIG", "CUSTOMERS", "ORDERS"}
    customer = found["ORDERS"].columns[1]
    assert (customer.name, customer.type) == ("CUSTOMER", "NUMBER(38,0)")
    assert customer.references == "MAIN_SCHEMA.CUSTOMERS.ID"
    assert [each.name for each in found["ORDERS"].columns if each.primary_key] == ["ID"]
    assert found["CUSTOMERS"].columns[1].nullable is False


def _lay_keys(server: Any) -> None:
    """SHOW PRIMARY KEYS and SHOW IMPORTED KEYS as the service answers them."""

    def answer(names: str, *rows: str) -> dict[str, Any]:
        columns = [column(name, "text", length=100, byteLength=400) for name in names.split()]
        data = {"rowtype": columns, "rowset": [row.split() for row in rows], "queryResultFormat": "json"}
        return {"data": {**data, "total": len(rows), "returned": len(rows), "statementTypeId": 0x4400}}

    primary = answer(
        "database_name schema_name table_name column_name key_sequence",
        "CATALOG MAIN_SCHEMA ORDERS ID 1",
        "CATALOG MAIN_SCHEMA CUSTOMERS ID 1",
    )
    imported = answer(
        "pk_database_name pk_schema_name pk_table_name pk_column_name"
        " fk_database_name fk_schema_name fk_table_name fk_column_name",
        "CATALOG MAIN_SCHEMA CUSTOMERS ID CATALOG MAIN_SCHEMA ORDERS CUSTOMER",
    )
    server.lay(
        {"what": "statement", "pattern": "SHOW PRIMARY KEYS", "answer": primary, "times": 9},
        {"what": "statement", "pattern": "SHOW IMPORTED KEYS", "answer": imported, "times": 9},
    )


@pytest.mark.parametrize("name", NASTY)
def test_any_name_is_one_name(session: Any, name: str) -> None:
    quoted = catalog.quoted(name)
    read(session, f"CREATE OR REPLACE TABLE {quoted} (a INTEGER)")
    try:
        assert name in [table.name for table in KIND.tables(session)]
        found = KIND.columns(session, TableRef(name, "MAIN_SCHEMA"))
        assert [each.name for each in found.columns or ()] == ["A"]
        assert KIND.statistics(session, TableRef(name)).rows == 0
    finally:
        read(session, f"DROP TABLE {quoted}")


def test_a_name_in_quotes_ends_where_it_ends(snowflake: Any, session: Any) -> None:
    """SHOW binds no values."""
    snowflake.look()
    KIND.statistics(session, TableRef("a'b\\"))
    sent = snowflake.look()["statements"][0]["sqlText"]
    assert sent.endswith("SHOW OBJECTS IN DATABASE STARTS WITH 'a''b\\\\' LIMIT 1")


def test_more_than_show_gives_at_once_is_asked_in_pages(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_PAGE", 5)
    names = [f"PAGED_{number:02}" for number in range(12)]
    for name in names:
        read(session, f"CREATE OR REPLACE TABLE {name} (a INTEGER)")
    try:
        for found in (KIND.tables(session), KIND.tables(session, "MAIN_SCHEMA")):
            assert [table.name for table in found if table.name.startswith("PAGED")] == names
    finally:
        for name in names:
            read(session, f"DROP TABLE {name}")


@pytest.mark.long
def test_ten_thousand_tables_are_listed(snowflake: Any) -> None:
    with opened(snowflake, database="CROWDED", schema="MANY") as session:
        snowflake.ask("/test/crowd", {"schema": "CROWDED.MANY", "count": MANY})
        assert [table.name for table in KIND.tables(session)] == [f"T{number:05}" for number in range(MANY)]


def test_rights_warn_of_a_role_that_may_do_more_than_read(snowflake: Any, orders: None) -> None:
    with opened(snowflake, database="CATALOG", schema="MAIN_SCHEMA", role="ACCOUNTADMIN") as session:
        assert "WARNING: the role ACCOUNTADMIN" in KIND.rights(session)
    with opened(snowflake, database="CATALOG", schema="MAIN_SCHEMA", role="READER") as session:
        assert KIND.rights(session).endswith(" tables and views of CATALOG, with the role READER")


def test_a_connection_without_a_database_says_what_to_do(snowflake: Any) -> None:
    with opened(snowflake, database=None, schema=None) as session:
        assert "databases" in KIND.rights(session)
        assert "no database" in KIND.sample(session)
        with pytest.raises(StatementError) as caught:
            read(session, "SELECT * FROM orders")
        assert "Name database and schema" in caught.value.hint


# -- what it may cost ------------------------------------------------------------------------------------


def _lay_warehouse(server: Any, state: str) -> None:
    columns = [column(name, "text", length=100, byteLength=400) for name in ("name", "state", "type", "size")]
    rows = [["OTHER", "STARTED", "STANDARD", "Large"], ["SHOP_WH", state, "STANDARD", "X-Small"]]
    data = {"rowtype": columns, "rowset": rows, "total": 2, "returned": 2, "queryResultFormat": "json"}
    answer = {"data": {**data, "statementTypeId": 0x4400}}
    server.lay({"what": "statement", "pattern": "SHOW WAREHOUSES", "answer": answer, "times": 9})


def test_what_a_statement_reads_is_expected(snowflake: Any, session: Any, orders: None) -> None:
    _lay_warehouse(snowflake, "STARTED")
    snowflake.look()
    found = KIND.expect(session, "SELECT * FROM orders WHERE id = ?", (1,))
    assert found is not None
    assert (found.bytes, found.rows, found.money) == (1024, None, None)
    assert found.unknown == ("the time it takes on the warehouse SHOP_WH (X-Small)",)
    sent = [each["sqlText"] for each in snowflake.look()["statements"]]
    assert sent[0] == "/* aiser estimate */ EXPLAIN USING JSON SELECT * FROM orders WHERE id = ?"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("SUSPENDED", "is suspended: starting it takes a while"),
        ("RESIZING", "is resizing"),
        ("STARTING", "is starting"),
    ],
)
def test_a_warehouse_that_is_not_ready_is_told(snowflake: Any, session: Any, state: str, words: str) -> None:
    _lay_warehouse(snowflake, state)
    found = KIND.expect(session, "SELECT 1", ())
    assert found is not None
    assert any(words in each for each in found.unknown)


def test_a_plan_without_figures_is_no_figure(snowflake: Any, session: Any) -> None:
    """A statement that reads no table has no bytes in its plan."""
    plan = json.dumps({"GlobalStats": {}, "Operations": [[{"id": 0, "operation": "Result"}]]})
    data = {
        "rowtype": [column("content", "text", length=10_000, byteLength=40_000)],
        "rowset": [[plan]],
        "total": 1,
        "returned": 1,
        "queryResultFormat": "json",
        "statementTypeId": 0x2000,
    }
    snowflake.lay({"what": "statement", "pattern": "EXPLAIN USING JSON", "answer": {"data": data}})
    found = KIND.expect(session, "SELECT 1", ())
    assert found is not None
    assert found.bytes is None


def test_a_suspended_warehouse_is_not_started_to_test_a_connection(
    snowflake: Any, session: Any, orders: None
) -> None:
    _lay_warehouse(snowflake, "SUSPENDED")
    snowflake.look()
    assert "suspended, and reading would start it" in KIND.sample(session)
    assert not [each for each in snowflake.look()["statements"] if "LIMIT 1" in each["sqlText"]]
    _lay_warehouse(snowflake, "STARTED")
    assert "row in MAIN_SCHEMA" in KIND.sample(session)
