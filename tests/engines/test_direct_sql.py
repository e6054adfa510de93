from __future__ import annotations

import gc
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.connectors.base import Parameters, Session
from aiser_jupyter.engines.direct_sql import DirectSQLEngine
from aiser_jupyter.engines.stream import release, stream
from aiser_jupyter.errors import DeadlineExceeded, QueryCancelled, QueryFailed, StatementError, UnknownTable
from aiser_jupyter.models import (
    LOCAL,
    Connection,
    ConnectionConfig,
    Scope,
    StatementKind,
    Statistics,
    TableRef,
)
from aiser_jupyter.run import Event, Phase, Run
from aiser_jupyter.sql import Statement, parse
from tests.connectors.mysql_database import config_of
from tests.connectors.postgresql_kit import config as postgresql_config
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL

LONG = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000000)"
    " SELECT count(*) FROM n"
)


@pytest.fixture
def engine() -> DirectSQLEngine:
    return DirectSQLEngine(Settings())


@pytest.fixture
def lite() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    yield connection
    connection.close()


def scope_of(obj: object) -> Scope:
    config = ConnectionConfig("object", "mine", {"object": obj})
    return Scope(Connection("object-1", "me", config, "object", handle=obj))


def file_scope(path: Path) -> Scope:
    return Scope(Connection("1", "me", ConnectionConfig("duckdb", "shop", {"database": str(path)})))


def read(sql: str, *tables: str, kind: StatementKind = StatementKind.READ) -> Statement:
    return Statement(sql, "sqlite", kind, tuple(TableRef(name) for name in tables))


def test_leaves_local_to_duckdb(engine: DirectSQLEngine) -> None:
    local = Scope(Connection(LOCAL, "me", ConnectionConfig("duckdb", LOCAL), source="builtin"))
    support = engine.supports(read("SELECT 1"), local)
    assert (support.ok, "DuckDB itself reads them" in support.reason) == (False, True)


@pytest.mark.parametrize("kind", list(StatementKind))
def test_takes_any_statement_of_a_connection(
    engine: DirectSQLEngine, lite: sqlite3.Connection, kind: StatementKind
) -> None:
    support = engine.supports(read("anything at all", kind=kind), scope_of(lite))
    assert (support.ok, support.reason) == (True, "the database runs it itself")


def test_is_available_whatever_drivers_there_are(engine: DirectSQLEngine) -> None:
    available = engine.available()
    assert available.ok
    assert available.reason


def test_runs_the_text_word_for_word_with_its_parameters(
    engine: DirectSQLEngine, lite: sqlite3.Connection
) -> None:
    lite.create_function("said", 1, lambda text: text)
    statement = Statement(
        "/* kept */ SELECT said($x) AS x", "sqlite", StatementKind.READ, parameters={"x": "é"}
    )
    assert engine.execute(statement, scope_of(lite), Run("r")).read_all().to_pylist() == [{"x": "é"}]


def test_phases_follow_the_run(engine: DirectSQLEngine, lite: sqlite3.Connection) -> None:
    events: list[Event] = []
    engine.execute(read("SELECT 1"), scope_of(lite), Run("r", emit=events.append)).read_all()
    assert [e.name for e in events if isinstance(e, Phase)] == ["connect", "execute", "fetch"]


def test_a_database_file_is_read_only_for_reads_and_closed_after(
    engine: DirectSQLEngine, tmp_path: Path
) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS a")
    scope, write = file_scope(path), read("INSERT INTO t VALUES (2)", kind=StatementKind.WRITE)
    disguised = read("INSERT INTO t VALUES (2)")
    with pytest.raises(StatementError, match="reading only"):
        engine.execute(disguised, scope, Run("1")).read_all()
    engine.execute(write, scope, Run("2")).read_all()
    assert engine.execute(read("FROM t ORDER BY a"), scope, Run("3")).read_all()["a"].to_pylist() == [1, 2]
    with duckdb.connect(str(path)) as free:  # nothing holds the file
        assert free.execute("SELECT count(*) FROM t").fetchall() == [(2,)]


def test_estimates_what_is_known_and_names_what_is_not(
    engine: DirectSQLEngine, lite: sqlite3.Connection
) -> None:
    statement = read("SELECT * FROM a JOIN b", "a", "b")
    sizes = {"a": Statistics(10, 80, "catalog"), "b": Statistics(5, None, "catalog")}
    estimate = engine.estimate(statement, scope_of(lite), sizes)
    assert (estimate.seconds, estimate.rows, estimate.bytes) == (None, 15, None)
    assert engine.estimate(statement, scope_of(lite), {}).unknown == (
        "size of a",
        "size of b",
        "speed of the database",
    )


