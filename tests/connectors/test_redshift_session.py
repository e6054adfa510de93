"""What a session on Redshift does with a statement, with its errors, and with its end."""

from __future__ import annotations

import datetime as dt
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.connectors.pool import PooledSession
from aiser_jupyter.connectors.redshift.session import console
from aiser_jupyter.engines.direct_sql import DirectSQLEngine
from aiser_jupyter.errors import (
    AiserError,
    DeadlineExceeded,
    MultipleStatements,
    NotPermitted,
    QueryCancelled,
    QuerySyntaxError,
    UnknownTable,
    UsageError,
)
from aiser_jupyter.models import Connection, Scope, StatementKind
from aiser_jupyter.run import Event, Handle, Progress, Run
from aiser_jupyter.sql import parse
from tests.connectors.postgresql_kit import ask, value, wait_until
from tests.connectors.redshift_kit import KIND, config, session
from tests.servers.proxy import Proxy

SLOW = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b"


@pytest.fixture(scope="module")
def opened(redshift: Any) -> Iterator[Any]:
    with session(redshift) as made:
        yield made


def activity(redshift: Any, opened: Any) -> tuple[str, str, str]:
    """Return state, label and text of the statement that the session runs, as the server has them."""
    pid = int(opened.handle.partition(":")[0])
    ((state, label, text),) = redshift.behind.admin(
        "SELECT state, application_name, query FROM pg_stat_activity WHERE pid = %s", pid
    )
    return state, label, text


# -- parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        None, True, -7, 2**31, 2**63 - 1, 2**70, 1.5, Decimal("1.10"), "", "it's $1 \\ é 🦆",
        dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 1, 2, 3, 4),
        dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.UTC), dt.time(23, 59, 59, 999999),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_comes_back_as_it_went(opened: Any, given: Any) -> None:
    assert value(opened, "SELECT $x AS x", {"x": given}) == given


def test_bytes_are_sent_as_hexadecimal_digits(opened: Any) -> None:
    assert value(opened, "SELECT encode(decode($x, 'hex'), 'hex') = '00ff' AS x", {"x": b"\x00\xff"}) is True


def test_a_text_takes_the_type_of_its_place(opened: Any) -> None:
    sql = "SELECT date '2024-02-29' = $day AND 7 = $number AND left('abc', $few) = 'ab'"
    assert value(opened, sql, {"day": "2024-02-29", "number": "7", "few": 2}) is True


def test_names_in_texts_are_no_parameters_where_a_backslash_escapes(opened: Any) -> None:
    """Redshift knows \\' in any text, so the text does not end there."""
    ask(opened, "SET standard_conforming_strings = off")
    try:
        found = value(opened, r"SELECT 'it\'s $x' || $x AS x", {"x": "!"})
    finally:
        ask(opened, "RESET standard_conforming_strings")
    assert found == "it's $x!"


def test_more_parameters_than_redshift_takes_are_refused(opened: Any) -> None:
    with pytest.raises(UsageError, match=r"32,768 parameters.*32,767") as caught:
        ask(opened, "SELECT 1", [1] * 32_768)
    assert "table" in caught.value.hint


# -- errors --------------------------------------------------------------------------------------------


def test_a_syntax_error_is_where_it_was_written(redshift: Any) -> None:
    with session(redshift, read_only=True) as opened:
        for _ in range(2):
            with pytest.raises(QuerySyntaxError) as caught:
                ask(opened, "SELECT 1,\n  FROM x", run=Run("test", tag="ann cell 7"))
            assert (caught.value.line, caught.value.column) == (2, 3)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_misspelt_table_is_named(redshift: Any, read_only: bool) -> None:
    redshift.behind.admin("CREATE TABLE IF NOT EXISTS ordered (id integer)", database="shop")
    redshift.behind.admin("GRANT SELECT ON ordered TO ann", database="shop")
    with session(redshift, read_only=read_only) as opened:
        with pytest.raises(UnknownTable) as caught:
            ask(opened, "SELECT * FROM orderd")
        assert caught.value.hint.startswith("Did you mean 'ordered'?")
        assert value(opened, "SELECT 1") == 1


def test_one_statement_a_run(opened: Any) -> None:
    with pytest.raises(MultipleStatements):
        ask(opened, "SELECT 1; DROP TABLE x")


