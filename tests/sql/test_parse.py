"""A text becomes a statement, or is refused for a reason that holds for every database."""

from __future__ import annotations

import subprocess
import sys
import time

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import AiserError, MultipleStatements, UndefinedParameter, UsageError
from aiser_jupyter.models import StatementKind, TableRef
from aiser_jupyter.sql import fingerprint, parse


def names(text: str, dialect: str = "duckdb") -> list[str]:
    return [str(table) for table in parse(text, dialect=dialect).tables]


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT * FROM a JOIN s.b USING (x), c.s.d", ["a", "s.b", "c.s.d"]),
        ("FROM a WHERE x IN (SELECT y FROM b)", ["a", "b"]),
        ("SELECT * FROM a UNION SELECT * FROM a", ["a"]),
        ("WITH q AS (SELECT * FROM a) SELECT * FROM q JOIN b ON true", ["b", "a"]),
        ("WITH q AS (SELECT * FROM q) SELECT * FROM q", ["q"]),
        ("WITH RECURSIVE q AS (SELECT 1 UNION ALL SELECT * FROM q) FROM q", []),
        ("WITH a AS (FROM b), b AS (FROM a) FROM b", ["b"]),
        ("SELECT * FROM (WITH q AS (FROM a) FROM q) AS s, q", ["q", "a"]),
        ("WITH q AS (FROM a) SELECT (SELECT max(x) FROM q) FROM s.q", ["s.q", "a"]),
        ('SELECT * FROM "Odd Name"', ["Odd Name"]),
        ("INSERT INTO a SELECT * FROM b", ["a", "b"]),
        ("CREATE TABLE a AS FROM b", ["a", "b"]),
        ("DESCRIBE a", ["a"]),
        ("SUMMARIZE a", ["a"]),
        ("EXPLAIN ANALYZE SELECT * FROM a", ["a"]),
        ("PIVOT a ON x USING sum(y)", ["a"]),
        ("SELECT * FROM range(3), generate_series(1, 2), unnest([1])", []),
        ("USE a", []),
        ("SELECT 'FROM a', 1 -- FROM b", []),
    ],
)
def test_tables(text: str, tables: list[str]) -> None:
    assert sorted(names(text)) == sorted(tables)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("FROM 'x.parquet'", ["x.parquet"]),
        ("FROM 'a/*.csv.gz' JOIN \"b.json\" ON true", ["a/*.csv.gz", "b.json"]),
        ("FROM 's3://bucket/x'", ["s3://bucket/x"]),
        ("FROM read_csv(['a.csv', 'b.csv'], delim = ';')", ["a.csv", "b.csv"]),
        ("FROM read_parquet('p')", ["p"]),
        ("FROM read_json_auto('j'), parquet_scan('q'), read_ndjson('n')", ["j", "q", "n"]),
        ("FROM 'plain', \"quoted\", x.parquet", []),
        ("SELECT 'x.parquet' FROM read_csv(f('a'))", []),
    ],
)
def test_files(text: str, paths: list[str]) -> None:
    assert [table.name for table in parse(text).tables if table.is_file] == paths


def test_a_quoted_name_with_a_suffix_is_a_file_for_duckdb_only() -> None:
    assert parse('SELECT * FROM "x.csv"').tables == (TableRef("x.csv", is_file=True),)
    assert parse('SELECT * FROM "x.csv"', dialect="postgres").tables == (TableRef("x.csv"),)


def test_features() -> None:
    found = parse(
        "WITH q AS (SELECT a, sum(b) FROM t GROUP BY a)"
        " SELECT DISTINCT q.a, row_number() OVER (ORDER BY a), (SELECT max(x) FROM u)"
        " FROM q JOIN v ON q.a = v.a LEFT JOIN (SELECT 1 AS a) AS w ON true"
        " UNION ALL SELECT 1, 2, 3 ORDER BY 1"
    ).features
    assert (found.joins, found.aggregates, found.subqueries, found.windows) == (2, 2, 2, 1)
    assert (found.set_operations, found.ctes, found.distinct, found.ordered) == (1, 1, True, True)
    assert not found.volatile
    assert found.complexity == "complex"
    assert parse("SELECT a FROM t").features.complexity == "simple"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "SELECT now()",
            "SELECT random()",
            "SELECT uuid()",
            "SELECT current_date",
            "SELECT current_timestamp",
        ),
        *("SELECT today()", "SELECT gen_random_uuid()", "SELECT nextval('s')", "EXPLAIN ANALYZE SELECT 1"),
        *("FROM t TABLESAMPLE 10%", "FROM t USING SAMPLE 5", "SELECT current_localtimestamp()"),
    ],
)
def test_volatile(text: str) -> None:
    assert parse(text).features.volatile


@pytest.mark.parametrize(
    "text", ["SELECT 1;", "  SELECT 1 ; ", "-- a; b\nSELECT 1", "SELECT 1 -- a;", "SELECT 1;\n"]
)
def test_a_semicolon_and_comments_stay(text: str) -> None:
    assert parse(text).text is text


@pytest.mark.parametrize("text", ["SELECT 1;;", ";SELECT 1", "SELECT 1; -- done", "SELECT 1; /* a */ ;"])
def test_empty_statements_are_cut(text: str) -> None:
    assert parse(text).text == "SELECT 1"


@pytest.mark.parametrize("text", ["", "  \n", ";", "-- only a comment", "/* nothing */"])
def test_empty(text: str) -> None:
    with pytest.raises(UsageError, match="no statement"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; DROP TABLE t",
        "SELECT 1;;SELECT 2;",
        "SELEC 1; garbage ]",
        "SELECT 'a''b'; SELECT 2",
        "BEGIN; COMMIT",
    ],
)
def test_several_statements(text: str) -> None:
    with pytest.raises(MultipleStatements, match="second begins") as caught:
        parse(text)
    assert caught.value.hint


