"""What the server says, in our words: the right class, a hint, and the place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from aiser_jupyter.connectors.mysql.errors import translate
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConnectError,
    ConnectionLost,
    DataError,
    DeadlineExceeded,
    DiskFull,
    MultipleStatements,
    NotPermitted,
    OutOfMemory,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    StatementError,
    TLSFailed,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
)
from aiser_jupyter.run import Run
from tests.connectors.mysql_database import fetch, session_of, value
from tests.servers.mariadb import MariaDB

CODES: list[tuple[int, type[AiserError]]] = [
    *((code, AuthenticationFailed) for code in (1045, 1251, 1698, 2059, 3118)),
    (1049, UnknownDatabase),
    *((code, NotPermitted) for code in (1044, 1142, 1143, 1227, 1370, 1290, 1792, 1148, 3948, 4166)),
    *((code, UnknownTable) for code in (1146, 1109)),
    (1054, UnknownColumn),
    (1064, QuerySyntaxError),
    (1317, QueryCancelled),
    *((code, DeadlineExceeded) for code in (1969, 3024)),
    *((code, ConnectionLost) for code in (0, 2006, 2013, 2014, 4031, 1927, 1053)),
    *((code, ConnectError) for code in (1040, 1129, 1130, 1203, 1226, 3159, 2003)),
    (2026, TLSFailed),
    *((code, DataError) for code in (1264, 1366, 1292, 1406, 1062, 1048, 1451, 1153)),
    *((code, DiskFull) for code in (1021, 1114)),
    *((code, OutOfMemory) for code in (1037, 1038, 1041)),
    *((code, QueryFailed) for code in (1205, 1213, 9999)),
]


@pytest.fixture(scope="module")
def session(mariadb: MariaDB) -> Iterator[Any]:
    with session_of(mariadb) as opened:
        yield opened


@pytest.mark.parametrize(("code", "error"), CODES)
def test_a_number_has_its_class(code: int, error: type[AiserError]) -> None:
    found = translate(pymysql.err.OperationalError(code, "what the server says"), "SELECT 1" * (code != 1045))
    assert type(found) is error
    assert found.hint or error in (QuerySyntaxError, UnknownColumn, QueryCancelled, DataError, QueryFailed)


@pytest.mark.parametrize("code", [1205, 1213])
def test_locks_may_be_tried_again(code: int) -> None:
    found = translate(pymysql.err.OperationalError(code, "Lock wait timeout exceeded"), "SELECT 1")
    assert found.retryable
    assert "again" in found.hint


@pytest.mark.parametrize(
    "exc",
    [
        pymysql.err.InterfaceError(0, ""),
        pymysql.err.InternalError("Packet sequence number wrong - got 1 expected 2"),
        AssertionError("Protocol error, expecting EOF"),
        IndexError("index out of range"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        AttributeError("'NoneType' object has no attribute 'read'"),
    ],
)
def test_what_is_no_protocol_loses_the_connection(exc: Exception) -> None:
    found = translate(exc)
    assert isinstance(found, ConnectionLost)
    assert found.retryable


@pytest.mark.parametrize(
    ("sql", "line", "column"),
    [
        ("SELEC 1", 1, 1),
        ("SELECT 1 FRM t WHERE", 1, 14),
        ("SELECT a,\n  b,\n  FROM t", 3, 3),
        ("SELECT *\nFROM t\nWHERE x = = 1", 3, 11),
        ("SELECT (1", 1, 10),
        ("SELECT 1 + FROM", 1, 12),
        ("SELECT 1,, 1,, 1", 1, 12),
        ("SELECT 1 +\nFROM t WHERE x = '" + "y" * 200 + "'", 2, 1),
    ],
)
@pytest.mark.parametrize("tag", ["", "cell 1"])
def test_a_syntax_error_has_its_place(session: Any, sql: str, line: int, column: int, tag: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        fetch(session, sql, run=Run("test", tag=tag))
    assert (caught.value.line, caught.value.column) == (line, column)


def test_several_statements_are_counted(session: Any) -> None:
    with pytest.raises(MultipleStatements, match="3 statements"):
        fetch(session, "SELECT 1; SELECT 2; SELECT 3")
    assert value(session, "'a;b'") == "a;b"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT * FROM mysql.user", NotPermitted),
        ("DROP TABLE nowhere", UnknownTable),
        ("SELECT nowhere.x FROM (SELECT 1 AS x) t", (UnknownTable, UnknownColumn)),
        ("USE nowhere", (NotPermitted, UnknownDatabase)),
        ("INSERT INTO strict VALUES (1000)", DataError),
        ("INSERT INTO strict VALUES ('x')", DataError),
        ("INSERT INTO strict VALUES (NULL)", DataError),
        ("INSERT INTO strict VALUES (1), (1)", DataError),
        ("SELECT (SELECT 1 UNION SELECT 2)", DataError),
        ("SELECT ~0 + 1", DataError),
        ("CREATE TABLE strict (x INT)", QueryFailed),
        ("SELECT 1 INTO OUTFILE '/tmp/never-written'", NotPermitted),
    ],
)
def test_the_servers_own_errors(mariadb: MariaDB, sql: str, error: Any) -> None:
    with session_of(mariadb) as opened:
        fetch(opened, "CREATE TEMPORARY TABLE strict (x TINYINT NOT NULL PRIMARY KEY)")
        if sql.startswith("CREATE"):
            sql = sql.replace("CREATE", "CREATE TEMPORARY")
        with pytest.raises(error) as caught:
            fetch(opened, sql)
        assert isinstance(caught.value, AiserError)
        assert value(opened, "1") == 1


def test_without_a_database_the_hint_says_where_to_name_it(mariadb: MariaDB) -> None:
    with session_of(mariadb, database=None) as opened:
        with pytest.raises(StatementError) as caught:
            fetch(opened, "SELECT * FROM t")
        assert "database.table" in caught.value.hint


def test_a_statement_larger_than_a_packet_says_so(mariadb: MariaDB) -> None:
    mariadb.admin("SET GLOBAL max_allowed_packet = 1048576")
    try:
        with session_of(mariadb) as opened, pytest.raises((DataError, ConnectionLost)) as caught:
            fetch(opened, "SELECT LENGTH(%(x)s)", {"x": "x" * (2 << 20)})
        assert caught.value.hint
    finally:
        mariadb.admin("SET GLOBAL max_allowed_packet = 67108864")


def test_a_deadlock_is_an_error_that_may_be_tried_again(mariadb: MariaDB) -> None:
    mariadb.admin(
        "CREATE OR REPLACE TABLE locked (x INT PRIMARY KEY, y INT) SELECT 1 AS x, 0 AS y", database="shop"
    )
    with session_of(mariadb) as one, session_of(mariadb) as two:
        fetch(one, "BEGIN")
        fetch(one, "UPDATE locked SET y = 1")
        fetch(two, "SET innodb_lock_wait_timeout = 1")
        with pytest.raises(QueryFailed) as caught:
            fetch(two, "UPDATE locked SET y = 2")
        assert caught.value.retryable
    mariadb.admin("DROP TABLE locked", database="shop")


def test_a_session_that_is_killed_at_work_is_lost(mariadb: MariaDB) -> None:
    with session_of(mariadb) as opened:
        number = opened.handle.partition("@")[0]
        timer = threading.Timer(0.2, lambda: mariadb.admin(f"KILL CONNECTION {number}"))
        timer.start()
        with pytest.raises((ConnectionLost, QueryCancelled)):
            fetch(opened, "SELECT SLEEP(20), seq FROM seq_1_to_10")
        timer.join()
