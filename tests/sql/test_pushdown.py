"""What is fetched is enough: the query over it answers as over the whole tables."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.sql import Scan, pushdown

SCHEMA = {
    "t": {
        "id": "INTEGER",
        "Name": "VARCHAR(20)",
        "day": "DATE",
        "at": "TIMESTAMP WITH TIME ZONE",
        "n": "DECIMAL(9,2)",
    },
    "u": {"id": "BIGINT", "t_id": "INTEGER", "label": "TEXT", "ok": "BOOLEAN"},
    "s.w": {"id": "INTEGER", "v": "DOUBLE"},
}


def scan(text: str, table: str = "t", dialect: str = "duckdb") -> Scan:
    return pushdown(text, SCHEMA, dialect)[table]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT id FROM t", ("id",)),
        ("SELECT * FROM t", ("id", "Name", "day", "at", "n")),
        ("SELECT name FROM t WHERE n > 1 ORDER BY day", ("Name", "day", "n")),
        ("SELECT count(*) FROM t", ()),
        ("SELECT x.id FROM t AS x JOIN u ON x.n = u.id", ("id", "n")),
        ("SELECT id AS k FROM t GROUP BY k HAVING max(n) > 1 ORDER BY k", ("id", "n")),
        ("SELECT (SELECT max(label) FROM u WHERE u.t_id = t.id) FROM t", ("id",)),
        ("WITH q AS (SELECT id, day FROM t) SELECT id FROM q", ("id", "day")),
        ("SELECT id FROM t WHERE id IN (SELECT id FROM t WHERE n > 1)", ("id", "n")),
        ("SELECT sum(n) OVER (PARTITION BY day) FROM t", ("day", "n")),
        ("SELECT * EXCLUDE (at, n) FROM t", None),
        ("SELECT t.id FROM t JOIN u USING (id)", ("id",)),
        ("SELECT COLUMNS('i.*') FROM t", None),
        ("SELECT COLUMNS(*) FROM t", None),
        ("PIVOT t ON day USING sum(n)", None),
        ("SELECT nonsense FROM t", None),
        ("SELECT id AS n FROM t WHERE n > 1", ("id", "n")),
        ("SELECT rowid FROM t", None),
        ("SELECT * FROM t NATURAL JOIN u", None),
        ("SELECT t.id FROM t JOIN unknown ON true", None),
        ("SELECT t FROM t", None),
        ("SELECT id FROM t TABLESAMPLE 10%", None),
    ],
)
def test_columns(text: str, columns: tuple[str, ...] | None) -> None:
    assert scan(text).columns == columns


@pytest.mark.parametrize(
    ("where", "filters"),
    [
        ("id = 1", ('"id" = 1',)),
        ("id > 1 AND n <= -2.5", ('"id" > 1', '"n" <= -2.5')),
        ("5 < id", ('5 < "id"',)),
        ("id = $x AND name = {y}", None),
        ("id = $x", ('"id" = $x',)),
        ("id IN (1, 2) AND id NOT IN (3)", ('"id" IN (1, 2)', 'NOT "id" IN (3)')),
        ("n BETWEEN 1 AND 2", ('"n" BETWEEN 1 AND 2',)),
        ("name = 'a' AND name IN ('b', $x)", ("\"Name\" = 'a'", "\"Name\" IN ('b', $x)")),
        ("name IS NULL AND at IS NOT NULL", ('"Name" IS NULL', 'NOT "at" IS NULL')),
        (
            "day >= '2024-01-01' AND day < DATE '2025-01-01'",
            ("\"day\" >= '2024-01-01'", "\"day\" < CAST('2025-01-01' AS DATE)"),
        ),
        ("name <> 'a'", ()),
        ("name > 'a'", ()),
        ("name NOT IN ('a')", ()),
        ("name LIKE 'a%'", ()),
        ("name BETWEEN 'a' AND 'b'", ()),
        ("NOT name = 'a'", ()),
        ("at > '2024-01-01'", ()),
        ("day > '01/02/2024'", ()),
        ("id = '1'", ()),
        ("name = 1", ()),
        ("id = 1 OR id = 2", ()),
        ("id + 1 = 2", ()),
        ("id = n", ()),
        ("id = random()", ()),
        ("id IN (SELECT 1)", ()),
        ("id = ANY ([1])", ()),
        ("lower(name) = 'a'", ()),
        ("(id = 1 OR id = 2) AND n = 3", ('"n" = 3',)),
    ],
)
def test_filters(where: str, filters: tuple[str, ...] | None) -> None:
    if filters is None:  # not SQL
        assert pushdown(f"SELECT id FROM t WHERE {where}", SCHEMA) in ({}, {"t": Scan(scan("FROM t").table)})
    else:
        assert scan(f"SELECT id FROM t WHERE {where}").filters == filters


@pytest.mark.parametrize(
    ("text", "t", "u"),
    [
        ("FROM t JOIN u ON t.id = u.t_id WHERE t.id = 1 AND u.id = 2", 1, 1),
        ("FROM t, u WHERE t.id = 1 AND u.id = 2 AND t.id = u.id", 1, 1),
        ("FROM t LEFT JOIN u ON t.id = u.t_id WHERE t.id = 1 AND u.id IS NULL", 1, 0),
        ("FROM t JOIN u ON t.id = u.t_id AND t.id = 1 AND u.id = 2", 1, 1),
        ("FROM t LEFT JOIN u ON t.id = u.t_id AND t.id = 1 AND u.id = 2", 0, 1),
        ("FROM t RIGHT JOIN u ON t.id = u.t_id AND t.id = 1 AND u.id = 2", 0, 0),
        ("FROM t FULL JOIN u ON t.id = u.t_id AND t.id = 1 AND u.id = 2", 0, 0),
        ("FROM t ANTI JOIN u ON t.id = u.t_id AND t.id = 1 AND u.id = 2", 0, 0),
        ("FROM t LEFT JOIN u ON u.id = 2 RIGHT JOIN s.w ON w.id = t.id AND w.id = 1", 0, 1),
        ("FROM t RIGHT JOIN u ON t.id = u.t_id WHERE t.id IS NULL AND u.id = 2", 0, 1),
        ("FROM t FULL JOIN u ON t.id = u.t_id WHERE t.id = 1 AND u.id = 2", 0, 0),
        ("FROM t ASOF JOIN u ON t.id >= u.t_id WHERE t.id = 1 AND u.id = 2", 1, 0),
        ("FROM t POSITIONAL JOIN u WHERE t.id = 1 AND u.id = 2", 0, 0),
        ("FROM (SELECT * FROM t WHERE id = 1) AS q JOIN u ON true WHERE u.id = 2", 1, 1),
        ("FROM (t JOIN u ON t.id = u.t_id) WHERE t.id = 1", 0, 0),
        ("FROM u LEFT JOIN (SELECT * FROM t WHERE id = 1) AS q ON true", 1, 0),
    ],
)
def test_filters_and_joins(text: str, t: int, u: int) -> None:
    found = pushdown(f"SELECT count(*) {text}", SCHEMA)
    assert (len(found["t"].filters), len(found["u"].filters)) == (t, u)


def test_a_table_that_occurs_twice_has_the_columns_of_both_and_no_filter() -> None:
    found = scan("SELECT a.id FROM t AS a JOIN t AS b ON a.id = b.id WHERE a.n = 1 AND b.day = '2024-01-01'")
    assert found.columns == ("id", "day", "n")
    assert found.filters == ()


def test_names_of_several_parts_and_other_dialects() -> None:
    found = pushdown("SELECT w.v FROM s.w WHERE w.id = 1", SCHEMA)
    assert (found["s.w"].columns, found["s.w"].filters) == (("id", "v"), ('"id" = 1',))
    assert scan("SELECT `id` FROM `t` WHERE `id` > 1", dialect="mysql").filters == ("`id` > 1",)


def test_what_does_not_parse_gives_nothing() -> None:
    assert pushdown("SELECT FROM WHERE", SCHEMA) == {}
    assert pushdown("SELECT " + "f(" * 100 + "id" + ")" * 100 + " FROM t", SCHEMA) == {}


CONDITIONS = st.lists(
    st.sampled_from(
        [
            *("{0}.id = 1", "{0}.id > 1", "{0}.id IS NULL", "{0}.id NOT IN (2)", "{0}.name = 'a'"),
            *("{0}.name IS NOT NULL", "{1}.id < 3", "{1}.k = 1", "{1}.k IS NULL", "NOT {1}.k = 2"),
            *("{0}.id + {1}.k > 2", "({1}.id = 1 OR {0}.id = 2)", "k = 1", "{0}.id IN (SELECT k FROM b)"),
        ]
    ),
    max_size=3,
)
JOINS = st.sampled_from(
    [
        *("JOIN b AS y ON x.id = y.k", "LEFT JOIN b AS y ON x.id = y.k", "RIGHT JOIN b AS y ON x.id = y.k"),
        *(f"{kind} JOIN b AS y ON x.id = y.k AND x.id > 1 AND y.id < 3" for kind in ("", "LEFT", "FULL")),
        *("FULL JOIN b AS y ON x.id = y.k", ", b AS y", "ASOF JOIN b AS y ON x.id >= y.k"),
        *("JOIN a AS y ON x.id = y.k", "JOIN b AS y USING (id)", "SEMI JOIN b AS y ON x.id = y.k"),
        *("JOIN (SELECT * FROM b WHERE k > 1) AS y ON true", "POSITIONAL JOIN b AS y"),
    ]
)
SELECTS = st.sampled_from(
    ["count(*)", "*", "x.name, y.id", "sum(y.k), max(x.id)", "x.id AS k", "x.name AS id"]
)
TABLES = {"a": {"id": "INTEGER", "k": "INTEGER", "name": "VARCHAR"}, "b": {"id": "INTEGER", "k": "INTEGER"}}


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE a AS FROM (VALUES (1, 1, 'a'), (2, NULL, 'b'), (NULL, 3, NULL)) v(id, k, name)"
    )
    connection.execute("CREATE TABLE b AS FROM (VALUES (1, 1), (2, 2), (3, NULL), (NULL, 4)) v(id, k)")
    connection.execute("CREATE SCHEMA fetched")
    return connection


@settings(max_examples=150, deadline=None)
@given(join=JOINS, conditions=CONDITIONS, select=SELECTS)
def test_the_answer_over_what_is_fetched_is_the_same(
    database: duckdb.DuckDBPyConnection, join: str, conditions: list[str], select: str
) -> None:
    where = " AND ".join(condition.format("x", "y") for condition in conditions)
    text = f"SELECT {select} FROM a AS x {join}" + (f" WHERE {where}" if where else "")
    database.execute("USE main")
    try:
        expected = database.execute(text).fetchall()
    except duckdb.Error:
        return  # a name that is ambiguous, or that a semi join hides
    for name, found in pushdown(text, TABLES).items():
        columns = "*" if found.columns is None else ", ".join(found.columns) or "NULL AS nothing"
        condition = " AND ".join(found.filters) or "true"
        source = f"SELECT {columns} FROM main.{name} WHERE {condition}"
        database.execute(f"CREATE OR REPLACE TABLE fetched.{name} AS {source}")
    database.execute("USE fetched")
    assert sorted(database.execute(text).fetchall(), key=repr) == sorted(expected, key=repr)
