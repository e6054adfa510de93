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
        ("FROM a SEMI JOIN b ON a.id = b.k", {"a.id=b", "b.k=a"}),
        ("FROM a WHERE id IN (SELECT k FROM b WHERE b.id > 1)", {"a.id=b", "b.k=a"}),
        ("FROM a WHERE (a.k > 1 AND (id IN (FROM c)))", {"a.id=c", "c.k=a"}),
        ("FROM a WHERE id = ANY (SELECT DISTINCT k FROM b)", {"a.id=b", "b.k=a"}),
        ("FROM a WHERE id IN (SELECT k FROM b LIMIT 1)", {"a.id=b"}),
        ("FROM a WHERE id IN (SELECT k FROM b GROUP BY k HAVING count(*) > 1)", {"a.id=b"}),
        ("FROM a WHERE id IN (SELECT b.k FROM b RIGHT JOIN c ON c.k < b.id)", {"a.id=b"}),
        ("FROM a WHERE id IN (SELECT DISTINCT ON (id) k FROM b)", {"a.id=b"}),
        ("FROM a WHERE id NOT IN (SELECT k FROM b)", set()),
        ("FROM a WHERE NOT (id IN (SELECT k FROM b))", set()),
        ("FROM a WHERE (id IN (SELECT k FROM b)) IS NOT TRUE", set()),
        ("FROM a WHERE id IN (SELECT k FROM b) OR k = 1", set()),
        ("FROM a WHERE id IN (SELECT k + 1 FROM b)", set()),
        ("FROM a WHERE id + 1 IN (SELECT k FROM b)", set()),
        ("FROM a WHERE id IN (SELECT max(k) FROM b)", set()),
        ("FROM a WHERE id IN (SELECT k FROM b UNION SELECT k FROM c)", set()),
        ("FROM a WHERE (id, k) IN (SELECT id, k FROM b)", set()),
        ("FROM a WHERE id <> ALL (SELECT k FROM b)", set()),
        ("FROM a WHERE id IN (SELECT x.k FROM a AS x)", set()),
        ("FROM c LEFT JOIN a ON a.id IN (SELECT k FROM b)", {"a.id=b", "b.k=a"}),
        ("FROM a LEFT JOIN c ON a.id IN (SELECT k FROM b)", {"b.k=a"}),
        ("FROM a FULL JOIN c ON a.id IN (SELECT k FROM b)", set()),
        ("FROM a LEFT JOIN c ON EXISTS (SELECT 1 FROM b WHERE b.k = a.id)", {"b.k=a"}),
        ("FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.id AND b.id > a.k)", {"a.id=b", "b.k=a"}),
        ("FROM a WHERE EXISTS (FROM b WHERE a.id = b.k LIMIT 1)", {"a.id=b", "b.k=a"}),
        ("FROM a WHERE EXISTS (SELECT count(*) FROM b WHERE b.k = a.id)", {"b.k=a"}),
        ("FROM a WHERE EXISTS (SELECT my_sum(k) FROM b WHERE b.k = a.id)", {"b.k=a"}),
        ("FROM a WHERE EXISTS (SELECT k FROM b WHERE b.k = a.id GROUP BY CUBE (k))", {"b.k=a"}),
        ("FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.id)", {"b.k=a"}),
        ("FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.id OR b.id = 1)", set()),
        ("FROM a WHERE EXISTS (SELECT 1 FROM c LEFT JOIN b ON true WHERE b.k = a.id)", {"a.id=b"}),
        ("FROM a WHERE EXISTS (SELECT 1 FROM b AS a WHERE a.k = a.id)", set()),
        ("FROM a WHERE (SELECT count(*) FROM b WHERE b.k = a.id) = 0", {"b.k=a"}),
        ("FROM a WHERE EXISTS (SELECT 1 FROM b WHERE EXISTS (SELECT 1 FROM c WHERE c.k = a.id))", {"c.k=a"}),
        (
            "FROM a WHERE EXISTS (WITH q AS (SELECT 1 FROM c WHERE c.k = a.id) SELECT 1 FROM b AS a, q)",
            set(),  # which of the two is meant inside of the CTE is not for us to say
        ),
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