# -- who runs it, and how long -------------------------------------------------------------------------


@pytest.mark.parametrize("read_only", [False, True])
def test_the_label_says_who_runs_it(redshift: Any, read_only: bool) -> None:
    with session(redshift, read_only=read_only) as opened:
        run = Run("test", tag="ann cell 'x'; SET a TO b --")
        reader = opened.execute("SELECT generate_series(1, 1000000000), repeat('x', 100)", {}, run)
        reader.read_next_batch()
        state, label, text = activity(redshift, opened)
        token = opened.handle.partition(":")[2]
        assert (state, label) == ("active", f"aiser ann cell _x__ SET a TO b -- #{token}"[:63])
        assert text.startswith("/* aiser ann cell _x__ SET a TO b -- */ SELECT")


CONSOLE = "https://eu-west-1.console.aws.amazon.com/redshiftv2/home?region=eu-west-1"


@pytest.mark.parametrize(
    ("host", "fields", "page"),
    [
        ("shop-1.abc123.eu-west-1.redshift.amazonaws.com", {}, f"{CONSOLE}#cluster-details?cluster=shop-1"),
        ("Shop.abc123.EU-west-1.redshift.amazonaws.com.", {}, f"{CONSOLE}#cluster-details?cluster=shop"),
        (
            "wg.012345678901.eu-west-1.redshift-serverless.amazonaws.com",
            {"sign_in": "serverless", "workgroup": "wg", "region": "eu-west-1"},
            f"{CONSOLE}#serverless-workgroup?workgroup=wg",
        ),
        (
            "shop.abc123.cn-north-1.redshift.amazonaws.com.cn",
            {},
            "https://cn-north-1.console.amazonaws.cn/redshiftv2/home?region=cn-north-1"
            "#cluster-details?cluster=shop",
        ),
        (
            "reports-endpoint-xyz.abc123.eu-west-1.redshift.amazonaws.com",
            {"cluster_identifier": "a&b"},
            f"{CONSOLE}#cluster-details?cluster=a%26b",
        ),
        ("reports-endpoint-xyz.abc123.eu-west-1.redshift.amazonaws.com", {}, ""),
        ("shop.abc123.us-gov-west-1.redshift.amazonaws.com", {}, ""),
        ("shop.abc123.eu-west-1.redshift.amazonaws.com.example.org", {}, ""),
        ("a/b.abc123.eu-west-1.redshift.amazonaws.com", {}, ""),
        ("redshift.acme.example", {"cluster_identifier": "shop", "region": "eu-west-1"}, ""),
        ("127.0.0.1", {}, ""),
    ],
)
def test_a_cluster_is_found_in_the_console(host: str, fields: dict[str, str], page: str) -> None:
    assert console({"host": host, **fields}) == page


def test_a_run_tells_how_it_is_found_and_where(redshift: Any) -> None:
    with session(redshift) as opened:
        here = opened._config
        there = {**here.values, "host": "shop.abc123.eu-west-1.redshift.amazonaws.com"}
        told = []
        for opened._config in (here, replace(here, values=there)):
            events: list[Event] = []
            opened.execute("SELECT 1", {}, Run("test", emit=events.append)).read_all()
            told.append(next(event.message for event in events if isinstance(event, Progress)))
        pid, _, token = opened.handle.partition(":")
    assert told[0] == f"session {pid}, label 'aiser #{token}'"
    assert told[1] == f"{told[0]} · {CONSOLE}#cluster-details?cluster=shop"


def test_a_long_name_leaves_the_token_in_the_label(opened: Any) -> None:
    label = opened._labelled(Run("test", tag="x" * 1000))
    assert len(label) == 320
    assert label.endswith(" #" + opened.handle.partition(":")[2])


def test_the_server_keeps_the_time_limit_as_well(redshift: Any) -> None:
    with session(redshift) as opened:
        with opened.execute("SHOW statement_timeout", {}, Run("test", timeout=100)) as reader:
            (limit,) = reader.read_all().column(0).to_pylist()
        assert 100_000 < int(limit.removesuffix("ms")) <= 102_000
        assert value(opened, "SHOW statement_timeout") == "0"


