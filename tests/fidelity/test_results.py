"""The whole way: a query of the service, and what pandas, Polars, the browser and a page show of it."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.models import Query
from aiser_jupyter.result import QueryResult
from aiser_jupyter.services import build
from aiser_jupyter.wire import arrow_chunks, json_chunks
from tests.fidelity.corpus import readable
from tests.fidelity.databases import TABLE, Database, ask
from tests.fidelity.values import DUCK, MY, PG, Stored, same, values_of

Results = Callable[[str], tuple[QueryResult, pa.Table]]


@pytest.fixture(scope="module")
def results(filled: Callable[[str], Database], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """Return the corpus of a database by the service, and by a session of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISER_STORE", str(tmp_path_factory.mktemp("store")))
        services = build(Settings())
        found: dict[str, tuple[QueryResult, pa.Table]] = {}

        def run(name: str) -> tuple[QueryResult, pa.Table]:
            if name not in found:
                database = filled(name)
                if database.server is not None:
                    services.connections.create(replace(database.config(), name=name), tested=False)
                text = f"SELECT {', '.join(readable(name))} FROM {TABLE} ORDER BY id"
                connection = "local" if database.server is None else name
                result = services.queries.run(Query(text, connection=connection, whole=True))
                with database.opened() as session:
                    found[name] = result, ask(session, text).table
            return found[name]

        yield run
        services.close()


@pytest.mark.parametrize("name", [PG, MY, DUCK])
def test_a_query_gives_what_the_database_gave(results: Results, name: str) -> None:
    result, table = results(name)
    result.table.validate(full=True)
    assert result.truncated == ""
    assert result.table.schema.equals(table.schema, check_metadata=True)
    for column, cell in readable(name).items():
        assert same(values_of(result.table.column(column)), [cell.value, None]), column
    said = " ".join(notice.message for notice in result.notices if notice.code == "lossy_type")
    assert [n for n, cell in readable(name).items() if f"{n!r}" in said] == [
        n for n, cell in readable(name).items() if cell.lossy
    ]


