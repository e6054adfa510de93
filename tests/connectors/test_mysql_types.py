"""Types of MySQL: what is declared decides, and no value changes in passing."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.connectors.mysql_database import fetch, notices, session_of, value
from tests.servers.mariadb import MariaDB

UTC = dt.UTC
CORPUS: list[tuple[str, str, str, Any]] = [
    ("TINYINT", "-128", "int8", -128),
    ("TINYINT UNSIGNED", "255", "uint8", 255),
    ("TINYINT(1)", "2", "int8", 2),
    ("BOOLEAN", "true", "int8", 1),
    ("SMALLINT", "-32768", "int16", -32768),
    ("SMALLINT UNSIGNED", "65535", "uint16", 65535),
    ("MEDIUMINT", "-8388608", "int32", -8388608),
    ("MEDIUMINT UNSIGNED", "16777215", "uint32", 16777215),
    ("INT", "-2147483648", "int32", -(2**31)),
    ("INT UNSIGNED", "4294967295", "uint32", 2**32 - 1),
    ("INT(6) ZEROFILL", "42", "uint32", 42),
    ("TINYINT(5) ZEROFILL", "7", "uint8", 7),
    ("BIGINT(30) ZEROFILL", "18446744073709551615", "uint64", 2**64 - 1),
    ("BIGINT", "-9223372036854775808", "int64", -(2**63)),
    ("BIGINT UNSIGNED", "18446744073709551615", "uint64", 2**64 - 1),
    ("DECIMAL(15,2)", "-9999999999999.99", "decimal128(15, 2)", Decimal("-9999999999999.99")),
    ("DECIMAL(5,0)", "-99999", "decimal128(5, 0)", Decimal("-99999")),
    ("DECIMAL(4,4)", "0.9999", "decimal128(4, 4)", Decimal("0.9999")),
    ("DECIMAL(38,0)", "9" * 38, "decimal128(38, 0)", Decimal("9" * 38)),
    ("DECIMAL(10,3) UNSIGNED", "1.005", "decimal128(10, 3)", Decimal("1.005")),
    (
        "DECIMAL(65,30)",
        "-" + "9" * 35 + "." + "9" * 30,
        "decimal256(65, 30)",
        Decimal("-" + "9" * 35 + "." + "9" * 30),
    ),
    ("DOUBLE", "0.1", "double", 0.1),
    ("DOUBLE", "-1.7976931348623157e308", "double", -1.7976931348623157e308),
    ("DOUBLE", "2.2250738585072014e-308", "double", 2.2250738585072014e-308),
    ("FLOAT", "1.5", "float", 1.5),
    ("DATE", "'2024-02-29'", "date32[day]", dt.date(2024, 2, 29)),
    ("DATE", "'0001-01-01'", "date32[day]", dt.date(1, 1, 1)),
    ("DATE", "'9999-12-31'", "date32[day]", dt.date(9999, 12, 31)),
    ("DATETIME", "'2024-03-10 02:30:00'", "timestamp[us]", dt.datetime(2024, 3, 10, 2, 30)),
    (
        "DATETIME(3)",
        "'9999-12-31 23:59:59.999'",
        "timestamp[us]",
        dt.datetime(9999, 12, 31, 23, 59, 59, 999000),
    ),
    ("DATETIME(6)", "'0001-01-01 00:00:00.000001'", "timestamp[us]", dt.datetime(1, 1, 1, 0, 0, 0, 1)),
    ("TIME", "'-838:59:59'", "duration[us]", -dt.timedelta(hours=838, minutes=59, seconds=59)),
    (
        "TIME(6)",
        "'838:59:58.000001'",
        "duration[us]",
        dt.timedelta(hours=838, minutes=59, seconds=58, microseconds=1),
    ),
    ("TIME(2)", "'-00:00:00.25'", "duration[us]", -dt.timedelta(milliseconds=250)),
    ("TIME", "'00:00:00'", "duration[us]", dt.timedelta(0)),
    ("YEAR", "1901", "int16", 1901),
    ("YEAR", "0", "int16", 0),
    ("BIT(1)", "b'1'", "string", "1"),
    ("BIT(10)", "b'101'", "string", "0000000101"),
    ("BIT(64)", "b'1'", "string", "0" * 63 + "1"),
    ("ENUM('a','b')", "'b'", "string", "b"),
    ("SET('x','y','z')", "'z,x'", "string", "x,z"),
    ("JSON", '\'{"a": 9007199254740993, "a": 1}\'', "string", '{"a": 9007199254740993, "a": 1}'),
    ("CHAR(5)", "'hi  '", "string", "hi"),
    ("VARCHAR(5)", "'hi  '", "string", "hi  "),
    ("TEXT", "''", "string", ""),
    ("BINARY(3)", "x'61'", "binary", b"a\0\0"),
    ("VARBINARY(3)", "x''", "binary", b""),
    ("LONGBLOB", "x'00ff5c27'", "binary", b"\x00\xff\\'"),
    ("UUID", "'123e4567-e89b-12d3-a456-426655440000'", "string", "123e4567-e89b-12d3-a456-426655440000"),
    ("INET6", "'2001:db8::ff00:42:8329'", "string", "2001:db8::ff00:42:8329"),
]


@pytest.fixture(scope="module")
def session(mariadb: MariaDB) -> Iterator[Any]:
    with session_of(mariadb, time_zone="+00:00") as opened:
        fetch(opened, "SET sql_mode = 'ALLOW_INVALID_DATES'")
        yield opened


@pytest.mark.parametrize(("type_", "literal", "arrow", "expected"), CORPUS)
def test_a_column_of_each_type(session: Any, type_: str, literal: str, arrow: str, expected: Any) -> None:
    fetch(session, f"CREATE OR REPLACE TEMPORARY TABLE corpus (x {type_} NULL)")
    empty = fetch(session, "SELECT x FROM corpus")
    fetch(session, f"INSERT INTO corpus VALUES (NULL), ({literal}), (NULL)")
    found = fetch(session, "SELECT x FROM corpus")
    assert found.schema.equals(empty.schema, check_metadata=True)
    assert str(found.schema.field("x").type) == arrow
    assert found.column("x").to_pylist() == [None, expected, None]


@pytest.mark.parametrize(
    ("type_", "source"),
    [
        ("BIGINT UNSIGNED", "BIGINT UNSIGNED"),
        ("DECIMAL(15,2)", "DECIMAL(15,2)"),
        ("VARCHAR(25)", "VARCHAR(25)"),
        ("CHAR(3)", "CHAR(3)"),
        ("VARBINARY(25)", "VARBINARY(25)"),
        ("TINYTEXT", "TINYTEXT"),
        ("TEXT", "TEXT"),
        ("MEDIUMTEXT", "MEDIUMTEXT"),
        ("LONGTEXT", "LONGTEXT"),
        ("MEDIUMBLOB", "MEDIUMBLOB"),
        ("DATETIME(3)", "DATETIME(3)"),
        ("ENUM('a')", "ENUM"),
        ("GEOMETRY", "GEOMETRY"),
    ],
)
def test_the_servers_word_for_the_type_is_kept(session: Any, type_: str, source: str) -> None:
    fetch(session, f"CREATE OR REPLACE TEMPORARY TABLE corpus (x {type_})")
    metadata = fetch(session, "SELECT x FROM corpus").schema.field("x").metadata
    assert metadata == {b"aiser.source_type": source.encode()}


@pytest.mark.parametrize(
    ("expression", "arrow", "expected"),
    [
        ("NULL", "null", None),
        ("1 = 1", "int32", 1),
        ("1 / 3", "decimal128(5, 4)", Decimal("0.3333")),
        ("COALESCE(1.5, 2.555)", "decimal128(4, 3)", Decimal("1.500")),
        ("0.1e0 + 0.2e0", "double", 0.30000000000000004),
        ("~0", "uint64", 2**64 - 1),
        ("@nothing", "binary", None),
        ("0x41", "binary", b"A"),
        ("''", "string", ""),
        ("CAST('12:00' AS TIME)", "duration[us]", dt.timedelta(hours=12)),
    ],
)
def test_expressions(session: Any, expression: str, arrow: str, expected: Any) -> None:
    found = fetch(session, f"SELECT {expression} AS x")
    assert (str(found.schema.field("x").type), found.column("x").to_pylist()) == (arrow, [expected])


def test_geometry_is_bytes(session: Any) -> None:
    found = fetch(session, "SELECT ST_GeomFromText('POINT(1 2)', 4326) AS g")
    assert found.schema.field("g").type == pa.binary()
    assert found.column("g").to_pylist()[0].startswith((4326).to_bytes(4, "little"))


def test_names_may_be_the_same(session: Any) -> None:
    found = fetch(session, "SELECT 1 AS a, 'x' AS a, 2 AS ``")
    assert found.column_names == ["a", "a", ""]
    assert [column.to_pylist() for column in found.columns] == [[1], ["x"], [2]]


def test_zero_and_partial_dates_become_null_and_are_counted(session: Any) -> None:
    fetch(session, "CREATE OR REPLACE TEMPORARY TABLE corpus (d DATE, t DATETIME(3), z TIMESTAMP NULL)")
    fetch(
        session,
        "INSERT INTO corpus VALUES ('0000-00-00', '0000-00-00', '0000-00-00'),"
        " ('2024-00-10', '2024-02-30 10:00', NULL), (NULL, NULL, NULL),"
        " ('0000-01-01', '2024-02-29 10:00:00.5', '2024-02-29 10:00')",
    )
    run_notices = notices(session, "SELECT * FROM corpus")
    found = fetch(session, "SELECT * FROM corpus")
    assert found.column("d").to_pylist() == [None] * 4
    assert found.column("t").to_pylist() == [None, None, None, dt.datetime(2024, 2, 29, 10, 0, 0, 500000)]
    assert found.column("z").to_pylist() == [None, None, None, dt.datetime(2024, 2, 29, 10, tzinfo=UTC)]
    assert [(notice.code, notice.message[:37]) for notice in run_notices] == [
        ("lossy_type", "Column 'd': 3 zero or partial dates s"),
        ("lossy_type", "Column 't': 2 zero or partial dates s"),
        ("lossy_type", "Column 'z': 1 zero or partial date sh"),
    ]


@pytest.mark.parametrize("type_", ["DATE", "DATETIME"])
def test_the_year_zero_is_no_date_of_python(session: Any, type_: str) -> None:
    fetch(session, f"CREATE OR REPLACE TEMPORARY TABLE corpus (d {type_})")
    fetch(session, "INSERT INTO corpus VALUES ('0000-01-01'), ('0001-01-01')")
    year_one = dt.date(1, 1, 1) if type_ == "DATE" else dt.datetime(1, 1, 1)
    assert fetch(session, "SELECT d FROM corpus").column("d").to_pylist() == [None, year_one]
    assert "1 zero or partial date shown" in notices(session, "SELECT d FROM corpus")[0].message


def test_a_float_says_that_the_server_rounds_it(session: Any) -> None:
    fetch(session, "CREATE OR REPLACE TEMPORARY TABLE corpus (f FLOAT)")
    fetch(session, "INSERT INTO corpus VALUES (1.2345678)")
    (notice,) = notices(session, "SELECT f FROM corpus")
    assert "six digits" in notice.message
    assert "CAST(`f` AS DOUBLE)" in notice.message
    assert value(session, "CAST(f AS DOUBLE) FROM corpus") == 1.2345677614212036
    assert notices(session, "SELECT CAST(f AS DOUBLE) FROM corpus") == []


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("latin1", "Grüße €"),
        ("sjis", "表示ソ能 ﾃｽﾄ"),
        ("cp932", "表示ソ能"),
        ("ucs2", "Ωmega é"),
        ("utf16", "🦆 déjà"),
        ("utf32", "🦆"),
        ("utf8mb3", "Ωé表"),
        ("utf8mb4", "🦆👩‍💻"),
        ("big5", "中文"),
        ("gbk", "中文ソ"),
        ("koi8r", "Привет"),
    ],
)
def test_text_of_any_character_set(session: Any, charset: str, text: str) -> None:
    if charset == "gbk":
        text = "中文"
    fetch(
        session, f"CREATE OR REPLACE TEMPORARY TABLE corpus (v VARCHAR(20), t TEXT) CHARACTER SET {charset}"
    )
    fetch(session, "INSERT INTO corpus VALUES (%(v)s, %(v)s)", {"v": text})
    assert fetch(session, "SELECT * FROM corpus").to_pylist() == [{"v": text, "t": text}]
    assert fetch(session, "SELECT v FROM corpus WHERE v = %(v)s", {"v": text}).num_rows == 1


# -- instants -----------------------------------------------------------------------------------------

FALL = [dt.datetime(2024, 11, 3, 3, 30, tzinfo=UTC), dt.datetime(2024, 11, 3, 4, 30, tzinfo=UTC)]
"""In St. John's the same half past one in the night, an hour apart."""
SPRING = [dt.datetime(2024, 3, 10, 5, 29, 59, tzinfo=UTC), dt.datetime(2024, 3, 10, 5, 30, tzinfo=UTC)]
"""The last second before the hour that is left out there, and the first after it."""
INSTANTS = [*FALL, *SPRING]


