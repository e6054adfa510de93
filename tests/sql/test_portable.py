"""What is refused says why; nothing is let through that is not known; names and widths are written out."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import QuerySyntaxError
from aiser_jupyter.sql import portable
from aiser_jupyter.sql.portable import to_duckdb, why_not_portable
from aiser_jupyter.sql.scan import word_set

MYSQL = {
    "t": {"id": "int(11)", "n": "bigint(20)", "amount": "decimal(12,2)", "day": "date", "name": "varchar(9)"},
    "u": {"id": "int(11)", "t_id": "int(11)", "x": "double"},
}
POSTGRES = {
    "t": {"id": "integer", "n": "bigint", "amount": "numeric(12,2)", "day": "date", "name": "text"},
    "u": {"id": "integer", "t_id": "integer", "x": "double precision"},
    "sales.v": {"Key": "integer", "ok": "boolean"},
}
COLUMNS = {"mysql": MYSQL, "postgres": POSTGRES}
QUERIES = Path(__file__).parents[1] / "tpch" / "queries"


def why(text: str, dialect: str = "mysql") -> str | None:
    return why_not_portable(text, dialect, COLUMNS[dialect], lossless=True)


@pytest.mark.parametrize("dialect", ["mysql", "postgres"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT n / 2 AS x FROM t", "division"),
        ("SELECT n % 2 AS x FROM t", "remainder"),
        ("SELECT avg(n) AS x FROM t", "avg"),
        ("SELECT round(amount) AS x FROM t", "rounding"),
        ("SELECT upper(name) AS x FROM t", "the function UPPER()"),
        ("SELECT own_function(n) AS x FROM t", "the function OWN_FUNCTION()"),
        ("SELECT id FROM t WHERE name = 'a'", "collation"),
        ("SELECT id FROM t WHERE name LIKE 'a%'", "LIKE"),
        ("SELECT name FROM t GROUP BY name", "collation"),
        ("SELECT DISTINCT name FROM t", "collation"),
        ("SELECT id, name FROM t ORDER BY name", "collation"),
        ("SELECT max(name) AS x FROM t", "collation"),
        ("SELECT id FROM t WHERE n = '7'", "convert them by rules"),
        ("SELECT id FROM t WHERE name = 7", "convert them by rules"),
        ("SELECT id FROM t WHERE day = 20240101", "convert them by rules"),
        ("SELECT id FROM t WHERE n = NULL", "write IS NULL"),
        ("SELECT id FROM t WHERE n IN (1, NULL)", "write IS NULL"),
        ("SELECT id FROM t WHERE n", "as a condition"),
        ("SELECT id FROM t WHERE day = '2024-1-1'", "write YYYY-MM-DD"),
        ("SELECT id FROM t WHERE day = '2024-02-30'", "write YYYY-MM-DD"),
        ("SELECT id FROM t WHERE day > DATE '1 May'", "write YYYY-MM-DD"),
        ("SELECT CAST(n AS char(3)) AS x FROM t", "a cast"),
        ("SELECT day + INTERVAL '1' DAY AS x FROM t", "dates"),
        ("SELECT id FROM t WHERE day < current_date", "clock"),
        ("SELECT sum(x) AS s FROM u", "order in which they are added"),
        ("SELECT x FROM u GROUP BY x", "-0.0"),
        ("SELECT x * 2 AS y FROM u", "arithmetic with a double"),
        ("SELECT t.id FROM t JOIN u ON t.amount = u.x", "a double is compared"),
        ("SELECT t.id FROM t JOIN u ON t.n = u.x", "a double is compared"),
        ("SELECT n * n AS x FROM t", "past 64 bits"),
        ("SELECT -n AS x FROM t", "a minus before"),
        ("SELECT amount * amount * amount * amount AS x FROM t", "DuckDB's decimals have 38"),
        ("SELECT row_number() OVER (ORDER BY id) AS x FROM t", "a window function"),
        ("SELECT day, n FROM t GROUP BY day", "neither grouped nor aggregated"),
        ("SELECT *, count(*) AS c FROM t GROUP BY id", "neither grouped nor aggregated"),
        ("SELECT count(*) AS c FROM t HAVING count(*) > 1", "HAVING without GROUP BY"),
        ("SELECT n + 1.5 AS x, count(*) AS c FROM t GROUP BY n + 1.5", "GROUP BY of more than a column"),
        ("SELECT n AS amount, count(*) AS c FROM t GROUP BY amount, n", "both a column and a result"),
        ("SELECT id FROM t WHERE max(n) > 1", "not grouped yet"),
        ("SELECT max(count(*)) AS x FROM t", "not grouped yet"),
        ("SELECT (SELECT max(t.n) FROM u) AS x FROM t", "column of the outer query"),
        ("SELECT count(DISTINCT (id, n)) AS x FROM t", "a row of values"),
        ("SELECT id FROM t LIMIT 3", "which rows come first"),
        ("SELECT id, n FROM t ORDER BY id LIMIT 3", "which rows come first"),
        ("SELECT id FROM t UNION ALL SELECT id FROM u LIMIT 1", "which rows come first"),
        (
            "SELECT count(*) AS c, (WITH q AS (SELECT id AS k FROM t UNION SELECT 1 LIMIT 1)"
            " SELECT max(k) FROM q) AS m FROM t",
            "which rows come first",
        ),
        ("SELECT n FROM t ORDER BY n LIMIT 1 + 1", "LIMIT of more than a number"),
        ("SELECT DISTINCT n FROM t ORDER BY id", "not a column of the answer"),
        ("SELECT DISTINCT n FROM t ORDER BY t.n, id", "not a column of the answer"),
        ("SELECT n FROM t ORDER BY 2", "no column of the answer"),
        ("SELECT count(*) FROM t", "has no name"),
        ("SELECT id, n AS id FROM t", "two columns are called id"),
        ("SELECT t.id, u.id FROM t JOIN u ON t.id = u.t_id", "two columns are called id"),
        ("SELECT id FROM t JOIN u ON t.id = u.t_id", "two tables have a column id"),
        ("SELECT t.id FROM t JOIN u USING (id)", "USING"),
        ("SELECT t.id FROM t NATURAL JOIN u", "NATURAL"),
        ("SELECT t.id FROM t FULL JOIN u ON t.id = u.id", "FULL JOIN"),
        ("SELECT t.id FROM t, u JOIN u w ON w.id = u.id", "commas beside JOIN"),
        ("SELECT a.id FROM t a, u A", "a table without a name of its own"),
        ("SELECT nothing FROM t", "no known column"),
        ("SELECT t FROM t", "no known column"),
        ("SELECT id FROM nothing", "columns of nothing are not known"),
        ("SELECT id FROM t WHERE id IN (SELECT id, t_id FROM u)", "several columns"),
        ("SELECT id FROM t WHERE id = (SELECT id FROM u)", "of several rows"),
        ("SELECT id FROM t WHERE id = (SELECT max(id) FROM u GROUP BY t_id)", "one row"),
        ("WITH t AS (SELECT id FROM u) SELECT id FROM t", "both a table and a WITH query"),
        ("WITH q (k) AS (SELECT id FROM u) SELECT k FROM q", "renamed columns"),
        ("WITH RECURSIVE q AS (SELECT 1 AS k) SELECT k FROM q", "RECURSIVE"),
        ("SELECT id FROM t EXCEPT SELECT id FROM u", "EXCEPT"),
        ("SELECT id, n FROM t UNION ALL SELECT id FROM u", "not as many columns"),
        ("SELECT id FROM t UNION ALL SELECT day FROM t", "values of several types"),
        ("SELECT CASE WHEN id > 1 THEN id ELSE day END AS x FROM t", "values of several types"),
        ("SELECT 'a' AS x FROM t", "a written text or NULL"),
        ("SELECT NULL AS x FROM t", "a written text or NULL"),
        ("SELECT 1e0 AS x FROM t", "plain digits"),
        ("SELECT id FROM t WHERE n = 12345678901234567890", "plain digits"),
        ("SELECT id FROM t WHERE n = ?", "a parameter"),
        ("SELECT id FROM t WHERE n = :x", "a parameter"),
        ("SELECT id AS utc_date FROM t", "is a function in one database"),
        ("SELECT id AS größe FROM t", "past ASCII"),
        (f"SELECT id AS {'a' * 64} FROM t", "more than 63 bytes"),
        ("SELECT id FROM t FOR UPDATE", "not provably one read"),
        ("DELETE FROM t", "not provably one read"),
        ("SELECT 1 AS a; SELECT 2 AS a", "2 statements"),
        ("EXPLAIN SELECT id FROM t", "not a query"),
        ("SELECT id FROM t WHERE (", "does not read this"),
    ],
)
def test_a_refusal_says_why(text: str, reason: str, dialect: str) -> None:
    found = why(text, dialect)
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT id FROM t /*!50000 WHERE n = 1 */", "MySQL runs what stands in it"),
        ("SELECT id FROM t /*!WHERE n = 1*/", "MySQL runs what stands in it"),
        ("SELECT id /*M!100100 + 1 */ FROM t", "MySQL runs what stands in it"),
        ("/*!50000 DROP TABLE t */ SELECT 1 AS x", "MySQL runs what stands in it"),
        ("SELECT /*+ BKA(t) */ id FROM t", "planner"),
        ("SELECT id FROM t USE INDEX (i)", "planner"),
        ("SELECT id FROM t STRAIGHT_JOIN u", "STRAIGHT JOIN"),
        ("SELECT t.id FROM t INNER JOIN u", "JOIN without ON"),
        ("SELECT t.id FROM t CROSS JOIN u ON t.id = u.id", "CROSS JOIN with ON"),
        ("SELECT HIGH_PRIORITY id FROM t", "modifier"),
        ('SELECT id FROM t WHERE name = "a"', "double quotes"),
        ('SELECT id AS "a" FROM t', "double quotes"),
        ("SELECT id FROM t WHERE id = 1 || n = 2", "||"),
        ("SELECT id FROM t WHERE id = 1 && n = 2", "&&"),
        ("SELECT id FROM t WHERE !(id = 1)", "!"),
        ("SELECT id FROM t WHERE id = 5 --1", "minus signs"),
        ("SELECT id FROM t WHERE NOT id = 1", "HIGH_NOT_PRECEDENCE"),
        ("SELECT id FROM t WHERE NOT id IN (1)", "HIGH_NOT_PRECEDENCE"),
        ("SELECT count (*) AS c FROM t", "IGNORE_SPACE"),
        ("TABLE t", "MariaDB does not know it"),
        ("SELECT id = 1 AS x FROM t", "a condition as a value"),
        ("SELECT id FROM t WHERE id = TRUE", "TRUE and FALSE"),
        ("SELECT id FROM t WHERE (id = 1) IS NULL", "a condition is compared"),
        ("SELECT id DIV 2 AS x FROM t", "DIV"),
        ("SELECT id ^ 2 AS x FROM t", "bits"),
        ("SELECT id FROM t WHERE id <=> 1", "<=>"),
        ("SELECT id FROM t WHERE id XOR 1", "XOR"),
        ("SELECT if(id = 1, 2, 3) AS x FROM t", "IF()"),
        ("SELECT group_concat(id) AS x FROM t", "a list of values"),
        ("SELECT n, count(*) AS c FROM t GROUP BY n WITH ROLLUP", "ROLLUP"),
        ("SELECT ID FROM t", "written like this"),
        ("SELECT name AS N, id FROM t ORDER BY n, id", "in other letters"),
        ("SELECT id FROM T", "columns of T are not known"),
        ("WITH q AS (SELECT id FROM t) SELECT id FROM Q", "columns of Q are not known"),
        ("SELECT name FROM t UNION ALL SELECT name FROM t", "collation"),
        ("SELECT id AS `a ` FROM t", "ends with a space"),
    ],
)
def test_traps_of_mysql(text: str, reason: str) -> None:
    found = why(text)
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT DISTINCT ON (n) n FROM t", "DISTINCT ON"),
        ("SELECT n::text AS x FROM t", "a cast"),
        ("SELECT id + 1 AS x FROM t", "past 32 bits"),
        ("SELECT id FROM t WHERE id = ANY(ARRAY[1])", "ANY"),
        ("SELECT id FROM t WHERE n IS DISTINCT FROM 1", "IS DISTINCT FROM"),
        ("SELECT id FROM t WHERE id BETWEEN SYMMETRIC 2 AND 1", "SYMMETRIC"),
        ("SELECT count(*) FILTER (WHERE id > 1) AS c FROM t", "FILTER"),
        ("SELECT id FROM t WHERE id < n = true", "a condition is compared"),
        ('SELECT name AS "N", id FROM t ORDER BY n, id', "in other letters"),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM sales.v WHERE key = 1)", "there is Key"),
        ('SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u AS "T" WHERE t.id = 1)', "there is T"),
        ("SELECT max(ok) AS x FROM sales.v", "max of a boolean"),
        ("SELECT Key FROM sales.v", "written like this"),
        ("SELECT 1a FROM t", "plain digits"),
        ("SELECT id FROM ONLY t", "ONLY"),
        ("SELECT id FROM t TABLESAMPLE SYSTEM (1)", "a sample"),
        ("SELECT * FROM generate_series(1, 2)", "a function in FROM"),
        ("SELECT id FROM t, LATERAL (SELECT 1 AS x) q", "LATERAL"),
        ("SELECT current_user AS x FROM t", "CURRENT_USER"),
        ("SELECT user AS x FROM t", "is a function in one database"),
        ("SELECT id FROM t ORDER BY id FETCH FIRST 1 ROWS ONLY", "FETCH"),
        ("SELECT id FROM t ORDER BY id LIMIT ALL", "LIMIT of more than a number"),
        ("WITH q AS MATERIALIZED (SELECT id FROM t) SELECT id FROM q", "MATERIALIZED"),
        ("SELECT id FROM t WHERE day = E'2024-01-01'", "a literal with a prefix"),
    ],
)
def test_traps_of_postgresql(text: str, reason: str) -> None:
    found = why(text, "postgres")
    assert found is not None
    assert reason in found


@pytest.mark.parametrize("dialect", ["mysql", "postgres"])
@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t",
        "SELECT id, name, amount * 2 AS twice FROM t WHERE day >= '2024-01-01' AND NOT (n > 5 OR n IS NULL)",
        "SELECT day, count(*) AS c, sum(amount) AS s FROM t GROUP BY 1 HAVING max(n) > 1.5 ORDER BY day",
        "SELECT t.id, u.x FROM t LEFT JOIN u ON u.t_id = t.id ORDER BY t.id DESC, x",
        "WITH q AS (SELECT id FROM t WHERE id IN (SELECT t_id FROM u)) SELECT id FROM q ORDER BY 1 LIMIT 5",
        "SELECT id FROM t -- note\n",
    ],
)
def test_what_is_known_is_let_through(text: str, dialect: str) -> None:
    assert why(text, dialect) is None


def test_another_dialect_is_refused() -> None:
    assert why_not_portable("SELECT id FROM t", "snowflake", POSTGRES) is not None


def test_columns_that_differ_in_case_only_are_refused() -> None:
    found = why_not_portable("SELECT id FROM t", "postgres", {"t": {"id": "integer", "ID": "integer"}})
    assert found is not None
    assert "only in case" in found


def test_a_text_too_large_or_too_deep_is_refused() -> None:
    deep = "SELECT id FROM t WHERE " + "(" * 60 + "id = 1" + ")" * 60
    found = why(deep)
    assert found is not None
    assert "nested" in found
    found = why("SELECT id FROM t WHERE id IN (" + "1, " * 40000 + "1)")
    assert found is not None
    assert "bytes" in found


@pytest.mark.parametrize(
    ("dialect", "text", "written"),
    [
        (
            "postgres",
            'SELECT ID, "Key" AS Other FROM T, Sales.V ORDER BY id DESC',
            'SELECT "id", "Key" AS "other" FROM "t", "sales"."v" ORDER BY "id" DESC NULLS FIRST',
        ),
        (
            "mysql",
            "SELECT `id` AS Total FROM t ORDER BY id",
            'SELECT "id" AS "Total" FROM "t" ORDER BY "id" NULLS FIRST',
        ),
        ("mysql", "SELECT id FROM t # note", 'SELECT "id" FROM "t"'),
        (
            "mysql",
            "SELECT id * 2 - id AS x FROM t",
            'SELECT CAST(CAST(CAST("id" AS BIGINT) * 2 AS BIGINT) - "id" AS BIGINT) AS "x" FROM "t"',
        ),
        (
            "postgres",
            "SELECT amount * id AS x FROM t",
            'SELECT CAST(CAST("amount" AS DECIMAL(19, 2)) * "id" AS DECIMAL(22, 2)) AS "x" FROM "t"',
        ),
    ],
)
def test_names_order_and_widths_are_written_out(dialect: str, text: str, written: str) -> None:
    columns = {**COLUMNS[dialect], "T": POSTGRES["t"], "Sales.V": POSTGRES["sales.v"]}
    assert to_duckdb(text, dialect, columns) == written


@pytest.mark.parametrize("text", ["SELECT n / 2 AS x FROM t", "SELECT (", "SELECT 1 AS a; SELECT 2 AS a"])
def test_what_is_not_portable_is_not_translated(text: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        to_duckdb(text, "mysql", MYSQL)
    assert "mysql" in str(caught.value.hint)


@pytest.mark.parametrize("path", sorted(QUERIES.glob("*.sql")), ids=lambda path: path.stem)
@pytest.mark.parametrize("dialect", ["mysql", "postgres"])
def test_of_any_query_something_is_said(path: Path, dialect: str) -> None:
    found = why_not_portable(path.read_text(), dialect, COLUMNS[dialect])
    assert found


WORDS = st.sampled_from(
    sorted(
        word_set(
            "SELECT FROM WHERE id n t u AS x ( ) , * = + - 1 2.5 'a' '2024-01-01' AND OR NOT IN NULL IS max("
            " count(*) GROUP BY ORDER LIMIT UNION DISTINCT CASE WHEN THEN END JOIN ON /*! */ -- ` WITH EXISTS"
        )
    )
)


@given(words=st.lists(WORDS, max_size=12), dialect=st.sampled_from(["mysql", "postgres"]))
@settings(max_examples=300, deadline=None, database=None)
def test_it_never_raises(words: list[str], dialect: str) -> None:
    found = why_not_portable(" ".join(["SELECT", *words]), dialect, COLUMNS[dialect])
    assert found is None or found


def test_examples() -> None:
    assert doctest.testmod(portable).failed == 0
    assert doctest.testmod(portable).attempted >= 5
