"""PostgreSQL through a real PgBouncer: what a connection asks for is in force, and stays with nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from aiser_jupyter.connectors.postgresql import PostgreSQLConnector
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConnectError,
    DataError,
    DeadlineExceeded,
    NotPermitted,
    QueryCancelled,
    StatementError,
    UnknownDatabase,
    UnknownTable,
)
from aiser_jupyter.run import Event, Handle, Run
from tests.connectors.postgresql_kit import KIND, ask, config, session, value, wait_until
from tests.servers.pgbouncer import PgBouncer

SLOW = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b"
EVERY_STARTUP_PARAMETER = (
    "IntervalStyle, extra_float_digits, client_connection_check_interval, default_transaction_read_only,"
    " search_path, role"
)


@pytest.fixture(params=["shop", "shared"], ids=["session mode", "transaction mode"])
def mode(request: pytest.FixtureRequest) -> str:
    """The pool's database in each mode."""
    return str(request.param)


@pytest.fixture(scope="module")
def silent(postgresql: Any) -> Iterator[Any]:
    """A PgBouncer that drops what it does not know of a login."""

    class Silent(PgBouncer):
        def __init__(self, behind: Any) -> None:
            super().__init__(behind, EVERY_STARTUP_PARAMETER)

    made = Silent(postgresql)
    try:
        made.prepare()
        yield made
    finally:
        made.stop()


