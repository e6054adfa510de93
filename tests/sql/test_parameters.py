"""Parameters are bound, never pasted."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiser_jupyter.errors import AiserError, UndefinedParameter, UsageError
from aiser_jupyter.sql import bind

VALUES = {"x": 1, "y": 2, "n": 3, "s": "o'hara", "xs": [1, 2], "none": [], "table": "my table", "_hidden": 1}


@pytest.fixture
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS FROM (VALUES (1, 'a'), (2, 'b'), (3, 'it''s')) v(id, name)")
    return connection


def run(database: duckdb.DuckDBPyConnection, text: str, **variables: Any) -> list[Any]:
    bound = bind(text, variables)
    return database.execute(bound.text, bound.parameters).fetchall()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT {{ x }}", "SELECT $x"),
        ("SELECT :x", "SELECT $x"),
        ("SELECT :x::int, :y", "SELECT $x::int, $y"),
        ("WHERE a = :x AND b=:y", "WHERE a = $x AND b=$y"),
        ("f(:x, a := :y)", "f($x, a := $y)"),
        ("LIMIT :n OFFSET :x", "LIMIT $n OFFSET $x"),
        ("BETWEEN :x AND :y", "BETWEEN $x AND $y"),
        ("CASE WHEN :x THEN :y ELSE :n END", "CASE WHEN $x THEN $y ELSE $n END"),
        ("a LIKE :s", "a LIKE $s"),
        ("AT TIME ZONE :s", "AT TIME ZONE $s"),
        ("{'a': :x, 'b':y}", "{'a': $x, 'b':y}"),
        ("[:x, :y]", "[$x, $y]"),
        ("ARRAY[:x]", "ARRAY[$x]"),
        ("a ->> :s", "a ->> $s"),
        ("a[{{ x }}]", "a[$x]"),
        ("{{ x }}AND a{{ y }}", "$x AND a $y"),
        ("a IN {{ xs }}", "a IN ($xs_1, $xs_2)"),
        ("a IN :xs", "a IN ($xs_1, $xs_2)"),
        ("a not in ( {{ xs }} )", "a not in ($xs_1, $xs_2)"),
        ("a IN ({{ x }})", "a IN ($x)"),
        ("a IN (:x, :y)", "a IN ($x, $y)"),
        ("a IN {{ none }}", "a IN (SELECT NULL WHERE 1 = 0)"),
        ("a = {{ xs }}", "a = $xs"),
        ("{{ x }} + :x", "$x + $x"),
        ("{{ x }} + $x", "$x_ + $x"),
        ("FROM {{ table | identifier }}", 'FROM "my table"'),
        ("FROM {{table|identifier}} WHERE a = {{x}}", 'FROM "my table" WHERE a = $x'),
    ],
)
def test_text(text: str, expected: str) -> None:
    assert bind(text, VALUES).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a::int",
        "SELECT a[1:x], a[:x], a[x:n], a[b:x], a[f(1):x]",
        "SELECT {'a':x, 'b': y}, MAP {k:x}",
        "SELECT x: 42, y:x",
        "SELECT col:x, t.zone:x, first:x, \"q\":x, col['a']:x, f(1):x FROM t",
        "SELECT '12:30', ':x', '{{ x }} and more', E'\\':x'",
        "SELECT $$ :x {{ x }} $$, $a$ :x $a$",
        "-- :x {{ x }}\nSELECT 1 /* = :x /* {{ y }} */ = :x */",
        'SELECT "a = :x", `= :x`',
        "SELECT $1, ?, $name",
        "SELECT 5:x",
    ],
)
def test_what_is_no_parameter_stays_the_same_object(text: str) -> None:
    bound = bind(text, VALUES)
    assert bound.text is text
    assert bound.parameters == {}


@pytest.mark.parametrize(
    ("text", "error", "part"),
    [
        ("SELECT {{ sss }}", UndefinedParameter, "Known variables"),
        ("SELECT :tabel", UndefinedParameter, "'table'"),
        ("SELECT :hidden", UndefinedParameter, "'hidden'"),
        ("SELECT '{{ x }}'", UsageError, "Remove the quotes"),
        ("SELECT 'a', '{{x}}'", UsageError, "Remove the quotes"),
        ('SELECT * FROM "{{ table }}"', UsageError, "{{ table | identifier }}"),
        ("{% if x %} SELECT 1", UsageError, "templates are not run"),
        ("SELECT {{ x + 1 }}", UsageError, "only a name"),
        ("SELECT {{ x.y }}", UsageError, "only a name"),
        ("SELECT {{ x", UsageError, "template"),
        ("SELECT {{ x | sqlsafe }}", UsageError, "identifier"),
        ("SELECT {{ x | identifier }}", UsageError, "not a name"),
        ("WHERE a IN :x", UsageError, "IN needs a list"),
    ],
)
def test_refused(text: str, error: type[AiserError], part: str) -> None:
    with pytest.raises(error) as caught:
        bind(text, VALUES)
    assert part in str(caught.value)
    assert caught.value.hint
    assert "_hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("style", "text", "expected", "parameters"),
    [
        ("named", "a % 2 = :x", "a % 2 = $x", {"x": 1}),
        ("pyformat", "a % 2 = :x AND b LIKE '%z'", "a %% 2 = %(x)s AND b LIKE '%%z'", {"x": 1}),
        ("pyformat", "a % 2 = 1", "a % 2 = 1", {}),
        ("pyformat", "a % 2 FROM {{ table | identifier }}", 'a % 2 FROM "my table"', {}),
        ("pyformat", "a IN :xs", "a IN (%(xs_1)s, %(xs_2)s)", {"xs_1": 1, "xs_2": 2}),
        ("qmark", ":y, :x, :y", "?, ?, ?", None),
        ("qmark", "(:y, :x, :y) IN :xs", "(?, ?, ?) IN (?, ?)", (2, 1, 2, 1, 2)),
        ("qmark", "SELECT ?", "SELECT ?", ()),
    ],
)
def test_paramstyle(style: str, text: str, expected: str, parameters: Any) -> None:
    if parameters is None:
        text, expected, parameters = f"SELECT {text}", f"SELECT {expected}", (2, 1, 2)
    bound = bind(text, VALUES, dialect="postgres", paramstyle=style)
    assert (bound.text, bound.parameters) == (expected, parameters)


def test_question_marks_cannot_be_mixed_with_names() -> None:
    with pytest.raises(UsageError, match=r"mixes \?"):
        bind("SELECT ?, :x", VALUES, paramstyle="qmark")


@pytest.mark.parametrize(
    ("dialect", "value", "quoted"),
    [
        ("duckdb", 'a"b', '"a""b"'),
        ("duckdb", ["s", "t"], '"s"."t"'),
        ("postgres", "a.b", '"a.b"'),
        ("mysql", "a`b", "`a``b`"),
        ("bigquery", ["p-1", "d", "t"], "`p-1`.`d`.`t`"),
        ("databricks", "x; drop table t", "`x; drop table t`"),
        ("spark", ("a", "b"), "`a`.`b`"),
    ],
)
def test_identifier(dialect: str, value: Any, quoted: str) -> None:
    assert bind("FROM {{ t | identifier }}", {"t": value}, dialect=dialect).text == f"FROM {quoted}"


@pytest.mark.parametrize("value", ["", "a\0b", [], ["a", 1], None, 5, {"a": 1}])
def test_not_an_identifier(value: Any) -> None:
    with pytest.raises(UsageError, match="not a name"):
        bind("FROM {{ t | identifier }}", {"t": value})


@pytest.mark.parametrize("value", ["a`b", "a\\", ["d", "t` WHERE false -- "]])
def test_bigquery_has_no_way_to_write_such_an_identifier(value: Any) -> None:
    """It reads a backslash as the beginning of an escape, and two backticks as an end and a beginning."""
    with pytest.raises(UsageError, match="no backtick and no backslash"):
        bind("FROM {{ t | identifier }}", {"t": value}, dialect="bigquery")


def test_items_never_take_the_name_of_another_parameter() -> None:
    bound = bind("a IN :xs AND b = :xs_1 AND c = $xs_2", {"xs": [1, 2], "xs_1": "b"})
    assert bound.text == "a IN ($xs_1_, $xs_2_) AND b = $xs_1 AND c = $xs_2"
    assert bound.parameters == {"xs_1_": 1, "xs_2_": 2, "xs_1": "b"}


def test_names_that_differ_in_case_are_told_apart(database: duckdb.DuckDBPyConnection) -> None:
    assert run(database, "SELECT :x, :X, :x", x=1, X=2) == [(1, 2, 1)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(5), 5),
        (np.datetime64("2024-02-03T04:05:06.5", "ns"), dt.datetime(2024, 2, 3, 4, 5, 6, 500000)),
        (np.datetime64("2024-02-03"), dt.date(2024, 2, 3)),
        (np.datetime64("NaT", "s"), None),
        (pd.Timestamp("2024-02-03 04:05"), dt.datetime(2024, 2, 3, 4, 5)),
        (pd.Timedelta("1s"), dt.timedelta(seconds=1)),
        (pd.NaT, None),
        (pd.NA, None),
        (pa.scalar(3), 3),
        (bytearray(b"a"), b"a"),
    ],
)
def test_values_become_python(value: Any, expected: Any) -> None:
    found = bind("SELECT :v", {"v": value}).parameters
    assert found == {"v": expected}
    assert isinstance(found, dict)
    assert type(found["v"]) is type(expected)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1, 1.5, "a", b"a", Decimal("1.10"), uuid.UUID(int=5), {"a": [1]}),
        *(dt.date(2024, 1, 2), dt.time(3, 4), dt.datetime(2024, 1, 2, 3, 4)),
    ],
)
def test_values_stay(value: Any) -> None:
    assert bind("SELECT :v", {"v": value}).parameters == {"v": value}


@pytest.mark.parametrize(
    "values",
    [
        [1, 3],
        (1, 3),
        {1, 3},
        range(1, 4, 2),
        np.array([1, 3]),
        pd.Series([1, 3]),
        pd.Index([1, 3]),
        pl.Series([1, 3]),
        pa.array([1, 3]),
        pa.chunked_array([[1], [3]]),
    ],
)
def test_lists_after_in(database: duckdb.DuckDBPyConnection, values: Any) -> None:
    assert run(database, "SELECT id FROM t WHERE id IN {{ xs }} ORDER BY id", xs=values) == [(1,), (3,)]


def test_times_in_an_array_are_not_nanoseconds() -> None:
    found = bind("a IN :v", {"v": np.array(["2024-01-02"], dtype="datetime64[ns]")}).parameters
    assert found == {"v_1": dt.datetime(2024, 1, 2)}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (pd.DataFrame({"a": [1]}), "named in FROM"),
        (pl.DataFrame({"a": [1]}), "named in FROM"),
        (pa.table({"a": [1]}), "named in FROM"),
        (object(), "cannot be bound"),
        (len, "cannot be bound"),
        (pd.Timestamp(1), "nanoseconds"),
        (np.datetime64(1, "ns"), "nanoseconds"),
        (pd.Period("2024"), "cannot be bound"),
        ([object()], "cannot be bound"),
    ],
)
def test_values_refused(value: Any, part: str) -> None:
    for text in ("SELECT {{ v }}", "a IN {{ v }}"):
        with pytest.raises(UsageError, match=part):
            bind(text, {"v": value})


def test_list_outside_in() -> None:
    assert bind("SELECT :v", {"v": (1, 2)}).parameters == {"v": [1, 2]}
    with pytest.raises(UsageError, match="only after IN"):
        bind("SELECT :v", {"v": [1]}, dialect="mysql", paramstyle="pyformat")


@pytest.mark.parametrize("column", ["id", "name"])
@pytest.mark.parametrize("written", ["{{ xs }}", ":xs", "({{ xs }})", "( :xs )"])
def test_empty_list(database: duckdb.DuckDBPyConnection, column: str, written: str) -> None:
    assert run(database, f"SELECT id FROM t WHERE {column} IN {written}", xs=[]) == []
    assert len(run(database, f"SELECT id FROM t WHERE {column} NOT IN {written}", xs=[])) == 3


def test_empty_list_of_other_dialects() -> None:
    postgres = bind(
        "a IN {{ v }} OR b NOT IN ({{ v }})", {"v": []}, dialect="postgres", paramstyle="pyformat"
    )
    assert postgres.text == "a = ANY ('{}') OR b <> ALL ('{}')"
    assert "FROM DUAL" in bind("a IN :v", {"v": []}, dialect="mysql").text
    assert bind("a IN (:v)", {"v": []}, dialect="bigquery").text == "a IN UNNEST([])"


@pytest.mark.parametrize(
    ("text", "variables", "rows"),
    [
        ("SELECT id FROM t WHERE name IN {{ xs }} ORDER BY 1", {"xs": ["a", "it's"]}, [(1,), (3,)]),
        ("SELECT name FROM t WHERE id = :x", {"x": np.int32(2)}, [("b",)]),
        ("FROM t SELECT id LIMIT :n", {"n": 1}, [(1,)]),
        ("SELECT {{ d }}::DATE + 1", {"d": "2024-01-01"}, [(dt.date(2024, 1, 2),)]),
        ("SELECT [10, 20, 30][{{ a }}:{{ b }}]", {"a": 2, "b": 3}, [([20, 30],)]),
        ("SELECT {'k': :x}.k", {"x": 5}, [(5,)]),
        ("SELECT list_contains({{ xs }}, 2)", {"xs": [1, 2]}, [(True,)]),
        ("SELECT {{ c | identifier }} FROM t LIMIT 1", {"c": "id"}, [(1,)]),
        ("SELECT count(*) FROM t WHERE name = {{ s }}", {"s": "x'; drop table t; --"}, [(0,)]),
    ],
)
def test_runs(
    database: duckdb.DuckDBPyConnection, text: str, variables: dict[str, Any], rows: list[Any]
) -> None:
    assert run(database, text, **variables) == rows


TEXT = st.text(alphabet=st.sampled_from(list("ab1 '\"`$;:(){}[],.-/*\\#%?|\nx")), max_size=50)


@given(TEXT, st.sampled_from(["duckdb", "postgres", "mysql", "bigquery", "snowflake"]))
def test_any_text_is_bound_or_refused_with_a_typed_error(text: str, dialect: str) -> None:
    try:
        bound = bind(text, {"a": 1, "b": 2, "x": [1]}, dialect=dialect)
    except AiserError:
        return
    if not bound.parameters:
        assume("identifier" not in text)
        assert bound.text is text


@given(st.text(min_size=4), st.sampled_from(["named", "pyformat", "qmark"]))
def test_a_value_is_never_in_the_text(value: str, style: str) -> None:
    value = "1; drop table t '" + value
    text = "SELECT {{ v }}, :v FROM u WHERE a IN {{ vs }}"
    bound = bind(text, {"v": value, "vs": [value]}, dialect="postgres", paramstyle=style)
    assert value not in bound.text
    assert "drop" not in bound.text
    values = bound.parameters if isinstance(bound.parameters, tuple) else bound.parameters.values()
    assert set(values) == {value}


@given(st.text(min_size=1).filter(lambda name: "\0" not in name))
def test_an_identifier_cannot_leave_its_quotes(name: str) -> None:
    text = bind("FROM {{ t | identifier }}", {"t": name}).text
    inner = text.removeprefix('FROM "').removesuffix('"')
    assert inner.replace('""', "").count('"') == 0
