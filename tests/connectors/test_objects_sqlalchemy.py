"""An engine and a connection of SQLAlchemy: whose transaction it is, and what errors may say."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy

from aiser_jupyter.connectors.objects import ObjectConnector
from aiser_jupyter.errors import ConnectError, DataError, UnknownTable
from aiser_jupyter.models import TableRef
from aiser_jupyter.run import Run

Open = Callable[[object], Any]
Ask = Callable[..., pa.Table]


def test_an_engine_commits_its_writes(engine: sqlalchemy.Engine, ask: Ask) -> None:
    ask(engine, "CREATE TABLE t (a INTEGER, b TEXT)")
    run = Run("r")
    ask(engine, "INSERT INTO t VALUES ($a, $b), (2, NULL)", run, a=1, b="x")
    assert [notice.message for notice in run.notices] == ["2 rows changed."]
    assert ask(engine, "SELECT * FROM t WHERE a <= $a", a=2).to_pylist() == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": None},
    ]


def test_a_failed_write_of_an_engine_is_rolled_back(engine: sqlalchemy.Engine, ask: Ask) -> None:
    ask(engine, "CREATE TABLE t (a INTEGER UNIQUE)")
    with pytest.raises(DataError):
        ask(engine, "INSERT INTO t VALUES (1), (1)")
    assert ask(engine, "SELECT count(*) AS n FROM t")["n"].to_pylist() == [0]


def test_a_connection_keeps_its_own_transaction(engine: sqlalchemy.Engine, ask: Ask) -> None:
    ask(engine, "CREATE TABLE t (a INTEGER)")
    run = Run("r")
    with engine.connect() as connection:
        ask(connection, "INSERT INTO t VALUES (1)", run)
        connection.rollback()
        assert ask(connection, "SELECT count(*) AS n FROM t")["n"].to_pylist() == [0]
    assert "open_transaction" in [notice.code for notice in run.notices]


def test_an_engine_lists_and_describes(engine: sqlalchemy.Engine, opened: Open, ask: Ask) -> None:
    ask(engine, "CREATE TABLE orders (id INTEGER NOT NULL, note TEXT)")
    session, kind = opened(engine), ObjectConnector()
    columns = kind.columns(session, TableRef("orders")).columns or ()
    assert [table.name for table in kind.tables(session)] == ["orders"]
    assert [(c.name, c.type, c.nullable) for c in columns] == [
        ("id", "INTEGER", False),
        ("note", "TEXT", True),
    ]
    with pytest.raises(UnknownTable):
        kind.columns(session, TableRef("nowhere"))
    session.close()


def test_an_engine_is_cancelled_through_its_driver(
    engine: sqlalchemy.Engine, opened: Open, cancel_long_query: Callable[[Any], float]
) -> None:
    session = opened(engine)
    spent = cancel_long_query(session)
    session.close()
    assert spent < 2


def test_an_engine_that_cannot_connect_says_why(tmp_path: Path, opened: Open) -> None:
    broken = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/no/such/folder.db")
    with pytest.raises(ConnectError, match="unable to open database file") as caught:
        opened(broken)
    assert caught.value.hint


def test_the_password_of_an_engine_is_not_in_its_errors(opened: Open) -> None:
    def refuse() -> None:
        raise sqlite3.OperationalError("cannot reach mysql://me:s3cret@host/shop")

    names = {name: value for name, value in vars(sqlite3).items() if name.endswith("Error")}
    module = SimpleNamespace(paramstyle="pyformat", **names)
    broken = sqlalchemy.create_engine("mysql+pymysql://me:s3cret@host/shop", module=module, creator=refuse)
    with pytest.raises(ConnectError) as caught:
        opened(broken)
    shown = "".join(traceback.format_exception(caught.value))
    assert "mysql://me:***@host/shop" in caught.value.message
    assert "s3cret@" not in shown


def test_an_engine_with_a_database_a_thread_is_refused(opened: Open) -> None:
    from sqlalchemy.pool import SingletonThreadPool

    apart = sqlalchemy.create_engine("sqlite://", poolclass=SingletonThreadPool)
    with pytest.raises(ConnectError, match="a database of its own") as caught:
        opened(apart)
    apart.dispose()
    assert "StaticPool" in caught.value.hint
