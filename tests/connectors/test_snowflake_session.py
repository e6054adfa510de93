"""One statement at Snowflake: how it is sent, stopped and told of, and what a session keeps."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from aiser_jupyter.connectors.snowflake import SnowflakeConnector
from aiser_jupyter.errors import (
    AuthenticationFailed,
    ConnectionLost,
    DeadlineExceeded,
    MultipleStatements,
    NotPermitted,
    QueryCancelled,
    QuerySyntaxError,
    UsageError,
)
from aiser_jupyter.run import Handle, Run
from tests.conformance.snowflake import DATABASE
from tests.connectors.snowflake_kit import KIND, config, opened, read
from tests.servers.leaks import eventually, nothing_left_behind
from tests.servers.proxy import Proxy

assert DATABASE is not None
SLOW, ROWS, ENDLESS = DATABASE.slow, DATABASE.rows, DATABASE.endless


@pytest.fixture
def session(snowflake: Any) -> Iterator[Any]:
    with opened(snowflake) as session:
        snowflake.look()
        yield session


@pytest.fixture(autouse=True)
def nothing_laid(snowflake: Any) -> Iterator[None]:
    yield
    snowflake.lay()


class Started:
    """A statement in a thread of its own, and what became of it."""

    def __init__(self, session: Any, sql: str, run: Run | None = None) -> None:
        self.events: list[Any] = []
        self.run = run or Run("test", emit=self.events.append, tag="ann cell-7")
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, args=(session, sql))
        self._thread.start()

    def _read(self, session: Any, sql: str) -> None:
        try:
            with self.run.on_cancel(session.cancel), session.execute(sql, (), self.run) as reader:
                reader.read_all()
        except BaseException as exc:
            self.error = exc

    def handle(self) -> str:
        """Return Snowflake's name for the statement, once it is known."""
        assert eventually(lambda: any(isinstance(event, Handle) for event in self.events))
        return next(event.value for event in self.events if isinstance(event, Handle))

    def ended(self) -> BaseException | None:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.error


# -- stopping --------------------------------------------------------------------------------------------


def test_a_cancel_is_confirmed_by_the_server(snowflake: Any, session: Any) -> None:
    started = Started(session, SLOW)
    started.handle()
    assert snowflake.look()["running"] == 1
    started.run.cancel()
    error = started.ended()
    assert isinstance(error, QueryCancelled)
    assert error.confirmed
    assert snowflake.look()["running"] == 0


def test_a_statement_is_stopped_from_outside_by_its_name(snowflake: Any, session: Any) -> None:
    started = Started(session, SLOW)
    handle = started.handle()
    assert SnowflakeConnector().stop(config(snowflake), handle)
    assert isinstance(started.ended(), QueryCancelled)
    assert snowflake.look()["running"] == 0
    assert SnowflakeConnector().stop(config(snowflake), handle), "it has ended"


@pytest.mark.parametrize("handle", ["", "1", "x'); DROP TABLE t; --", "../" * 9])
def test_what_is_no_name_of_a_statement_is_not_asked_for(snowflake: Any, handle: str) -> None:
    snowflake.look()
    assert not KIND.stop(config(snowflake), handle)
    assert snowflake.look()["statements"] == []


def test_what_was_cancelled_before_it_began_is_not_sent(snowflake: Any, session: Any) -> None:
    run = Run("test")
    run.cancel()
    with pytest.raises(QueryCancelled):
        session.execute("SELECT 1", (), run)
    assert snowflake.look()["statements"] == []


def test_a_deadline_is_the_servers_too(snowflake: Any, session: Any) -> None:
    run = Run("test", timeout=0.5)
    error = Started(session, SLOW, run).ended()
    assert isinstance(error, DeadlineExceeded)
    (sent,) = snowflake.look()["statements"]
    assert sent["parameters"]["STATEMENT_TIMEOUT_IN_SECONDS"] in (6, "6")


def test_a_run_without_a_deadline_leaves_the_servers_own(snowflake: Any, session: Any) -> None:
    read(session, "SELECT 1")
    (sent,) = snowflake.look()["statements"]
    assert "STATEMENT_TIMEOUT_IN_SECONDS" not in sent["parameters"]


def test_a_server_that_falls_silent_holds_nobody(snowflake: Any) -> None:
    with (
        Proxy(("127.0.0.1", snowflake.port)) as proxy,
        closing(KIND.fresh(config(snowflake, port=proxy.port))) as session,
    ):
        started = Started(session, SLOW)
        started.handle()
        proxy.set("blackhole")
        began = time.monotonic()
        started.run.cancel()
        error = started.ended()
        assert time.monotonic() - began < 10
    assert isinstance(error, QueryCancelled)
    assert not error.confirmed
    assert "did not confirm" in error.hint