@pytest.fixture(scope="module")
def zones(mariadb: MariaDB) -> Iterator[MariaDB]:
    """A server that knows two zones, and a table of instants."""
    for zone in ("Asia/Kolkata", "America/St_Johns"):
        made = subprocess.run(
            ["mariadb-tzinfo-to-sql", f"/usr/share/zoneinfo/{zone}", zone], capture_output=True, check=True
        )
        subprocess.run(
            [
                *("mariadb", "--no-defaults", f"--socket={mariadb.folder}/mariadb.sock", "-uroot"),
                *(f"-p{mariadb.admin_password}", "mysql"),
            ],
            input=made.stdout,
            check=True,
        )
    mariadb.admin("CREATE OR REPLACE TABLE instants (at TIMESTAMP NOT NULL)", database="shop")
    with session_of(mariadb, time_zone="+00:00") as opened:
        for instant in INSTANTS:
            fetch(opened, "INSERT INTO instants VALUES (%(at)s)", {"at": instant.replace(tzinfo=None)})
    yield mariadb
    mariadb.admin("SET GLOBAL time_zone = 'SYSTEM'")
    mariadb.admin("DROP TABLE instants", database="shop")


@pytest.mark.parametrize("server_zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
@pytest.mark.parametrize("ours", ["+00:00", "+05:30", "-03:30"])
def test_a_timestamp_is_the_same_instant_whatever_the_zones(
    zones: MariaDB, server_zone: str, ours: str
) -> None:
    zones.admin("SET GLOBAL time_zone = %s", "+00:00" if server_zone == "UTC" else server_zone)
    with session_of(zones, time_zone=ours) as opened:
        found = fetch(opened, "SELECT at FROM instants")
        assert found.schema.field("at").type == pa.timestamp("us", "UTC")
        assert found.column("at").to_pylist() == INSTANTS
        assert notices(opened, "SELECT at FROM instants") == []


def test_without_a_fixed_zone_a_timestamp_is_what_the_server_prints(zones: MariaDB) -> None:
    zones.admin("SET GLOBAL time_zone = 'America/St_Johns'")
    with session_of(zones) as opened:
        found = fetch(opened, "SELECT at FROM instants")
        printed = [
            dt.datetime.fromisoformat(text)
            for text in fetch(opened, "SELECT CAST(at AS CHAR) AS t FROM instants").column("t").to_pylist()
        ]
        assert found.schema.field("at").type == pa.timestamp("us")
        assert found.column("at").to_pylist() == printed
        assert printed[0] == printed[1]
        (notice,) = notices(opened, "SELECT at FROM instants")
        assert "America/St_Johns" in notice.message
        assert "time_zone set to +00:00" in notice.message


@pytest.mark.parametrize(
    "sql",
    [
        "SET STATEMENT time_zone = '+05:00' FOR SELECT at FROM instants",
        "CALL elsewhere()",
        "EXECUTE IMMEDIATE 'CALL elsewhere()'",
    ],
)
def test_a_statement_with_a_zone_of_its_own_has_no_instants(zones: MariaDB, sql: str) -> None:
    zones.admin(
        "CREATE OR REPLACE PROCEDURE elsewhere()"
        " BEGIN SET time_zone = '+05:00'; SELECT at FROM instants; END",
        database="shop",
    )
    with session_of(zones, time_zone="+00:00") as opened:
        found = fetch(opened, sql)
        assert found.schema.field("at").type == pa.timestamp("us")
        assert found.column("at").to_pylist()[0] == FALL[0].replace(tzinfo=None) + dt.timedelta(hours=5)


def test_a_column_named_time_zone_changes_nothing(zones: MariaDB) -> None:
    with session_of(zones, time_zone="+00:00") as opened:
        found = fetch(opened, "SELECT at, 'x' AS time_zone FROM instants")
        assert found.column("at").to_pylist() == INSTANTS
