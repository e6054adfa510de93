"""What running a statement may do: a write is never called a read."""

from __future__ import annotations

import pytest

from aiser_jupyter.models import StatementKind
from aiser_jupyter.sql import parse

READS = [
    ("duckdb", "SELECT 1"),
    ("duckdb", "select * from t;"),
    ("duckdb", "-- a comment\nSELECT 1 -- another; with a semicolon"),
    ("duckdb", "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1"),
    ("duckdb", "VALUES (1), (2)"),
    ("duckdb", "FROM t"),
    ("duckdb", "FROM t SELECT a WHERE b > 1"),
    ("duckdb", "TABLE t"),
    ("duckdb", "WITH a AS (SELECT 1) SELECT * FROM a"),
    ("duckdb", "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) FROM r"),
    ("duckdb", "PIVOT t ON a USING sum(b)"),
    ("duckdb", "UNPIVOT t ON a, b INTO NAME n VALUE v"),
    ("duckdb", "SUMMARIZE t"),
    ("duckdb", "DESCRIBE t"),
    ("duckdb", "DESCRIBE SELECT 1"),
    ("duckdb", "SHOW TABLES"),
    ("duckdb", "EXPLAIN SELECT 1"),
    ("duckdb", "EXPLAIN ANALYZE SELECT 1"),
    ("duckdb", "EXPLAIN INSERT INTO t VALUES (1)"),
    ("duckdb", "SELECT * FROM read_csv('a.csv')"),
    ("duckdb", "SELECT 'INSERT INTO t; DROP TABLE t'"),
    ("duckdb", "SELECT updated_at, created, delete_me FROM t"),
    ("duckdb", "SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1"),
    ("postgres", "SELECT pg_read_file('x')"),
    ("postgres", "SELECT pg_sleep(1)"),
    ("postgres", "SHOW search_path"),
    ("postgres", "EXPLAIN (FORMAT JSON) DELETE FROM t"),
    ("postgres", "SELECT $$drop table t$$"),
    ("mysql", "SELECT load_file('/x')"),
    ("mysql", "SELECT sleep(1)"),
    ("mysql", "SHOW TABLES"),
    ("mysql", "DESC t"),
    ("mysql", "EXPLAIN t"),
    ("mysql", 'SELECT "a; b" FROM t # comment; here'),
    ("bigquery", "SELECT * FROM `p-1.d.t`"),
    ("bigquery", "SELECT '''a;b''' FROM t"),
    ("snowflake", "DESCRIBE TABLE t"),
    ("databricks", "DESCRIBE TABLE t"),
    ("snowflake", "SELECT col:a.b::int FROM t"),
    ("databricks", "SELECT r'\\' FROM t"),
]
NOT_READS = [
    ("duckdb", "INSERT INTO t VALUES (1)", "write"),
    ("duckdb", "UPDATE t SET a = 1", "write"),
    ("duckdb", "DELETE FROM t", "write"),
    ("duckdb", "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", "write"),
    ("duckdb", "TRUNCATE t", "write"),
    ("duckdb", "COPY t TO 'x.csv'", "write"),
    ("duckdb", "COPY (SELECT 1) TO 'x.csv'", "write"),
    ("duckdb", "COPY t FROM 'x.csv'", "write"),
    ("duckdb", "EXPORT DATABASE 'x'", "write"),
    ("duckdb", "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "write"),
    ("duckdb", "CREATE TABLE t AS SELECT 1", "ddl"),
    ("duckdb", "CREATE OR REPLACE VIEW v AS SELECT 1", "ddl"),
    ("duckdb", "CREATE SECRET s (TYPE s3)", "ddl"),
    ("duckdb", "DROP TABLE t", "ddl"),
    ("duckdb", "ALTER TABLE t ADD COLUMN b INT", "ddl"),
    ("duckdb", "COMMENT ON TABLE t IS 'x'", "ddl"),
    ("duckdb", "ATTACH 'x.db' AS x", "session"),
    ("duckdb", "DETACH x", "session"),
    ("duckdb", "INSTALL httpfs", "session"),
    ("duckdb", "LOAD httpfs", "session"),
    ("duckdb", "SET threads = 1", "session"),
    ("duckdb", "PRAGMA database_list", "session"),
    ("duckdb", "USE x", "session"),
    ("duckdb", "BEGIN", "session"),
    ("duckdb", "COMMIT", "session"),
    ("duckdb", "CHECKPOINT", "write"),
    ("duckdb", "VACUUM", "write"),
    ("duckdb", "CALL start_ui()", "unknown"),
    ("duckdb", "SELECT nextval('s')", "write"),
    ("duckdb", "FROM query('select 1')", "write"),
    ("duckdb", "EXPLAIN ANALYZE INSERT INTO t VALUES (1)", "write"),
    ("duckdb", "SELEC 1", "unknown"),
    ("postgres", "EXPLAIN (ANALYZE, FORMAT JSON) DELETE FROM t", "write"),
    ("postgres", "explain analyse verbose update t set a = 1", "write"),
    ("postgres", "with a as (delete from t returning *) select * from a", "write"),
    ("postgres", "SELECT * INTO x FROM t", "write"),
    ("postgres", "SELECT * FROM t FOR UPDATE", "write"),
    ("postgres", "SELECT * FROM (SELECT * FROM t FOR SHARE) AS q", "write"),
    ("postgres", "SELECT setval('s', 1)", "write"),
    ("postgres", "SELECT pg_catalog.nextval('s')", "write"),
    ("postgres", "SELECT \"nextval\"('s')", "write"),
    ("postgres", "SELECT pg_advisory_lock(1)", "write"),
    ("postgres", "SELECT * FROM t WHERE pg_try_advisory_xact_lock(a)", "write"),
    ("postgres", "SELECT lo_export(1, '/x')", "write"),
    ("postgres", "SELECT * FROM dblink('x', 'drop table t') AS q(a int)", "write"),
    ("postgres", "SELECT query_to_xml('delete from t', true, true, '')", "write"),
    ("postgres", "SELECT pg_terminate_backend(1)", "write"),
    ("postgres", "COPY t TO PROGRAM 'rm x'", "write"),
    ("postgres", "DO $$ begin delete from t; end $$", "unknown"),
    ("postgres", "LOCK t", "session"),
    ("postgres", "GRANT SELECT ON t TO u", "ddl"),
    ("mysql", "/*!50000 drop table t */ select 1", "unknown"),
    ("mysql", "select 1 /*M!100000 into outfile 'x' */", "unknown"),
    ("mysql", "SELECT get_lock('a', 1)", "write"),
    ("mysql", "SELECT @x := 1", "session"),
    ("mysql", "SELECT * FROM t INTO OUTFILE '/x'", "unknown"),
    ("mysql", "SELECT 1 INTO @x", "write"),
    ("mysql", "REPLACE INTO t VALUES (1)", "write"),
    ("mysql", "LOAD DATA INFILE 'x' INTO TABLE t", "write"),
    ("mysql", "ANALYZE DELETE FROM t", "write"),
    ("mysql", "HANDLER t OPEN", "unknown"),
    ("snowflake", "SELECT seq1.NEXTVAL", "write"),
    ("snowflake", "SELECT SYSTEM$CANCEL_QUERY('x')", "write"),
    ("snowflake", "PUT file://x @stage", "write"),
    ("databricks", "SELECT reflect('java.lang.System', 'exit', 1)", "write"),
    ("bigquery", "EXPORT DATA OPTIONS (uri = 'gs://x') AS SELECT 1", "write"),
]


@pytest.mark.parametrize(("dialect", "text"), READS)
def test_read(dialect: str, text: str) -> None:
    statement = parse(text, dialect=dialect)
    assert statement.kind is StatementKind.READ, statement.note


@pytest.mark.parametrize(("dialect", "text", "kind"), NOT_READS)
def test_not_a_read(dialect: str, text: str, kind: str) -> None:
    assert parse(text, dialect=dialect).kind == kind


def test_corpus_is_not_small() -> None:
    assert len(READS) + len(NOT_READS) >= 80


def test_what_the_parser_cannot_read_is_never_a_read_but_for_show() -> None:
    statement = parse("SELECT FROM WHERE", dialect="duckdb")
    assert not statement.parsed
    assert statement.kind is StatementKind.UNKNOWN
    assert "sqlglot" in statement.note
