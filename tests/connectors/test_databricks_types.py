"""Databricks' types in Arrow: a warehouse's answers as the endpoint gives them, and recorded forms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.arrow_types import SOURCE_TYPE
from aiser_jupyter.connectors.databricks import DatabricksConnector
from aiser_jupyter.connectors.databricks.types import SQL_NAME, ExactTypes
from aiser_jupyter.connectors.databricks.words import arrow_type
from aiser_jupyter.errors import DataError
from aiser_jupyter.run import Run
from tests.conformance.databricks import config as config_of
from tests.endpoints.databricks import Databricks

MOMENT = dt.datetime(2024, 2, 29, 12, 34, 56, 789012)
INSTANT = MOMENT.replace(tzinfo=dt.UTC)
WIDE = Decimal("-" + "9" * 28 + "." + "9" * 10)


@pytest.fixture(scope="module")
def session(databricks: Databricks) -> Iterator[Any]:
    databricks.behave()
    with closing(DatabricksConnector().fresh(config_of(Path(), databricks))) as session:
        yield session
    databricks.behave()


def fetch(session: Any, sql: str, parameters: Any = (), run: Run | None = None) -> Any:
    table = session.execute(sql, parameters, run or Run("test")).read_all()
    table.validate(full=True)
    return table


LITERALS = [
    ("true", "bool", "BOOLEAN", True),
    ("CAST(-128 AS TINYINT)", "int8", "TINYINT", -128),
    ("CAST(-32768 AS SMALLINT)", "int16", "SMALLINT", -32768),
    ("2147483647", "int32", "INT", 2**31 - 1),
    ("CAST(-9223372036854775808 AS BIGINT)", "int64", "BIGINT", -(2**63)),
    ("CAST(1.5 AS FLOAT)", "float", "FLOAT", 1.5),
    ("CAST(0.1 AS DOUBLE)", "double", "DOUBLE", 0.1),
    ("CAST('Infinity' AS DOUBLE)", "double", "DOUBLE", float("inf")),
    ("1.50", "decimal128(3, 2)", "DECIMAL(3,2)", Decimal("1.50")),
    (f"CAST('{WIDE}' AS DECIMAL(38, 10))", "decimal128(38, 10)", "DECIMAL(38,10)", WIDE),
    ("'Grüße 🦆'", "string", "STRING", "Grüße 🦆"),
    ("''", "string", "STRING", ""),
    ("X'00ff'", "binary", "BINARY", b"\x00\xff"),
    ("DATE '0001-01-01'", "date32[day]", "DATE", dt.date(1, 1, 1)),
    ("DATE '9999-12-31'", "date32[day]", "DATE", dt.date(9999, 12, 31)),
    ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us, tz=UTC]", "TIMESTAMP", INSTANT),
    ("CAST('2024-02-29 12:34:56.789012' AS TIMESTAMP_NTZ)", "timestamp[us]", "TIMESTAMP_NTZ", MOMENT),
    ("NULL", "null", "VOID", None),
    ("ARRAY(1, NULL)", "list<item: int32>", "ARRAY<INT>", [1, None]),
    ("MAP('k', 1)", "map<string, int32>", "MAP<STRING, INT>", [("k", 1)]),
    (
        "NAMED_STRUCT('a', 1, 'b', ARRAY('x'))",
        "struct<a: int32, b: list<item: string>>",
        "STRUCT<a: INT, b: ARRAY<STRING>>",
        {"a": 1, "b": ["x"]},
    ),
    (
        "ARRAY(TIMESTAMP '2024-02-29 12:34:56.789012')",
        "list<item: timestamp[us, tz=UTC]>",
        "ARRAY<TIMESTAMP>",
        [INSTANT],
    ),
    (
        "INTERVAL '1' MONTH",
        "month_day_nano_interval",
        "INTERVAL DAY TO SECOND",
        pa.MonthDayNano([1, 0, 0]),
    ),
    (
        "INTERVAL '-3' DAY",
        "month_day_nano_interval",
        "INTERVAL DAY TO SECOND",
        pa.MonthDayNano([0, -3, 0]),
    ),
]


@pytest.mark.parametrize(("sql", "type_", "source", "value"), LITERALS, ids=[each[0] for each in LITERALS])
def test_a_literal_is_exact(session: Any, sql: str, type_: str, source: str, value: Any) -> None:
    run = Run("test")
    table = fetch(session, f"SELECT {sql} AS x", run=run)
    field = table.schema.field("x")
    assert (str(field.type), field.metadata[SOURCE_TYPE.encode()].decode()) == (type_, source)
    assert table.column("x").to_pylist() == [value]
    assert run.notices == []
    nothing = fetch(session, f"SELECT {sql} AS x FROM range(1) WHERE 1 = 0")
    assert nothing.schema.equals(table.schema, check_metadata=True)
    assert nothing.num_rows == 0


def test_the_types_do_not_depend_on_a_servers_moods(databricks: Databricks, session: Any) -> None:
    sql = ", ".join(f"{literal} AS c{n}" for n, (literal, *_) in enumerate(LITERALS))
    try:
        named = fetch(session, f"SELECT {sql}")
        databricks.behave(names=False)  # a warehouse sometimes leaves its words out
        bare = fetch(session, f"SELECT {sql}")
    finally:
        databricks.behave()
    kept = [n for n, (_, _, source, _) in enumerate(LITERALS) if not source.startswith("INTERVAL")]
    for n in kept:
        assert bare.schema.field(n).equals(named.schema.field(n), check_metadata=True)
    assert bare.select(kept).equals(named.select(kept))


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (MOMENT, "timestamp[us]"),
        (INSTANT, "timestamp[us, tz=UTC]"),
        (dt.date(2024, 2, 29), "date32[day]"),
        (Decimal("12345678901234567890.123456789"), "decimal128(29, 9)"),
        (2**40, "int64"),
        (True, "bool"),
        (0.1, "double"),
        ("'; DROP TABLE x; --", "string"),
    ],
    ids=str,
)
def test_a_parameter_comes_back_as_it_was(session: Any, value: Any, type_: str) -> None:
    table = fetch(session, "SELECT ? AS x", (value,))
    assert (str(table.schema.field("x").type), table.column("x").to_pylist()) == (type_, [value])


# -- a server that prints what is inside -----------------------------------------------------------------


def test_what_a_server_prints_is_read_where_it_is_exact(databricks: Databricks, session: Any) -> None:
    run = Run("test")
    try:
        databricks.behave(complex_as_text=True)
        table = fetch(
            session,
            "SELECT NAMED_STRUCT('a', 1, 'b', ARRAY('x')) AS s, MAP('k', 1.50) AS m,"
            " ARRAY(TIMESTAMP '2024-02-29 12:34:56') AS t",
            run=run,
        )
    finally:
        databricks.behave()
    assert [str(field.type) for field in table.schema] == [
        "struct<a: int32, b: list<item: string>>",
        "map<string, decimal128(3, 2)>",
        "string",
    ]
    assert table.column("s").to_pylist() == [{"a": 1, "b": ["x"]}]
    assert table.column("m").to_pylist() == [[("k", Decimal("1.50"))]]
    assert table.column("t").to_pylist() == ['["2024-02-29 12:34:56+00:00"]']
    (notice,) = run.notices
    assert notice.code == "lossy_type"
    assert "'t'" in notice.message


# -- recorded forms, given to the converter itself -------------------------------------------------------


def converted(name: str, declared: str, array: Any, precision: Any = None, scale: Any = None) -> Any:
    """Convert a column as a warehouse gave it."""
    schema = pa.schema([pa.field("x", array.type, metadata={SQL_NAME: name.encode()} if name else None)])
    exact = ExactTypes(schema, [("x", declared, None, None, precision, scale, None)])
    batch = exact.convert(pa.RecordBatch.from_arrays([array], schema=schema))
    batch.validate(full=True)
    empty = exact.convert(pa.RecordBatch.from_arrays([array[:0]], schema=schema))
    assert empty.schema.equals(batch.schema, check_metadata=True)
    return batch.column(0), exact


def test_a_decimal_as_text() -> None:
    column, exact = converted("DECIMAL(10,2)", "decimal", pa.array(["1.50", "-99999999.99", None]), 10, 2)
    assert column.to_pylist() == [Decimal("1.50"), Decimal("-99999999.99"), None]
    assert exact.schema.field(0).metadata == {SOURCE_TYPE.encode(): b"DECIMAL(10,2)"}


def test_a_decimal_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(DataError, match=r"'x': a value is no DECIMAL\(3,2\)"):
        converted("DECIMAL(3,2)", "decimal", pa.array(["1234.5"]), 3, 2)
    with pytest.raises(DataError):
        converted("DECIMAL(3,1)", "decimal", pa.array([Decimal("1.55")]), 3, 1)


@pytest.mark.parametrize("zone", ["Etc/UTC", "Asia/Kolkata", "America/St_Johns"])
def test_an_instant_is_the_same_in_every_session_zone(zone: str) -> None:
    array = pa.array([INSTANT], pa.timestamp("us", "UTC")).cast(pa.timestamp("us", zone))
    column, exact = converted("", "timestamp", array)
    assert (str(column.type), column.to_pylist()) == ("timestamp[us, tz=UTC]", [INSTANT])
    assert exact.schema.field(0).metadata[SOURCE_TYPE.encode()] == b"TIMESTAMP"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1-2", (14, 0, 0)),
        ("-1-2", (-14, 0, 0)),
        ("0-0", (0, 0, 0)),
        ("178956970-7", (2**31 - 1, 0, 0)),
        ("1 02:03:04.000000005", (0, 1, 7_384_000_000_005)),
        ("-1 02:03:04.500000000", (0, -1, -7_384_500_000_000)),
        ("0 00:00:00.000000000", (0, 0, 0)),
        ("106751991 04:00:54.775807000", (0, 106_751_991, 14_454_775_807_000)),
    ],
)
def test_an_interval(text: str, value: tuple[int, int, int]) -> None:
    for declared in ("interval_year_month", "interval_day_time"):
        column, _ = converted("", declared, pa.array([text, None]))
        assert column.to_pylist() == [pa.MonthDayNano(value), None]


def test_an_interval_that_is_none_is_an_error() -> None:
    with pytest.raises(DataError, match="INTERVAL YEAR TO MONTH"):
        converted("", "interval_year_month", pa.array(["two days"]))


@pytest.mark.parametrize("name", ["VARIANT", "GEOMETRY(4326)", "GEOGRAPHY(4326)"])
def test_text_of_the_server_is_kept_as_it_is(name: str) -> None:
    text = '{"a": 1.10, "a": 12345678901234567890}'
    column, exact = converted(name, name.partition("(")[0].lower(), pa.array([text]))
    assert (str(column.type), column.to_pylist()) == ("string", [text])
    assert exact.schema.field(0).metadata[SOURCE_TYPE.encode()] == name.encode()
    assert exact.notices() == []


def test_files_whose_columns_differ_in_what_may_be_null_have_one_schema() -> None:
    strict = pa.struct([pa.field("a", pa.int32(), nullable=False)])
    loose = pa.struct([pa.field("a", pa.int32())])
    schema = pa.schema([pa.field("x", loose)])
    exact = ExactTypes(schema, [("x", "struct", None, None, None, None, None)])
    made = [
        exact.convert(pa.RecordBatch.from_arrays([pa.array([{"a": 1}], type_)], names=["x"]))
        for type_ in (strict, loose)
    ]
    assert made[0].schema == made[1].schema == exact.schema


def test_two_columns_of_one_name_are_both_there(session: Any) -> None:
    table = fetch(session, "SELECT 1 AS a, 'two' AS a")
    assert table.column_names == ["a", "a"]
    assert [column.to_pylist() for column in table.columns] == [[1], ["two"]]


@pytest.mark.parametrize(
    "word",
    [
        "ARRAY<TIMESTAMP>",
        "MAP<INT, INT>",
        "ARRAY<BINARY>",
        "ARRAY<",
        "STRUCT<a INT>",
        "VARIANT",
        "ARRAY<VOID>",
    ],
)
def test_a_word_whose_values_json_does_not_write_exactly(word: str) -> None:
    assert arrow_type(word) is None


def test_a_word_of_words() -> None:
    word = "STRUCT<`a b`: INT NOT NULL, c: MAP<STRING, ARRAY<DECIMAL(10,2)>>, d: STRUCT<e: DATE>>"
    assert str(arrow_type(word)) == (
        "struct<a b: int32, c: map<string, list<item: decimal128(10, 2)>>, d: struct<e: date32[day]>>"
    )