ROWS = st.lists(st.tuples(*[st.sampled_from([None, 0, 1, 2, 3])] * 2), max_size=5)
WITHIN = st.sampled_from(
    ["", "WHERE p.id > 1", "WHERE p.k = x.k", "WHERE p.id = x.id", "WHERE p.k = x.k AND p.id <> x.id"]
)
SUBQUERIES = st.sampled_from(
    [
        "x.k IN (SELECT p.k FROM b p {0})",
        "x.k = ANY (SELECT DISTINCT p.k FROM b p {0})",
        "x.k NOT IN (SELECT p.k FROM b p {0})",
        "(x.k IN (SELECT p.k FROM b p {0})) IS NOT TRUE",
        "x.k IN (SELECT p.k FROM b p {0}) OR x.id = 1",
        "x.k IN (SELECT max(p.k) FROM b p {0})",
        "x.k IN (SELECT p.k FROM b p {0} GROUP BY p.k HAVING count(*) > 1)",
        "x.k IN (SELECT p.k FROM b p {0} GROUP BY ROLLUP (p.k))",
        "x.k IN (SELECT p.k FROM b p {0} ORDER BY p.k, p.id LIMIT 1)",
        "x.k IN (SELECT p.k FROM b p {0} UNION ALL SELECT c.k FROM c)",
        "x.k IN (SELECT p.k FROM b p LEFT JOIN c q ON q.k = p.id {0})",
        "x.k IN (SELECT p.k FROM c q LEFT JOIN b p ON q.k = p.id {0})",
        "x.k IN (SELECT q.k FROM c q LEFT JOIN b p ON q.k = p.id {0})",
        "x.k IN (SELECT p.k FROM b p ANTI JOIN c q ON q.k = p.id {0})",
        "EXISTS (SELECT 1 FROM b p {0})",
        "EXISTS (SELECT * FROM b p JOIN c q ON q.k = p.id {0})",
        "EXISTS (SELECT p.k FROM c q LEFT JOIN b p ON q.k = p.id {0})",
        "EXISTS (SELECT count(*) FROM b p {0})",
        "EXISTS (SELECT p.k FROM b p {0} GROUP BY ROLLUP (p.k))",
        "EXISTS (SELECT sum(p.k) OVER () FROM b p {0} LIMIT 1)",
        "NOT EXISTS (SELECT 1 FROM b p {0})",
        "EXISTS (SELECT 1 FROM b p WHERE p.id IN (SELECT q.k FROM c q WHERE q.k = x.k))",
        "EXISTS (SELECT 1 FROM b p WHERE NOT EXISTS (SELECT 1 FROM c q WHERE q.k = x.k AND q.k = p.k))",
        "(SELECT count(*) FROM b p {0}) <> 1",
        "x.k = (SELECT min(p.k) FROM b p {0})",
        "coalesce((SELECT sum(p.id) FROM b p {0}), 1) = 1",
    ]
)
OUTER = st.sampled_from(
    [
        "SELECT x.id, x.k FROM a x WHERE {0}",
        "SELECT x.id, x.k FROM a x WHERE ({0}) AND x.id > 0",
        "SELECT count(*), sum(x.k) FROM a x WHERE x.k IN (1, 2) AND ({0})",
        "SELECT x.id, {0} FROM a x",
        "SELECT y.id, x.k FROM d y JOIN a x ON {0}",
        "SELECT y.id, x.k FROM d y LEFT JOIN a x ON {0}",
        "SELECT y.id, x.k FROM a x LEFT JOIN d y ON {0}",
        "SELECT y.id, x.k FROM d y RIGHT JOIN a x ON y.id = x.id AND ({0})",
        "SELECT y.id FROM d y LEFT JOIN a x ON y.k = x.k WHERE {0}",
        "SELECT y.id FROM d y FULL JOIN a x ON y.k = x.k WHERE {0}",
        "SELECT y.id FROM d y SEMI JOIN a x ON y.k = x.k AND y.id < 3",
        "SELECT x.id FROM a x SEMI JOIN d y ON y.k = x.k WHERE {0}",
        "SELECT x.id FROM a x ANTI JOIN d y ON y.k = x.k WHERE {0}",
        "WITH v AS (SELECT x.id FROM a x WHERE {0}) SELECT v.id FROM v JOIN d y ON y.id = v.id",
        "SELECT y.id FROM d y WHERE y.id IN (SELECT x.id FROM a x WHERE {0})",
        "SELECT y.id FROM d y WHERE EXISTS (SELECT 1 FROM a x WHERE y.id = x.id AND ({0}))",
        "SELECT y.id, s.k FROM d y, LATERAL (SELECT x.k FROM a x WHERE x.id = y.id AND ({0})) s",
    ]
)
Rows = tuple[list[tuple[int | None, ...]], ...]
FOUR = {**TABLES, "d": TABLES["a"]}


@settings(max_examples=60, deadline=None)
@given(outer=OUTER, inner=SUBQUERIES, within=WITHIN, rows=st.tuples(ROWS, ROWS, ROWS, ROWS))
def test_the_answer_of_subqueries_is_the_same(
    database: duckdb.DuckDBPyConnection, outer: str, inner: str, within: str, rows: Rows
) -> None:
    same_over_what_is_fetched(database, outer.format(inner.format(within)), rows)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(max_examples=3000, deadline=None)
@given(outer=OUTER, inner=SUBQUERIES, within=WITHIN, rows=st.tuples(ROWS, ROWS, ROWS, ROWS))
def test_the_answer_of_many_subqueries_is_the_same(
    database: duckdb.DuckDBPyConnection, outer: str, inner: str, within: str, rows: Rows
) -> None:
    same_over_what_is_fetched(database, outer.format(inner.format(within)), rows)


def same_over_what_is_fetched(database: duckdb.DuckDBPyConnection, text: str, rows: Rows) -> None:
    """Compare the answer over whole tables with that over what their keys leave."""
    database.execute("CREATE SCHEMA IF NOT EXISTS whole; CREATE SCHEMA IF NOT EXISTS kept")
    for name, found in zip("abdc", rows, strict=True):
        values = ", ".join(f"({one}, {two})" for one, two in [*found, ("NULL", "NULL")])
        columns = "k" if name == "c" else "id, k"
        database.execute(
            f"CREATE OR REPLACE TABLE whole.{name} AS SELECT {columns}"
            f" FROM (VALUES {values.replace('None', 'NULL')}) v(id, k) LIMIT {len(found)}"
        )
    database.execute("USE whole")
    expected = database.execute(text).fetchall()
    joins = key_joins(text, FOUR)
    for name in FOUR:
        keys = [
            f"{one.column} IN (SELECT {one.other_column} FROM whole.{one.other})"
            for one in joins
            if one.table == name
        ]
        where = " AND ".join(keys) or "true"
        database.execute(f"CREATE OR REPLACE TABLE kept.{name} AS FROM whole.{name} WHERE {where}")
    database.execute("USE kept")
    found = database.execute(text).fetchall()
    database.execute("USE main")
    assert sorted(found, key=repr) == sorted(expected, key=repr), joins
