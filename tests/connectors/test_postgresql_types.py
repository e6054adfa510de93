"""Every type of PostgreSQL as Arrow, on a real server: values, schema, and what is said to be lost."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.errors import DataError
from aiser_jupyter.run import Run
from tests.connectors.postgresql_kit import ask, session, value

UTC = dt.UTC
D = Decimal


@pytest.fixture(scope="module")
def opened(postgresql: Any) -> Iterator[Any]:
    with session(postgresql) as made:
        yield made


CASES = [  # an expression, its Arrow type, its value
    ("(-32768)::int2", "int16", -32768),
    ("'-2147483648'::int4", "int32", -(2**31)),
    ("4294967295::oid", "uint32", 2**32 - 1),
    ("'1.1'::float4", "float", pytest.approx(1.1, rel=1e-7)),
    ("'Infinity'::float8", "double", float("inf")),
    ("false", "bool", False),
    ("1.25::numeric(5,2)", "decimal128(5, 2)", D("1.25")),
    ("-0.00000000000000000001::numeric(38,20)", "decimal128(38, 20)", D("-1E-20")),
    ("repeat('9', 38)::numeric(38,0)", "decimal128(38, 0)", D("9" * 38)),
    ("-(repeat('9', 38)::numeric(38,0))", "decimal128(38, 0)", D("-" + "9" * 38)),
    ("(repeat('7', 70) || '.5')::numeric(76,6)", "decimal256(76, 6)", D("7" * 70 + ".500000")),
    ("'-18446744073709551616'::numeric(40,0)", "decimal256(40, 0)", D(-(2**64))),
    ("12345::numeric(5,-2)", "decimal128(7, 0)", D(12300)),
    ("0.00123::numeric(3,5)", "decimal128(5, 5)", D("0.00123")),
    ("repeat('8', 80)::numeric(80,0)", "string", "8" * 80),
    ("sum(x) FROM (VALUES (1.5::numeric), (2.25)) AS v (x)", "decimal128(38, 2)", D("3.75")),
    ("avg(x) FROM (VALUES (1), (2)) AS v (x)", "decimal128(38, 16)", D("1.5000000000000000")),
    ("10::numeric ^ 50", "decimal256(76, 16)", D(10) ** 50),
    ("-12.340::numeric UNION ALL SELECT 'Infinity' ORDER BY 1 LIMIT 1", "decimal128(38, 3)", D("-12.340")),
    ("''", "string", ""),
    ("'a\t\n\\ é 🦆'", "string", "a\t\n\\ é 🦆"),
    ("'ab'::char(5)", "string", "ab   "),
    ("'x'::\"char\"", "string", "x"),
    ("'\\x'::bytea", "binary", b""),
    ("decode('00ff44', 'hex')", "binary", b"\x00\xffD"),
    ("'12345678-1234-5678-1234-567812345678'::uuid", "extension<arrow.uuid>",
     uuid.UUID("12345678-1234-5678-1234-567812345678")),
    ("'0001-01-01'::date", "date32[day]", dt.date(1, 1, 1)),
    ("'9999-12-31'::date", "date32[day]", dt.date(9999, 12, 31)),
    ("'1969-12-31 23:59:59.999999'::timestamp", "timestamp[us]",
     dt.datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ("'2024-03-31 02:30:00+02'::timestamptz", "timestamp[us, tz=UTC]",
     dt.datetime(2024, 3, 31, 0, 30, tzinfo=UTC)),
    ("'23:59:59.999999'::time", "time64[us]", dt.time(23, 59, 59, 999999)),
    ("'12:30:00+05:30'::timetz", "string", "12:30:00+05:30"),
    ("'1 year 2 mons 3 days 04:05:06.789'::interval", "month_day_nano_interval",
     pa.MonthDayNano([14, 3, 14706789000000])),
    ("'-1 mon +1 day -00:00:01'::interval", "month_day_nano_interval", pa.MonthDayNano([-1, 1, -1000000000])),
    ("'{\"a\": 1,  \"a\": 12345678901234567890}'::json", "string", '{"a": 1,  "a": 12345678901234567890}'),
    ("'{\"a\": 1.0}'::jsonb", "string", '{"a": 1.0}'),
    ("B'101'", "string", "101"),
    ("'$1,234.56'::money", "string", "$1,234.56"),
    ("'10.0.0.1/8'::inet", "string", "10.0.0.1/8"),
    ("int4range(1, 5)", "string", "[1,5)"),
    ("row(1, 'a b')", "string", '(1,"a b")'),
    ("'{1,NULL,3}'::int4[]", "list<item: int32>", [1, None, 3]),
    ("'{}'::int8[]", "list<item: int64>", []),
    ("'{{1,2},{3,4}}'::int2[]", "list<item: list<item: int16>>", [[1, 2], [3, 4]]),
    ("ARRAY[[['a'],['b,\"']],[[NULL],['']]]::text[]", "list<item: list<item: list<item: string>>>",
     [[["a"], ['b,"']], [[None], [""]]]),
    ("'{t,f}'::bool[]", "list<item: bool>", [True, False]),
    ("'{1.5,NaN}'::float8[]", "list<item: double>", [1.5, pytest.approx(float("nan"), nan_ok=True)]),
    ("'{1.50,2}'::numeric(6,2)[]", "list<item: decimal128(6, 2)>", [D("1.50"), D("2.00")]),
    ("ARRAY[1.5, 22.25]", "list<item: decimal128(38, 2)>", [D("1.50"), D("22.25")]),
    ("'{2024-02-29}'::date[]", "list<item: date32[day]>", [dt.date(2024, 2, 29)]),
    ("'{10.0.0.1}'::inet[]", "string", "{10.0.0.1}"),
    ("NULL::int4[]", "list<item: int32>", None),
    ("NULL", "string", None),
    ("pg_sleep(0)", "string", ""),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "type_", "expected"), CASES, ids=[sql[:40] for sql, *_ in CASES])
def test_a_value_arrives_as_it_is(opened: Any, sql: str, type_: str, expected: Any) -> None:
    run = Run("test")
    table = ask(opened, f"SELECT {sql}", run=run)
    assert str(table.schema.types[0]) == type_
    assert table.column(0).to_pylist() == [expected]
    assert run.notices == []


@pytest.mark.parametrize(
    ("sql", "expected", "said"),
    [
        ("1e-90::numeric", "0." + "0" * 89 + "1", "needs more than 76 digits"),
        ("'NaN'::numeric", "NaN", "holds NaN or Infinity"),
        ("'-Infinity'::numeric", "-Infinity", "holds NaN or Infinity"),
    ],
)
def test_a_number_that_no_decimal_is_becomes_text_and_it_is_said(
    opened: Any, sql: str, expected: str, said: str
) -> None:
    run = Run("test")
    table = ask(opened, f"SELECT {sql} AS x", run=run)
    assert table.to_pylist() == [{"x": expected}]
    (notice,) = run.notices
    assert notice.code == "lossy_type"
    assert notice.message.startswith(f"Column 'x' {said}")


DECLARED = [
    "int2", "int4", "int8", "oid", "float4", "float8", "bool", "numeric(5,2)", "numeric(50,2)",
    "text", "varchar(9)", "bytea", "uuid", "date", "timestamp", "timestamptz", "time", "timetz", "interval",
    "numeric(80,2)", "json", "jsonb", "inet", "money", "int4[]", "text[]",
]  # fmt: skip


@pytest.mark.parametrize("type_", DECLARED)
def test_the_schema_comes_from_the_declaration(opened: Any, type_: str) -> None:
    none = ask(opened, f"SELECT NULL::{type_} AS x WHERE false")
    null = ask(opened, f"SELECT NULL::{type_} AS x")
    assert none.schema.equals(null.schema, check_metadata=True)
    assert null.column("x").null_count == 1


def test_a_field_says_what_the_database_calls_its_type(opened: Any) -> None:
    ask(opened, "DROP TYPE IF EXISTS mood")
    ask(opened, "CREATE TYPE mood AS ENUM ('sad', 'ok')")
    table = ask(
        opened,
        "SELECT 1::int2 AS a, 1.5::numeric(6,2) AS b, 'x'::varchar(7) AS c, "
        "now()::timestamp(3) AS d, 'ok'::mood AS e, "
        "'{ok}'::mood[] AS f, '{1}'::int4[] AS g, 'text'::regtype AS h, '1'::bit(3) AS i, sum(1.5) AS j",
    )
    words = [field.metadata[b"aiser.source_type"].decode() for field in table.schema]
    assert words == [
        "smallint", "numeric(6,2)", "character varying(7)", "timestamp(3) without time zone", "mood",
        "mood[]", "integer[]", "regtype", "bit(3)", "numeric",
    ]  # fmt: skip
    assert table.column("e").to_pylist() == ["ok"]
    assert table.column("f").to_pylist() == ["{ok}"]


@pytest.mark.parametrize(
    ("sql", "type_", "what"),
    [
        ("'infinity'::date", "date32[day]", "infinite"),
        ("'-infinity'::timestamp", "timestamp[us]", "infinite"),
        ("'infinity'::timestamptz", "timestamp[us, tz=UTC]", "infinite"),
        ("'24:00:00'::time", "time64[us]", "24:00:00"),
        ("'{infinity}'::date[]", "list<item: date32[day]>", "infinite"),
    ],
)
def test_what_arrow_has_no_value_for_is_null_and_counted(
    opened: Any, sql: str, type_: str, what: str
) -> None:
    run = Run("test")
    table = ask(opened, f"SELECT {sql} AS x FROM generate_series(1, 2) UNION ALL SELECT NULL", run=run)
    assert str(table.schema.types[0]) == type_
    assert table.column("x").to_pylist() in ([None] * 3, [[None], [None], None])
    (notice,) = run.notices
    assert notice.code == "lossy_type"
    assert notice.message == (f"Column 'x': 2 {what} values shown as NULL. CAST(\"x\" AS text) keeps them.")


def test_years_that_python_does_not_have_are_kept(opened: Any) -> None:
    table = ask(
        opened,
        "SELECT '4713-01-01 BC'::date a, '5874897-12-31'::date b, '0044-03-15 12:00:00 BC'::timestamp c, "
        "'294247-01-01'::timestamp d, "
        "'4713-01-01 BC'::date - '1970-01-01' AS na, '5874897-12-31'::date - '1970-01-01'::date AS nb",
    )
    row = {name: table.column(name)[0] for name in table.column_names}
    assert row["a"].value == row["na"].as_py()
    assert row["b"].value == row["nb"].as_py()
    assert row["d"].value == (dt.datetime(2247, 1, 1) - dt.datetime(1970, 1, 1)).days * 86_400_000_000 + (
        292_000 // 400 * 146_097 * 86_400_000_000
    )
    with pytest.raises(DataError, match="too far in the future") as caught:
        ask(opened, "SELECT '294276-12-31'::timestamp")
    assert "text" in caught.value.hint


def test_repeated_names_nulls_and_empty_texts_are_kept(opened: Any) -> None:
    table = ask(opened, "SELECT 1 AS a, 'x' AS a, NULL::text AS b, '' AS b")
    assert table.column_names == ["a", "a", "b", "b"]
    assert [column.to_pylist() for column in table.columns] == [[1], ["x"], [None], [""]]


def test_the_first_rows_settle_a_plain_numeric(opened: Any) -> None:
    rows = 400_000
    table = ask(
        opened,
        f"SELECT CASE WHEN i < {rows} THEN i * 0.5 ELSE i / 8.0::numeric(9,3) END AS x "
        f"FROM generate_series(1, {rows}) i",
    )
    assert str(table.schema.types[0]).startswith("decimal128(38, ")
    assert table.column("x")[-1].as_py() == D(rows) / 8
    uneven = f"SELECT CASE WHEN i < {rows} THEN i * 0.5 ELSE {{late}} END FROM generate_series(1, {rows}) i"
    for late, word in (("1e-30", "digits after the point"), ("1e40", "too many digits"), ("'NaN'", "NaN")):
        with pytest.raises(DataError, match=word) as caught:
            ask(opened, uneven.format(late=late))
        assert "numeric(38, s)" in caught.value.hint
        assert value(opened, "SELECT 1") == 1


def test_uneven_scales_leave_room_for_what_follows(opened: Any) -> None:
    rows = 400_000
    table = ask(
        opened,
        f"SELECT CASE WHEN i = {rows} THEN 0.123456789 WHEN i % 2 = 0 THEN i * 0.5 ELSE i::numeric END AS x "
        f"FROM generate_series(1, {rows}) i",
    )
    assert table.column("x")[-1].as_py() == D("0.123456789")
    assert table.column("x")[2].as_py() == 3


def test_what_stands_behind_a_null_is_not_taken_for_its_value(opened: Any) -> None:
    run = Run("test")
    late = "decode('1dd76000' || repeat('00', 16), 'hex')"  # with its length, the bytes of 24:00:00
    sql = f"SELECT NULL::time AS a, {late} AS b, NULL::numeric(5, 2) AS c, '\\xffff'::bytea AS d"
    table = ask(opened, sql, run=run)
    assert [table.column(name).to_pylist() for name in "ac"] == [[None], [None]]
    assert run.notices == []


def test_a_declared_numeric_refuses_what_is_no_number(opened: Any) -> None:
    with pytest.raises(DataError, match="NaN") as caught:
        ask(opened, "SELECT 'NaN'::numeric(5, 2)")
    assert "double precision" in caught.value.hint


def test_arrays_of_different_dimensions_do_not_mix(opened: Any) -> None:
    with pytest.raises(DataError, match="different dimensions") as caught:
        ask(opened, "SELECT '{1}'::int4[] UNION ALL SELECT '{{1}}'")
    assert caught.value.hint == "Cast it to text."
    late = "SELECT CASE WHEN i < 400000 THEN '{1}' ELSE '{{1}}' END::int4[] FROM generate_series(1, 400000) i"
    with pytest.raises(DataError, match="An array has 2 dimensions"):
        ask(opened, late)
    same = ask(opened, "SELECT '{}'::int4[] AS x UNION ALL SELECT '{{1},{2}}' UNION ALL SELECT NULL")
    assert same.column("x").to_pylist() == [[], [[1], [2]], None]


def test_an_interval_beyond_nanoseconds_is_refused(opened: Any) -> None:
    with pytest.raises(DataError, match="292 years"):
        ask(opened, "SELECT '10000000 hours'::interval")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_a_moment_is_the_same_in_every_zone(opened: Any, zone: str) -> None:
    ask(opened, f"SET TimeZone = '{zone}'")
    found = value(opened, "SELECT timestamptz '2024-11-03 06:30:00+00'")
    assert found == dt.datetime(2024, 11, 3, 6, 30, tzinfo=UTC)
    assert value(opened, "SELECT timestamp '2024-11-03 01:30:00'") == dt.datetime(2024, 11, 3, 1, 30)
    ask(opened, "RESET TimeZone")


def test_text_that_is_not_utf_8_is_an_error_with_a_way_out(postgresql: Any) -> None:
    postgresql.admin("DROP DATABASE IF EXISTS ascii")
    postgresql.admin("CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with session(postgresql, database="ascii") as opened:
        with pytest.raises(DataError, match="byte sequence") as caught:
            ask(opened, "SELECT convert_from('\\xff41', 'SQL_ASCII') AS x")
        assert "bytea" in caught.value.hint
        assert value(opened, "SELECT 'plain'") == "plain"
