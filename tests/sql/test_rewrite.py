"""A limit is put in only where it is provably the same; a translation says what it cannot say."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import MultipleStatements, QuerySyntaxError
from aiser_jupyter.sql import bind, limit, transpile


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM t", "SELECT * FROM t\nLIMIT 10"),
        ("SELECT * FROM t;", "SELECT * FROM t\nLIMIT 10;"),
        ("SELECT * FROM t -- all", "SELECT * FROM t\nLIMIT 10 -- all"),
        (
            "/* a */ SELECT * FROM t ORDER BY a DESC ; ",
            "/* a */ SELECT * FROM t ORDER BY a DESC\nLIMIT 10 ; ",
        ),
        ("FROM t", "FROM t\nLIMIT 10"),
        ("SELECT 1 UNION SELECT 2 ORDER BY 1", "SELECT 1 UNION SELECT 2 ORDER BY 1\nLIMIT 10"),
        ("(SELECT 1 LIMIT 3) UNION (SELECT 2)", "(SELECT 1 LIMIT 3) UNION (SELECT 2)\nLIMIT 10"),
        ("WITH a AS (FROM t LIMIT 3) FROM a", "WITH a AS (FROM t LIMIT 3) FROM a\nLIMIT 10"),
        ("SELECT * FROM t WHERE a = $x", "SELECT * FROM t WHERE a = $x\nLIMIT 10"),
        ("SELECT * FROM t LIMIT 10", "SELECT * FROM t LIMIT 10"),
        ("SELECT * FROM t LIMIT 3 OFFSET 2", "SELECT * FROM t LIMIT 3 OFFSET 2"),
        ("SELECT * FROM t LIMIT 500 -- many", "SELECT * FROM t LIMIT 10 -- many"),
        ("SELECT * FROM t\nlimit 500;", "SELECT * FROM t\nlimit 10;"),
    ],
)
def test_limit(text: str, expected: str) -> None:
    assert limit(text, 10) == expected


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        *(
            ("duckdb", text)
            for text in ("INSERT INTO t VALUES (1)", "SUMMARIZE t", "DESCRIBE t", "SHOW TABLES")
        ),
        *(
            ("duckdb", text)
            for text in ("EXPLAIN SELECT 1", "PIVOT t ON a USING sum(b)", "VALUES (1)", "SELEC")
        ),
        *(("duckdb", text) for text in ("FROM t LIMIT $n", "FROM t LIMIT 10%", "FROM t OFFSET 5")),
        *(("duckdb", text) for text in ("FROM t LIMIT 500 OFFSET 5", "FROM t USING SAMPLE 50", "(SELECT 1)")),
        ("postgres", "SELECT * FROM t FOR UPDATE"),
        ("postgres", "SELECT * FROM t FETCH FIRST 500 ROWS ONLY"),
        ("mysql", "SELECT * FROM t LIMIT 5, 500"),
        ("bigquery", "FROM t |> WHERE a > 1"),
        ("oracle", "SELECT * FROM t"),
        ("duckdb", "SELECT " + "f(" * 100 + "1" + ")" * 100),
    ],
)
def test_no_limit(dialect: str, text: str) -> None:
    assert limit(text, 10, dialect) is None


def test_limit_needs_a_row() -> None:
    assert limit("SELECT 1", 0) is None


PIECES = st.tuples(
    st.sampled_from(["SELECT a FROM t", "FROM t SELECT a", "SELECT a FROM t UNION ALL SELECT a + 5 FROM t"]),
    st.sampled_from(["", " ORDER BY a", " ORDER BY 1 DESC"]),
    st.sampled_from(["", " LIMIT 2", " LIMIT 5", " LIMIT 4 OFFSET 1", " OFFSET 1", " LIMIT $n"]),
    st.sampled_from(["", ";", " -- comment", " /* a; b */ ;\n"]),
)


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads = 1; CREATE TABLE t AS SELECT range AS a FROM range(4)")
    return connection


@settings(max_examples=80, deadline=None)
@given(pieces=PIECES, n=st.integers(1, 6))
def test_limit_gives_the_first_rows(
    database: duckdb.DuckDBPyConnection, pieces: tuple[str, ...], n: int
) -> None:
    text = "".join(pieces)
    limited = limit(text, n)
    if limited is not None:
        parameters = {"n": 3} if "$n" in text else {}
        everything = database.execute(text, parameters).fetchall()
        assert database.execute(limited, parameters).fetchall() == everything[:n]


def test_limit_of_a_bound_statement() -> None:
    bound = bind("SELECT * FROM t WHERE a IN {{ xs }} ORDER BY a", {"xs": [1, 2]})
    assert limit(bound.text, 5) == bound.text + "\nLIMIT 5"


@pytest.mark.parametrize(
    ("text", "read", "write", "expected"),
    [
        ("SELECT  1 -- as it is", "duckdb", "duckdb", "SELECT  1 -- as it is"),
        ("SELECT `a` FROM `t` LIMIT 5", "mysql", "duckdb", 'SELECT "a" FROM "t" LIMIT 5'),
        ("SELECT a::int FROM t", "postgres", "mysql", "SELECT CAST(a AS SIGNED) FROM t"),
    ],
)
def test_transpile(text: str, read: str, write: str, expected: str) -> None:
    assert transpile(text, read, write) == expected


def test_transpile_refuses() -> None:
    with pytest.raises(QuerySyntaxError, match="sqlglot"):
        transpile("SELECT FROM WHERE", "mysql", "duckdb")
    with pytest.raises(QuerySyntaxError, match="mysql"):
        transpile("PIVOT t ON a USING sum(b)", "duckdb", "mysql")
    with pytest.raises(QuerySyntaxError, match="not a query"):
        transpile("CALL f()", "postgres", "duckdb")
    with pytest.raises(MultipleStatements):
        transpile("SELECT 1; SELECT 2", "mysql", "duckdb")
    with pytest.raises(QuerySyntaxError, match="nested"):
        transpile("SELECT " + "f(" * 100 + "1" + ")" * 100, "mysql", "duckdb")
