"""Leads the fuzzer to where something happens, and keeps it from harm.

What it makes up never names a file outside of the server's own folder. Ids that have to be new mostly are,
and statements are mostly ones that run: what is made up at random is refused at the first word.
"""

from __future__ import annotations

import uuid

import schemathesis

STATEMENTS = (
    "SELECT 1 AS one",
    "SELECT :n AS n",
    "SELECT * FROM range(3000) t(i)",
    "SELECT i, 'x' || i AS t, i::DECIMAL(20, 4) AS d, [i] AS l, {{'a': i}} AS s FROM range(50) t(i)",
    "SELECT 'nan'::DOUBLE, DATE '2024-02-29', TIMESTAMPTZ 'epoch', '\\x00'::BLOB, INTERVAL 1 DAY, uuid()",
    "CREATE OR REPLACE TABLE t AS SELECT 1 AS a",
    "INSERT INTO t VALUES (2)",
    "SELECT nope",
    "SELECT a/0 FROM (VALUES (1), (NULL)) v(a)",
    "",
)


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    """Take turns between what was made up and what is likely to work; what has to be refused stays."""
    body = case.body
    if not isinstance(body, dict) or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    turn = uuid.uuid4().int
    for query in [body, *body.get("queries", ())]:
        if "query" in query and turn % 4:
            query["query"] = STATEMENTS[turn % len(STATEMENTS)] or query["query"]
        if query.get("query_id") and turn % 5:
            query["query_id"] = uuid.uuid4().hex
    if case.operation.label == "POST /data/enterprise/connections" and turn % 3:
        body.clear()
        body |= {"type": "duckdb", "name": f"c{turn % 1000}", "database": f"{turn % 7}.duckdb"}


@schemathesis.hook
def filter_body(context, body) -> bool:
    """Let through what stays in the server's folder: a database file is a bare name, a URL names a server."""
    if not isinstance(body, dict):
        return True
    more = body.get("metadata")
    paths = [body.get("database"), *(more.values() if isinstance(more, dict) else ())]
    if any(isinstance(path, str) and ("/" in path or path.startswith(("~", "."))) for path in paths):
        return False
    url = body.get("connection_string")
    return not isinstance(url, str) or not (url.startswith("duckdb:") or url.endswith("db"))
