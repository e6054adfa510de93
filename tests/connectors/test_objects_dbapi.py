"""A DB-API connection of the user: what its driver can do, and what it cannot, is said."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.dbapi import bind, driver_module
from aiser_jupyter.connectors.objects import ObjectConnector
from aiser_jupyter.errors import (
    ConnectError,
    DataError,
    DeadlineExceeded,
    EngineUnavailable,
    MultipleStatements,
    QueryCancelled,
    QuerySyntaxError,
    UnknownColumn,
    UnknownTable,
)
from aiser_jupyter.models import TableRef
from aiser_jupyter.run import Run

Open = Callable[[object], Any]
Ask = Callable[..., pa.Table]


def test_types_come_from_the_values(lite: sqlite3.Connection, ask: Ask) -> None:
    table = ask(lite, "SELECT 1 AS i, 1.5 AS f, 'é' AS s, x'00ff' AS b, 1 AS i")
    assert table.schema.names == ["i", "f", "s", "b", "i"]
    assert table.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.binary(), pa.int64()]
    assert [column.to_pylist() for column in table.columns] == [[1], [1.5], ["é"], [b"\x00\xff"], [1]]


def test_parameters_are_bound_and_not_pasted(lite: sqlite3.Connection, ask: Ask) -> None:
    evil = "'; DROP TABLE t; --"
    lite.execute("CREATE TABLE t (s TEXT)")
    lite.execute("INSERT INTO t VALUES (?)", [evil])
    found = ask(lite, "SELECT s, '$evil' AS literal FROM t WHERE s = $evil AND $evil IS NOT NULL", evil=evil)
    assert found.to_pylist() == [{"s": evil, "literal": "$evil"}]


def test_no_rows_keeps_its_columns_and_says_that_types_are_guessed(
    lite: sqlite3.Connection, ask: Ask
) -> None:
    run = Run("r")
    lite.execute("CREATE TABLE t (a INTEGER, b TEXT)")
    assert ask(lite, "SELECT * FROM t", run).schema.names == ["a", "b"]
    assert [(n.code, n.message[:8]) for n in run.notices] == [("inferred_type", "a and b:")]


def test_a_write_says_what_it_changed_and_that_it_is_not_committed(
    lite: sqlite3.Connection, ask: Ask
) -> None:
    run = Run("r")
    lite.execute("CREATE TABLE t (a INTEGER)")
    table = ask(lite, "INSERT INTO t VALUES (1), (2)", run)
    assert table.schema.names == []
    assert [notice.code for notice in run.notices] == ["open_transaction", "rows_changed"]
    assert "2 rows changed" in run.notices[1].message
    lite.rollback()
    assert ask(lite, "SELECT count(*) AS n FROM t")["n"].to_pylist() == [0]


def test_a_connection_of_another_thread_says_how_to_make_it(ask: Ask) -> None:
    bound = sqlite3.connect(":memory:")
    caught: list[BaseException] = []

    def work() -> None:
        with pytest.raises(ConnectError) as error:
            ask(bound, "SELECT 1")
        caught.append(error.value)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    bound.close()
    assert "check_same_thread=False" in str(caught[0])


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELEC 1", QuerySyntaxError),
        ("SELECT * FROM nowhere", UnknownTable),
        ("SELECT absent FROM (SELECT 1 AS a)", UnknownColumn),
        ("SELECT 1; SELECT 2", MultipleStatements),
        ("INSERT INTO u VALUES (1)", DataError),
    ],
)
def test_errors_are_ours(lite: sqlite3.Connection, sql: str, error: type[Exception], ask: Ask) -> None:
    lite.execute("CREATE TABLE u (a INTEGER UNIQUE)")
    lite.execute("INSERT INTO u VALUES (1)")
    with pytest.raises(error) as caught:
        ask(lite, sql)
    assert isinstance(caught.value.__cause__, (sqlite3.Error, sqlite3.Warning))


def test_cancel_interrupts_sqlite_and_leaves_it_usable(
    lite: sqlite3.Connection, opened: Open, ask: Ask, cancel_long_query: Callable[[Any], float]
) -> None:
    session = opened(lite)
    spent = cancel_long_query(session)
    session.close()
    session.cancel()  # nothing runs any more
    assert spent < 2
    assert ask(lite, "SELECT 1 AS n")["n"].to_pylist() == [1]


def test_one_statement_at_a_time_on_a_connection(lite: sqlite3.Connection, opened: Open) -> None:
    first, second, run = opened(lite), opened(lite), Run("second", timeout=0.3)
    first.execute("SELECT 1", {}, Run("first"))
    with pytest.raises(DeadlineExceeded):
        second.execute("SELECT 2", {}, run)
    first.close()
    reader = second.execute("SELECT 2 AS n", {}, Run("again"))
    assert reader.read_all()["n"].to_pylist() == [2]
    second.close()
    second.close()


def test_lists_and_describes_sqlite_tables(lite: sqlite3.Connection, opened: Open) -> None:
    lite.execute('CREATE TABLE "my orders" (id INTEGER NOT NULL, note TEXT, blob)')
    lite.execute('CREATE VIEW recent AS SELECT * FROM "my orders"')
    session, kind = opened(lite), ObjectConnector()
    assert [(t.name, t.kind) for t in kind.tables(session)] == [("my orders", "table"), ("recent", "view")]
    columns = kind.columns(session, TableRef("my orders")).columns or ()
    assert [(c.name, c.type, c.nullable) for c in columns] == [
        ("id", "INTEGER", False),
        ("note", "TEXT", True),
        ("blob", "BLOB", True),
    ]
    with pytest.raises(UnknownTable) as caught:
        kind.columns(session, TableRef("my order"))
    session.close()
    assert caught.value.hint == "Did you mean 'my orders'?"


class SilentConnection:
    """The least that PEP 249 asks for, over sqlite3: no way to cancel, and no types.

    sqlite3 itself can do both, so it cannot show what is said where a driver can not.
    """

    def __init__(self) -> None:
        self._real = sqlite3.connect(":memory:", check_same_thread=False)

    def cursor(self) -> sqlite3.Cursor:
        return self._real.cursor()

    def commit(self) -> None:
        self._real.commit()

    def rollback(self) -> None:
        self._real.rollback()

    def close(self) -> None:
        self._real.close()


def test_a_driver_that_cannot_cancel_is_said_to_be_unconfirmed(opened: Open) -> None:
    silent, run = SilentConnection(), Run("r")
    session = opened(silent)
    reader = session.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i FROM n",
        {},
        run,
    )
    reader.read_next_batch()
    run.cancel()
    with pytest.raises(QueryCancelled) as caught:
        reader.read_all()
    session.close()
    silent.close()
    assert caught.value.confirmed is False


def test_a_driver_that_cannot_list_its_tables_says_so(opened: Open) -> None:
    silent = SilentConnection()
    with pytest.raises(EngineUnavailable, match="do not list their tables"):
        ObjectConnector().tables(opened(silent))
    silent.close()


# -- placeholders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "text", "values"),
    [
        ("qmark", "SELECT ?, '$a%', ?, ? -- $a", [1, 2, 1]),
        ("numeric", "SELECT :1, '$a%', :2, :1 -- $a", [1, 2]),
        ("named", "SELECT :a, '$a%', :b, :a -- $a", {"a": 1, "b": 2}),
        ("format", "SELECT %s, '$a%%', %s, %s -- $a", [1, 2, 1]),
        ("pyformat", "SELECT %(a)s, '$a%%', %(b)s, %(a)s -- $a", {"a": 1, "b": 2}),
    ],
)
def test_placeholders_in_the_style_of_the_driver(style: str, text: str, values: object) -> None:
    assert bind("SELECT $a, '$a%', $b, $a -- $a", {"a": 1, "b": 2}, style) == (text, values)


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ('SELECT "$a", `$a`', "sqlite"),
        ("SELECT 'it''s $a'", ""),
        ("SELECT $$ $a $$, $body$ $a $body$", "postgres"),
        ("SELECT 'it\\'s $a'", "mysql"),
        ("SELECT 1 /* $a */", ""),
        ("SELECT $1, $other", ""),
    ],
)
def test_what_is_not_a_placeholder_is_left_alone(sql: str, dialect: str) -> None:
    assert bind(sql, {"a": 1}, "named", dialect)[0] == sql


def test_a_backslash_does_not_escape_where_the_dialect_has_none() -> None:
    assert bind(r"SELECT 'C:\', $a", {"a": 1}, "named", "postgres")[0] == r"SELECT 'C:\', :a"


def test_without_parameters_the_text_is_not_touched() -> None:
    assert bind("SELECT 7 % 2", {}, "pyformat") == ("SELECT 7 % 2", None)


def test_the_module_of_a_driver_is_found_by_its_paramstyle(lite: sqlite3.Connection) -> None:
    assert driver_module(lite) is sqlite3
