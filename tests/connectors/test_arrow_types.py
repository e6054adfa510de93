"""DuckDB's types reach Arrow exactly, or with a notice that says what did not."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.duckdb.session import DuckDBSession
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run

UTC = dt.UTC
WIDE = "decimal256(39, 0)"
EXACT: list[tuple[str, str, Any]] = [
    ("true", "bool", True),
    ("(-128)::TINYINT", "int8", -128),
    ("255::UTINYINT", "uint8", 255),
    ("(-32768)::SMALLINT", "int16", -32768),
    ("65535::USMALLINT", "uint16", 65535),
    ("(-2147483648)::INTEGER", "int32", -(2**31)),
    ("4294967295::UINTEGER", "uint32", 2**32 - 1),
    ("9223372036854775807::BIGINT", "int64", 2**63 - 1),
    ("18446744073709551615::UBIGINT", "uint64", 2**64 - 1),
    ("170141183460469231731687303715884105727::HUGEINT", WIDE, Decimal(2**127 - 1)),
    ("(-170141183460469231731687303715884105728)::HUGEINT", WIDE, Decimal(-(2**127))),
    ("(-1)::HUGEINT", WIDE, Decimal(-1)),
    ("340282366920938463463374607431768211455::UHUGEINT", WIDE, Decimal(2**128 - 1)),
    ("NULL::HUGEINT", WIDE, None),
    (
        "123456789012345678901234567890123456789012345::BIGNUM",
        "string",
        "123456789012345678901234567890123456789012345",
    ),
    ("(-5)::BIGNUM", "string", "-5"),
    ("0.1::DECIMAL(4, 1)", "decimal128(4, 1)", Decimal("0.1")),
    (
        "99999999999999999999999999999.999999999::DECIMAL(38, 9)",
        "decimal128(38, 9)",
        Decimal("9" * 29 + "." + "9" * 9),
    ),
    ("1.5::FLOAT", "float", 1.5),
    ("0.1::DOUBLE", "double", 0.1),
    ("'-inf'::DOUBLE", "double", float("-inf")),
    ("''", "string", ""),
    ("'a' || chr(0) || 'é🦆'", "string", "a\0é🦆"),
    ("'\\x00\\xFF'::BLOB", "binary", b"\x00\xff"),
    ("'10101'::BIT", "string", "10101"),
    ("'000000001'::BIT", "string", "000000001"),
    ("DATE '0001-01-01'", "date32[day]", dt.date(1, 1, 1)),
    ("DATE '9999-12-31'", "date32[day]", dt.date(9999, 12, 31)),
    ("TIME '23:59:59.999999'", "time64[us]", dt.time(23, 59, 59, 999999)),
    ("'12:30:00+05:30'::TIMETZ", "string", "12:30:00+05:30"),
    ("'12:30:00.5-08'::TIMETZ", "string", "12:30:00.5-08:00"),
    ("'24:00:00+00'::TIMETZ", "string", "24:00:00+00:00"),
    (
        "TIMESTAMP '1969-12-31 23:59:59.999999'",
        "timestamp[us]",
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    ),
    ("'2024-02-29 01:02:03'::TIMESTAMP_S", "timestamp[s]", dt.datetime(2024, 2, 29, 1, 2, 3)),
    ("'2024-02-29 01:02:03.004'::TIMESTAMP_MS", "timestamp[ms]", dt.datetime(2024, 2, 29, 1, 2, 3, 4000)),
    (
        "'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'::UUID",
        "extension<arrow.uuid>",
        uuid.UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    ),
    ("""'{"a": [1, null]}'::JSON""", "extension<arrow.json>", '{"a": [1, null]}'),
    ("'b'::ENUM('a', 'b')", "dictionary<values=string, indices=uint8, ordered=0>", "b"),
    ("[1::HUGEINT, NULL, -1]", f"list<l: {WIDE}>", [Decimal(1), None, Decimal(-1)]),
    ("[]::BIT[]", "list<l: string>", []),
    ("NULL::HUGEINT[]", f"list<l: {WIDE}>", None),
    ("{'a': -1::HUGEINT, 'b': true}", f"struct<a: {WIDE}, b: bool>", {"a": Decimal(-1), "b": True}),
    ("MAP {'k': '12:00:00+05'::TIMETZ}", "map<string, string>", [("k", "12:00:00+05:00")]),
    ("array_value(true, NULL)", "fixed_size_list<: bool>[2]", [True, None]),
    ("union_value(b := '101'::BIT)", "sparse_union<b: string=0>", "101"),
    ("[{'a': ['1'::BIT]}, NULL]", "list<l: struct<a: list<l: string>>>", [{"a": ["1"]}, None]),
]
LOST = [
    ("DATE 'infinity'", "infinite"),
    ("DATE '-infinity'", "infinite"),
    ("TIMESTAMP '-infinity'", "infinite"),
    ("'infinity'::TIMESTAMP_NS", "infinite"),
    ("'infinity'::TIMESTAMP_S", "infinite"),
    ("TIMESTAMPTZ 'infinity'", "infinite"),
    ("TIME '24:00:00'", "24:00:00"),
    ("'24:00:00'::TIME_NS", "24:00:00"),
]


@pytest.fixture
def session() -> Iterator[DuckDBSession]:
    opened = DuckDBConnector().open(ConnectionConfig("duckdb", "local"))
    yield opened
    opened.close()


def fetch(session: DuckDBSession, sql: str, run: Run | None = None) -> Any:
    table = session.execute(sql, {}, run or Run("test")).read_all()
    table.validate(full=True)
    return table


@pytest.mark.parametrize(("sql", "type_", "value"), EXACT, ids=[sql for sql, *_ in EXACT])
def test_a_value_keeps_its_type_and_every_digit(
    session: DuckDBSession, sql: str, type_: str, value: Any
) -> None:
    run = Run("test")
    table = fetch(session, f"SELECT {sql} AS x FROM range(3)", run)
    assert str(table.schema.field("x").type) == type_
    assert table.column("x").to_pylist() == [value] * 3
    assert run.notices == []


@pytest.mark.parametrize("sql", [sql for sql, *_ in EXACT])
def test_a_result_without_rows_has_the_same_schema(session: DuckDBSession, sql: str) -> None:
    rows = fetch(session, f"SELECT {sql} AS x")
    assert fetch(session, f"SELECT {sql} AS x WHERE false").schema.equals(rows.schema, check_metadata=True)


def test_values_and_nulls_stay_in_their_rows_over_many_batches(session: DuckDBSession) -> None:
    text = """SELECT range AS i, CASE WHEN range % 3 > 0 THEN (range - 100000)::HUGEINT END AS h,
        CASE WHEN range % 7 > 0 THEN range::BIGNUM END AS b,
        CASE WHEN range % 5 > 0 THEN [range::HUGEINT, NULL] END AS l,
        CASE WHEN range % 4 > 0 THEN {'t': '1'::BIT, 'o': range % 2 = 0} END AS s FROM range(200000)"""
    table = fetch(session, text)
    assert table.column("i").num_chunks > 1
    for i, h, b, items, s in zip(*(column.to_pylist() for column in table.columns), strict=True):
        assert h == (i - 100000 if i % 3 else None)
        assert b == (str(i) if i % 7 else None)
        assert items == ([i, None] if i % 5 else None)
        assert s == ({"t": "1", "o": i % 2 == 0} if i % 4 else None)


@pytest.mark.parametrize(("sql", "what"), LOST)
def test_what_arrow_has_not_is_null_and_counted(session: DuckDBSession, sql: str, what: str) -> None:
    run = Run("test")
    assert fetch(session, f"SELECT {sql} AS x FROM range(70000)", run).column("x").null_count == 70_000
    (notice,) = run.notices
    assert notice.code == "lossy_type"
    assert notice.message.startswith(f"Column 'x': 70,000 {what} values")
    assert 'CAST("x" AS VARCHAR)' in notice.message


def test_a_loss_inside_a_list_is_counted_too(session: DuckDBSession) -> None:
    run = Run("test")
    table = fetch(session, "SELECT [DATE 'infinity', '2024-01-01'] AS x", run)
    assert table.column("x").to_pylist() == [[None, dt.date(2024, 1, 1)]]
    assert "1 infinite value " in run.notices[0].message


def test_losses_are_said_where_reading_stops_early(session: DuckDBSession) -> None:
    run = Run("test")
    session.execute("SELECT DATE 'infinity' AS x FROM range(1000000)", {}, run).read_next_batch()
    assert run.notices == []
    session.close()
    assert "infinite values" in run.notices[0].message


def test_a_variant_is_json_and_says_so(session: DuckDBSession) -> None:
    run = Run("test")
    table = fetch(session, "SELECT x FROM (VALUES (1::VARIANT), ('a\"b'), ([1, NULL]), (NULL)) t(x)", run)
    assert table.column("x").to_pylist() == ["1", '"a\\"b"', "[1,null]", None]
    assert "VARIANT" in run.notices[0].message
    assert table.schema.field("x").metadata[b"aiser.lossy"]


def test_every_field_names_its_source_type(session: DuckDBSession) -> None:
    table = fetch(session, "SELECT 1::HUGEINT AS h, [1.5::DECIMAL(3, 1)] AS l, {'a': 1} AS s, NULL AS n")
    found = [field.metadata[b"aiser.source_type"].decode() for field in table.schema]
    assert found == ["HUGEINT", "DECIMAL(3,1)[]", "STRUCT(a INTEGER)", "NULL"]


def test_columns_of_one_name_are_all_kept(session: DuckDBSession) -> None:
    table = fetch(session, "SELECT 1::HUGEINT AS a, 'x' AS a")
    assert table.column_names == ["a", "a"]
    assert [table.column(0).to_pylist(), table.column(1).to_pylist()] == [[Decimal(1)], ["x"]]


def test_a_zone_is_kept(session: DuckDBSession) -> None:
    table = fetch(session, "SELECT TIMESTAMPTZ '2024-06-01 12:00:00+02' AS x")
    assert table.schema.field("x").type.tz
    assert table.column("x").to_pylist()[0].astimezone(UTC) == dt.datetime(2024, 6, 1, 10, tzinfo=UTC)
