"""Frames: what every Arrow type becomes in pandas and in Polars."""

from __future__ import annotations

import datetime as dt
import decimal
import subprocess
import sys
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import DataError
from aiser_jupyter.frames import to_pandas, to_polars, unique_names

D = decimal.Decimal
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
FIRST = dt.datetime(1, 1, 1)
LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999999)


def extension(kind: pa.DataType, values: list[object]) -> pa.Array:
    return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))


def every_type() -> pa.Table:
    """Two values and a NULL of every type, the extremes where there are any."""
    return pa.table({**numbers(), **times(), **texts_and_trees()})


def numbers() -> dict[str, pa.Array]:
    return {
        **{
            f"i{bits}": pa.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, None], f"int{bits}")
            for bits in (8, 16, 32, 64)
        },
        **{f"u{bits}": pa.array([0, 2**bits - 1, None], f"uint{bits}") for bits in (8, 16, 32, 64)},
        "whole": pa.array([2**53 + 1, -1, 0]),
        "flag": pa.array([True, False, None]),
        "sure": pa.array([True, False, True]),
        "f16": pa.array([0.5, 1.5, None], pa.float16()),
        "f32": pa.array([0.1, float("nan"), None], pa.float32()),
        "f64": pa.array([0.1, float("inf"), None]),
        "d64": pa.array([D("1.50"), D("-0.01"), None], pa.decimal64(10, 2)),
        "d128": pa.array([D("9" * 28 + "." + "9" * 10), D("0"), None], pa.decimal128(38, 10)),
        "d256": pa.array([D("9" * 70 + ".25"), D("-1.50"), None], pa.decimal256(76, 2)),
    }