def test_parameters_of_the_statement_and_of_saved_queries() -> None:
    statement = parse(
        "SELECT * FROM recent WHERE a IN {{ xs }}",
        variables={"xs": [1, 2], "since": 5},
        with_={"recent": "FROM t WHERE day > :since"},
    )
    assert statement.text.startswith("WITH recent AS (\nFROM t WHERE day > $since\n)\nSELECT")
    assert statement.parameters == {"since": 5, "xs_1": 1, "xs_2": 2}
    assert statement.tables == (TableRef("t"),)
    assert statement.kind is StatementKind.READ


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "snowflake", "bigquery", "databricks", "redshift"])
def test_placeholders_of_any_style_parse(dialect: str) -> None:
    text = "SELECT a % 2 FROM t WHERE b = {{ x }} AND c IN {{ xs }} LIMIT :n"
    for style in ("pyformat", "qmark"):
        statement = parse(text, dialect=dialect, paramstyle=style, variables={"x": 1, "xs": [1, 2], "n": 3})
        assert statement.parsed, statement.note
        assert statement.tables == (TableRef("t"),)


def test_undefined_parameter() -> None:
    with pytest.raises(UndefinedParameter, match="since"):
        parse("SELECT {{ since }}", variables={"sinse": 1})


def test_fingerprint_does_not_depend_on_values() -> None:
    text = "SELECT * FROM t WHERE a IN {{ xs }}"
    prints = {parse(text, variables={"xs": xs}).fingerprint for xs in ([], [1], [1, 2])}
    assert prints == {fingerprint("select * from T where a in {{ ys }} -- same")}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("SELECT " + ", ".join(f"a{i} + b{i} AS c{i}" for i in range(12_500)) + " FROM big_table", "bytes"),
        ("SELECT " + "f(" * 100 + "big_table" + ")" * 100, "nested 100 deep"),
        ("SELECT " + "CASE WHEN a THEN " * 60 + "big_table" + " END" * 60, "nested 60 deep"),
        ("SELECT * FROM big_table WHERE a IN (" + ",".join(map(str, range(200_000))) + ")", "bytes"),
    ],
)
def test_too_large_is_not_parsed_and_costs_little(text: str, part: str) -> None:
    begin = time.process_time()
    statement = parse(text)
    assert time.process_time() - begin < 0.5
    assert not statement.parsed
    assert part in statement.note
    assert statement.kind is StatementKind.UNKNOWN
    assert statement.text is text
    assert "big_table" in statement.identifiers
    assert len(statement.fingerprint) == 16


def test_five_megabytes() -> None:
    text = "SELECT '" + "x" * 5_000_000 + "' FROM big_table"
    begin = time.process_time()
    assert "big_table" in parse(text).identifiers
    assert time.process_time() - begin < 0.5


def test_limits_can_be_set() -> None:
    assert not parse("SELECT 1 + 1", max_bytes=5).parsed
    assert not parse("SELECT ((1))", max_depth=1).parsed
    assert parse("SELECT ((1))", max_depth=2).parsed


def test_deep_where_the_guard_does_not_see_it() -> None:
    statement = parse("SELECT " + "NOT " * 2000 + "true")
    assert not statement.parsed
    assert statement.kind is StatementKind.UNKNOWN


def test_a_small_statement_costs_less_than_a_millisecond_warm() -> None:
    text = "SELECT region, sum(amount) FROM orders WHERE day >= {{ since }} GROUP BY region"
    parse(text, variables={"since": 1})
    begin = time.process_time()
    for number in range(100):
        parse(text, variables={"since": number})
    assert (time.process_time() - begin) / 100 < 0.001


def test_the_parser_stays_silent(capfd: pytest.CaptureFixture[str]) -> None:
    parse("CALL something_strange(1)")
    parse("CREATE SECRET s (TYPE s3)")
    assert capfd.readouterr() == ("", "")


def test_import_does_not_load_the_parser() -> None:
    code = "import sys, aiser_jupyter.sql; sys.exit('sqlglot' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


TEXT = st.text(alphabet=st.sampled_from(list("ab1 '\"`$;:(){}[],.-/*\\#%?=\nx")), max_size=40)
VOCABULARY = """
SELECT FROM WHERE a t 1 'x' ( ) , ; WITH AS JOIN ON = :x {{x}} IN CASE END INSERT INTO DELETE
"""
WORDS = st.lists(
    st.sampled_from(VOCABULARY.split()),
    max_size=14,
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(TEXT | WORDS, st.sampled_from(["duckdb", "postgres", "mysql", "bigquery"]))
def test_any_text_is_a_statement_or_a_typed_error(text: str, dialect: str) -> None:
    try:
        statement = parse(text, dialect=dialect, variables={"x": 1, "a": [2]})
    except AiserError:
        return
    assert statement.parsed or statement.note


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@settings(max_examples=200, deadline=None)
@given(text=WORDS)
def test_a_read_leaves_the_database_as_it_was(database: duckdb.DuckDBPyConnection, text: str) -> None:
    try:
        statement = parse(text, variables={"x": 1, "a": [2]})
    except AiserError:
        return
    if statement.kind is StatementKind.READ:
        database.execute("CREATE OR REPLACE TABLE t AS SELECT 1 AS a")
        try:
            database.execute(statement.text, statement.parameters)
        except duckdb.Error:
            return
        assert database.execute("FROM t").fetchall() == [(1,)]
