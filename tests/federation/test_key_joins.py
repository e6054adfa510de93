"""A table cut down to the keys of another gives the same answer, by construction and by experiment."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.sql.semijoin import key_joins

TABLES = {
    "a": {"id": "INTEGER", "k": "INTEGER"},
    "b": {"id": "INTEGER", "k": "INTEGER"},
    "c": {"k": "INTEGER"},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a JOIN b ON a.id = b.k", {"a.id=b", "b.k=a"}),
        ("FROM a LEFT JOIN b ON a.id = b.k", {"b.k=a"}),
        ("FROM a LEFT JOIN b ON a.id = b.k WHERE b.k = a.k", {"b.k=a", "a.id=b", "a.k=b"} - {"a.id=b"}),
        ("FROM a RIGHT JOIN b ON a.id = b.k", set()),
        ("FROM a FULL JOIN b ON a.id = b.k", set()),
        ("FROM a ANTI JOIN b ON a.id = b.k", set()),
        ("FROM a ASOF JOIN b ON a.id = b.k AND a.k >= b.id", set()),
        ("FROM a, b WHERE a.id = b.k OR a.k = 1", set()),
        ("FROM a JOIN b ON a.id = b.k FULL JOIN c ON c.k = a.k", set()),
        ("FROM a JOIN b ON a.id = b.k + 1", set()),
        ("FROM a x JOIN a y ON x.id = y.k", set()),
        ("FROM a JOIN (SELECT k FROM b) q ON a.id = q.k", set()),
    ],
)
def test_which_equalities(text: str, found: set[str]) -> None:
    joins = key_joins(f"SELECT count(*) {text}", TABLES)
    assert {f"{one.table}.{one.column}={one.other}" for one in joins} == found


SOURCES = st.sampled_from(["a AS x", "b AS x", "c AS x"])
KINDS = st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN", "CROSS"])
CONDITIONS = st.sampled_from(["{0}.k = {1}.k", "{0}.k = {1}.k AND {1}.k > 1", "{1}.k = {0}.k OR {0}.k = 2"])
WHERE = st.sampled_from(
    ["", "WHERE x.k = y.k", "WHERE z.k = x.k", "WHERE y.k IS NULL", "WHERE x.k = 2 AND y.k = z.k"]
)
SELECTS = st.sampled_from(["count(*), count(x.k), count(y.k)", "x.k", "DISTINCT y.k", "x.k, sum(z.k)"])


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE a AS FROM (VALUES (1, 1), (2, NULL), (NULL, 3), (4, 2), (5, 9)) v(id, k)"
    )
    connection.execute(
        "CREATE TABLE b AS FROM (VALUES (1, 2), (2, 2), (3, NULL), (NULL, 4), (9, 1)) v(id, k)"
    )
    connection.execute("CREATE TABLE c AS FROM (VALUES (2), (3), (NULL), (1)) v(k)")
    connection.execute("CREATE SCHEMA fetched")
    return connection


@settings(max_examples=200, deadline=None)
@given(
    tables=st.permutations(["a", "b", "c"]),
    kinds=st.tuples(KINDS, KINDS),
    conditions=st.tuples(CONDITIONS, CONDITIONS),
    where=WHERE,
    select=SELECTS,
)
def test_the_answer_is_the_same(
    database: duckdb.DuckDBPyConnection,
    tables: list[str],
    kinds: tuple[str, str],
    conditions: tuple[str, str],
    where: str,
    select: str,
) -> None:
    text = f"SELECT {select} FROM {tables[0]} AS x"
    for table, name, kind, condition, left in zip(
        tables[1:], "yz", kinds, conditions, ("x", "y"), strict=True
    ):
        text += (
            f" CROSS JOIN {table} AS {name}"
            if kind == "CROSS"
            else (f" {kind} {table} AS {name} ON {condition.format(left, name)}")
        )
    text += f" {where}" + (" GROUP BY x.k" if "sum" in select else "")
    database.execute("USE main")
    try:
        expected = database.execute(text).fetchall()
    except duckdb.Error:
        return  # a name that a semi join hides
    joins = key_joins(text, TABLES)
    for name in TABLES:
        keys = [
            f"{one.column} IN (SELECT {one.other_column} FROM main.{one.other})"
            for one in joins
            if one.table == name
        ]
        database.execute(
            f"CREATE OR REPLACE TABLE fetched.{name} AS FROM main.{name} WHERE {' AND '.join(keys) or 'true'}"
        )
    database.execute("USE fetched")
    assert sorted(database.execute(text).fetchall(), key=repr) == sorted(expected, key=repr)
