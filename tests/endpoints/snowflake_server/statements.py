"""Snowflake's SQL on fakesnow: what it lacks is added, or answered with what the service is known to say."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any

import duckdb
import fakesnow.cursor
import fakesnow.rowtype
import fakesnow.server
import pyarrow as pa
import results
from fakesnow.dialect import parse
from fakesnow.statement_type import DML_TYPE_IDS, SHOW, statement_type_id
from snowflake.connector.errors import Error, ProgrammingError

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SHOWN_AT_MOST = 10_000
REPEATED_ROWS = 5_000
ENDLESS = 5_000_000
"""Rows of a generator from which on a result is not made, but repeated."""
EXPLAINED = {
    "GlobalStats": {"partitionsTotal": 2, "partitionsAssigned": 2, "bytesAssigned": 1024},
    "Operations": [
        [
            {"id": 0, "operation": "Result", "expressions": ["Z1.ID"]},
            {"id": 1, "parentOperators": [0], "operation": "InnerJoin", "joinKey": "(Z2.ID = Z1.ID)"},
            {
                "id": 2,
                "parentOperators": [1],
                "operation": "TableScan",
                "objects": ["TESTDB.TEMPORARY_DOC_TEST.Z2"],
                "expressions": ["ID"],
                "partitionsAssigned": 1,
                "partitionsTotal": 1,
                "bytesAssigned": 512,
            },
        ]
    ],
}
"""The example of Snowflake's own documentation of EXPLAIN USING JSON."""

fakesnow.rowtype.duckdb_to_sf_type |= {
    "FLOAT": "real",
    "UUID": "text",
    "TINYINT": "fixed",
    "SMALLINT": "fixed",
    "UINTEGER": "fixed",
    "UHUGEINT": "fixed",
    "INTERVAL": "text",
}


def failure(code: int, state: str, message: str) -> ProgrammingError:
    """Return an error of Snowflake."""
    return ProgrammingError(msg=message, errno=code, sqlstate=state)


COLUMNS = """
SELECT table_name AS "table_name", schema_name AS "schema_name", column_name AS "column_name", CASE
    WHEN data_type LIKE 'DECIMAL%'
    THEN format('{{"type":"FIXED","precision":{},"scale":{}}}', numeric_precision, numeric_scale)
    WHEN data_type = 'BIGINT' THEN '{"type":"FIXED","precision":38,"scale":0}'
    WHEN data_type = 'TIMESTAMP' THEN '{"type":"TIMESTAMP_NTZ","precision":0,"scale":9}'
    WHEN data_type = 'VARCHAR' THEN '{"type":"TEXT","length":16777216,"byteLength":16777216}'
    ELSE '{"type":"' || data_type || '"}' END AS "data_type",
    CASE WHEN is_nullable THEN 'true' ELSE 'false' END AS "null?", coalesce(comment, '') AS "comment",
    database_name AS "database_name"
FROM duckdb_columns()"""