def times() -> dict[str, pa.Array]:
    zoned = dt.datetime(2024, 3, 31, 1, 0, tzinfo=dt.UTC)
    return {
        "date32": pa.array([FIRST.date(), LAST.date(), None], pa.date32()),
        "date64": pa.array([FIRST.date(), LAST.date(), None], pa.date64()),
        "ts_s": pa.array([FIRST, LAST.replace(microsecond=0), None], pa.timestamp("s")),
        "ts_ms": pa.array([FIRST, LAST.replace(microsecond=999000), None], pa.timestamp("ms")),
        "ts_us": pa.array([FIRST, LAST, None], pa.timestamp("us")),
        "ts_ns": pa.array([1, -(2**62), None], pa.timestamp("ns")),
        "ts_utc": pa.array([zoned, LAST.replace(tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
        "ts_zone": pa.array([zoned, zoned, None], pa.timestamp("us", "Europe/Berlin")),
        "ts_offset": pa.array([zoned, zoned, None], pa.timestamp("ms", "+05:30")),
        "t_s": pa.array([dt.time(0), dt.time(23, 59, 59), None], pa.time32("s")),
        "t_us": pa.array([dt.time(0), dt.time(23, 59, 59, 999999), None], pa.time64("us")),
        "t_ns": pa.array([1, 2, None], pa.time64("ns")),
        "t_24h": pa.array([86_400_000_000, 0, None], pa.time64("us")),
        "span": pa.array([dt.timedelta(days=-3, microseconds=1), dt.timedelta(0), None]),
        "interval": pa.array([(14, 3, 10**9 + 1), (0, 0, 0), None], pa.month_day_nano_interval()),
    }


def texts_and_trees() -> dict[str, pa.Array]:
    return {
        "text": pa.array(["", "ü\U0001f600", None]),
        "long_text": pa.array(["", "b", None], pa.large_string()),
        "view": pa.array(["", "b", None], pa.string_view()),
        "bytes": pa.array([b"", b"\x00\xff", None]),
        "fixed": pa.array([b"ab", b"cd", None], pa.binary(2)),
        "uuid": extension(pa.uuid(), [UUID.bytes, b"\0" * 16, None]),
        "json": extension(pa.json_(), ['{"n": 9007199254740993}', "null", None]),
        "bool8": extension(pa.bool8(), [1, 0, None]),
        "enum": pa.array(["b", "a", None]).dictionary_encode(),
        "runs": pa.RunEndEncodedArray.from_arrays([2, 3], ["x", None]),
        "list": pa.array([[2**53 + 1, None], [], None]),
        "list_view": pa.array([[1], [], None], pa.list_view(pa.int64())),
        "pair": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int16(), 2)),
        "struct": pa.array([{"a": 1, "b": None}, {"a": None, "b": "x"}, None]),
        "map": pa.array([[("k", 2**53 + 1)], [], None], pa.map_(pa.string(), pa.int64())),
        "nothing": pa.nulls(3),
    }


PANDAS_DTYPES = {
    **{f"i{bits}": f"Int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"UInt{bits}" for bits in (8, 16, 32, 64)},
    "whole": "int64",
    "flag": "boolean",
    "sure": "bool",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "d64": "decimal64(10, 2)[pyarrow]",
    "d128": "decimal128(38, 10)[pyarrow]",
    "d256": "decimal256(76, 2)[pyarrow]",
    "date32": "datetime64[s]",
    "date64": "datetime64[s]",
    "ts_s": "datetime64[s]",
    "ts_ms": "datetime64[ms]",
    "ts_us": "datetime64[us]",
    "ts_ns": "datetime64[ns]",
    "ts_utc": "datetime64[us, UTC]",
    "ts_zone": "datetime64[us, Europe/Berlin]",
    "ts_offset": "datetime64[ms, UTC+05:30]",
    "t_s": "object",
    "t_us": "object",
    "t_ns": "time64[ns][pyarrow]",
    "t_24h": "time64[us][pyarrow]",
    "span": "timedelta64[us]",
    "interval": "object",
    "bytes": "object",
    "fixed": "object",
    "bool8": "boolean",
    "enum": "category",
    "list": "object",
    "list_view": "object",
    "pair": "object",
    "struct": "object",
    "map": "object",
    "nothing": "object",
}
TEXT = ("text", "long_text", "view", "uuid", "json", "runs")


def test_every_type_has_its_pandas_dtype() -> None:
    frame = to_pandas(every_type())
    text = str(pd.Series(["a"]).dtype)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        **PANDAS_DTYPES,
        **dict.fromkeys(TEXT, text),
    }


@pytest.mark.parametrize("name", sorted({*PANDAS_DTYPES, *TEXT} - {"interval", "f32", "ts_offset"}))
def test_pandas_keeps_every_value_and_every_null(name: str) -> None:
    column = every_type()[name]
    series = to_pandas(pa.table({name: column}))[name]
    expected = every_type().column(name)
    assert series.isna().tolist() == [value is None for value in expected.to_pylist()]
    for got, scalar in zip(series, expected, strict=True):
        if not scalar.is_valid:
            continue
        if name in ("date32", "date64"):
            assert got == pd.Timestamp(scalar.as_py()).as_unit("s")
        elif name in ("t_ns", "t_24h"):
            continue  # compared as Arrow below: Python has no such time
        elif name == "uuid":
            assert got == str(scalar.as_py())
        else:
            assert got == scalar.as_py()
    if name in ("t_ns", "t_24h", "d64", "d128", "d256"):
        assert pa.chunked_array(series.array.__arrow_array__()).equals(expected)


def test_pandas_timestamps_keep_the_instant_and_the_zone() -> None:
    frame = to_pandas(every_type())
    assert frame["ts_zone"].iloc[0].isoformat() == "2024-03-31T03:00:00+02:00"
    assert frame["ts_offset"].iloc[0].isoformat() == "2024-03-31T06:30:00+05:30"
    assert frame["ts_us"].iloc[1] == pd.Timestamp(LAST)
    assert frame["ts_ns"].iloc[0].value == 1


def test_pandas_interval_and_float32() -> None:
    frame = to_pandas(every_type())
    assert frame["interval"].iloc[0] == pd.DateOffset(months=14, days=3, nanoseconds=10**9 + 1)
    assert frame["f32"].iloc[0] == np.float32(0.1)


def test_uint64_past_the_signed_range_stays_exact() -> None:
    frame = to_pandas(pa.table({"n": pa.array([2**63, 2**64 - 1, None], pa.uint64())}))
    assert frame["n"].tolist()[:2] == [2**63, 2**64 - 1]
    assert frame["n"][2] is pd.NA


@pytest.mark.parametrize("rows", [0, 2])
def test_dtypes_do_not_depend_on_rows_except_for_nulls(rows: int) -> None:
    whole = every_type().slice(0, rows)
    frame = to_pandas(whole)
    assert len(frame) == rows
    assert frame["i64"].dtype == "int64"
    assert frame["flag"].dtype == "bool"
    assert frame["d128"].dtype == pd.ArrowDtype(pa.decimal128(38, 10))
    assert frame["date32"].dtype == "datetime64[s]"
    assert frame["ts_zone"].dtype == "datetime64[us, Europe/Berlin]"


def test_all_null_columns_keep_their_type() -> None:
    nulls = every_type().slice(2, 1).drop_columns(["whole", "sure"])
    frame = to_pandas(nulls)
    assert frame.isna().all().all()
    assert frame["i8"].dtype == "Int8"
    assert frame["u64"].dtype == "UInt64"
    assert to_polars(nulls).null_count().sum_horizontal()[0] == nulls.num_columns


def test_no_columns_keeps_the_row_count() -> None:
    assert to_pandas(pa.table({})).shape == (0, 0)
    assert to_polars(pa.table({})).shape == (0, 0)
    assert to_pandas(pa.table({"a": [1, 2]}).select([])).shape == (2, 0)


def test_changing_the_dataframe_does_not_change_the_table() -> None:
    table = pa.table(
        {"n": [1, 2], "x": [0.5, 1.5], "t": pa.array([0, 1], pa.timestamp("us", "UTC")), "b": [True, False]}
    )
    frame = to_pandas(table)
    frame.loc[0, "n"] = 99
    frame.loc[0, "x"] = 9.5
    frame.loc[0, "t"] = frame.loc[1, "t"]
    frame["n"] += 1
    frame.iloc[1, 3] = True
    assert frame["n"].tolist() == [100, 3]
    assert table["n"].to_pylist() == [1, 2]
    assert table["x"].to_pylist() == [0.5, 1.5]
    assert frame["n"].to_numpy(copy=False) is not None
    assert table["t"].cast("int64").to_pylist() == [0, 1]


def test_repeated_names_are_numbered() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], ["a", "a", "a_1"])
    assert list(to_pandas(table).columns) == ["a", "a_2", "a_1"]
    assert to_pandas(table).iloc[0].tolist() == [1, 2, 3]
    assert to_polars(table).columns == ["a", "a_2", "a_1"]


