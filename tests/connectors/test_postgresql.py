"""Reaching a real PostgreSQL: what may be set, login, TLS, read-only sessions, and what a reset forgets."""

from __future__ import annotations

import inspect
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pg8000.core
import pytest

from aiser_jupyter.connectors.pool import PooledSession
from aiser_jupyter.connectors.postgresql import PostgreSQLConnector
from aiser_jupyter.connectors.sockets import Cut
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    HostUnreachable,
    NotPermitted,
    StatementError,
    TLSFailed,
    UnknownDatabase,
    UnknownTable,
)
from aiser_jupyter.run import Run
from tests.connectors.postgresql_kit import KIND, ask, config, session, value, wait_until

NASTY = ["a b", "@:/#%?&", "'\"\\", "é", "x", "p" * 900, "$1", "{x}", "host=evil"]


# -- what may be set -----------------------------------------------------------------------------------

SET = {
    "user", "host", "database", "password", "ssl_context", "application_name", "startup_params", "sock",
}  # fmt: skip
LOOKED_AT_AND_NOT_OFFERED = {
    "port",  # the socket is ours
    "source_address",
    "unix_sock",  # another way to the machine
    "timeout",  # counts from byte to byte; a deadline is kept outside
    "tcp_keepalive",
    "replication",  # another protocol
}


def test_every_argument_of_the_driver_was_looked_at() -> None:
    known = set(inspect.signature(pg8000.core.CoreConnection.__init__).parameters) - {"self"}
    assert known == SET | LOOKED_AT_AND_NOT_OFFERED


def test_only_fields_of_ours_are_taken() -> None:
    assert {field.name for field in KIND.fields} == {
        "host", "port", "database", "username", "password", "schema", "role", "timeout", "max_connections",
        "ssl_enabled", "ssl_ca", "ssl_server_name", "ssl_certificate", "ssl_key",
    }  # fmt: skip
    for name in (
        *LOOKED_AT_AND_NOT_OFFERED - {"port", "timeout"},
        "options",
        "service",
        "passfile",
        "sslmode",
    ):
        with pytest.raises(ConfigError, match="has no field"):
            KIND.validate({"host": "h", "username": "u", name: "x"})


def test_neither_the_environment_nor_a_file_changes_where_it_goes(
    postgresql: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGDATABASE",
        "PGPASSWORD",
        "PGSERVICE",
        "PGOPTIONS",
        "PGSSLMODE",
    ):
        monkeypatch.setenv(name, "evil")
    (tmp_path / ".pgpass").write_text("*:*:*:*:evil")
    monkeypatch.setenv("HOME", str(tmp_path))
    with session(postgresql) as opened:
        assert value(opened, "SELECT current_user || '@' || current_database()") == "ann@shop"


@pytest.mark.parametrize("text", ["x?host=evil", "a b=c", "h1,h2", "x' -c log_statement=all", "x\n"])
def test_a_value_is_only_a_value(postgresql: Any, text: str) -> None:
    with pytest.raises(ConnectError), session(postgresql, database=text):
        pass
    with session(postgresql, schema=text) as opened:
        assert value(opened, "SELECT current_schemas(false)") == []
        assert value(opened, "SHOW search_path") == f'"{text}"'


# -- login ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", NASTY)
def test_any_password_logs_in_and_none_is_shown(postgresql: Any, password: str) -> None:
    postgresql.admin("DROP ROLE IF EXISTS nasty")
    quoted = password.replace("'", "''")
    postgresql.admin(f"CREATE ROLE nasty LOGIN PASSWORD '{quoted}'")
    with session(postgresql, username="nasty", password=password) as opened:
        assert value(opened, "SELECT current_user::text") == "nasty"
    with pytest.raises(AuthenticationFailed) as caught:
        KIND.fresh(config(postgresql, username="nasty", password=password + "-wrong"))
    shown = f"{caught.value} {caught.value!r}"
    assert caught.value.hint
    if len(password) > 3:
        assert password not in shown
    assert "-wrong" not in shown


def test_a_password_that_the_driver_cannot_prove_is_said_to_be_so(postgresql: Any) -> None:
    with pytest.raises(AuthenticationFailed, match="has a character") as caught:
        KIND.fresh(config(postgresql, password="🦆 quack"))
    assert "quack" not in str(caught.value)


def test_each_refusal_has_its_class_and_a_hint(postgresql: Any) -> None:
    wrong: list[tuple[dict[str, Any], type[AiserError]]] = [
        ({"password": "wrong"}, AuthenticationFailed),
        ({"password": None}, AuthenticationFailed),
        ({"username": "nobody"}, AuthenticationFailed),
        ({"database": "nowhere"}, UnknownDatabase),
        ({"host": "nowhere.invalid"}, HostUnreachable),
        ({"role": "postgres"}, NotPermitted),
        ({"role": "no such role"}, AiserError),
    ]
    for changed, kind in wrong:
        with pytest.raises(kind) as caught:
            KIND.fresh(config(postgresql, **changed))
        assert caught.value.hint, changed