@pytest.fixture(autouse=True)
def kept(postgresql: Any, pgbouncer: Any) -> Iterator[None]:
    """A table of one row, which is 0."""
    with session(postgresql) as opened:
        ask(opened, "DROP TABLE IF EXISTS pooled CASCADE")
        ask(opened, "CREATE TABLE pooled (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        ask(opened, "INSERT INTO pooled VALUES (0)")
        yield
        ask(opened, "DROP TABLE pooled CASCADE")


def rows_of(postgresql: Any) -> list[int]:
    with session(postgresql) as opened:
        return list(value(opened, "SELECT array_agg(a ORDER BY a) FROM pooled"))


# -- statements ----------------------------------------------------------------------------------------


def test_statements_run_with_parameters_and_streams(pgbouncer: Any, mode: str) -> None:
    with session(pgbouncer, database=mode) as opened:
        assert value(opened, "SELECT $a::int + $b", {"a": 40, "b": 2}) == 42
        assert ask(opened, "SELECT i, repeat('x', 100) FROM generate_series(1, 100000) i").num_rows == 100_000
        assert value(opened, "SELECT '1 day 2 hours'::interval::text") == "1 day 02:00:00"
        run = Run("test")
        ask(opened, "INSERT INTO pooled VALUES (1), (2)", run=run)
        assert [(notice.code, notice.message) for notice in run.notices] == [
            ("rows_changed", "2 rows changed.")
        ]
        assert ask(opened, "DELETE FROM pooled RETURNING a").num_rows == 3


def test_a_write_is_kept_whether_its_rows_are_read_or_not(postgresql: Any, pgbouncer: Any, mode: str) -> None:
    with session(pgbouncer, database=mode) as opened:
        reader = opened.execute(
            "INSERT INTO pooled SELECT generate_series(1, 3) RETURNING a", {}, Run("test")
        )
        reader.close()
    assert wait_until(lambda: rows_of(postgresql) == [0, 1, 2, 3])


def test_a_constraint_that_was_deferred_fails_the_statement(
    postgresql: Any, pgbouncer: Any, mode: str
) -> None:
    with session(pgbouncer, database=mode) as opened:
        for sql in ("INSERT INTO pooled VALUES (0)", "INSERT INTO pooled VALUES (0) RETURNING a"):
            with pytest.raises(DataError, match="duplicate key"):
                ask(opened, sql)
        assert value(opened, "SELECT count(*) FROM pooled") == 1


def test_an_error_leaves_no_transaction_behind(postgresql: Any, pgbouncer: Any, mode: str) -> None:
    with session(pgbouncer, database=mode) as opened:
        for sql in ("SELECT 1 / 0", "SELEC", "COPY pooled FROM STDIN", "COPY pooled TO STDOUT"):
            with pytest.raises(AiserError):
                ask(opened, sql)
            assert value(opened, "SELECT 1") == 1
        with pytest.raises(UnknownTable) as caught:
            ask(opened, "SELECT * FROM poolled")
        assert "'pooled'" in caught.value.hint
        assert not postgresql.admin(
            "SELECT query FROM pg_stat_activity WHERE usename = 'ann' AND state LIKE 'idle in transaction%%'"
        )


def test_what_runs_in_no_transaction_says_so(pgbouncer: Any, mode: str) -> None:
    with session(pgbouncer, database=mode) as opened:
        with pytest.raises(StatementError, match="VACUUM") as caught:
            ask(opened, "VACUUM pooled")
        assert "past the pooler" in caught.value.hint


# -- what a connection asks for ------------------------------------------------------------------------


@pytest.mark.parametrize("dropped", [False, True], ids=["refused", "dropped"])
def test_a_session_that_only_reads_writes_nothing(
    postgresql: Any, pgbouncer: Any, silent: Any, mode: str, dropped: bool
) -> None:
    server = silent if dropped else pgbouncer
    with session(server, database=mode, read_only=True) as reader:
        assert value(reader, "SHOW transaction_read_only") == "on"
        for sql in (
            "INSERT INTO pooled VALUES (1)",
            "WITH x AS (INSERT INTO pooled VALUES (1) RETURNING a) SELECT * FROM x",
            "SELECT set_config('transaction_read_only', 'off', true) FROM pooled",
            "SELECT * FROM pooled FOR UPDATE",
        ):
            with pytest.raises((NotPermitted, StatementError)):
                ask(reader, sql)
        assert value(reader, "SELECT count(*) FROM pooled") == 1
    assert rows_of(postgresql) == [0]


@pytest.mark.parametrize("dropped", [False, True], ids=["refused", "dropped"])
def test_role_and_schema_are_in_force(
    postgresql: Any, pgbouncer: Any, silent: Any, mode: str, dropped: bool
) -> None:
    postgresql.admin("GRANT pg_monitor TO ann")
    server = silent if dropped else pgbouncer
    schema = "My \"sch'ema\\"
    with session(server, database=mode, role="pg_monitor", schema=schema) as opened:
        for _ in range(3):
            assert value(opened, "SELECT current_user::text") == "pg_monitor"
            assert value(opened, "SHOW search_path") == '"My ""sch\'ema\\"'
    with session(server, database=mode) as other:
        assert value(other, "SELECT current_user::text") == "ann"
        assert value(other, "SHOW search_path") == '"$user", public'
    with pytest.raises(NotPermitted):
        KIND.fresh(config(server, database=mode, role="postgres"))


def test_the_server_keeps_the_time_limit_and_nobody_else_gets_it(pgbouncer: Any, mode: str) -> None:
    with session(pgbouncer, database=mode) as opened, session(pgbouncer, database=mode) as other:
        limit = value_within(opened, "SHOW statement_timeout", 100)
        assert 100_000 < int(limit.removesuffix("ms")) <= 102_000
        assert value(opened, "SHOW statement_timeout") == value(other, "SHOW statement_timeout") == "0"
        assert value(opened, "SHOW client_connection_check_interval") == "5s"
        run = Run("test", timeout=0.2)
        with pytest.raises(DeadlineExceeded), run.on_cancel(opened.cancel):
            ask(opened, SLOW, run=run)


def value_within(opened: Any, sql: str, seconds: float) -> Any:
    (row,) = ask(opened, sql, run=Run("test", timeout=seconds)).to_pylist()
    (found,) = row.values()
    return found


@pytest.mark.parametrize(
    ("leave", "look"),
    [
        ("SET work_mem = '77MB'", "SHOW work_mem"),
        ("SET ROLE pg_monitor", "SELECT current_user::text"),
        ("CREATE TEMP TABLE own (a int)", "SELECT count(*) FROM pg_class WHERE relname = 'own'"),
        ("LISTEN news", "SELECT count(*) FROM pg_listening_channels()"),
    ],
)
def test_a_statement_leaves_nothing_to_who_comes_next(
    postgresql: Any, pgbouncer: Any, mode: str, leave: str, look: str
) -> None:
    postgresql.admin("GRANT pg_monitor TO ann")
    with session(pgbouncer, database=mode) as opened, session(pgbouncer, database=mode) as other:
        before = value(other, look)
        run = Run("test")
        ask(opened, leave, run=run)
        assert [notice.code for notice in run.notices] == ["session"]
        assert value(opened, look) == value(other, look) == before


def test_sessions_take_turns_on_fewer_connections(pgbouncer: Any) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(session(pgbouncer, database="shared")) for _ in range(6)]
        failed: list[BaseException] = []
        backends: set[int] = set()

        def work(each: Any, number: int) -> None:
            try:
                for turn in range(15):
                    found = value(each, "SELECT $n || '-' || $t", {"n": str(number), "t": str(turn)})
                    assert found == f"{number}-{turn}"
                    backends.add(value(each, "SELECT pg_backend_pid()"))
            except BaseException as exc:
                failed.append(exc)

        workers = [threading.Thread(target=work, args=pair) for pair in zip(opened, range(6), strict=True)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not failed
        assert 1 <= len(backends) <= 2


# -- stopping ------------------------------------------------------------------------------------------


def test_a_cancel_is_confirmed(pgbouncer: Any, mode: str) -> None:
    with session(pgbouncer, database=mode) as opened:
        run = Run("test")
        threading.Timer(0.3, run.cancel).start()
        with run.on_cancel(opened.cancel), pytest.raises(QueryCancelled) as caught:
            ask(opened, SLOW, run=run)
        assert caught.value.confirmed
        assert value(opened, "SELECT 1") == 1


def test_a_result_that_is_left_is_stopped_and_the_session_used_again(pgbouncer: Any, mode: str) -> None:
    with session(pgbouncer, database=mode, read_only=True) as opened:
        reader = opened.execute("SELECT generate_series(1, 1000000000), repeat('x', 100)", {}, Run("test"))
        reader.read_next_batch()
        del reader
        assert opened.recycle()
        assert value(opened, "SELECT 1") == 1


def test_another_process_stops_exactly_this_statement(postgresql: Any, pgbouncer: Any, mode: str) -> None:
    handles: list[str] = []
    failed: list[BaseException] = []

    def hear(event: Event) -> None:
        if isinstance(event, Handle):
            handles.append(event.value)

    def work() -> None:
        try:
            ask(opened, SLOW, run=Run("test", emit=hear))
        except AiserError as exc:
            failed.append(exc)

    def running() -> bool:
        asked = (
            "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND query LIKE '%%100000)%%'"
        )
        return bool(handles) and bool(postgresql.admin(asked, int(handles[0].partition(":")[0])))

    with session(pgbouncer, database=mode) as opened:
        worker = threading.Thread(target=work)
        worker.start()
        assert wait_until(running)
        pid, _, begun = handles[0].partition(":")
        # The next transaction there may be anybody's.
        assert KIND.stop(config(pgbouncer, database=mode), f"{pid}:{int(begun) + 1}")
        assert running()
        assert KIND.stop(config(pgbouncer, database=mode), handles[0])
        worker.join(20)
        assert isinstance(failed[0], QueryCancelled)


# -- the connection ------------------------------------------------------------------------------------


def test_each_refusal_has_its_class_and_a_hint(pgbouncer: Any) -> None:
    wrong: list[tuple[dict[str, Any], type[AiserError], str]] = [
        ({"password": "wrong"}, AuthenticationFailed, "password"),
        ({"username": "nobody"}, AuthenticationFailed, "password"),
        ({"database": "nowhere"}, UnknownDatabase, "pooler"),
        ({"database": "statements"}, ConnectError, "pool_mode"),
    ]
    for changed, kind, words in wrong:
        with pytest.raises(kind) as caught:
            KIND.fresh(config(pgbouncer, **changed))
        assert words in caught.value.hint, changed


def test_every_stage_of_a_test_passes(pgbouncer: Any, mode: str) -> None:
    said = {stage.name: stage.run() for stage in KIND.stages(config(pgbouncer, database=mode), Run("test"))}
    assert list(said) == ["driver", "name", "tcp", "tls", "login", "database", "rights", "sample"]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_session_that_read_is_used_again_and_one_that_wrote_is_not(
    pgbouncer: Any, mode: str, read_only: bool
) -> None:
    kind = PostgreSQLConnector()
    made = config(pgbouncer, database=mode)
    try:
        first = kind.open(made, read_only=read_only)
        assert value(first, "SELECT 1") == 1
        inner = first._session
        first.close()
        # Whether it is kept is found out in the background.
        assert wait_until(lambda: inner._closed or bool(kind._pool._idle))
        assert inner._closed is not read_only
        again = kind.open(made, read_only=read_only)
        assert value(again, "SELECT 2") == 2
        assert (again._session is inner) is read_only
        again.close()
    finally:
        assert wait_until(lambda: kind._pool._returned.empty())
        kind._pool.close()


def test_the_server_itself_is_not_taken_for_a_pooler(postgresql: Any) -> None:
    with session(postgresql) as opened:
        assert opened.handle
        ask(opened, "VACUUM pooled")