def test_a_deadline_holds_where_nobody_listens_to_it(snowflake: Any) -> None:
    """The driver tries a broken part again and again; the run has its deadline all the same."""
    with (
        Proxy(("127.0.0.1", snowflake.port)) as proxy,
        closing(KIND.fresh(config(snowflake, port=proxy.port))) as session,
    ):
        reader = session.execute(ENDLESS, (), Run("test", timeout=3))
        reader.read_next_batch()
        proxy.set("blackhole")
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="within 3 s"):
            reader.read_all()
        assert time.monotonic() - began < 20


def test_a_session_that_the_server_forgot_is_told_of_and_replaced(snowflake: Any) -> None:
    with closing(KIND.open(config(snowflake))) as session:
        read(session, "SELECT 1")
        snowflake.ask("/test/forget", {})
        with pytest.raises(ConnectionLost) as caught:
            read(session, "SELECT 1")
        assert caught.value.retryable
    with closing(KIND.open(config(snowflake))) as session:
        assert read(session, "SELECT 1").table.num_rows == 1


# -- what is sent ----------------------------------------------------------------------------------------


def test_who_runs_it_is_seen_at_the_server(snowflake: Any, session: Any) -> None:
    read(session, "SELECT 1", tag="ann cell-7")
    (sent,) = snowflake.look()["statements"]
    assert sent["parameters"]["QUERY_TAG"] == "aiser ann cell-7"
    assert sent["sqlText"] == "/* aiser ann cell-7 */ SELECT 1"
    read(session, "SELECT 1")
    (sent,) = snowflake.look()["statements"]
    assert "QUERY_TAG" not in sent["parameters"], "the tag is the statement's, not the session's"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT 1; SELECT 2", MultipleStatements),
        ("SELECT 1; DROP TABLE t", MultipleStatements),
        ("", QuerySyntaxError),
        (" -- nothing\n", QuerySyntaxError),
        ("/* nothing */ ;", QuerySyntaxError),
    ],
)
def test_one_statement_a_run(session: Any, sql: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(session, sql, tag="ann")


def test_snowflake_is_told_that_it_is_one_statement(snowflake: Any, session: Any) -> None:
    """The user's own setting may let a session run several."""
    snowflake.look()
    read(session, "SELECT 1")
    assert snowflake.look()["statements"][0]["parameters"]["MULTI_STATEMENT_COUNT"] in (1, "1")


@pytest.mark.parametrize(
    "sql", ["PUT file:///etc/hostname @~", "get @~/x file:///tmp", "/* x */ Put 'file:///etc/hostname' @~"]
)
def test_no_file_is_moved(snowflake: Any, session: Any, sql: str) -> None:
    with pytest.raises(NotPermitted, match="files of this machine"):
        read(session, sql)
    assert snowflake.look()["statements"] == []


@pytest.mark.parametrize("kind", ["S3", "GCS"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_server_that_asks_for_a_file_gets_none(
    snowflake: Any, session: Any, tmp_path: Path, kind: str, at_once: bool
) -> None:
    """The driver's public calls hand it over, in answer to a SELECT."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    _lay_upload(snowflake, secret, kind, at_once)
    with pytest.raises(NotPermitted):
        read(session, "SELECT laid")
    assert snowflake.look()["requests"] == []


def test_the_driver_itself_would_hand_it_over(snowflake: Any, tmp_path: Path) -> None:
    """What the test above shows is ours only where the driver, left to itself, does it."""
    from aiser_jupyter.connectors.snowflake.login import connect

    secret = tmp_path / "secret"
    secret.write_text("secret")
    _lay_upload(snowflake, secret, "GCS", at_once=False)
    snowflake.look()
    with closing(connect(config(snowflake).values, "127.0.0.1", snowflake.port, 30)) as connection:
        connection.cursor().execute("SELECT laid")
    assert snowflake.look()["requests"] == [["PUT", "/stolen", len("secret")]]


def _lay_upload(server: Any, path: Path, kind: str, at_once: bool) -> None:
    stage = {
        "locationType": kind,
        "location": "bucket/x/",
        "path": "x/",
        "region": "us-east-1",
        "storageAccount": "a",
        "isClientSideEncrypted": False,
        "creds": {"AWS_KEY_ID": "a", "AWS_SECRET_KEY": "b", "AWS_TOKEN": "c", "GCS_ACCESS_TOKEN": "t"},
        "presignedUrl": f"https://127.0.0.1:{server.port}/stolen",
        "endPoint": f"127.0.0.1:{server.port}",
    }
    data = {
        "command": "UPLOAD",
        "operation": "Node",
        "parallel": 1,
        "threshold": 1,
        "sourceCompression": "none",
        "autoCompress": False,
        "overwrite": True,
        "src_locations": [str(path)],
        "src_location_token": str(path),
        "queryResultFormat": "json",
        "rowtype": [],
        "encryptionMaterial": [],
        "stageInfo": stage,
        "statementTypeId": 0x7102,
    }
    server.lay({"what": "statement", "pattern": "laid", "at_once": at_once, "answer": {"data": data}})


FAR = dt.datetime(9999, 12, 31, 23, 59, 59, 999999)
INDIA = dt.timezone(dt.timedelta(hours=5, minutes=30))
BOUND = {
    "far": (FAR, {"type": "TIMESTAMP_NTZ", "value": "253402300799999999000"}),
    "early": (dt.datetime(1, 1, 1, 0, 0, 0, 1), {"type": "TIMESTAMP_NTZ", "value": "-62135596799999999000"}),
    "zone": (
        dt.datetime(2024, 2, 29, 12, 34, 56, 789012, INDIA),
        {"type": "TIMESTAMP_TZ", "value": "1709190296789012000 1770"},
    ),
    "decimal": (Decimal("1E+3"), {"type": "FIXED", "value": "1000"}),
    "digits": (Decimal("0." + "1" * 37), {"type": "FIXED", "value": "0." + "1" * 37}),
    "integer": (2**63, {"type": "FIXED", "value": str(2**63)}),
    "float": (0.1, {"type": "REAL", "value": "0.1"}),
    "nothing": (None, {"type": "ANY", "value": None}),
    "text": ("'; DROP TABLE t; --", {"type": "TEXT", "value": "'; DROP TABLE t; --"}),
    "bytes": (b"\x00\xff", {"type": "BINARY", "value": "00ff"}),
    "true": (True, {"type": "BOOLEAN", "value": "true"}),
    "uuid": (UUID(int=1), {"type": "TEXT", "value": str(UUID(int=1))}),
    "date": (dt.date(1400, 2, 28), {"type": "DATE", "value": "-17982432000000"}),
}


@pytest.mark.parametrize("name", BOUND)
def test_a_value_is_bound_exactly(snowflake: Any, session: Any, name: str) -> None:
    value, sent = BOUND[name]
    read(session, "SELECT ? AS x", (value,))
    (statement,) = snowflake.look()["statements"]
    found = {key: statement["bindings"]["1"][key] for key in sent}
    assert found == sent
    assert statement["sqlText"] == "SELECT ? AS x"


@pytest.mark.parametrize("value", [("TEXT", "x"), [1, 2], {"a": 1}, Decimal("NaN")])
def test_what_cannot_be_bound_is_refused(snowflake: Any, session: Any, value: Any) -> None:
    with pytest.raises(UsageError, match="Parameter 1"):
        read(session, "SELECT ?", (value,))
    assert snowflake.look()["statements"] == []


def test_names_are_not_bound(session: Any) -> None:
    with pytest.raises(UsageError):
        read(session, "SELECT ?", {"a": 1})


# -- what a session keeps --------------------------------------------------------------------------------


def test_a_session_that_only_read_is_used_again(snowflake: Any) -> None:
    KIND._pool.close()
    snowflake.look()
    for _ in range(3):
        with opened(snowflake) as session:
            read(session, "SELECT 1")
        assert eventually(lambda: any(KIND._pool._idle.values()))
    assert len(snowflake.look()["logins"]) == 1


@pytest.mark.parametrize("sql", ["SET secret = 'of ann'", "USE SCHEMA other", "BEGIN"])
def test_what_one_leaves_behind_nobody_finds(snowflake: Any, sql: str) -> None:
    with opened(snowflake) as session:
        read(session, "CREATE SCHEMA IF NOT EXISTS other")
    KIND._pool.close()
    snowflake.look()
    with opened(snowflake) as session:
        read(session, sql)
    with opened(snowflake) as session:
        schema = read(session, "SELECT CURRENT_SCHEMA()").table.column(0).to_pylist()
        assert schema == ["PUBLIC"]
    assert len(snowflake.look()["logins"]) == 2


def test_a_session_says_goodbye(snowflake: Any) -> None:
    session = KIND.fresh(config(snowflake))
    before = snowflake.look()["sessions"]
    session.close()
    assert eventually(lambda: snowflake.look()["sessions"] == before - 1)


def test_nothing_is_asked_in_the_background() -> None:
    assert KIND.capabilities.wakes
    assert not KIND.capabilities.read_only, "Snowflake has no session that only reads"


def test_a_session_gives_everything_back(snowflake: Any) -> None:
    def use() -> None:
        with closing(KIND.fresh(config(snowflake))) as session:
            read(session, ROWS.format(n=120_000))
        with pytest.raises(AuthenticationFailed):
            KIND.fresh(config(snowflake, password="wrong"))

    use()  # the driver makes threads of its own when it is first used
    with nothing_left_behind():
        for _ in range(3):
            use()