@given(st.lists(st.sampled_from(["a", "a_1", "a_2", "a_1_1", "b", ""])))
@settings(max_examples=200, deadline=None)
def test_unique_names_are_unique_and_first_ones_stay(names: list[str]) -> None:
    unique = unique_names(names)
    assert len(set(unique)) == len(names)
    firsts = [(n, u) for i, (n, u) in enumerate(zip(names, unique, strict=True)) if n not in names[:i]]
    assert all(n == u for n, u in firsts)


def test_what_pandas_cannot_hold_is_a_typed_error() -> None:
    far = pa.array([[2**31 - 1]], pa.list_(pa.date32()))
    with pytest.raises(DataError, match="'days'") as caught:
        to_pandas(pa.table({"days": far}))
    assert ".arrow()" in caught.value.hint
    nowhere = pa.array([0], pa.timestamp("us", "Nowhere/Land"))
    with pytest.raises(DataError, match="'t'"):
        to_pandas(pa.table({"t": nowhere}))


def test_polars_keeps_every_value_and_every_null() -> None:
    table = every_type()
    frame = to_polars(table)
    assert frame.columns == table.column_names
    differs = {"f32", "uuid", "interval", "t_ns", "t_24h", "ts_ns", "map", "date64", "d256", "nothing"}
    for name in set(table.column_names) - differs:
        assert frame[name].to_list() == table[name].to_pylist(), name
    assert frame["uuid"].to_list() == [str(UUID), str(uuid.UUID(int=0)), None]
    assert frame["json"].dtype == pl.String
    assert frame["bool8"].dtype == pl.Boolean
    assert frame["interval"].to_list()[0] == {"months": 14, "days": 3, "nanoseconds": 10**9 + 1}
    assert frame["interval"].to_list()[2] is None
    assert frame["d256"].to_list() == ["9" * 70 + ".25", "-1.50", None]
    assert frame["ts_ns"].cast(pl.Int64).to_list() == [1, -(2**62), None]
    assert frame["date64"].dt.date().to_list() == table["date64"].to_pylist()


