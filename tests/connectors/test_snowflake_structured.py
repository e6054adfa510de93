"""Snowflake's structured types as Arrow's own: what is inside comes in the encodings that columns come in."""

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
TZ3 = pa.struct([("epoch", pa.int64()), ("fraction", pa.int32()), ("timezone", pa.int32())])
OFFSET = "struct<utc: timestamp[us, tz=UTC], offset_minutes: int16>"
MOMENT = dt.datetime(2024, 2, 29, 12, 34, 56, 789012)
SECONDS = int(MOMENT.replace(microsecond=0, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def session(snowflake: Any) -> Iterator[Any]:
    with opened(snowflake) as session:
        yield session


@pytest.fixture(autouse=True)
def nothing_laid(snowflake: Any) -> Iterator[None]:
    yield
    snowflake.lay()


NUMBER = {"precision": 10, "scale": 2}
FINE = {"precision": 0, "scale": 9}
OBJECT = pa.struct(
    [
        inner("price", "FIXED", pa.int16(), **NUMBER),
        inner("at", "TIMESTAMP_NTZ", NTZ, **FINE),
        inner("since", "TIMESTAMP_TZ", TZ3, **FINE),
        inner("tags", "ARRAY", pa.list_(inner("element", "TEXT", pa.string(), charLength=9))),
        inner(
            "sizes",
            "MAP",
            pa.map_(
                inner("key", "TEXT", pa.string(), charLength=9).with_nullable(False),
                inner("value", "FIXED", pa.int8(), precision=38, scale=0),
            ),
        ),
        inner("rest", "VARIANT", pa.string()),
    ]
)
FIELDS = [
    column("price", "fixed", **NUMBER),
    column("at", "timestamp_ntz", **FINE),
    column("since", "timestamp_tz", **FINE),
    column("tags", "array", fields=[column("", "text", length=9, byteLength=36)]),
    column(
        "sizes",
        "map",
        fields=[
            column("", "text", length=9, byteLength=36, nullable=False),
            column("", "fixed", precision=38, scale=0),
        ],
    ),
    column("rest", "variant"),
]
OBJECT_WORD = (
    "OBJECT(price NUMBER(10,2), at TIMESTAMP_NTZ(9), since TIMESTAMP_TZ(9), tags ARRAY(VARCHAR(9)),"
    " sizes MAP(VARCHAR(9), NUMBER(38,0)), rest VARIANT)"
)
OBJECT_TYPE = (
    f"struct<price: decimal128(10, 2), at: timestamp[us], since: {OFFSET}, tags: list<item: string>,"
    " sizes: map<string, decimal128(38, 0)>, rest: string>"
)
SENT = {
    "price": 150,
    "at": {"epoch": SECONDS, "fraction": 789_012_000},
    "since": {"epoch": SECONDS, "fraction": 0, "timezone": 1440 + 330},
    "tags": ["a", None],
    "sizes": [("x", 7), ("y", None)],
    "rest": '{"b": 1}',
}
READ = {
    "price": Decimal("1.50"),
    "at": MOMENT,
    "since": {"utc": MOMENT.replace(microsecond=0, tzinfo=UTC), "offset_minutes": 330},
    "tags": ["a", None],
    "sizes": [("x", Decimal(7)), ("y", None)],
    "rest": '{"b": 1}',
}
NOTHING = dict.fromkeys(SENT)


@pytest.mark.parametrize("described", [True, False])
def test_a_structured_object_is_exact_to_its_last_field(
    snowflake: Any, session: Any, described: bool
) -> None:
    """Its fields come in the encodings that columns come in, with or without a description of their own."""
    declared = column("X", "object", **({"fields": FIELDS} if described else {}))
    values = pa.array([SENT, None, NOTHING, SENT], OBJECT)  # which forgets what a map's fields are
    rows = pa.table([values], schema=pa.schema([inner("X", "OBJECT", OBJECT)]))
    lay_rows(snowflake, "laid", [declared], rows, rows.slice(1))
    found = read(session, "SELECT laid")
    field = found.table.schema.field(0)
    assert str(field.type) == OBJECT_TYPE
    assert field.metadata == {SOURCE_TYPE.encode(): OBJECT_WORD.encode()}
    assert found.table.column(0).to_pylist() == [READ, None, NOTHING, READ, None, NOTHING, READ]
    assert found.notices == []
    lay_rows(snowflake, "laid", [declared], rows.slice(0, 0))
    assert read(session, "SELECT laid").table.schema == found.table.schema


def test_structured_lists_and_maps_are_exact(snowflake: Any, session: Any) -> None:
    prices = pa.list_(inner("element", "FIXED", pa.int32(), **NUMBER))
    moments = pa.map_(
        inner("key", "FIXED", pa.int8(), precision=38, scale=0).with_nullable(False),
        inner("value", "TIMESTAMP_LTZ", NTZ, **FINE),
    )
    nested = pa.list_(inner("element", "OBJECT", pa.struct([inner("a", "BOOLEAN", pa.bool_())])))
    columns = [
        column("PRICES", "array", fields=[column("", "fixed", **NUMBER)]),
        column(
            "MOMENTS",
            "map",
            fields=[column("", "fixed", precision=38, scale=0), column("", "timestamp_ltz", **FINE)],
        ),
        column("NESTED", "array", fields=[column("", "object", fields=[column("a", "boolean")])]),
    ]
    moment = {"epoch": SECONDS, "fraction": 789_012_000}
    values = [
        pa.array([[150, None], None, [], [1]], prices),
        pa.array([[(1, moment)], None, [], [(2, None)]], moments),
        pa.array([[{"a": True}, None], [], None, [{"a": None}]], nested),
    ]
    schema = pa.schema(
        inner(each["name"], each["type"].upper(), array.type)
        for each, array in zip(columns, values, strict=True)
    )
    lay_rows(snowflake, "laid", columns, pa.table(values, schema=schema))
    found = read(session, "SELECT laid").table
    assert [field.metadata[SOURCE_TYPE.encode()].decode() for field in found.schema] == [
        "ARRAY(NUMBER(10,2))",
        "MAP(NUMBER(38,0), TIMESTAMP_LTZ(9))",
        "ARRAY(OBJECT(a BOOLEAN))",
    ]
    assert found.column("PRICES").to_pylist() == [[Decimal("1.50"), None], None, [], [Decimal("0.01")]]
    assert found.column("MOMENTS").to_pylist() == [
        [(Decimal(1), MOMENT.replace(tzinfo=UTC))],
        None,
        [],
        [(Decimal(2), None)],
    ]
    assert found.column("NESTED").to_pylist() == [[{"a": True}, None], [], None, [{"a": None}]]


def test_a_structured_type_has_its_schema_where_nothing_was_sent(snowflake: Any, session: Any) -> None:
    """An answer without rows has no Arrow at all: the description alone says what they would be."""
    columns = [
        column("X", "object", fields=FIELDS),
        column("V", "vector", vectorDimension=3, fields=[column("", "real")]),
        column("N", "fixed", precision=38, scale=2),
        column("G", "object"),
    ]
    data = {
        "rowtype": columns,
        "rowsetBase64": "",
        "total": 0,
        "returned": 0,
        "queryResultFormat": "arrow",
        "statementTypeId": 0x1000,
    }
    snowflake.lay({"what": "statement", "pattern": "laid", "answer": {"data": data}})
    found = read(session, "SELECT laid").table
    assert found.num_rows == 0
    assert [str(type_) for type_ in found.schema.types] == [
        OBJECT_TYPE,
        "fixed_size_list<item: float>[3]",
        "decimal128(38, 2)",
        "string",
    ]


def test_what_a_structured_type_loses_is_told(snowflake: Any, session: Any) -> None:
    fine = {**SENT, "at": {"epoch": SECONDS, "fraction": 789_012_345}}
    rows = encoded("OBJECT", pa.array([fine, SENT], OBJECT))
    lay_rows(snowflake, "laid", [column("X", "object", fields=FIELDS)], rows)
    found = read(session, "SELECT laid")
    assert found.table.column(0).to_pylist() == [READ, READ]
    (notice,) = found.notices
    assert "1 value cut to microseconds" in notice
    assert "TO_VARIANT" in notice


def test_what_stands_below_a_null_is_no_value(snowflake: Any, session: Any) -> None:
    """The fields of an object that is NULL hold whatever they hold; it must not be an error, nor counted."""
    prices = pa.array([15_000, 15_000], pa.int16())
    moments = pa.array([{"epoch": SECONDS, "fraction": 1}] * 2, NTZ)
    fields = [inner("price", "FIXED", pa.int16(), precision=3, scale=2), OBJECT.field("at")]
    values = pa.StructArray.from_arrays([prices, moments], fields=fields, mask=pa.array([True, True]))
    declared = column(
        "X",
        "object",
        fields=[column("price", "fixed", precision=3, scale=2), column("at", "timestamp_ntz", **FINE)],
    )
    lay_rows(snowflake, "laid", [declared], encoded("OBJECT", values))
    found = read(session, "SELECT laid")
    assert found.table.column(0).to_pylist() == [None, None]
    assert found.notices == []


def test_an_unknown_form_is_an_error_with_the_way_out(snowflake: Any, session: Any) -> None:
    values = pa.array([{"a": 1}], pa.struct([("a", pa.int64())]))
    lay_rows(snowflake, "laid", [column("X", "object")], encoded("OBJECT", values))
    with pytest.raises(DataError, match="'X' is OBJECT") as caught:
        read(session, "SELECT laid")
    assert "TO_VARIANT" in caught.value.hint