class Session:
    """One login: a connection of fakesnow, and what Snowflake knows of a session besides."""

    def __init__(self, connection: Any, facts: dict[str, str]) -> None:
        self.connection = connection
        self.facts = facts
        self.stopped: ProgrammingError | None = None

    def stop(self, code: int, message: str) -> None:
        """End what runs, with the words that the service has for it."""
        self.stopped = failure(code, "57014", message)
        self.connection._duck_conn.interrupt()

    def run(self, sql: str, bindings: dict[str, Any], base: str, chunks: results.Chunks) -> dict[str, Any]:
        """Run one statement, and return ``data`` of its answer. Raises a ``snowflake.connector`` error."""
        values = [_bound(bindings[str(place)]) for place in range(1, len(bindings) + 1)]
        self.stopped = None
        endless = False
        try:
            if (plain := _answered_by_duckdb(sql, self.connection)) is not None:
                table, rowtype, kind = self._plain(plain)
            else:
                sql, endless = self._rewritten(sql)
                table, rowtype, kind = self._faked(sql, values)
        except duckdb.InterruptException as exc:
            raise self.stopped or failure(604, "57014", "SQL execution canceled") from exc
        except Error as exc:
            raise self.stopped or _as_snowflake(exc) from exc
        except Exception as exc:  # what fakesnow cannot do is an error of the statement, not of the service
            raise self.stopped or failure(100132, "P0000", str(exc).split("\n")[0]) from exc
        data = {
            "parameters": [{"name": "TIMEZONE", "value": "Etc/UTC"}],
            "rowtype": rowtype,
            "statementTypeId": kind,
            "finalDatabaseName": self.connection.database,
            "finalSchemaName": self.connection.schema,
        }
        if kind in DML_TYPE_IDS:
            rows = [
                [None if each is None else str(each) for each in row.values()] for row in table.to_pylist()
            ]
            return {**data, "queryResultFormat": "json", "rowset": rows, "total": 1, "returned": 1}
        encoded = results.encoded(table, rowtype)
        return {**data, **(chunks.repeat if endless else chunks.split)(encoded, base)}

    def _faked(self, sql: str, values: list[Any]) -> tuple[pa.Table, list[Any], int]:
        parsed = [each for each in parse(sql) if each is not None]
        if len(parsed) != 1:
            words = f"Actual statement count {len(parsed)} did not match the desired statement count 1."
            raise failure(8, "0A000", words)
        cursor = self.connection.cursor()
        cursor.execute(sql, binding_params=values, server=True)
        rowtype = fakesnow.rowtype.describe_as_rowtype(cursor._describe_last_sql())
        return cursor._arrow_table, rowtype, statement_type_id(parsed[0])

    def _plain(self, sql: str) -> tuple[pa.Table, list[Any], int]:
        duck = self.connection._duck_conn
        rowtype = fakesnow.rowtype.describe_as_rowtype(duck.execute(f"DESCRIBE {sql}").fetchall())
        return duck.execute(sql).to_arrow_table(), rowtype, SHOW

    def _rewritten(self, sql: str) -> tuple[str, bool]:
        """Return what fakesnow can run, and whether its rows are to be repeated without an end."""
        for function, fact in self.facts.items():
            literal = "NULL::VARCHAR" if not fact else "'" + fact.replace("'", "''") + "'"
            sql = re.sub(rf"\b{function}\s*\(\s*\)", literal, sql, flags=re.I)
        return _generated(sql)


def _answered_by_duckdb(sql: str, connection: Any) -> str | None:
    """Return what DuckDB answers in fakesnow's place; None where fakesnow does."""
    bare = re.sub(r"^\s*(/\*.*?\*/\s*)*", "", sql, flags=re.S)
    if re.match(r"explain\s+using\s+json\s", bare, re.I):
        return f"SELECT '{json.dumps(EXPLAINED)}' AS \"content\""
    if found := re.match(r"show\s+objects\b(.*)$", bare, re.I | re.S):
        return _objects(found[1], connection)
    if found := re.match(r"show\s+columns\b(.*)$", bare, re.I | re.S):
        return (
            f"{COLUMNS} WHERE {' AND '.join(_scope(found[1], connection))} ORDER BY schema_name, table_name"
        )
    return None


def _generated(sql: str) -> tuple[str, bool]:
    """Turn Snowflake's generator of rows into DuckDB's; of very many rows only the first chunk."""
    most = 0
    for found in re.finditer(r"ROWCOUNT\s*=>\s*(\d+)", sql, re.I):
        most = max(most, int(found[1]))
    endless = most > ENDLESS and not re.search(r"\bsum\s*\(", sql, re.I)

    def source(found: re.Match[str]) -> str:
        count = min(int(found[1]), REPEATED_ROWS) if endless else int(found[1])
        return f"(SELECT range AS seq8 FROM range({count}))"

    sql = re.sub(r"TABLE\s*\(\s*GENERATOR\s*\(\s*ROWCOUNT\s*=>\s*(\d+)\s*\)\s*\)", source, sql, flags=re.I)
    return re.sub(r"\bSEQ8\s*\(\s*\)", "seq8", sql, flags=re.I), endless


