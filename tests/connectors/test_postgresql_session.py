"""What a session on a real PostgreSQL does with a statement, with its errors, and with its end."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from aiser_jupyter.errors import (
    AiserError,
    ConnectionLost,
    DataError,
    DeadlineExceeded,
    NotPermitted,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    StatementError,
    UnknownColumn,
    UnknownTable,
    UsageError,
)
from aiser_jupyter.run import Event, Handle, Run
from tests.connectors.postgresql_kit import KIND, ask, config, session, value, wait_until
from tests.servers.proxy import Proxy

SLOW = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b"


@pytest.fixture(scope="module")
def opened(postgresql: Any) -> Iterator[Any]:
    with session(postgresql) as made:
        yield made


def notices(opened: Any, sql: str) -> list[tuple[str, str]]:
    run = Run("test")
    ask(opened, sql, run=run)
    return [(notice.code, notice.message) for notice in run.notices]


# -- parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        None, True, -7, 2**31, 2**63 - 1, 2**70, 1.5, 1e300, Decimal("1.10"), Decimal("-1E+5"), "",
        "it's $1 \\ é 🦆",
        b"", b"\x00\xff", dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 1, 2, 3, 4),
        dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.UTC), dt.time(23, 59, 59, 999999),
        uuid.UUID(int=7), [1, None, 2**40],
        ["a", 'b",{}\\', "", "NULL", None], [[1, 2], [3, 4]], [True], [1.5],
        [Decimal("1.5")], [dt.date(2024, 2, 29)], [b"\x00"],
        [uuid.UUID(int=8)],
    ],
    ids=str,
)  # fmt: skip
def test_a_value_comes_back_as_it_went(opened: Any, given: Any) -> None:
    text = isinstance(given, list) and isinstance(given[0], str)
    found = value(opened, "SELECT $x::text[] AS x" if text else "SELECT $x AS x", {"x": given})
    assert found == given
    assert type(found) is type(given) or isinstance(given, int)  # 2 ** 70 is a decimal there


def test_a_duration_is_bound(opened: Any) -> None:
    given = dt.timedelta(days=-3, hours=4, microseconds=5)
    assert value(opened, "SELECT $x = make_interval(days => -3, hours => 4, secs => 0.000005)", {"x": given})


def test_a_text_takes_the_type_of_its_place(opened: Any) -> None:
    sql = "SELECT date '2024-02-29' = $day AND 7 = $number AND 'a' = ANY($names) AND left('abc', $few) = 'ab'"
    values = {"day": "2024-02-29", "number": "7", "names": ["a", "b"], "few": 2}
    assert value(opened, sql, values) is True


def test_an_empty_list_matches_nothing(opened: Any) -> None:
    assert value(opened, "SELECT count(*) FROM generate_series(1, 3) i WHERE i = ANY($xs)", {"xs": []}) == 0


def test_names_in_texts_and_comments_are_no_parameters(opened: Any) -> None:
    sql = "SELECT '$a' || $a /* $a */ || $$ $a $$ || $b -- $b"
    assert value(opened, sql, {"a": "x", "b": "y"}) == "$ax $a y"


def test_what_cannot_be_sent_is_refused_before(opened: Any) -> None:
    for sql, values in (("SELECT $x", {"x": "\ud800"}), ("SELECT '\ud800'", {}), ("SELECT 'a\0b'", {})):
        with pytest.raises(UsageError):
            ask(opened, sql, values)
    names = {f"x{number}": number for number in range(65_536)}
    with pytest.raises(UsageError, match="65,535 at most") as caught:
        ask(opened, f"SELECT 1 WHERE 1 IN ({', '.join('$' + name for name in names)})", names)
    assert "ANY" in caught.value.hint
    with pytest.raises(DataError):
        ask(opened, "SELECT $x", {"x": "a\0b"})
    assert value(opened, "SELECT 1") == 1


# -- results -------------------------------------------------------------------------------------------


def test_large_values_and_wide_rows(opened: Any) -> None:
    table = ask(opened, f"SELECT i, repeat('x', {20 << 20}) AS x, '' AS e FROM generate_series(1, 2) i")
    assert [len(each.as_py()) for each in table.column("x")] == [20 << 20] * 2
    wide = ", ".join(f"{number} AS c{number}" for number in range(1600))
    assert list(ask(opened, f"SELECT {wide}").to_pylist()[0].values()) == list(range(1600))
    assert ask(opened, "SELECT FROM generate_series(1, 3)").num_columns == 0
    assert ask(opened, "SELECT repeat('y', 3000000) FROM generate_series(1, 5)").num_rows == 5


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("INSERT INTO kept VALUES (1), (2)", "2 rows changed."),
        ("UPDATE kept SET a = 3 WHERE a = 1", "1 row changed."),
        ("DELETE FROM kept WHERE a = 99", "0 rows changed."),
        ("CREATE TABLE IF NOT EXISTS copied AS SELECT * FROM kept", "2 rows changed."),
    ],
)
def test_a_write_says_how_many_rows_it_changed(opened: Any, sql: str, said: str) -> None:
    ask(opened, "DROP TABLE IF EXISTS copied")
    ask(opened, "DROP TABLE IF EXISTS kept")
    ask(opened, "CREATE TABLE kept (a int)")
    ask(opened, "INSERT INTO kept VALUES (1), (2)")
    assert notices(opened, sql) == [("rows_changed", said)]
    assert value(opened, "SELECT pg_current_xact_id_if_assigned() IS NULL") is True  # nothing is left open


def test_every_kind_of_statement_runs(opened: Any, postgresql: Any) -> None:
    ask(opened, "CREATE TABLE IF NOT EXISTS many (a int)")
    assert ask(opened, "INSERT INTO many VALUES (1) RETURNING a").to_pylist() == [{"a": 1}]
    assert "Seq Scan" in value(opened, "EXPLAIN (COSTS off) SELECT * FROM many")
    assert value(opened, "SHOW server_encoding") == "UTF8"
    assert ask(opened, "VALUES (1, 'a'), (2, 'b')").num_rows == 2
    assert ask(opened, "TABLE many").num_rows == 1
    assert value(opened, "WITH gone AS (DELETE FROM many RETURNING a) SELECT count(*) FROM gone") == 1
    ask(opened, "VACUUM many")
    ask(opened, "CREATE OR REPLACE PROCEDURE twice(INOUT x int) LANGUAGE plpgsql AS 'BEGIN x := x * 2; END'")
    assert ask(opened, "CALL twice(21)").to_pylist() == [{"x": 42}]
    ask(opened, "DO $$ BEGIN PERFORM 1; END $$")
    ask(opened, "DROP TABLE many")


def test_what_the_database_says_beside_the_rows_is_shown(opened: Any) -> None:
    said = notices(opened, "DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
    assert said == [("database", "NOTICE: one"), ("database", "WARNING: two")]
    many = notices(opened, "DO $$ BEGIN FOR i IN 1..500 LOOP RAISE NOTICE '%', i; END LOOP; END $$")
    assert len(many) == 100
    assert "more were sent" in many[-1][1]


# -- errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("SELEC 1", QuerySyntaxError, "syntax error"),
        ("", StatementError, "no statement"),
        ("-- nothing", StatementError, "no statement"),
        ("SELECT * FROM nowhere.x", UnknownTable, "does not exist"),
        ("SELECT abss(1)", StatementError, "does not exist"),
        ("SELECT relnam FROM pg_class", UnknownColumn, "relname"),
        ("SELECT 1 / (i - 5) FROM generate_series(1, 9) i", DataError, "division by zero"),
        ("SELECT 'x'::int", DataError, "invalid input syntax"),
        ("SELECT 1 UNION SELECT 'a'::text", StatementError, "cannot be matched"),
        ("CREATE ROLE other", NotPermitted, "permission denied"),
        ("SELECT pg_read_file('/etc/passwd')", NotPermitted, "permission denied"),
        ("DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'P0001', HINT = 'try it'; END $$",
         QueryFailed, "own"),
        ("COPY pg_class TO STDOUT", StatementError, "COPY"),
        ("COPY (SELECT * FROM generate_series(1, 1000000)) TO STDOUT", StatementError, "COPY"),
        ("COPY loaded FROM STDIN", StatementError, "COPY"),
    ],
)  # fmt: skip
def test_an_error_has_its_class_and_the_next_statement_runs(
    opened: Any, sql: str, kind: type[AiserError], words: str
) -> None:
    ask(opened, "CREATE TABLE IF NOT EXISTS loaded (a int)")
    with pytest.raises(kind) as caught:
        ask(opened, sql)
    assert words in str(caught.value)
    assert value(opened, "SELECT 1") == 1


def test_an_error_in_mid_result_is_raised_where_it_is(opened: Any) -> None:
    reader = opened.execute("SELECT 1 / (300000 - i) FROM generate_series(1, 400000) i", {}, Run("test"))
    assert reader.read_next_batch().num_rows > 0
    with pytest.raises(DataError, match="division by zero"):
        reader.read_all()
    assert value(opened, "SELECT 1") == 1


def test_an_error_of_the_reading_leaves_nothing_on_the_line(opened: Any) -> None:
    reader = opened.execute(
        "SELECT CASE WHEN i < 300000 THEN '0 s' ELSE '9999999 hours' END::interval"
        " FROM generate_series(1, 9000000) i",
        {},
        Run("test"),
    )
    with pytest.raises(DataError, match="292 years"):
        reader.read_all()
    started = time.monotonic()
    assert value(opened, "SELECT 1") == 1
    assert time.monotonic() - started < 2
    assert opened.clean


@pytest.mark.parametrize(
    ("sql", "parameters", "line", "column"),
    [
        ("SELECT 1 FRO x y", {}, 1, 14),
        ("SELECT\n  1 +\n  * 2 é", {}, 3, 3),
        ("SELECT $long_name, $long_name, $other FRO x y", {"long_name": 1, "other": 2}, 1, 43),
        ("SELECT '🦆', $long_name\nFROM\nWHERE", {"long_name": 1}, 3, 1),
    ],
)
def test_a_syntax_error_is_where_it_was_written(
    opened: Any, sql: str, parameters: Any, line: int, column: int
) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        ask(opened, sql, parameters, run=Run("test", tag="ann notebook.ipynb"))
    assert (caught.value.line, caught.value.column) == (line, column)


def test_a_conflict_may_be_tried_again(opened: Any) -> None:
    with pytest.raises(QueryFailed, match="40001") as caught:
        ask(opened, "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$")
    assert caught.value.retryable


def test_a_misspelt_table_is_named(opened: Any) -> None:
    ask(opened, "CREATE TABLE IF NOT EXISTS customers (a int)")
    with pytest.raises(UnknownTable) as caught:
        ask(opened, "SELECT * FROM custmers")
    assert "'customers'" in caught.value.hint


# -- stopping ------------------------------------------------------------------------------------------


def active(server: Any, handle: str) -> bool:
    pid = int(handle.partition(":")[0])
    (row,) = server.admin("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'", pid)
    return bool(row[0])


def test_a_cancel_is_confirmed_by_the_database(postgresql: Any, opened: Any) -> None:
    run = Run("test")
    threading.Timer(0.2, run.cancel).start()
    with run.on_cancel(opened.cancel), pytest.raises(QueryCancelled) as caught:
        ask(opened, SLOW, run=run)
    assert caught.value.confirmed
    assert not active(postgresql, opened.handle)
    assert value(opened, "SELECT 1") == 1


def test_a_cancel_between_batches_is_confirmed_too(postgresql: Any, opened: Any) -> None:
    run = Run("test")
    reader = opened.execute("SELECT generate_series(1, 1000000000), repeat('x', 100)", {}, run)
    reader.read_next_batch()
    threading.Timer(0.1, run.cancel).start()
    with run.on_cancel(opened.cancel), pytest.raises(QueryCancelled) as caught:
        reader.read_all()
    assert caught.value.confirmed
    assert value(opened, "SELECT 1") == 1


def test_a_result_that_is_left_is_stopped_and_the_session_used_again(postgresql: Any) -> None:
    with session(postgresql) as opened:
        reader = opened.execute("SELECT generate_series(1, 1000000000), repeat('x', 100)", {}, Run("test"))
        reader.read_next_batch()
        assert active(postgresql, opened.handle)
        assert not opened._idle.is_set()
        del reader
        assert opened.recycle()
        assert not active(postgresql, opened.handle)
        assert value(opened, "SELECT 1") == 1


@pytest.mark.parametrize("fault", ["rst", "fin"])
def test_a_connection_that_breaks_off_is_said_to_be_lost(postgresql: Any, fault: str) -> None:
    with Proxy(("127.0.0.1", postgresql.port)) as proxy, session(postgresql, port=proxy.port) as opened:
        reader = opened.execute("SELECT generate_series(1, 1000000000)", {}, Run("test"))
        reader.read_next_batch()
        proxy.set(fault)
        started = time.monotonic()
        with pytest.raises(ConnectionLost) as caught:
            reader.read_all()
        assert time.monotonic() - started < 5
        assert caught.value.retryable
        assert caught.value.hint
        assert not opened.clean


def test_a_silent_server_ends_at_the_deadline_of_the_run(postgresql: Any) -> None:
    with Proxy(("127.0.0.1", postgresql.port)) as proxy, session(postgresql, port=proxy.port) as opened:
        run = Run("test", timeout=1)
        reader = opened.execute("SELECT generate_series(1, 1000000000)", {}, run)
        reader.read_next_batch()
        proxy.set("blackhole")
        started = time.monotonic()
        with run.on_cancel(opened.cancel), pytest.raises(DeadlineExceeded) as caught:
            reader.read_all()
        assert time.monotonic() - started < 4
        assert "did not confirm" in caught.value.hint
        assert not opened.clean


def test_the_handle_stops_exactly_its_statement(postgresql: Any) -> None:
    events: list[Event] = []
    failed: list[BaseException] = []
    with session(postgresql) as running, session(postgresql) as beside:
        run = Run("test", emit=events.append)

        def work() -> None:
            try:
                ask(running, SLOW, run=run)
            except AiserError as exc:
                failed.append(exc)

        worker = threading.Thread(target=work)
        worker.start()
        assert wait_until(lambda: active(postgresql, running.handle))
        (handle,) = (event.value for event in events if isinstance(event, Handle))
        pid, _, begun = handle.partition(":")
        recycled = f"{pid}:{int(begun) + 1}"  # of a backend that is gone, and had the same number
        assert KIND.stop(config(postgresql), recycled)
        assert KIND.stop(config(postgresql), "not a handle") is False
        assert active(postgresql, running.handle)
        assert KIND.stop(config(postgresql), handle)
        worker.join(10)
        assert isinstance(failed[0], QueryCancelled)
        assert "Somebody else" in failed[0].message
        assert KIND.stop(config(postgresql), handle)  # it is over already
        assert value(running, "SELECT 1") == value(beside, "SELECT 1") == 1


def test_a_role_does_not_hinder_the_stop(postgresql: Any) -> None:
    if not postgresql.admin("SELECT 1 FROM pg_roles WHERE rolname = 'readers'"):
        postgresql.admin("CREATE ROLE readers")
        postgresql.admin("GRANT readers TO ann")
    with session(postgresql, role="readers") as opened:
        assert value(opened, "SELECT current_user::text") == "readers"
        threading.Timer(0.3, KIND.stop, (config(postgresql, role="readers"), opened.handle)).start()
        with pytest.raises(QueryCancelled):
            ask(opened, SLOW)
        ask(opened, "SET ROLE NONE")
        opened.reset()
        assert value(opened, "SELECT current_user::text") == "readers"


def test_the_server_keeps_the_time_limit_as_well(postgresql: Any) -> None:
    with session(postgresql) as opened:
        assert value(opened, "SHOW statement_timeout") == "0"
        ask(opened, "SELECT 1", run=Run("test", timeout=60))
        with opened.execute("SHOW statement_timeout", {}, Run("test", timeout=100)) as reader:
            (limit,) = reader.read_all().column(0).to_pylist()
        assert 100_000 < int(limit.removesuffix("ms")) <= 102_000
        assert value(opened, "SHOW statement_timeout") == "0"
        run = Run("test", timeout=0.2)
        with pytest.raises(DeadlineExceeded), run.on_cancel(opened.cancel):
            ask(opened, SLOW, run=run)


def test_the_administrators_own_limit_is_kept_and_named(postgresql: Any) -> None:
    postgresql.admin("ALTER ROLE ann SET statement_timeout = '300ms'")
    try:
        with session(postgresql) as opened:
            run = Run("test", timeout=60)
            with pytest.raises(DeadlineExceeded, match=r"statement_timeout = 0\.3 s"):
                ask(opened, "SELECT pg_sleep(20)", run=run)
            assert value(opened, "SELECT 1") == 1
    finally:
        postgresql.admin("ALTER ROLE ann RESET statement_timeout")


def test_a_backend_that_is_ended_is_a_lost_connection(postgresql: Any) -> None:
    with session(postgresql) as opened:
        threading.Timer(
            0.3, postgresql.admin, ("SELECT pg_terminate_backend(%s)", int(opened.handle.partition(":")[0]))
        ).start()
        with pytest.raises(ConnectionLost) as caught:
            ask(opened, SLOW)
        assert caught.value.retryable
        assert not opened.clean
        with pytest.raises(ConnectionLost):
            ask(opened, "SELECT 1")
