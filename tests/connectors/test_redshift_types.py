"""Redshift's types in Arrow: those the endpoint can serve, others from cells as Redshift sends them."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aiser_jupyter.connectors.arrow_types import SOURCE_TYPE
from aiser_jupyter.connectors.postgresql.rows import cells
from aiser_jupyter.connectors.redshift.types import NAMES, reader_of, source_type
from aiser_jupyter.errors import DataError
from aiser_jupyter.run import Run
from tests.connectors.postgresql_kit import ask
from tests.connectors.redshift_kit import session

Interval = pa.MonthDayNano

SERVED = [
    ("true", "bool", True, "boolean"),
    ("7::smallint", "int16", 7, "smallint"),
    ("-2147483648", "int32", -(2**31), "integer"),
    ("9223372036854775807", "int64", 2**63 - 1, "bigint"),
    ("4294967295::oid", "uint32", 2**32 - 1, "oid"),
    ("0.1::real", "float", 0.10000000149011612, "real"),
    ("'1e308'::float8", "double", 1e308, "double precision"),
    ("'Infinity'::float8", "double", float("inf"), "double precision"),
    ("135430.11999999999500::numeric(36,14)", "decimal128(36, 14)", Decimal("135430.11999999999500"),
     "numeric(36,14)"),
    ("(-0.05)::numeric(38,37)", "decimal128(38, 37)", Decimal("-0.05"), "numeric(38,37)"),
    ("(-99999999999999999999999999999999999999)::numeric(38,0)", "decimal128(38, 0)", Decimal(1 - 10**38),
     "numeric(38,0)"),
    ("0::numeric(18,2)", "decimal128(18, 2)", Decimal("0.00"), "numeric(18,2)"),
    ("1.5::numeric", "decimal128(38, 1)", Decimal("1.5"), "numeric"),
    ("7::numeric", "decimal128(38, 0)", Decimal(7), "numeric"),
    ("'a'::char(3)", "string", "a  ", "character(3)"),
    ("'Grüße 🦆'::varchar(20)", "string", "Grüße 🦆", "character varying(20)"),
    ("date '2024-02-29'", "date32[day]", dt.date(2024, 2, 29), "date"),
    ("time '23:59:59.999999'", "time64[us]", dt.time(23, 59, 59, 999999), "time without time zone"),
    ("timetz '12:34:56.5+05:30'", "string", "12:34:56.5+05:30", "time with time zone"),
    ("timestamp '1999-12-31 23:59:59.999999'", "timestamp[us]",
     dt.datetime(1999, 12, 31, 23, 59, 59, 999999), "timestamp without time zone"),
    ("timestamptz '2024-02-29 12:00:00+05:30'", "timestamp[us, tz=UTC]",
     dt.datetime(2024, 2, 29, 6, 30, tzinfo=dt.UTC), "timestamp with time zone"),
    ("interval '1 year 2 mons 3 days 4.5 s'", "month_day_nano_interval",
     Interval((14, 3, 4_500_000_000)), "interval"),
    ("array[1, NULL]", "string", "{1,NULL}", "integer[]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def opened(redshift: Any) -> Iterator[Any]:
    with session(redshift, read_only=True) as made:
        yield made


@pytest.mark.parametrize(("sql", "type_", "value", "word"), SERVED, ids=[sql for sql, *_ in SERVED])
def test_a_type_is_exact_whatever_the_rows(opened: Any, sql: str, type_: str, value: Any, word: str) -> None:
    rows = f"(VALUES (1), (2)) AS r (n) LEFT JOIN (SELECT 1 AS n, {sql} AS x) v ON v.n = r.n"
    table = ask(opened, f"SELECT v.x FROM {rows} ORDER BY r.n")
    field = table.schema.field("x")
    assert (str(field.type), field.metadata[SOURCE_TYPE.encode()].decode()) == (type_, word)
    assert table.column("x").to_pylist() == [value, None]
    if word != "numeric":  # declared without a scale: the first rows decide
        assert ask(opened, f"SELECT v.x FROM {rows} WHERE false").schema == table.schema


@pytest.mark.parametrize(
    "text", ["0044-03-15 BC", "0001-12-31 BC", "0001-01-01", "4713-01-01 BC", "12024-02-29", "294276-12-31"]
)
def test_any_year_is_the_same_day_as_there(opened: Any, text: str) -> None:
    table = ask(opened, f"SELECT date '{text}' AS x, date '{text}' - date '1970-01-01' AS days")
    assert table.column("x").cast(pa.int32()).to_pylist() == table.column("days").to_pylist()


def test_midnight_at_the_end_of_a_day_is_counted(opened: Any) -> None:
    run = Run("test")
    found = ask(opened, "SELECT t FROM (VALUES (time '24:00'), (time '01:02'), (NULL)) AS v (t)", run=run)
    assert found.column("t").to_pylist() == [None, dt.time(1, 2), None]
    assert [notice.code for notice in run.notices] == ["lossy_type"]
    assert "1 24:00:00 value shown as NULL" in run.notices[0].message


def test_a_number_that_fits_no_first_row_is_an_error(opened: Any) -> None:
    fine = "1.23456789012345678901234567890123456789"
    sql = f"SELECT (CASE WHEN i < 400000 THEN '1.5' ELSE '{fine}' END)::numeric"
    with pytest.raises(DataError, match="does not fit") as caught:
        ask(opened, f"{sql} FROM generate_series(1, 400001) i")
    assert "numeric(38, s)" in caught.value.hint
    assert ask(opened, "SELECT 1").num_rows == 1


def test_the_word_of_any_other_type_is_asked_for(redshift: Any, opened: Any) -> None:
    redshift.behind.admin("CREATE TYPE mood AS ENUM ('sad', 'happy')", database="shop")
    redshift.behind.admin("CREATE TYPE size AS ENUM ('large')", database="shop")
    found = ask(opened, "SELECT 'happy'::mood AS m, 'large'::size AS s, '(1,2)'::point AS p")
    assert found.to_pylist() == [{"m": "happy", "s": "large", "p": "(1,2)"}]
    words = [(field.metadata or {})[SOURCE_TYPE.encode()] for field in found.schema]
    assert words == [b"mood", b"size", b"point"]


# -- what the endpoint has not: cells as Redshift sends them ---------------------------------------------


def read(oid: int, values: list[bytes | None], modifier: int = -1) -> pa.Array[Any]:
    """Give one column of rows to the reader of ``oid``, and check what it makes to the last bit."""
    data = b"".join(
        b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value for value in values
    )
    octets = np.frombuffer(data + bytes(32), np.uint8)
    at, starts = 0, []
    for value in values:
        starts.append(at)
        at += 4 + len(value or b"")
    reader = reader_of(oid, modifier)
    column, _ = cells(octets, np.array(starts, np.int64))
    reader.settle(column, True)
    array = reader.read(column)
    array.validate(full=True)
    assert array.type == reader.type
    return array


POINT = "0101000020E610000000000000000008400000000000001040"
SENT = [
    (4000, [b'{"a":12345678901234567890,"a":[1,{"b":null}]}', b"null", None], "string",
     ['{"a":12345678901234567890,"a":[1,{"b":null}]}', "null", None]),
    (6551, [b"00ff61", b"", None], "binary", [b"\x00\xff\x61", b"", None]),
    (3000, [POINT.encode(), None], "binary", [bytes.fromhex(POINT), None]),
    (3001, [POINT.lower().encode()], "binary", [bytes.fromhex(POINT)]),
    (2935, [b'{"version":1,"logm":15,"sparse":{"indices":[1],"values":[1]}}'], "string",
     ['{"version":1,"logm":15,"sparse":{"indices":[1],"values":[1]}}']),
    (1188, [struct.pack("!i", 14), struct.pack("!i", -1), None], "month_day_nano_interval",
     [Interval((14, 0, 0)), Interval((-1, 0, 0)), None]),
    (1190, [struct.pack("!q", micro) for micro in (90_061_000_001, -90_061_000_001, 2**63 - 1)],
     "month_day_nano_interval",
     [Interval((0, 1, 3_661_000_001_000)), Interval((0, -1, -3_661_000_001_000)),
      Interval((0, 106_751_991, 14_454_775_807_000))]),
    (1266, [b"12:34:56-08", None], "string", ["12:34:56-08", None]),
    (700, [struct.pack("!f", 0.1)], "float", [0.10000000149011612]),
    (1700, [b"-0.00000000000001", b"135430.11999999999500"], "decimal128(36, 14)",
     [Decimal("-1E-14"), Decimal("135430.11999999999500")]),
    (1700, [b"99999999999999999999999999999999999999"], "decimal128(38, 0)", [Decimal(10**38 - 1)]),
]  # fmt: skip
MODIFIERS = {"decimal128(36, 14)": (36 << 16 | 14) + 4, "decimal128(38, 0)": (38 << 16) + 4}


@pytest.mark.parametrize(
    ("oid", "sent", "type_", "found"), SENT, ids=[f"{oid}-{type_}" for oid, _, type_, _ in SENT]
)
def test_a_type_of_redshifts_own_is_read(oid: int, sent: list[Any], type_: str, found: list[Any]) -> None:
    modifier = MODIFIERS.get(type_, -1)
    array = read(oid, sent, modifier)
    assert (str(array.type), array.to_pylist()) == (type_, found)
    assert read(oid, [], modifier).type == array.type
    assert read(oid, [None], modifier).to_pylist() == [None]


def test_each_type_of_redshifts_own_has_its_word() -> None:
    assert {oid: source_type(oid, -1) for oid in NAMES} == NAMES
    assert source_type(1700, (36 << 16 | 14) + 4) == "numeric(36,14)"


@pytest.mark.parametrize("sent", [b"0", b"zz", b"00  ff"])
def test_what_is_no_hexadecimal_is_an_error(sent: bytes) -> None:
    with pytest.raises(DataError, match="hexadecimal"):
        read(6551, [sent])


def test_what_is_no_date_and_no_time_is_an_error() -> None:
    for oid, sent in ((1082, b"infinity"), (1082, b"2024-02-29 AD"), (1083, b"25:00:00")):
        with pytest.raises(DataError) as caught:
            read(oid, [sent])
        assert "Cast the column to text" in caught.value.hint


def test_no_number_is_asked_for_in_a_form_that_redshift_has_of_its_own() -> None:
    """Its binary numeric is the one that the driver has read wrong; date and time differ by the version."""
    assert [reader_of(oid, -1).format for oid in (1700, 1082, 1083, 1266, 4000, 6551)] == [0] * 6