def _in_pandas(series: pd.Series[Any], kind: pa.DataType) -> list[Any]:
    """Return what pandas holds, times as the number that Arrow has."""
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        gone, numbers = series.isna(), series.array.asi8
        length = 86_400 if pa.types.is_date(kind) else 1
        return [None if null else Stored(int(n) // length) for null, n in zip(gone, numbers, strict=True)]
    found = series.tolist()
    if pa.types.is_floating(kind):
        return [float(value) for value in found]
    if pa.types.is_interval(kind):
        return found
    return [
        None if value is None or value is pd.NA or value is pd.NaT or _is_nan(value) else value
        for value in found
    ]


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _numbers(column: pa.ChunkedArray[Any]) -> list[Any]:
    """Return times as the numbers that Arrow stores."""
    wide = pa.int32() if pa.types.is_date32(column.type) else pa.int64()
    stored = column.combine_chunks().view(wide).to_pylist()
    return [value if value is None else Stored(value) for value in stored]


def _expected(column: pa.ChunkedArray[Any]) -> list[Any]:
    kind: Any = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return _numbers(column)
    values = values_of(column)
    if pa.types.is_floating(kind):
        return [math.nan if value is None else value for value in values]
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid":
        return [None if value is None else str(value) for value in values]
    if str(kind) == "decimal256(39, 0)":
        return [value if value is None or abs(value) >= 2**63 else int(value) for value in values]
    return values


@pytest.mark.parametrize("name", [PG, MY, DUCK])
def test_pandas_has_every_value(results: Results, name: str) -> None:
    result, _ = results(name)
    frame = result.df()
    assert list(frame.columns) == result.table.column_names
    wrong = {}
    for column in frame.columns:
        arrow = result.table.column(column)
        if pa.types.is_time(arrow.type) and arrow.type.unit == "ns":
            assert pa.array(frame[column]).view(pa.int64()).to_pylist() == [
                value and value.number for value in values_of(arrow)
            ]
            continue
        found, expected = _in_pandas(frame[column], arrow.type), _expected(arrow)
        if pa.types.is_interval(arrow.type):
            found, expected = _offsets(found), [None if value is None else tuple(value) for value in expected]
        if not same(found, expected):
            wrong[column] = found, expected
    assert not wrong


def _offsets(found: list[Any]) -> list[Any]:
    """Return pandas' offsets as months, days and nanoseconds."""
    told = []
    for value in found:
        if value is None or pd.isna(value):
            told.append(None)
            continue
        parts = value.kwds
        nanos = parts.get("nanoseconds", 0) + 1000 * parts.get("microseconds", 0)
        nanos += (
            3600 * parts.get("hours", 0) + 60 * parts.get("minutes", 0) + parts.get("seconds", 0)
        ) * 10**9
        told.append((parts.get("months", 0) + 12 * parts.get("years", 0), parts.get("days", 0), nanos))
    return told


def _in_polars(series: pl.Series, kind: pa.DataType) -> list[Any]:
    found = series.to_list() if not series.dtype.is_temporal() else series.to_physical().to_list()
    if series.dtype.is_temporal():
        factor = {"s": 1000, "us": 1}.get(getattr(kind, "unit", ""), 1)
        factor = {"us": 1000, "ns": 1}[kind.unit] if pa.types.is_time(kind) else factor
        return [value if value is None else Stored(value // factor) for value in found]
    if pa.types.is_map(kind):
        return [value if value is None else list(value.items()) for value in found]
    if pa.types.is_interval(kind):
        return [value if value is None else tuple(value.values()) for value in found]
    return found


def _expected_in_polars(column: pa.ChunkedArray[Any]) -> list[Any]:
    kind: Any = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return _numbers(column)
    values = values_of(column)
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid":
        return [None if value is None else str(value) for value in values]
    if pa.types.is_interval(kind):
        return [None if value is None else tuple(value) for value in values]
    return values


def _equal_in_polars(found: Any, expected: Any) -> bool:
    """Whether two values are equal; a decimal may be text or an integer of the same number, a UUID text."""
    if isinstance(expected, UUID):
        return same(found, str(expected))
    if isinstance(expected, Decimal) and not isinstance(found, Decimal):
        return isinstance(found, str | int) and Decimal(found) == expected
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        return len(found) == len(expected) and all(map(_equal_in_polars, found, expected))
    if isinstance(expected, dict) and isinstance(found, dict):
        return list(found) == list(expected) and all(
            _equal_in_polars(found[key], expected[key]) for key in found
        )
    return same(found, expected)


@pytest.mark.parametrize("name", [PG, MY, DUCK])
def test_polars_has_every_value(results: Results, name: str) -> None:
    result, _ = results(name)
    frame = result.polars()
    assert frame.columns == result.table.column_names
    wrong = {}
    for column in frame.columns:
        arrow = result.table.column(column)
        found, expected = _in_polars(frame[column], arrow.type), _expected_in_polars(arrow)
        if not _equal_in_polars(found, expected):
            wrong[column] = str(arrow.type), frame[column].dtype, found, expected
    assert not wrong


@pytest.mark.parametrize("name", [PG, MY, DUCK])
def test_the_browser_and_the_page_show_every_value(results: Results, name: str) -> None:
    result, _ = results(name)
    head = {"id": result.id}
    stream = b"".join(arrow_chunks(head, result.table))
    sent = pa.ipc.open_stream(stream).read_all()
    for one, other in zip(sent.columns, result.table.columns, strict=True):
        assert one.type == other.type
        assert same(values_of(one), values_of(other))
    rows = json.loads(b"".join(json_chunks(head, result.table)))["data"]
    for (column, cell), value, nothing in zip(readable(name).items(), *rows, strict=True):
        assert type(value) is not float or math.isfinite(value), column
        assert nothing is None
        if isinstance(cell.value, int) and abs(cell.value) > 2**53:
            assert value == str(cell.value)
        if isinstance(cell.value, Decimal):
            assert Decimal(value) == cell.value
        if isinstance(cell.value, str | float) and value != "nan":
            assert value == cell.value or float(value) == cell.value, column
        if isinstance(cell.value, dt.date | Stored):
            assert isinstance(value, str), column
    page = result._repr_mimebundle_()
    assert "2 rows" in page["text/plain"]


@pytest.mark.parametrize("name", [PG, MY])
def test_a_value_that_cannot_be_shown_does_not_keep_a_connection_from_being_saved(
    filled: Callable[[str], Database], name: str
) -> None:
    """The test of a connection reads a row of a table; here it may be one that Arrow cannot hold."""
    services = build(Settings())
    try:
        services.connections.create(filled(name).config())
        assert services.connections.get("source").name == "source"
    finally:
        services.close()