def _objects(words: str, connection: Any) -> str:
    """SHOW OBJECTS with sizes, at most 10,000 of them, and LIMIT … FROM to go on, as the service has it."""
    where = _scope(words, connection)
    limit = SHOWN_AT_MOST
    if found := re.search(r"\bLIMIT\s+(\d+)(?:\s+FROM\s+'((?:[^']|'')*)')?\s*$", words, re.I):
        limit = min(limit, int(found[1]))
        if found[2] is not None:
            where.append(f"name > {_again(found[2])}")
    if found := re.search(r"\bSTARTS\s+WITH\s+'((?:[^']|'')*)'", words, re.I):
        where.append(f"starts_with(name, {_again(found[1])})")
    ours = "starts_with(schema_name, '_fs') = false"
    return (
        'SELECT * FROM (SELECT table_name AS "name", database_name AS "database_name",'
        ' schema_name AS "schema_name", \'TABLE\' AS "kind", coalesce(comment, \'\') AS "comment",'
        ' estimated_size AS "rows", estimated_size * 8 AS "bytes" FROM duckdb_tables() WHERE '
        f"{ours} UNION ALL SELECT view_name, database_name, schema_name, 'VIEW', coalesce(comment, ''),"
        f" NULL, NULL FROM duckdb_views() WHERE NOT internal AND {ours})"
        f" WHERE {' AND '.join(where)} ORDER BY 2, 3, 1 LIMIT {limit}"
    )


def _scope(words: str, connection: Any) -> list[str]:
    where = [f"database_name = '{connection.database}'"]
    name = r'(?:"((?:[^"]|"")+)"|(\w+))'
    if found := re.search(rf"\bIN\s+SCHEMA\s+{name}\.{name}", words, re.I):
        where = [
            f"database_name = '{_name(*found.groups()[:2])}'",
            f"schema_name = '{_name(*found.groups()[2:])}'",
        ]
    elif found := re.search(rf"\bIN\s+SCHEMA\s+{name}", words, re.I):
        where.append(f"schema_name = '{_name(*found.groups())}'")
    elif found := re.search(rf"\bIN\s+DATABASE\s+(?!LIMIT|STARTS){name}", words, re.I):
        where = [f"database_name = '{_name(*found.groups())}'"]
    return where


def _again(literal: str) -> str:
    """Write what is between the quotes of Snowflake's literal, which knows backslashes, as DuckDB's."""
    text = re.sub(r"\\(.)", r"\1", literal.replace("''", "'"), flags=re.S)
    return "'" + text.replace("'", "''") + "'"


def _name(quoted: str | None, bare: str | None) -> str:
    return (quoted.replace('""', '"') if quoted is not None else (bare or "").upper()).replace("'", "''")


def _bound(binding: dict[str, Any]) -> Any:
    """Return a bound value; exact, where fakesnow goes by way of a float."""
    kind, value = binding["type"], binding["value"]
    if value is None:
        return None
    if kind == "FIXED":
        return Decimal(value) if "." in value else int(value)
    if kind == "REAL":
        return float(value)
    if kind.startswith("TIMESTAMP"):
        nanoseconds, _, zone = value.partition(" ")
        moment = EPOCH + dt.timedelta(microseconds=int(nanoseconds) // 1000)
        if kind == "TIMESTAMP_TZ":
            return moment.astimezone(dt.timezone(dt.timedelta(minutes=int(zone or 1440) - 1440)))
        return moment.replace(tzinfo=None) if kind == "TIMESTAMP_NTZ" else moment
    if kind == "TIME":
        return (EPOCH + dt.timedelta(microseconds=int(value) // 1000)).time()
    if kind == "DATE":
        return (EPOCH + dt.timedelta(milliseconds=int(value))).date()
    return fakesnow.server.from_binding(binding)


def _as_snowflake(exc: Error) -> Error:
    """Give DuckDB's words the form that Snowflake has for the same fault."""
    text = str(exc.msg or exc).removeprefix(f"{exc.errno:06d} ({exc.sqlstate}): ")
    compiled = "SQL compilation error:"
    if exc.errno == 1003:
        found = re.search(r"Line (\d+), Col: (\d+)", text)
        place = (
            f"line {found[1]} at position {max(int(found[2]) - 1, 0)}" if found else "line 1 at position 0"
        )
        return failure(1003, "42000", f"{compiled}\nsyntax error {place} unexpected '<EOF>'.")
    if found := re.search(r'Table with name "?(.+?)"? does not exist', text):
        return failure(2003, "42S02", f"{compiled}\nObject '{found[1]}' does not exist or not authorized.")
    if found := re.search(r'[Rr]eferenced column "([^"]+)" (?:was )?not found|column "([^"]+)"', text):
        name = found[1] or found[2]
        return failure(904, "42000", f"{compiled} error line 1 at position 7\ninvalid identifier '{name}'")
    if "nterrupt" in text:
        return failure(604, "57014", "SQL execution canceled")
    return failure(exc.errno or 100132, exc.sqlstate or "P0000", text)