def test_cancel_reaches_the_database(engine: DirectSQLEngine, lite: sqlite3.Connection) -> None:
    run = Run("r")
    timer = threading.Timer(0.2, run.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(QueryCancelled):
        engine.execute(read(LONG), scope_of(lite), run).read_all()
    assert time.monotonic() - began < 3
    timer.join()


def test_an_error_frees_the_connection(engine: DirectSQLEngine, lite: sqlite3.Connection) -> None:
    with pytest.raises(UnknownTable):
        engine.execute(read("SELECT * FROM nowhere"), scope_of(lite), Run("1"))
    again = engine.execute(read("SELECT 1 AS n"), scope_of(lite), Run("2", timeout=1))
    assert again.read_all()["n"].to_pylist() == [1]


# -- what ends with the session -----------------------------------------------------------------------


def said(engine: DirectSQLEngine, scope: Scope, sql: str, dialect: str) -> list[str]:
    """The notices about its session that a statement leaves."""
    run = Run("r", timeout=30)
    engine.execute(parse(sql, dialect=dialect), scope, run).read_all()
    return [notice.message for notice in run.notices if notice.code == "session"]


@pytest.mark.parametrize(
    ("sql", "ends"),
    [
        ("SET @x = 1", True),
        ("/* mine */ USE information_schema", True),
        ("START TRANSACTION", True),
        ("CREATE TEMPORARY TABLE gone (x INT)", True),
        ("SELECT 1", False),
        ("CREATE OR REPLACE TABLE direct_stays (x INT)", False),
        ("DROP TABLE IF EXISTS direct_stays", False),
    ],
)
def test_what_a_session_takes_with_it_is_said(
    engine: DirectSQLEngine, mariadb: MariaDB, sql: str, ends: bool
) -> None:
    scope = Scope(Connection("1", "me", config_of(mariadb)))
    assert [message[:42] for message in said(engine, scope, sql, "mysql")] == [
        "Each statement has a session of its own: S"
    ] * ends


def test_what_the_session_says_itself_is_not_said_again(
    engine: DirectSQLEngine, postgresql: PostgreSQL
) -> None:
    scope = Scope(Connection("1", "me", postgresql_config(postgresql)))
    (only,) = said(engine, scope, "SET work_mem = '1MB'", "postgres")
    assert "open transaction" in only


def test_a_session_of_the_callers_goes_on(engine: DirectSQLEngine, lite: sqlite3.Connection) -> None:
    assert said(engine, scope_of(lite), "PRAGMA user_version", "sqlite") == []
    assert said(engine, scope_of(lite), "CREATE TEMPORARY TABLE mine (x INT)", "sqlite") == []


# -- the reader that owns its session -----------------------------------------------------------------


class CountingSession(Session):
    """Gives batches of one row, and counts how often it was closed and cancelled."""

    schema = pa.schema([("n", pa.int64())])

    def __init__(self, batches: int = 3, error: Exception | None = None) -> None:
        self.batches = batches
        self.error = error
        self.closed = 0
        self.cancelled = 0

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.schema, self.rows())

    def rows(self) -> Iterator[pa.RecordBatch]:
        for n in range(self.batches):
            yield pa.record_batch({"n": [n]})
        if self.error is not None:
            raise self.error

    def cancel(self) -> None:
        self.cancelled += 1

    def close(self) -> None:
        self.closed += 1


def test_reading_to_the_end_closes_once() -> None:
    session = CountingSession()
    reader = stream(session, "", {}, Run("r"))
    assert reader.read_all()["n"].to_pylist() == [0, 1, 2]
    release(reader)
    release(reader)
    assert session.closed == 1


def test_release_closes_a_reader_that_somebody_still_holds() -> None:
    session, run = CountingSession(), Run("r")
    reader = stream(session, "", {}, run)
    reader.read_next_batch()
    release(reader)
    assert session.closed == 1
    run.cancel()
    assert session.cancelled == 0  # it belongs to the run no more
    with pytest.raises(StopIteration):
        reader.read_next_batch()


def test_dropping_a_reader_that_was_never_read_closes() -> None:
    session = CountingSession()
    reader = stream(session, "", {}, Run("r"))
    del reader
    gc.collect()
    assert session.closed == 1


def test_an_error_between_batches_closes_and_passes_on() -> None:
    session = CountingSession(error=QueryFailed("worker lost"))
    reader = stream(session, "", {}, Run("r"))
    with pytest.raises(QueryFailed, match="worker lost"):
        reader.read_all()
    assert session.closed == 1


def test_a_run_that_is_stopped_says_why_and_not_what_the_database_said() -> None:
    run = Run("r", timeout=60)
    session = CountingSession(error=QueryFailed("interrupted"))
    reader = stream(session, "", {}, run)
    for _ in range(3):
        reader.read_next_batch()
    run.cancel(timed_out=True)
    with pytest.raises(DeadlineExceeded):
        reader.read_next_batch()
    assert (session.cancelled, session.closed) == (1, 1)


def test_an_interrupted_statement_is_reported_as_cancelled() -> None:
    run = Run("r")

    class Interrupted(CountingSession):
        def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
            run.cancel()
            raise QueryFailed("interrupted")

    session = Interrupted()
    with pytest.raises(QueryCancelled) as caught:
        stream(session, "", {}, run)
    assert (session.cancelled, session.closed) == (1, 1)
    assert caught.tb is not None  # the traceback, which holds everything, did not keep the session open


def test_a_run_that_was_cancelled_before_runs_nothing() -> None:
    run, session = Run("r"), CountingSession()
    run.cancel()
    with pytest.raises(QueryCancelled):
        stream(session, "", {}, run)
    assert session.closed == 1
