"""What a session of MySQL does with a statement, and what is left of it afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aiser_jupyter.connectors.mysql import MySQLConnector
from aiser_jupyter.errors import (
    AiserError,
    DeadlineExceeded,
    NotPermitted,
    QueryCancelled,
    QuerySyntaxError,
)
from aiser_jupyter.run import Handle, Run
from tests.connectors.mysql_database import config_of, fetch, notices, session_of, value
from tests.servers.leaks import eventually
from tests.servers.mariadb import MariaDB

SLOW = "SELECT SUM(a.seq * b.seq) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"


@pytest.fixture
def session(mariadb: MariaDB) -> Iterator[Any]:
    with session_of(mariadb) as opened:
        yield opened


# -- statements ---------------------------------------------------------------------------------------


def test_a_write_says_how_many_rows_it_changed(session: Any) -> None:
    assert [notice.message for notice in notices(session, "CREATE TEMPORARY TABLE changed (x INT)")] == [
        "0 rows changed."
    ]
    assert notices(session, "INSERT INTO changed VALUES (1), (2), (3)")[0].message == "3 rows changed."
    assert notices(session, "UPDATE changed SET x = 9 WHERE x = 1")[0].message == "1 row changed."


def test_the_servers_warnings_are_passed_on(session: Any) -> None:
    messages = [(notice.code, notice.message) for notice in notices(session, "SELECT CAST('12x' AS INT)")]
    assert messages == [("database_warning", "Warning 1292: Truncated incorrect INTEGER value: '12x'")]
    many = notices(session, "SELECT CAST(CONCAT(seq, 'x') AS INT) FROM seq_1_to_20")
    assert len(many) == 6
    assert many[-1].message == "15 more warnings."
    fetch(session, "CREATE TEMPORARY TABLE short (x VARCHAR(2))")
    fetch(session, "SET sql_mode = ''")
    assert "Data truncated" in notices(session, "INSERT INTO short VALUES ('long')")[1].message


@pytest.mark.parametrize("results", [0, 1, 3])
def test_of_a_procedures_results_the_first_is_read(mariadb: MariaDB, session: Any, results: int) -> None:
    body = "".join(f"SELECT seq, {number} FROM seq_1_to_30000;" for number in range(results))
    mariadb.admin(f"CREATE OR REPLACE PROCEDURE several() BEGIN {body} DO 1; END", database="shop")
    said = notices(session, "CALL several()")
    assert fetch(session, "CALL several()").num_rows == (30_000 if results else 0)
    assert [notice.message for notice in said if notice.code == "more_results"] == (
        ["The procedure gave 2 more results; only the first is read."] if results == 3 else []
    )
    assert value(session, "1") == 1


def test_a_procedure_that_fails_after_a_result_is_an_error(mariadb: MariaDB, session: Any) -> None:
    mariadb.admin(
        "CREATE OR REPLACE PROCEDURE failing() BEGIN SELECT 1; SELECT * FROM nowhere; END", database="shop"
    )
    with pytest.raises(AiserError, match="nowhere"):
        fetch(session, "CALL failing()")
    assert value(session, "1") == 1


@pytest.mark.parametrize("sql", ["", "  -- nothing", "/* nothing */", ";"])
def test_no_statement_is_an_error(session: Any, sql: str) -> None:
    with pytest.raises(QuerySyntaxError, match="no statement"):
        fetch(session, sql, run=Run("test", tag="cell 1"))


def test_a_statement_may_end_with_a_semicolon_and_a_comment(session: Any) -> None:
    assert fetch(session, "SELECT 1 AS x; -- one\n/* done */").to_pylist() == [{"x": 1}]


def test_the_process_list_says_who_runs_it(mariadb: MariaDB, session: Any) -> None:
    found = fetch(
        session,
        "SELECT info FROM information_schema.processlist WHERE id = CONNECTION_ID()",
        run=Run("test", tag="ann notebook.ipynb */ DROP"),
    )
    assert found.column(0).to_pylist()[0].startswith("/* aiser ann notebook.ipynb __ DROP */ SELECT")


# -- time ---------------------------------------------------------------------------------------------


def test_the_server_itself_ends_what_nobody_stops(session: Any) -> None:
    fetch(session, "SELECT 1", run=Run("test", timeout=100))
    assert value(session, "@@max_statement_time") == 0  # a run without a limit takes it away again
    run = Run("test", timeout=100)
    found = fetch(session, "SELECT @@max_statement_time AS limited", run=run)
    assert found.to_pylist() == [{"limited": 105.0}]


def test_the_servers_own_limit_is_named(session: Any) -> None:
    with pytest.raises(DeadlineExceeded, match="ran longer than a statement may"):
        fetch(session, f"SET STATEMENT max_statement_time = 0.1 FOR {SLOW}")
    assert value(session, "1") == 1


def test_a_cancelled_session_goes_on_and_its_statement_is_gone(mariadb: MariaDB, session: Any) -> None:
    for _ in range(3):
        run = Run("test")
        threading.Timer(0.1, run.cancel).start()
        with run.on_cancel(session.cancel), pytest.raises(QueryCancelled) as caught:
            fetch(session, SLOW, run=run)
        assert caught.value.confirmed
        assert value(session, "SLEEP(0.05)") == 0  # no request that came late stops the next one
    assert _running(mariadb, "seq_1_to_1000000") == 0


def test_a_result_left_in_the_middle_ends_at_the_server(mariadb: MariaDB) -> None:
    with session_of(mariadb) as session:
        reader = session.execute("SELECT a.seq FROM seq_1_to_100000000 a", (), Run("test"))
        reader.read_next_batch()
    assert eventually(lambda: _running(mariadb, "seq_1_to_100000000") == 0)


def test_a_statement_of_another_process_is_stopped_by_its_handle(mariadb: MariaDB, session: Any) -> None:
    handles: list[str] = []
    run = Run("test", emit=lambda event: handles.append(event.value) if isinstance(event, Handle) else None)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            fetch(session, SLOW, run=run)
        except AiserError as exc:
            failures.append(exc)

    worker = threading.Thread(target=work)
    worker.start()
    assert eventually(lambda: _running(mariadb, "seq_1_to_1000000") == 1)
    kind, config = MySQLConnector(), config_of(mariadb)
    thread, _, started = handles[0].partition("@")
    assert kind.stop(config, f"{thread}@{int(started) - 60}")  # a server that was started at another time
    assert _running(mariadb, "seq_1_to_1000000") == 1
    assert kind.stop(config, handles[0])
    assert _running(mariadb, "seq_1_to_1000000") == 0
    worker.join()
    assert isinstance(failures[0], QueryCancelled)
    assert kind.stop(config, handles[0])  # it has ended
    assert not kind.ask_to_stop(config, handles[0], 2.0)


def test_another_users_statement_is_not_stopped(mariadb: MariaDB, session: Any) -> None:
    mariadb.admin("CREATE OR REPLACE USER bob@'%%' IDENTIFIED BY %s", "secret of bob")
    mariadb.admin("GRANT PROCESS, SUPER ON *.* TO bob@'%'")
    run = Run("test", timeout=30)
    worker = threading.Thread(target=lambda: fetch(session, "SELECT SLEEP(1.5)", run=run))
    worker.start()
    assert eventually(lambda: _running(mariadb, "SLEEP(1.5)") == 1)
    bob = config_of(mariadb, username="bob", password="secret of bob", database=None)
    assert not MySQLConnector().ask_to_stop(bob, session.handle, 2.0)
    assert _running(mariadb, "SLEEP(1.5)") == 1
    worker.join()


def _running(server: MariaDB, words: str) -> int:
    found = server.admin(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE %s AND id <> CONNECTION_ID()",
        f"%{words}%",
    )
    return int(found[0][0])


# -- reading only -------------------------------------------------------------------------------------

WRITES = [
    "INSERT INTO guarded VALUES (2)",
    "UPDATE guarded SET x = 2",
    "DELETE FROM guarded",
    "REPLACE INTO guarded VALUES (3)",
    "TRUNCATE guarded",
    "DROP TABLE guarded",
    "ALTER TABLE guarded ADD y INT",
    "CREATE TABLE other (x INT)",
    "CREATE TABLE other AS SELECT 1",
    "RENAME TABLE guarded TO other",
    "/*!50000 DROP TABLE guarded */",
    "/*M! DROP TABLE guarded */",
    "/*!50000 INSERT INTO guarded */ SELECT 1",
    "CALL writes()",
    "SELECT writing()",
    "EXECUTE IMMEDIATE 'DELETE FROM guarded'",
    "LOAD DATA INFILE '/etc/hostname' INTO TABLE guarded",
    "SELECT 1 INTO OUTFILE '/tmp/never-written'",
    "CREATE USER eve",
    "SELECT unlocking()",
]


@pytest.fixture
def guarded(mariadb: MariaDB) -> Iterator[MariaDB]:
    mariadb.admin("CREATE OR REPLACE TABLE guarded (x INT PRIMARY KEY) SELECT 1 AS x", database="shop")
    mariadb.admin("CREATE OR REPLACE PROCEDURE writes() DELETE FROM guarded", database="shop")
    mariadb.admin(
        "CREATE OR REPLACE FUNCTION writing() RETURNS INT BEGIN DELETE FROM guarded; RETURN 1; END",
        database="shop",
    )
    mariadb.admin(
        "CREATE OR REPLACE FUNCTION unlocking() RETURNS INT"
        " BEGIN SET SESSION TRANSACTION READ WRITE; DELETE FROM guarded; RETURN 1; END",
        database="shop",
    )
    yield mariadb
    mariadb.admin("DROP TABLE IF EXISTS guarded, other", database="shop")


@pytest.mark.parametrize("sql", WRITES)
def test_a_session_that_only_reads_refuses(guarded: MariaDB, sql: str) -> None:
    with session_of(guarded, read_only=True) as session:
        with pytest.raises(AiserError) as caught:
            fetch(session, sql)
        assert caught.value.code in ("not_permitted", "syntax", "query_failed")
        assert fetch(session, "SELECT * FROM guarded").to_pylist() == [{"x": 1}]
    assert guarded.admin("SELECT x FROM guarded", database="shop") == ((1,),)


def test_the_refusal_says_why(guarded: MariaDB) -> None:
    with session_of(guarded, read_only=True) as session, pytest.raises(NotPermitted) as caught:
        fetch(session, "DELETE FROM guarded")
    assert "only reads" in caught.value.hint