def test_the_administrators_own_limit_is_kept_and_named(redshift: Any) -> None:
    redshift.behind.admin("ALTER ROLE ann SET statement_timeout = '300ms'")
    try:
        with (
            session(redshift) as opened,
            pytest.raises(DeadlineExceeded, match=r"statement_timeout = 0\.3 s"),
        ):
            ask(opened, "SELECT pg_sleep(20)", run=Run("test", timeout=60))
    finally:
        redshift.behind.admin("ALTER ROLE ann RESET statement_timeout")


# -- stopping ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_only", [False, True])
def test_a_cancel_is_confirmed_by_the_database(redshift: Any, read_only: bool) -> None:
    with session(redshift, read_only=read_only) as opened:
        run = Run("test")
        threading.Timer(0.2, run.cancel).start()
        with run.on_cancel(opened.cancel), pytest.raises(QueryCancelled) as caught:
            ask(opened, SLOW, run=run)
        assert caught.value.confirmed
        assert activity(redshift, opened)[0] != "active"
        assert value(opened, "SELECT 1") == 1


def test_what_was_cancelled_before_it_began_is_not_sent(redshift: Any, opened: Any) -> None:
    run = Run("test")
    run.cancel()
    with pytest.raises(QueryCancelled):
        ask(opened, "CREATE TABLE never_made (x integer)", run=run)
    assert value(opened, "SELECT count(*) FROM pg_class WHERE relname = 'never_made'") == 0


def test_the_handle_stops_exactly_its_statement(redshift: Any) -> None:
    events: list[Event] = []
    failed: list[BaseException] = []
    with session(redshift) as running, session(redshift) as beside:
        run = Run("test", emit=events.append)

        def work() -> None:
            try:
                ask(running, SLOW, run=run)
            except AiserError as exc:
                failed.append(exc)

        worker = threading.Thread(target=work)
        worker.start()
        assert wait_until(lambda: activity(redshift, running)[0] == "active")
        (handle,) = (event.value for event in events if isinstance(event, Handle))
        pid, _, token = handle.partition(":")
        other = f"{pid}:{int(token, 16) ^ 1:08x}"  # of a session that is gone, and had the same number
        assert KIND.stop(config(redshift), other)
        assert KIND.stop(config(redshift), "not a handle") is False
        assert KIND.stop(config(redshift), f"{pid}:%") is False
        assert activity(redshift, running)[0] == "active"
        assert KIND.stop(config(redshift), handle)
        worker.join(10)
        assert isinstance(failed[0], QueryCancelled)
        assert "Somebody else" in failed[0].message
        assert KIND.stop(config(redshift), handle)  # it is over already
        assert value(running, "SELECT 1") == value(beside, "SELECT 1") == 1


def test_a_silent_server_ends_at_the_deadline_of_the_run(redshift: Any) -> None:
    with Proxy(("127.0.0.1", redshift.port)) as proxy, session(redshift, port=proxy.port) as opened:
        run = Run("test", timeout=1)
        reader = opened.execute("SELECT generate_series(1, 1000000000)", {}, run)
        reader.read_next_batch()
        proxy.set("blackhole")
        started = time.monotonic()
        with run.on_cancel(opened.cancel), pytest.raises(DeadlineExceeded) as caught:
            reader.read_all()
        assert time.monotonic() - started < 6
        assert "did not confirm" in caught.value.hint
        assert not opened.clean


# -- read only, and used again -------------------------------------------------------------------------


WRITES = [
    "CREATE TABLE w (x integer)", "INSERT INTO kept VALUES (2)", "SELECT nextval('counted')",
    "SELECT * INTO copied FROM kept", "DROP TABLE kept", "TRUNCATE kept",
    "WITH gone AS (DELETE FROM kept RETURNING x) SELECT * FROM gone",
]  # fmt: skip
ENDS = ["COMMIT", "ROLLBACK", "END", "SET TRANSACTION READ WRITE"]


