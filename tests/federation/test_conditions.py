"""A condition that is sent to a source keeps every row that it keeps here, whatever the data.

Each condition runs twice: over a connection, and over the whole table as a DataFrame of the notebook.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest

from aiser_jupyter.sql.conditions import Condition, Given, provable
from tests.servers.server import Server

from .conftest import Federation, ReceivedByMySQL, ReceivedByPostgreSQL

TEXTS = [
    "a",
    "A",
    "á",
    "a ",
    " a",
    "",
    "ß",
    "ss",
    "SS",
    "b",
    "straße",
    "🦆",
    "a\tb",
    "o'hara",
    "back\\slash",
    "%",
    "_",
]
WHOLE = [0, 1, -1, 2**31 - 1, -(2**31), 42]
DECIMALS = ["0.00", "-0.01", "0.10", "99999999.99", "-99999999.99", "1.50"]
FLOATS = ["0", "-0.0", "0.1", "1e300", "-1e-300", "0.30000000000000004", "123456789.123456789"]
DAYS = ["1000-01-01", "1970-01-01", "2024-02-29", "2024-03-01", "9999-12-31"]
TIMES = [
    "1970-01-01 00:00:00",
    "2024-02-29 12:34:56.789012",
    "2024-02-29 12:34:56.789013",
    "2024-02-29 00:00:00",
]

CONDITIONS: list[tuple[str, dict[str, Any], bool]] = [
    *((f"t = '{value}'", {}, True) for value in ("a", "A", "ss", "", "back\\slash", "%")),
    ("t = 'o''hara'", {}, True),
    ("t = {{ x }}", {"x": "o'hara"}, True),
    ("t IN ('a', 'b', 'nobody')", {}, True),
    ("t = 'a '", {}, False),
    ("t = {{ x }}", {"x": "a\tb"}, False),
    ("t <> 'a'", {}, False),
    ("t > 'a'", {}, False),
    ("t LIKE 'a%'", {}, False),
    ("t IS NULL", {}, True),
    ("t IS NOT NULL", {}, True),
    ("c = 'a'", {}, True),
    ("c IN ('a', 'ab')", {}, True),
    *((f"i {op} 1", {}, True) for op in ("=", "<>", "<", "<=", ">", ">=")),
    ("i = 1.5", {}, True),
    ("i > 0.5", {}, True),
    ("i IN (1, 42, 1.0)", {}, True),
    ("i NOT IN (1, -1)", {}, True),
    ("i BETWEEN -1 AND 41.5", {}, True),
    ("i NOT BETWEEN -1 AND 1", {}, True),
    ("NOT i = 1", {}, True),
    ("i IS NULL", {}, True),
    ("i = {{ x }}", {"x": 42}, True),
    ("i = {{ x }}", {"x": Decimal("42.0")}, True),
    ("i = {{ x }}", {"x": 42.0}, False),
    ("i = {{ x }}", {"x": 2**63}, False),
    ("i = {{ x }}", {"x": None}, False),
    ("i = {{ x }}", {"x": "42"}, False),
    ("i < 1e2", {}, False),
    *((f"n {op} 0.10", {}, True) for op in ("=", "<>", "<", ">=")),
    ("n = 99999999.990", {}, True),
    ("n > -0.015", {}, True),
    ("n BETWEEN {{ x }} AND {{ y }}", {"x": Decimal("-0.01"), "y": Decimal("1.5")}, True),
    ("n = {{ x }}", {"x": 0.1}, False),
    ("n IS NULL", {}, False),
    *((f"f {op} 0.1", {}, True) for op in ("=", "<>", "<", "<=", ">", ">=")),
    ("f = {{ x }}", {"x": 0.1}, True),
    ("f = {{ x }}", {"x": 0.1 + 0.2}, True),
    ("f > {{ x }}", {"x": -1e-300}, True),
    ("f >= 0", {}, True),
    ("f = 123456789.123456789", {}, True),
    *((f"d {op} '2024-02-29'", {}, True) for op in ("=", "<>", "<", "<=", ">", ">=")),
    ("d = DATE '9999-12-31'", {}, True),
    ("d IN ('1970-01-01', '2024-03-01')", {}, True),
    ("d BETWEEN {{ x }} AND {{ y }}", {"x": dt.date(1000, 1, 1), "y": dt.date(2024, 2, 29)}, True),
    ("d IS NULL", {}, False),
    ("d IS NOT NULL", {}, True),
    ("d > {{ x }}", {"x": dt.datetime(2024, 2, 29, 12)}, False),
    *((f"ts {op} '2024-02-29 12:34:56.789012'", {}, True) for op in ("=", "<>", "<", "<=", ">", ">=")),
    ("ts >= TIMESTAMP '2024-02-29 00:00:00'", {}, True),
    ("ts >= '2024-02-29'", {}, True),
    ("ts < {{ x }}", {"x": dt.datetime(2024, 2, 29, 12, 34, 56, 789013)}, True),
    ("ts < {{ x }}", {"x": dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)}, False),
    ("ts = {{ x }}", {"x": dt.date(2024, 2, 29)}, False),
]


def values(kind: list[Any], more: str = "") -> str:
    """Rows of one column; the others are NULL."""
    return ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in kind) + more


def fill(cursor: Any, table: str) -> None:
    """A row for each value, the others NULL."""
    columns = {"t": TEXTS, "c": ["a", "ab", "A", "a  "], "i": WHOLE, "n": DECIMALS, "f": FLOATS, "d": DAYS}
    for column, listed in {**columns, "ts": TIMES}.items():
        for value in listed:
            cursor.execute(f"INSERT INTO {table} ({column}) VALUES (%s)", (value,))
    cursor.execute(f"INSERT INTO {table} (i) VALUES (NULL)")


@pytest.fixture(scope="module")
def mysql_nasty(mysql_data: Server) -> Server:
    with mysql_data.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        cursor.execute(
            "CREATE OR REPLACE TABLE fed_nasty (id INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(20), c CHAR(5),"
            " i INT, n DECIMAL(10, 2), f DOUBLE, d DATE, ts DATETIME(6), u BIGINT UNSIGNED,"
            " latin VARCHAR(9) CHARACTER SET latin1, zoned TIMESTAMP NULL, e ENUM('a', 'b'), y TINYINT(1))"
        )
        fill(cursor, "fed_nasty")
        cursor.execute(
            "INSERT INTO fed_nasty (d, ts, u, latin, zoned, e, y) VALUES ('0000-00-00', '0000-00-00', 0, 'é',"
            " '2024-01-01', 'a', 2), ('2024-00-10', NULL, 18446744073709551615, 'a', NULL, 'b', 1)"
        )
    return mysql_data


@pytest.fixture(scope="module")
def postgresql_nasty(postgresql_data: Server) -> Server:
    connection = postgresql_data.connect()
    cursor = connection.cursor()
    cursor.execute(
        "CREATE COLLATION IF NOT EXISTS fed.loose"
        " (provider = icu, locale = 'und-u-ks-level1', deterministic = false)"
    )
    cursor.execute("DROP TABLE IF EXISTS fed.nasty")
    cursor.execute(
        "CREATE TABLE fed.nasty (id serial PRIMARY KEY, t varchar(20), c char(5), i integer,"
        " n numeric(10, 2), f double precision, d date, ts timestamp, u uuid,"
        " loose text COLLATE fed.loose, zoned timestamptz, free numeric, small real)"
    )
    fill(cursor, "fed.nasty")
    cursor.execute(
        "INSERT INTO fed.nasty (d, ts, n, f, u, loose, zoned, free, small) VALUES"
        " ('infinity', '-infinity', 0, 'NaN', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'Ä', now(), 1.5, 0.1),"
        " ('-infinity', 'infinity', 0, 'Infinity', '00000000-0000-0000-0000-000000000000', 'a', NULL, 2, 0.2)"
    )
    connection.close()
    return postgresql_data


def compare(federation: Federation, table: str, conditions: list[tuple[str, dict[str, Any], bool]]) -> None:
    """Run each condition over the source and over a copy of it, and look whether it is sent."""
    for condition, variables, sent in conditions:
        where = f"WHERE {condition} ORDER BY id"
        here = federation.rows(f"SELECT id FROM copy {where}", variables=variables)
        there = federation.rows(f"SELECT id FROM {table} {where}", variables=variables)
        assert there == here, condition
        plan = federation.plan(f"SELECT id FROM {table} {where}", variables=variables)
        assert ("WHERE" in plan[0]) == sent, (condition, plan)


def test_every_condition_on_mysql(servers: Federation, mysql_nasty: Server) -> None:
    servers.frames["copy"] = servers.run("SELECT * FROM fed_nasty", "warehouse").table
    own = [
        ("u = 0", {}, True),
        ("u > -1", {}, True),
        ("u >= 18446744073709551615", {}, False),
        ("u <> 5", {}, True),
        *((f"t = '{value}'", {}, False) for value in ("ß", "🦆")),
        ("latin = '🦆'", {}, False),
        ("latin = 'é'", {}, False),
        ("latin = 'a'", {}, True),
        ("latin = 'e'", {}, True),
        ("zoned > '2000-01-01'", {}, False),
        ("e = 'a'", {}, False),
        ("y = 1", {}, True),
        ("y = 2", {}, True),
    ]
    compare(servers, "warehouse.fed_nasty", [*CONDITIONS, *own])


def test_every_condition_on_postgresql(servers: Federation, postgresql_nasty: Server) -> None:
    servers.frames["copy"] = servers.run("SELECT * FROM fed.nasty", "crm").table
    known = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    own = [
        *((f"t = '{value}'", {}, True) for value in ("ß", "🦆", "straße")),
        ("u = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", {}, True),
        ("u = {{ x }}", {"x": known}, True),
        ("u > '00000000-0000-0000-0000-000000000000'", {}, False),
        ("loose = 'a'", {}, True),
        ("loose = 'ä'", {}, True),
        ("zoned > '2000-01-01'", {}, False),
        ("free = 1.5", {}, False),
        ("small = 0.1", {}, False),
    ]
    compare(servers, "crm.fed.nasty", [*CONDITIONS, *own])


def test_every_condition_on_a_duckdb_file(federation: Federation) -> None:
    columns = "t VARCHAR, c VARCHAR, i INTEGER, n DECIMAL(10, 2), f DOUBLE, d DATE, ts TIMESTAMP"
    filled = [
        f"INSERT INTO nasty ({name}) SELECT unnest([{values(kind)}])"
        for name, kind in {"i": WHOLE, "n": DECIMALS, "f": FLOATS, "d": DAYS, "ts": TIMES}.items()
    ]
    texts = ["'" + text.replace("'", "''") + "'" for text in TEXTS]
    filled.append(f"INSERT INTO nasty (t, c) SELECT unnest([{', '.join(texts)}]) AS v, v")
    federation.file(
        "own",
        "CREATE SEQUENCE s",
        f"CREATE TABLE nasty (id INTEGER DEFAULT nextval('s'), {columns})",
        *filled,
    )
    federation.frames["copy"] = federation.run("SELECT * FROM nasty", "own").table
    compare(federation, "own.nasty", CONDITIONS)


def test_what_mariadb_receives(servers: Federation, mysql_received: ReceivedByMySQL) -> None:
    servers.rows(
        "SELECT sum(total) FROM warehouse.fed_orders"
        " WHERE id > 10 AND note = {{ note }} AND length(note) > 2",
        variables={"note": "Note 1"},
    )
    assert mysql_received.selects("fed_orders") == [
        "SELECT `id`, `total`, `note` FROM `fed_orders` WHERE `id` > 10 AND `note` = 'Note 1'"
    ]


def test_what_postgresql_receives(servers: Federation, postgresql_received: ReceivedByPostgreSQL) -> None:
    servers.rows("SELECT c.name FROM crm.fed.customers c WHERE c.id IN (1, 2) AND since >= '2020-01-02'")
    assert postgresql_received.selects("customers") == [
        'SELECT "id", "name", "since" FROM "fed"."customers" WHERE "id" IN ($1, $2) AND "since" >= $3'
        " | $1 = '1', $2 = '2', $3 = '2020-01-02'"
    ]


def test_a_default_collation_keeps_texts_here(
    servers: Federation, postgresql_received: ReceivedByPostgreSQL
) -> None:
    text = "SELECT count(*) FROM crm.fed.customers WHERE country = 'de' AND id >= 0"
    servers.run("SET GLOBAL default_collation = 'nocase'")
    try:
        assert servers.rows(text) == [(34,)]
        assert 'country" =' not in postgresql_received.selects("customers")[0]
    finally:
        servers.run("RESET GLOBAL default_collation")
    assert servers.rows(text) == [(0,)]


def test_a_text_is_compared_for_equality_alone() -> None:
    for operator in ("<>", "<", "NOT IN", "BETWEEN"):
        assert provable(Condition("t", operator, ("a", "b")), "varchar(9)", "postgres", {}) is None
    assert provable(Condition("t", "=", ("a",)), "varchar(9)", "postgres", {}) == ("a",)
    assert provable(Condition("t", "=", ("a",)), "varchar(9)", "oracle", {}) is None
    assert provable(Condition("t", "=", (Given("x"),)), "text", "mysql", {"x": "b"}) == ("b",)
    assert provable(Condition("n", "=", (1,)), "decimal(65,30)", "mysql", {}) is None
