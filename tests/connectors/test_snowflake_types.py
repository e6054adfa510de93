"""Snowflake's types as Arrow: from its own encodings, through the real driver, exactly or with a word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.arrow_types import SOURCE_TYPE
from aiser_jupyter.errors import DataError
from tests.connectors.snowflake_kit import column, encoded, inner, lay_rows, opened, read

UTC = dt.UTC
NTZ = pa.struct([("epoch", pa.int64()), ("fraction", pa.int32())])
TZ2 = pa.struct([("epoch", pa.int64()), ("timezone", pa.int32())])
TZ3 = pa.struct([("epoch", pa.int64()), ("fraction", pa.int32()), ("timezone", pa.int32())])
OFFSET = "struct<utc: timestamp[us, tz=UTC], offset_minutes: int16>"
MOMENT = dt.datetime(2024, 2, 29, 12, 34, 56, 789012)
SECONDS = int(MOMENT.replace(microsecond=0, tzinfo=UTC).timestamp())


def at(year: int, month: int = 1, day: int = 1) -> int:
    return (dt.date(year, month, day) - dt.date(1970, 1, 1)).days * 86_400


@pytest.fixture(scope="module")
def session(snowflake: Any) -> Iterator[Any]:
    with opened(snowflake) as session:
        yield session


@pytest.fixture(autouse=True)
def nothing_laid(snowflake: Any) -> Iterator[None]:
    yield
    snowflake.lay()


CASES: dict[str, tuple[dict[str, Any], Any, str, str, list[Any]]] = {
    "int8 of a NUMBER": (
        column("X", "fixed", precision=38, scale=0),
        pa.array([1, None, -3], pa.int8()),
        "decimal128(38, 0)",
        "NUMBER(38,0)",
        [Decimal(1), None, Decimal(-3)],
    ),
    "a short whole NUMBER": (
        column("X", "fixed", precision=9, scale=0),
        pa.array([1, None, 999_999_999], pa.int32()),
        "int64",
        "NUMBER(9,0)",
        [1, None, 999_999_999],
    ),
    "a point in int8": (
        column("X", "fixed", precision=38, scale=2),
        pa.array([110, None, -1], pa.int8()),
        "decimal128(38, 2)",
        "NUMBER(38,2)",
        [Decimal("1.10"), None, Decimal("-0.01")],
    ),
    "a point in int64": (
        column("X", "fixed", precision=18, scale=10),
        pa.array([2**63 // 100, None], pa.int64()),
        "decimal128(18, 10)",
        "NUMBER(18,10)",
        [Decimal(2**63 // 100).scaleb(-10), None],
    ),
    "38 digits": (
        column("X", "fixed", precision=38, scale=10),
        pa.array([Decimal("1234567890123456789012345678.0123456789"), None], pa.decimal128(38, 10)),
        "decimal128(38, 10)",
        "NUMBER(38,10)",
        [Decimal("1234567890123456789012345678.0123456789"), None],
    ),
    "all of the scale": (
        column("X", "fixed", precision=38, scale=37),
        pa.array([Decimal("-9.0000000000000000000000000000000000001")], pa.decimal128(38, 37)),
        "decimal128(38, 37)",
        "NUMBER(38,37)",
        [Decimal("-9.0000000000000000000000000000000000001")],
    ),
    "FLOAT": (
        column("X", "real"),
        pa.array([1.5, None, float("inf")], pa.float64()),
        "double",
        "FLOAT",
        [1.5, None, float("inf")],
    ),
    "VARCHAR": (
        column("X", "text", length=20, byteLength=80),
        pa.array(["Grüße 🦆", None, ""]),
        "string",
        "VARCHAR(20)",
        ["Grüße 🦆", None, ""],
    ),
    "BINARY": (
        column("X", "binary", length=8, byteLength=8),
        pa.array([b"\x00\xff", None], pa.binary()),
        "binary",
        "BINARY(8)",
        [b"\x00\xff", None],
    ),
    "BOOLEAN": (
        column("X", "boolean"),
        pa.array([True, None, False]),
        "bool",
        "BOOLEAN",
        [True, None, False],
    ),
    "DATE": (
        column("X", "date"),
        pa.array([at(1) // 86_400, None, at(9999, 12, 31) // 86_400], pa.int32()).view(pa.date32()),
        "date32[day]",
        "DATE",
        [dt.date(1, 1, 1), None, dt.date(9999, 12, 31)],
    ),
    "TIME in nanoseconds": (
        column("X", "time", precision=0, scale=9),
        pa.array([0, None, 86_399_999_999_000], pa.int64()),
        "time64[us]",
        "TIME(9)",
        [dt.time(0), None, dt.time(23, 59, 59, 999999)],
    ),
    "TIME in seconds": (
        column("X", "time", precision=0, scale=0),
        pa.array([45_296, None], pa.int32()),
        "time64[us]",
        "TIME(0)",
        [dt.time(12, 34, 56), None],
    ),
    "TIMESTAMP_NTZ, near and far": (
        column("X", "timestamp_ntz", precision=0, scale=9),
        pa.array(
            [
                {"epoch": SECONDS, "fraction": 789_012_000},
                None,
                {"epoch": at(1400), "fraction": 1000},
                {"epoch": at(9999, 12, 31) + 86_399, "fraction": 999_999_000},
                {"epoch": -1, "fraction": 999_999_000},
            ],
            NTZ,
        ),
        "timestamp[us]",
        "TIMESTAMP_NTZ(9)",
        [
            MOMENT,
            None,
            dt.datetime(1400, 1, 1, 0, 0, 0, 1),
            dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
            dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
        ],
    ),
    "TIMESTAMP_NTZ in milliseconds": (
        column("X", "timestamp_ntz", precision=0, scale=3),
        pa.array([SECONDS * 1000 + 789, None, -1], pa.int64()),
        "timestamp[us]",
        "TIMESTAMP_NTZ(3)",
        [MOMENT.replace(microsecond=789_000), None, dt.datetime(1969, 12, 31, 23, 59, 59, 999000)],
    ),
    "TIMESTAMP_LTZ": (
        column("X", "timestamp_ltz", precision=0, scale=9),
        pa.array([{"epoch": SECONDS, "fraction": 789_012_000}, None], NTZ),
        "timestamp[us, tz=UTC]",
        "TIMESTAMP_LTZ(9)",
        [MOMENT.replace(tzinfo=UTC), None],
    ),
    "TIMESTAMP_TZ keeps each offset": (
        column("X", "timestamp_tz", precision=0, scale=9),
        pa.array(
            [
                {"epoch": SECONDS, "fraction": 789_012_000, "timezone": 1440 + 330},
                None,
                {"epoch": at(1400), "fraction": 0, "timezone": 1440 - 720},
                {"epoch": at(9999, 12, 31), "fraction": 0, "timezone": 1440 + 840},
            ],
            TZ3,
        ),
        OFFSET,
        "TIMESTAMP_TZ(9)",
        [
            {"utc": MOMENT.replace(tzinfo=UTC), "offset_minutes": 330},
            None,
            {"utc": dt.datetime(1400, 1, 1, tzinfo=UTC), "offset_minutes": -720},
            {"utc": dt.datetime(9999, 12, 31, tzinfo=UTC), "offset_minutes": 840},
        ],
    ),
    "TIMESTAMP_TZ in milliseconds": (
        column("X", "timestamp_tz", precision=0, scale=3),
        pa.array([{"epoch": SECONDS * 1000 + 789, "timezone": 1440 - 210}, None], TZ2),
        OFFSET,
        "TIMESTAMP_TZ(3)",
        [{"utc": MOMENT.replace(microsecond=789_000, tzinfo=UTC), "offset_minutes": -210}, None],
    ),
    "VARIANT": (
        column("X", "variant"),
        pa.array(['{"a": 9007199254740993, "a": 1}', None]),
        "string",
        "VARIANT",
        ['{"a": 9007199254740993, "a": 1}', None],
    ),
    "OBJECT": (column("X", "object"), pa.array(['{"a": 1}']), "string", "OBJECT", ['{"a": 1}']),
    "ARRAY": (column("X", "array"), pa.array(["[1, null]"]), "string", "ARRAY", ["[1, null]"]),
    "GEOGRAPHY": (
        column("X", "object", extTypeName="GEOGRAPHY"),
        pa.array(['{"coordinates": [1, 2], "type": "Point"}']),
        "string",
        "GEOGRAPHY",
        ['{"coordinates": [1, 2], "type": "Point"}'],
    ),
    "a GEOMETRY's bytes": (
        column("X", "binary", length=100, byteLength=100, extTypeName="GEOMETRY"),
        pa.array([b"\x01\x01", None], pa.binary()),
        "binary",
        "GEOMETRY",
        [b"\x01\x01", None],
    ),
}
LOGICAL = {"fixed": "FIXED", "real": "REAL", "text": "TEXT"}


@pytest.mark.parametrize("name", CASES)
def test_a_type_is_exact(snowflake: Any, session: Any, name: str) -> None:
    declared, values, type_, word, expected = CASES[name]
    kind = declared["type"].upper()
    sizes = {key: declared[key] for key in ("precision", "scale") if declared[key] is not None}
    rows = encoded(kind, values, **sizes)
    lay_rows(snowflake, "laid", [declared], rows)
    found = read(session, "SELECT laid")
    field = found.table.schema.field(0)
    assert str(field.type) == type_
    assert field.metadata == {SOURCE_TYPE.encode(): word.encode()}
    assert found.table.column(0).to_pylist() == expected
    assert found.notices == []
    lay_rows(snowflake, "laid", [declared], rows.slice(0, 0))
    empty = read(session, "SELECT laid")
    assert (empty.table.num_rows, empty.table.schema) == (0, found.table.schema)
    lay_rows(snowflake, "laid", [declared], encoded(kind, pa.nulls(2, values.type), **sizes))
    nothing = read(session, "SELECT laid")
    assert nothing.table.schema == found.table.schema
    assert nothing.table.column(0).to_pylist() == [None, None]


def test_every_part_of_a_result_has_one_schema_whatever_its_width(snowflake: Any, session: Any) -> None:
    wide = Decimal("9" * 36 + ".99")
    parts = [
        pa.array([100, -1], pa.int8()),
        pa.array([2**40, None], pa.int64()),
        pa.array([wide], pa.decimal128(38, 2)),
        pa.array([30_000], pa.int16()),
    ]
    tables = [encoded("FIXED", part, precision=38, scale=2) for part in parts]
    lay_rows(snowflake, "laid", [column("X", "fixed", precision=38, scale=2)], *tables)
    found = read(session, "SELECT laid").table
    assert str(found.schema.field(0).type) == "decimal128(38, 2)"
    assert found.column(0).to_pylist() == [
        Decimal("1.00"),
        Decimal("-0.01"),
        Decimal(2**40).scaleb(-2),
        None,
        wide,
        Decimal("300.00"),
    ]


def test_what_is_finer_than_a_microsecond_is_cut_with_a_word(snowflake: Any, session: Any) -> None:
    values = pa.array(
        [
            {"epoch": SECONDS, "fraction": 789_012_345},
            None,
            {"epoch": SECONDS, "fraction": 789_012_000},
            {"epoch": -1, "fraction": 999_999_999},
        ],
        NTZ,
    )
    rows = encoded("TIMESTAMP_NTZ", values, precision=0, scale=9)
    lay_rows(snowflake, "laid", [column("X", "timestamp_ntz", precision=0, scale=9)], rows)
    found = read(session, "SELECT laid")
    assert found.table.column(0).to_pylist() == [
        MOMENT,
        None,
        MOMENT,
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    ]
    (notice,) = found.notices
    assert "'X' is TIMESTAMP_NTZ(9): 2 values cut to microseconds" in notice
    assert "TO_VARCHAR" in notice


def test_a_value_that_its_declaration_does_not_hold_is_an_error(snowflake: Any, session: Any) -> None:
    rows = encoded("FIXED", pa.array([12_345], pa.int32()), precision=4, scale=2)
    lay_rows(snowflake, "laid", [column("X", "fixed", precision=4, scale=2)], rows)
    with pytest.raises(DataError, match=r"'X' is NUMBER\(4,2\)") as caught:
        read(session, "SELECT laid")
    assert "TO_VARCHAR" in caught.value.hint


DECFLOAT = pa.struct([("exponent", pa.int16()), ("significand", pa.binary())])
WHOLE = 12_345_678_901_234_567_890_123_456_789_012_345_678


def test_a_decfloat_keeps_every_digit(snowflake: Any, session: Any) -> None:
    def sent(significand: int, exponent: int) -> dict[str, Any]:
        return {"exponent": exponent, "significand": significand.to_bytes(16, "big", signed=True)}

    values = pa.array([sent(WHOLE, -3), sent(-WHOLE, 0), None, sent(1, -16_000), sent(0, 0)], DECFLOAT)
    lay_rows(snowflake, "laid", [column("X", "decfloat", precision=38)], encoded("DECFLOAT", values))
    found = read(session, "SELECT laid")
    field = found.table.schema.field(0)
    assert (str(field.type), field.metadata[SOURCE_TYPE.encode()]) == ("string", b"DECFLOAT")
    assert found.table.column(0).to_pylist() == [
        "12345678901234567890123456789012345.678",
        str(-WHOLE),
        None,
        "1E-16000",
        "0",
    ]
    assert "text of their digits" in found.notices[0]


def test_intervals_and_vectors_are_exact(snowflake: Any, session: Any) -> None:
    day = 86_400 * 10**9
    most = 10**9 * day - 1
    columns = [
        column("M", "interval_year_month", precision=9, scale=0),
        column("D", "interval_day_time", precision=9, scale=9),
        column("W", "interval_day_time", precision=9, scale=9),
        column("V", "vector", vectorDimension=2, fields=[column("", "real")]),
    ]
    values = [
        pa.array([14, -1, None], pa.int16()),
        pa.array([day + 5, -day - 5, None], pa.int64()),
        pa.array([Decimal(most), Decimal(-most), None], pa.decimal128(38, 0)),
        pa.array([[1.5, -2.0], None, [0.0, 3.0]], pa.list_(pa.float32(), 2)),
    ]
    schema = pa.schema(
        inner(each["name"], each["type"].upper(), array.type, precision=9, scale=each["scale"] or 0)
        for each, array in zip(columns, values, strict=True)
    )
    lay_rows(snowflake, "laid", columns, pa.table(values, schema=schema))
    found = read(session, "SELECT laid").table
    assert found.column("M").to_pylist() == [(14, 0, 0), (-1, 0, 0), None]
    assert found.column("D").to_pylist() == [(0, 1, 5), (0, -1, -5), None]
    assert found.column("W").to_pylist() == [(0, 10**9 - 1, day - 1), (0, 1 - 10**9, 1 - day), None]
    assert found.column("V").to_pylist() == [[1.5, -2.0], None, [0.0, 3.0]]


def test_rows_of_show_come_as_text_and_land_the_same(snowflake: Any, session: Any) -> None:
    columns = [
        column("created_on", "timestamp_ltz", precision=0, scale=3),
        column("name", "text", length=100, byteLength=400),
        column("rows", "fixed", precision=38, scale=0),
        column("is_default", "boolean"),
    ]
    data = {
        "rowtype": columns,
        "rowset": [["1709210096.789", "ORDERS", "12", "1"], [None, None, None, None]],
        "total": 2,
        "returned": 2,
        "queryResultFormat": "json",
        "statementTypeId": 0x4400,
    }
    snowflake.lay({"what": "statement", "pattern": "laid", "answer": {"data": data}})
    assert read(session, "SHOW laid").table.to_pylist() == [
        {
            "created_on": MOMENT.replace(microsecond=789_000, tzinfo=UTC),
            "name": "ORDERS",
            "rows": Decimal(12),
            "is_default": True,
        },
        {"created_on": None, "name": None, "rows": None, "is_default": None},
    ]