@pytest.mark.parametrize(
    ("before", "sql"), [*(("SELECT 1", sql) for sql in WRITES), *((end, WRITES[1]) for end in ENDS)]
)
def test_a_session_that_only_reads_writes_nothing(redshift: Any, before: str, sql: str) -> None:
    admin = redshift.behind.admin
    admin("CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS x", database="shop")
    admin("CREATE SEQUENCE IF NOT EXISTS counted", database="shop")
    for kind, name in (("TABLE", "kept"), ("SEQUENCE", "counted")):
        admin(f"ALTER {kind} {name} OWNER TO ann", database="shop")
    with session(redshift, read_only=True) as opened:
        ask(opened, before)
        with pytest.raises(NotPermitted) as caught:
            ask(opened, sql)
        assert caught.value.hint
        assert value(opened, "SELECT count(*) FROM kept") == 1


@pytest.mark.parametrize(
    "sql",
    [
        "UNLOAD ('SELECT 1') TO 's3://bucket/key' IAM_ROLE default",
        "/* a note */ -- and\n unload ('SELECT 1') TO 's3://bucket/key' IAM_ROLE default",
        "CALL sweep()",
    ],
)
def test_what_read_only_does_not_hold_is_refused_unsent(redshift: Any, sql: str) -> None:
    with session(redshift, read_only=True) as opened:
        with pytest.raises(NotPermitted, match="does more than read") as caught:
            ask(opened, sql)
        assert caught.value.hint
        assert value(opened, "SELECT 1") == 1


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UNLOAD ('SELECT 1') TO 's3://bucket/key' IAM_ROLE default", StatementKind.WRITE),
        ("CALL nothing_of_that_name()", StatementKind.UNKNOWN),
    ],
)
def test_it_runs_where_writing_is_allowed(redshift: Any, sql: str, kind: StatementKind) -> None:
    """The endpoint has no UNLOAD: that it says so shows that it was sent."""
    statement = parse(sql, dialect="redshift")
    assert statement.kind is kind
    scope = Scope(connection=Connection("shop", "someone", config(redshift)))
    with pytest.raises(AiserError) as caught:
        DirectSQLEngine(Settings()).execute(statement, scope, Run("test"))
    assert not isinstance(caught.value, NotPermitted)


def test_the_pool_uses_a_session_again_after_queries_alone(redshift: Any) -> None:
    def handle(*statements: str) -> str:
        taken = KIND.open(config(redshift))
        assert isinstance(taken, PooledSession)
        for statement in statements:
            ask(taken, statement)
        found = taken._session.handle
        taken.close()
        assert wait_until(lambda: KIND._pool._returned.empty())
        time.sleep(0.2)
        return found

    first = handle("SELECT 1", "SELECT set_config('search_path', 'pg_catalog', false)")
    second = handle("SELECT current_setting('search_path')", "CREATE TEMP TABLE mine (x integer)")
    assert second == first
    third = handle("SET search_path TO pg_catalog")
    fourth = handle("SELECT 1 AS x INTO TEMP made", "SELECT 1")
    fifth = handle("SELECT 1")
    assert len({first, third, fourth, fifth}) == 4
    KIND._pool.close()


def test_a_reset_forgets_what_the_last_user_left(redshift: Any) -> None:
    with session(redshift, schema="public") as opened:
        for name, given in (
            ("search_path", "pg_catalog"),
            ("datestyle", "German"),
            ("extra_float_digits", "0"),
        ):
            run = Run("test", tag="ann", timeout=9)
            ask(opened, f"SELECT set_config('{name}', '{given}', false)", run=run)
        assert opened.recycle()
        assert "ann" not in activity(redshift, opened)[1]
        assert value(opened, "SHOW extra_float_digits") == "1"
        assert value(opened, "SHOW search_path") == "public"
        assert value(opened, "SELECT date '2024-02-29'") == dt.date(2024, 2, 29)
        assert value(opened, "SHOW statement_timeout") == "0"


def test_redshift_has_no_discard(opened: Any) -> None:
    """The endpoint refuses it, so that no test passes by what Redshift has not."""
    with pytest.raises(QuerySyntaxError):
        ask(opened, "DISCARD ALL")


def test_a_large_result_takes_the_memory_of_a_few_blocks(redshift: Any) -> None:
    with session(redshift) as opened:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        count = 0
        sql = "SELECT i, repeat('x', 500) AS s FROM generate_series(1, 300000) i"
        with opened.execute(sql, {}, Run("test")) as reader:
            for batch in reader:
                count += batch.num_rows
        assert count == 300_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024  # of 150 MB
