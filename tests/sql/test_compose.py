"""Saved queries become CTEs; the reader's own text stays as written."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from aiser_jupyter.errors import MultipleStatements, NotFound, UsageError
from aiser_jupyter.sql import needed, parse, with_queries

SAVED = {"a": "SELECT 1 AS x; -- done", "b": "SELECT x + 1 AS x FROM a -- comment"}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT * FROM b", [(2,)]),
        ("FROM b", [(2,)]),
        ("-- first\nFROM b -- last", [(2,)]),
        ("(SELECT x FROM a) UNION ALL (SELECT x FROM b) ORDER BY 1", [(1,), (2,)]),
        ("WITH c AS (FROM b) SELECT * FROM c", [(2,)]),
        ("WITH c(y) AS (FROM b), d AS (FROM c) FROM d", [(2,)]),
        ("WITH RECURSIVE r AS (FROM b UNION ALL SELECT x + 1 FROM r WHERE x < 4) FROM r", [(2,), (3,), (4,)]),
        ("VALUES ((SELECT x FROM b))", [(2,)]),
        ("PIVOT b ON x USING count(*)", [(1,)]),
        ("CREATE TEMP TABLE z AS FROM b", [(1,)]),
        ("INSERT INTO t SELECT x FROM b", [(1,)]),
        ("INSERT INTO t FROM b", [(1,)]),
        ("DELETE FROM t WHERE i IN (SELECT x FROM b)", [(0,)]),
    ],
)
def test_runs(text: str, rows: list[Any]) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (i INT)")
    composed = with_queries(text, SAVED)
    assert connection.execute(composed).fetchall() == rows


@pytest.mark.parametrize(
    "text", ["EXPLAIN SELECT * FROM b", "EXPLAIN ANALYZE FROM b", "SUMMARIZE SELECT * FROM b"]
)
def test_explanations(text: str) -> None:
    assert duckdb.connect().execute(with_queries(text, SAVED)).fetchall()


def test_copy(tmp_path: Any) -> None:
    target = tmp_path / "b.csv"
    duckdb.connect().execute(with_queries(f"COPY (SELECT * FROM b) TO '{target}'", SAVED))
    assert target.read_text() == "x\n2\n"


def test_options_of_a_view_are_not_a_with_clause() -> None:
    composed = with_queries("CREATE VIEW v WITH (security_barrier) AS SELECT * FROM b", {"b": "SELECT 1"})
    assert composed == "CREATE VIEW v WITH (security_barrier) AS WITH b AS (\nSELECT 1\n)\nSELECT * FROM b"


def test_nothing_saved_is_the_same_text() -> None:
    text = "SELECT 1"
    assert with_queries(text, {}) is text


@pytest.mark.parametrize("name", ["", "1a", "a b", "a;b", 'a"', "é", "a.b"])
def test_name(name: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        with_queries("SELECT 1", {name: "SELECT 1"})


def test_refused() -> None:
    with pytest.raises(MultipleStatements, match="2 statements"):
        with_queries("FROM a", {"a": "SELECT 1; SELECT 2"})
    with pytest.raises(UsageError, match="empty"):
        with_queries("FROM a", {"a": " -- nothing"})
    with pytest.raises(UsageError, match="no query"):
        with_queries("SET threads = 1", {"a": "SELECT 1"})


def test_needed_orders_what_is_used() -> None:
    saved = {"c": "FROM b JOIN a ON true", "b": "FROM a", "a": "SELECT :x", "z": "SELECT 9"}
    assert list(needed("FROM c", saved)) == ["a", "b", "c"]
    assert list(needed("FROM C", saved)) == ["a", "b", "c"]
    assert list(needed("SELECT c FROM t", saved)) == []
    assert list(needed("SELECT 1", saved, ["z", "b"])) == ["z", "a", "b"]
    assert list(needed("WITH b AS (SELECT 1) FROM b", saved)) == []
    assert list(needed("FROM {{ t | identifier }} WHERE a IN {{ xs }}", saved)) == []


def test_needed_reads_words_where_the_text_does_not_parse() -> None:
    assert list(needed("STRANGE b WORDS (", {"a": "SELECT 1", "b": "FROM a"})) == ["a", "b"]


def test_needed_refuses() -> None:
    with pytest.raises(NotFound, match="Did you mean 'sales'"):
        needed("SELECT 1", {"sales": "SELECT 1"}, ["sale"])
    with pytest.raises(UsageError, match="a → b → a"):
        needed("FROM a", {"a": "FROM b", "b": "FROM a"})


def test_a_saved_query_may_read_a_table_of_its_name() -> None:
    saved = {"t": "SELECT * FROM t WHERE i > 1"}
    assert needed("FROM t", saved) == saved
    statement = parse("FROM t", with_=saved)
    assert [str(table) for table in statement.tables] == ["t"]
