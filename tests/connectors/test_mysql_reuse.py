"""A session of MySQL is used again only where nothing of its last user is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from aiser_jupyter.connectors.mysql import MySQLConnector
from aiser_jupyter.connectors.pool import Pool
from aiser_jupyter.errors import AiserError
from aiser_jupyter.run import Run
from tests.connectors.mysql_database import config_of, fetch, notices, session_of, value
from tests.servers.leaks import eventually
from tests.servers.mariadb import MariaDB


@pytest.fixture
def guarded(mariadb: MariaDB) -> Iterator[MariaDB]:
    """A table of one row."""
    mariadb.admin("CREATE OR REPLACE TABLE held (x INT PRIMARY KEY) SELECT 1 AS x", database="shop")
    yield mariadb
    mariadb.admin("DROP TABLE held", database="shop")


LEFT: list[tuple[str, str, Any]] = [
    ("SET @mine = 'secret'", "@mine", None),
    ("SET sql_mode = 'ANSI_QUOTES'", "@@sql_mode LIKE '%ANSI_QUOTES%'", 0),
    ("SET time_zone = '+05:00'", "@@time_zone", "SYSTEM"),
    ("SET NAMES latin1", "@@character_set_results", "utf8mb4"),
    ("SET autocommit = 0", "@@autocommit", 1),
    ("SET SESSION TRANSACTION READ WRITE", "@@tx_read_only", 1),
    ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "@@tx_isolation", "REPEATABLE-READ"),
    ("SELECT GET_LOCK('mine', 1)", "IS_FREE_LOCK('mine')", 1),
    ("USE information_schema", "DATABASE()", "shop"),
    ("SELECT 1", "@@max_statement_time", 0),
]


@pytest.mark.parametrize(("left", "asked", "expected"), LEFT)
def test_what_a_user_left_is_gone(mariadb: MariaDB, left: str, asked: str, expected: Any) -> None:
    with session_of(mariadb, read_only=True) as session:
        thread = value(session, "CONNECTION_ID()")
        fetch(session, left, run=Run("test", timeout=50))
        assert session.recycle()
        assert value(session, "CONNECTION_ID()") == thread
        assert value(session, asked) == expected


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        ("CREATE TEMPORARY TABLE mine (x INT)", "SELECT * FROM mine"),
        ("PREPARE mine FROM 'SELECT 1'", "EXECUTE mine"),
    ],
)
def test_what_a_user_made_is_gone(mariadb: MariaDB, left: str, asked: str) -> None:
    with session_of(mariadb) as session:
        fetch(session, left)
        fetch(session, asked)
        assert session.recycle()
        with pytest.raises(AiserError):
            fetch(session, asked)


def test_a_transaction_is_rolled_back_and_its_locks_are_free(guarded: MariaDB) -> None:
    with session_of(guarded) as session, session_of(guarded) as other:
        fetch(session, "BEGIN")
        fetch(session, "UPDATE held SET x = 5")
        assert session.recycle()
        fetch(other, "SET innodb_lock_wait_timeout = 1")
        assert notices(other, "UPDATE held SET x = 6 WHERE x = 1")[0].message == "1 row changed."


def test_a_session_that_went_elsewhere_is_not_used_again(mariadb: MariaDB) -> None:
    mariadb.admin("CREATE OR REPLACE ROLE teller")
    mariadb.admin("GRANT teller TO ann@'%'")
    with session_of(mariadb) as session:
        fetch(session, "SET ROLE teller")
        recycled = session.recycle()
        assert not recycled or value(session, "CURRENT_ROLE()") is None
    with session_of(mariadb, database=None) as session:
        fetch(session, "USE shop")
        assert not session.recycle()


def test_a_session_with_unread_rows_is_not_used_again(mariadb: MariaDB) -> None:
    with session_of(mariadb) as session:
        reader = session.execute("SELECT seq FROM seq_1_to_10000000", (), Run("test"))
        reader.read_next_batch()
        assert not session.clean


def test_a_session_that_the_server_closed_is_noticed(mariadb: MariaDB) -> None:
    with session_of(mariadb) as session:
        mariadb.admin(f"KILL {session.handle.partition('@')[0]}")
        started = time.monotonic()
        assert not session.check()
        assert time.monotonic() - started < 2


def test_the_pool_gives_the_session_to_the_next_one(mariadb: MariaDB) -> None:
    pool, kind, config = Pool(), MySQLConnector(), config_of(mariadb)
    key, first = pool.take(kind, config, read_only=True)
    thread = value(first, "CONNECTION_ID()")
    pool.give_back(key, first)
    assert eventually(lambda: any(pool._idle.values()))
    _, second = pool.take(kind, config, read_only=True)
    assert value(second, "CONNECTION_ID()") == thread
    second.close()
