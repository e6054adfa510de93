"""What a statement computes has a type too, and the database's own text of it is what we must have read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.errors import DataError
from tests.fidelity.databases import Database, ask
from tests.fidelity.values import DUCK, MDN, MY, PG, same, values_of

D = Decimal
EXPRESSIONS: dict[str, tuple[tuple[str, str, Any], ...]] = {
    PG: (
        ("1 / 3.0", "decimal128(38, 20)", D("0.33333333333333333333")),
        ("sum(i) FROM generate_series(1, 3) AS i", "int64", 6),
        ("sum(i::bigint) FROM generate_series(1, 3) AS i", "decimal128(38, 0)", D(6)),
        ("array_agg(i) FROM generate_series(1, 3) AS i", "list<item: int32>", [1, 2, 3]),
        ("date '2024-03-01' - date '2024-02-01'", "int32", 29),
        ("timestamp '2024-03-01' - timestamp '2024-02-01'", MDN, pa.MonthDayNano([0, 29, 0])),
        ("timestamp '2024-02-29 24:00:00'", "timestamp[us]", dt.datetime(2024, 3, 1)),
        ("0.1::float4::float8", "double", 0.10000000149011612),
        ("-0.000", "decimal128(38, 3)", D("0.000")),
        ("'-178000000 years'::interval", MDN, pa.MonthDayNano([-2_136_000_000, 0, 0])),
        ("'2562047 hours'::interval", MDN, pa.MonthDayNano([0, 0, 2_562_047 * 3_600 * 10**9])),
    ),
    MY: (
        ("1/3", "decimal128(5, 4)", D("0.3333")),
        ("SUM(seq) FROM seq_1_to_3", "decimal256(42, 0)", D(6)),
        ("SUM(CAST(1.5 AS DECIMAL(65,30)))", "decimal256(65, 30)", D("1.500000000000000000000000000000")),
        ("~0", "uint64", 2**64 - 1),
        ("-(-9223372036854775808)", "decimal128(19, 0)", D(2**63)),
        ("COALESCE(CAST(18446744073709551615 AS UNSIGNED), -1)", "decimal128(20, 0)", D(2**64 - 1)),
        ("9007199254740993 + 0e0", "double", 9007199254740992.0),
        ("IF(1, 1, 1.5)", "decimal128(2, 1)", D("1.0")),
        ("DATE '2024-02-29' + INTERVAL 1 HOUR", "timestamp[us]", dt.datetime(2024, 2, 29, 1)),
        ("TIMEDIFF('838:00:00', '-00:00:01')", "duration[us]", dt.timedelta(seconds=838 * 3600 + 1)),
        ("MAKETIME(-1, 30, 0)", "duration[us]", -dt.timedelta(seconds=5400)),
        ("JSON_EXTRACT('{\"a\": 1.0}', '$.a')", "string", "1.0"),
        ("CONVERT('é' USING latin1)", "string", "é"),
        ("CONVERT('é' USING binary)", "binary", "é".encode()),
        ("NULL", "null", None),
    ),
    DUCK: (
        ("1 / 3", "double", 1 / 3),
        ("sum(i) FROM range(4) AS t (i)", "decimal256(39, 0)", D(6)),
        ("[1, NULL, 3]", "list<l: int32>", [1, None, 3]),
        ("date '2024-03-01' - date '2024-02-01'", "int64", 29),
        ("timestamp '2024-03-01' - timestamp '2024-02-01'", MDN, pa.MonthDayNano([0, 29, 0])),
        ("1.5::DECIMAL(38,1) * 2", "decimal128(38, 1)", D("3.0")),
        ("['x'::ENUM('x', 'y')]", "list<l: dictionary<values=string, indices=uint8, ordered=0>>", ["x"]),
        (
            "MAP {[1, 2]: {'a': '101'::BIT}}",
            "map<list<l: int32>, struct<a: string>>",
            [([1, 2], {"a": "101"})],
        ),
        ("INTERVAL '2562047 hours'", MDN, pa.MonthDayNano([0, 0, 2_562_047 * 3_600 * 10**9])),
        ("['24:00:00+00'::TIMETZ]", "list<l: string>", ["24:00:00+00:00"]),
        ("'POINT(1 2)'::GEOMETRY", "binary", bytes.fromhex("0101000000000000000000f03f0000000000000040")),
        ("NULL", "null", None),
    ),
}
CASES = [(name, *case) for name, cases in EXPRESSIONS.items() for case in cases]
Databases = Callable[[str], Database]


@pytest.mark.parametrize(("name", "sql", "kind", "value"), CASES, ids=[f"{n}-{s[:40]}" for n, s, *_ in CASES])
def test_what_is_computed(filled: Databases, name: str, sql: str, kind: str, value: Any) -> None:
    with filled(name).opened() as session:
        answer = ask(session, f"SELECT {sql}")
    assert str(answer.table.schema.types[0]) == kind
    assert same(values_of(answer.table.column(0)), [value])
    assert answer.lossy == []


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        (PG, "'2562048 hours'::interval"),
        (PG, "'-2562048 hours'::interval"),
        (PG, "'-9223372036854.775808 seconds'::interval"),
        (DUCK, "INTERVAL '2562048 hours'"),
        (DUCK, "INTERVAL '-3000000 hours'"),
        (DUCK, "[INTERVAL '3000000 hours']"),
        (DUCK, "{'a': INTERVAL '3000000 hours'}"),
        pytest.param(
            DUCK,
            "INTERVAL '640510000 hours'",
            marks=pytest.mark.xfail(reason="what DuckDB exports of 73,067 years is a number like any other"),
        ),
    ],
)
def test_hours_past_the_nanoseconds_of_arrow_are_refused(filled: Databases, name: str, sql: str) -> None:
    with filled(name).opened() as session, pytest.raises(DataError, match="292 years") as caught:
        ask(session, f"SELECT {sql}")
    assert "text" in caught.value.hint or "VARCHAR" in caught.value.hint
    with filled(name).opened() as session:
        assert ask(session, "SELECT 1").table.num_rows == 1


@pytest.mark.parametrize(
    ("sql", "value", "said"),
    [
        ("'{1.5,NaN}'::numeric[]", ["1.5", "NaN"], "NaN or Infinity"),
        ("'[2:3]={1,2}'::int[]", [1, 2], "do not begin at 1"),
        ("'[1:2][0:0]={{1},{2}}'::int[]", [[1], [2]], "do not begin at 1"),
    ],
)
def test_what_an_array_is_given_without_is_said(filled: Databases, sql: str, value: Any, said: str) -> None:
    with filled(PG).opened() as session:
        answer = ask(session, f"SELECT {sql} AS x")
    assert values_of(answer.table.column(0)) == [value]
    (message,) = answer.lossy
    assert message.startswith("Column 'x' holds")
    assert said in message


BIT = (
    # what is selected, what a BIT(n) of it is; MariaDB sends some of them as digits and says nothing of it
    ("bits", "00000111"),
    ("(SELECT most FROM fidelity_bits LIMIT 1)", "11111111"),
    ("MAX(most)", "11111111"),
    ("MAX(most) OVER ()", "11111111"),
    ("COALESCE(most, 0)", 255),
    ("COALESCE(most, most)", "11111111"),
    ("MAX(one)", "1"),
    ("IF(1, one, one)", "1"),
    ("COALESCE(wide, wide)", "1" * 64),
    ("MAX(none)", "0" * 64),
)


@pytest.mark.parametrize(("sql", "value"), BIT)
def test_bits_are_bits_however_they_are_sent(filled: Databases, sql: str, value: Any) -> None:
    with filled(MY).opened() as session:
        ask(session, "DROP TABLE IF EXISTS fidelity_bits")
        ask(
            session,
            "CREATE TABLE fidelity_bits (bits bit(8), most bit(8), one bit(1), wide bit(64), none bit(64))",
        )
        ask(session, "INSERT INTO fidelity_bits VALUES (7, 255, 1, ~0, 0)")
        try:
            (found,) = values_of(ask(session, f"SELECT {sql} FROM fidelity_bits").table.column(0))
        finally:
            ask(session, "DROP TABLE fidelity_bits")
    assert found == value


def test_bits_that_could_be_digits_are_refused(filled: Databases) -> None:
    """A byte of 0x35 is 53, or the digit 5."""
    with filled(MY).opened() as session:
        ask(session, "DROP TABLE IF EXISTS fidelity_bits")
        ask(session, "CREATE TABLE fidelity_bits (bits bit(8))")
        ask(session, "INSERT INTO fidelity_bits VALUES (5)")
        with pytest.raises(DataError, match="BIT") as caught:
            ask(session, "SELECT MAX(bits) AS m FROM fidelity_bits")
        assert "CAST" in caught.value.hint
        assert values_of(ask(session, "SELECT bits FROM fidelity_bits").table.column(0)) == ["00000101"]
        ask(session, "INSERT INTO fidelity_bits VALUES (53), (200)")
        table = ask(session, "SELECT COALESCE(bits, bits) AS m FROM fidelity_bits ORDER BY bits").table
        assert values_of(table.column(0)) == ["00000101", "00110101", "11001000"]
        ask(session, "DROP TABLE fidelity_bits")