def test_a_server_that_wants_encryption_is_said_to_want_it(postgresql: Any) -> None:
    rules = postgresql.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("hostnossl all all all reject\n" + before)
    try:
        postgresql.reload()

        def refused() -> bool:
            try:
                KIND.fresh(config(postgresql, ssl_enabled=False)).close()
            except AuthenticationFailed as exc:
                return "ssl_enabled" in exc.hint
            return False

        assert wait_until(refused)
    finally:
        rules.write_text(before)
        postgresql.reload()


def test_no_password_is_kept_in_the_drivers_connection(postgresql: Any) -> None:
    with session(postgresql) as opened:
        assert postgresql.password not in repr(vars(opened._core))


# -- TLS -----------------------------------------------------------------------------------------------


def test_the_connection_is_encrypted_and_says_so(postgresql: Any) -> None:
    with session(postgresql) as opened:
        assert value(opened, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True
    assert KIND.start_tls(config(postgresql), 5) == "TLSv1.3"


def test_a_certificate_that_does_not_hold_is_refused(postgresql: Any) -> None:
    for changed in ({"ssl_ca": None}, {"ssl_server_name": "db.example.com"}):
        for login in (KIND.fresh, lambda made: KIND.start_tls(made, 5)):
            with pytest.raises((TLSFailed, ssl.SSLError)):
                login(config(postgresql, **changed))
    with session(postgresql, ssl_server_name="localhost") as opened:
        assert value(opened, "SELECT 1") == 1


def test_a_server_without_tls_is_refused(postgresql: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]

        def refuse() -> None:
            for _ in range(2):
                found, _ = plain.accept()
                with found:
                    found.recv(8)
                    found.sendall(b"N")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        for login in (KIND.fresh, lambda made: KIND.start_tls(made, 5)):
            with pytest.raises(TLSFailed) as caught:
                login(config(postgresql, port=port))
            assert "no encryption" in caught.value.message
        thread.join(5)


def test_tls_may_be_off_on_this_machine_only(postgresql: Any) -> None:
    with session(postgresql, ssl_enabled=False) as opened:
        assert value(opened, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is False
        opened._kind.request_stop(opened._config, bytes(8), 5)
    with pytest.raises(ConfigError, match="another machine"):
        KIND.fresh(config(postgresql, host="192.0.2.1", ssl_enabled=False))


def test_a_silent_server_ends_at_the_deadline(postgresql: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(ConnectError):
        KIND.fresh(config(postgresql, port=mute.getsockname()[1]), seconds=0.5)


def test_a_failed_login_leaves_no_descriptor(postgresql: Any) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    def fail() -> None:
        with pytest.raises(ConnectError):
            KIND.fresh(config(postgresql, password="wrong"))
        with session(postgresql):
            pass

    fail()
    before = count()
    for _ in range(5):
        fail()
    assert count() <= before


# -- the session ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a int)",
        "INSERT INTO held VALUES (1)",
        "SELECT nextval('counted')",
        "WITH x AS (INSERT INTO held VALUES (1) RETURNING a) SELECT * FROM x",
        "SELECT * FROM held FOR UPDATE",
        "DO $$ BEGIN INSERT INTO held VALUES (1); END $$",
        "COPY held TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/x')",
        "SELECT set_config('transaction_read_only', 'off', true) FROM held",
        "TRUNCATE held",
    ],
)
def test_a_session_that_only_reads_writes_nothing(postgresql: Any, sql: str) -> None:
    with session(postgresql) as opened:
        ask(opened, "CREATE TABLE IF NOT EXISTS held (a int)")
        ask(opened, "CREATE SEQUENCE IF NOT EXISTS counted")
        ask(opened, "INSERT INTO held SELECT 0 WHERE NOT EXISTS (SELECT FROM held)")
        with session(postgresql, read_only=True) as reader:
            with pytest.raises(AiserError) as caught:
                ask(reader, sql)
            assert isinstance(caught.value, NotPermitted | StatementError)
            assert caught.value.hint or isinstance(caught.value, StatementError)
        assert value(opened, "SELECT array_agg(a) FROM held") == [0]


LEFT = [
    ("SET work_mem = '77MB'", "SHOW work_mem", "77MB"),
    ("SET default_transaction_read_only = off", "SHOW default_transaction_read_only", "off"),
    ("SET application_name = 'mine'", "SHOW application_name", "mine"),
    ("SET TimeZone = 'Asia/Kolkata'", "SHOW TimeZone", "Asia/Kolkata"),
    ("SET ROLE pg_monitor", "SELECT current_user::text", "pg_monitor"),
    ("CREATE TEMP TABLE own (a int)", "SELECT count(*) FROM pg_class WHERE relname = 'own'", 1),
    ("PREPARE ready AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name <> ''", 1),
    ("SELECT pg_advisory_lock(4711)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", 1),
    ("LISTEN news", "SELECT count(*) FROM pg_listening_channels()", 1),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors WHERE name = 'c'", 1),
]


@pytest.mark.parametrize(("leave", "look", "left"), LEFT, ids=[leave[:30] for leave, *_ in LEFT])
def test_a_reset_forgets_what_the_last_user_left(postgresql: Any, leave: str, look: str, left: Any) -> None:
    postgresql.admin("GRANT pg_monitor TO ann")
    with session(postgresql, read_only=leave.startswith("SET default")) as opened:
        fresh = value(opened, look)
        assert fresh != left
        run = Run("test")
        ask(opened, leave, run=run)
        assert value(opened, look) == left
        assert [notice.code for notice in run.notices] == ([] if leave.startswith("SELECT") else ["session"])
        assert opened.recycle()
        assert value(opened, look) == fresh


def test_a_failed_transaction_is_forgotten_too(postgresql: Any) -> None:
    with session(postgresql) as opened:
        run = Run("test")
        ask(opened, "BEGIN", run=run)
        assert [notice.code for notice in run.notices] == ["session"]
        assert opened._status == b"T"
        with pytest.raises(AiserError):
            ask(opened, "SELECT 1 / 0")
        with pytest.raises(AiserError):
            ask(opened, "SELECT 1")
        assert opened.recycle()
        assert opened._status == b"I"
        assert value(opened, "SELECT 1") == 1


def test_what_the_session_begins_with(postgresql: Any) -> None:
    with session(postgresql, schema='My "schema"', read_only=True) as opened:
        found = {
            name: value(opened, f"SHOW {name}")
            for name in ("application_name", "search_path", "client_connection_check_interval", "TimeZone")
        }
        assert found == {
            "application_name": "aiser",
            "search_path": '"My ""schema"""',
            "client_connection_check_interval": "5s",
            "TimeZone": "UTC",
        }


def test_a_server_that_does_not_know_a_setting_is_reached_without_it(
    postgresql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiser_jupyter.connectors.postgresql._CHECK", "no_such_setting_here")
    with session(postgresql) as opened:
        assert value(opened, "SELECT 1") == 1


# -- the pool and the test of a connection -------------------------------------------------------------


@pytest.fixture
def pooled(postgresql: Any) -> Iterator[PostgreSQLConnector]:
    kind = PostgreSQLConnector()
    yield kind
    kind._pool.close()


def handle(opened: Any) -> str:
    assert isinstance(opened, PooledSession)
    return str(opened._session.handle)  # type: ignore[attr-defined]


def test_a_session_is_used_again_and_not_by_another_right(
    postgresql: Any, pooled: PostgreSQLConnector
) -> None:
    made = config(postgresql)
    first = pooled.open(made)
    assert value(first, "SELECT 1") == 1
    name = handle(first)
    first.close()
    assert wait_until(lambda: bool(pooled._pool._idle))  # it is reset in the background
    again = pooled.open(made)
    assert handle(again) == name
    reader = pooled.open(made, read_only=True)
    assert handle(reader) != name
    assert value(reader, "SHOW default_transaction_read_only") == "on"
    assert value(again, "SHOW default_transaction_read_only") == "off"
    reader.close()
    again.close()


def test_every_stage_of_a_test_passes(postgresql: Any) -> None:
    said = {stage.name: stage.run() for stage in KIND.stages(config(postgresql), Run("test"))}
    assert list(said) == ["driver", "name", "tcp", "tls", "login", "database", "rights", "sample"]
    assert said["tls"] == "TLSv1.3"
    assert said["database"] == "shop"


def test_a_database_that_is_not_there_fails_after_the_login(postgresql: Any) -> None:
    passed = []
    for stage in KIND.stages(config(postgresql, database="nowhere"), Run("test")):
        if stage.name == "database":
            with pytest.raises(UnknownDatabase):
                stage.run()
            break
        stage.run()
        passed.append(stage.name)
    assert passed[-1] == "login"


def test_a_cut_is_what_ends_a_wait(postgresql: Any) -> None:
    with session(postgresql) as opened:
        cut: Cut = opened._cut
        threading.Timer(0.2, cut.cut).start()
        with pytest.raises(ConnectError):
            ask(opened, "SELECT pg_sleep(30)")
        assert not opened.clean


def test_a_table_of_nowhere_keeps_its_message(postgresql: Any) -> None:
    with session(postgresql) as opened, pytest.raises(UnknownTable, match="zzzzzz"):
        ask(opened, "SELECT * FROM zzzzzz")