def test_polars_narrow_decimal256_stays_a_decimal() -> None:
    frame = to_polars(pa.table({"d": pa.array([D("1.50"), None], pa.decimal256(76, 2))}))
    assert frame["d"].dtype == pl.Decimal(38, 2)
    assert frame["d"].to_list() == [D("1.50"), None]


def test_what_polars_cannot_hold_is_a_typed_error() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    with pytest.raises(DataError, match="'u'"):
        to_polars(pa.table({"u": union}))
    assert to_pandas(pa.table({"u": union}))["u"].tolist() == [1, "b"]


def test_without_polars_the_error_says_what_to_install() -> None:
    code = (
        "import sys, pyarrow as pa\n"
        "sys.modules['polars'] = None\n"
        "from aiser_jupyter.frames import to_polars\n"
        "from aiser_jupyter.errors import UsageError\n"
        "try: to_polars(pa.table({'a': [1]}))\n"
        "except UsageError as exc: print(exc.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pip install polars"


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], "int64"),
        ([1, None], "Int64"),
        ([-(2**63), 2**63 - 1], "int64"),
        ([2**63, 1], "decimal256(39, 0)"),
    ],
)
def test_a_128_bit_integer_is_an_integer_where_it_fits(values, dtype):
    column = pa.array([None if v is None else decimal.Decimal(v) for v in values], pa.decimal256(39, 0))
    frame = to_pandas(pa.table({"n": column}))
    assert str(frame["n"].dtype).lower().startswith(dtype.lower())
    assert [None if pd.isna(v) else int(v) for v in frame["n"]] == values


def test_dates_of_several_batches_stand_where_they_stood() -> None:
    days = [dt.date(1, 1, 1), None, dt.date(2024, 2, 29), None, None, dt.date(9999, 12, 31)]
    for kind in (pa.date32(), pa.date64()):
        whole = pa.array([None, *days], kind)
        column = pa.chunked_array([whole.slice(1, 1), whole.slice(2, 0), whole.slice(2, 2), whole.slice(4)])
        series = to_pandas(pa.table({"day": column}))["day"]
        assert str(series.dtype) == "datetime64[s]"
        assert [None if pd.isna(day) else day.date() for day in series] == days
        series.iloc[0] = pd.Timestamp("2000-01-01")
        assert column[0].as_py() == days[0]
    assert to_pandas(pa.table({"day": pa.chunked_array([], pa.date32())})).dtypes["day"] == "datetime64[s]"


def test_text_keeps_its_missing_values_and_is_the_readers_own() -> None:
    column = pa.chunked_array([pa.array(["x", "ä", None, ""]).slice(1), pa.array(["end"])])
    frame = to_pandas(pa.table({"text": column}))
    assert [None if pd.isna(text) else text for text in frame["text"]] == ["ä", None, "", "end"]
    frame.loc[0, "text"] = "changed"
    assert column[0].as_py() == "ä"
