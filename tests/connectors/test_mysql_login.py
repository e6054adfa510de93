"""How MySQL is reached: what the driver is told, what a hostile server gets, and what nobody may see."""

from __future__ import annotations

import inspect
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT

from aiser_jupyter.connectors import mysql
from aiser_jupyter.connectors.mysql import MySQLConnector
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    ConnectionLost,
    NotPermitted,
    TLSFailed,
    UnknownDatabase,
)
from aiser_jupyter.run import Run
from tests.connectors.mysql_database import config_of, fetch, session_of, value
from tests.servers.certificates import Authority, Certificate
from tests.servers.leaks import nothing_left_behind
from tests.servers.mariadb import MariaDB
from tests.servers.rogue_mysql import CLEAR_PASSWORD, LOCAL_FILE, OK, RogueMySQL, error, table

# -- what the driver is told --------------------------------------------------------------------------

SET = {"host", "user", "password", "database", "charset", "autocommit", "local_infile", "ssl", "ssl_disabled"}
SET |= {"program_name", "auth_plugin_map", "defer_connect"}
NOT_OFFERED = {
    # files of this machine, other ways to it, and statements that nobody sees
    *("read_default_file", "read_default_group", "unix_socket", "init_command", "named_pipe"),
    # TLS by files and by halves; ours is a context
    *("ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password", "ssl_verify_cert", "ssl_verify_identity"),
    # the socket and its times are ours
    *("port", "connect_timeout", "read_timeout", "write_timeout", "bind_address"),
    # how values are read and written: the rows are ours, the rest is the driver's usual way
    *("collation", "sql_mode", "conv", "use_unicode", "client_flag", "cursorclass", "binary_prefix"),
    *("max_allowed_packet", "server_public_key", "compress", "passwd", "db"),
}


def test_every_word_the_driver_knows_was_looked_at() -> None:
    known = set(inspect.signature(pymysql.Connection.__init__).parameters) - {"self"}
    assert known == SET | NOT_OFFERED
    assert not SET & NOT_OFFERED


def test_the_driver_is_told_what_was_looked_at_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    source = inspect.getsource(mysql._driver)
    given = {line.split("=")[0].strip() for line in source.splitlines() if line.startswith("        ")}
    assert {name for name in given if name.isidentifier()} == SET


@pytest.mark.parametrize("name", sorted(NOT_OFFERED - {"port", "ssl_ca", "ssl_key"}))
def test_no_field_leads_to_the_rest(name: str) -> None:
    with pytest.raises(ConfigError, match="has no field"):
        MySQLConnector().validate({"host": "localhost", "username": "ann", name: "1"})


# -- hostile servers ----------------------------------------------------------------------------------

ASKS = ["SELECT 1", "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t", "SHOW TABLES"]


@pytest.mark.parametrize("sql", ASKS)
def test_a_server_that_asks_for_a_file_gets_none(sql: str) -> None:
    with RogueMySQL() as rogue:
        with session_of(rogue) as session:
            with pytest.raises(NotPermitted, match="was given none"):
                fetch(session, sql)
            assert not session.clean
        assert rogue.received == []
        assert all(not flags & CLIENT.LOCAL_FILES for flags in rogue.announced)
        assert all(not flags & CLIENT.MULTI_STATEMENTS for flags in rogue.announced)


def test_no_file_for_the_drivers_own_statements_either() -> None:
    def answer(statement: bytes) -> list[bytes]:
        return [LOCAL_FILE]

    with RogueMySQL(answer, login=(OK,)) as rogue:
        with session_of(rogue) as session, pytest.raises(RuntimeError, match="LOAD_LOCAL"):
            session.ask("SHOW WARNINGS")
        config = config_of(rogue)
        for door in (
            lambda kind, s: kind.tables(s),
            lambda kind, s: kind.schemas(s),
            lambda kind, s: kind.rights(s),
        ):
            session = MySQLConnector().fresh(config)
            with pytest.raises(NotPermitted):
                door(MySQLConnector(), session)
            session.close()
        with pytest.raises(AiserError):
            MySQLConnector().stop(config, "1@1000")
        assert rogue.received == []


@pytest.mark.parametrize("login", [(LOCAL_FILE,), (b"\xfe\0", LOCAL_FILE)])
def test_no_file_during_the_login(login: tuple[bytes, ...]) -> None:
    with RogueMySQL(login=login) as rogue:
        with pytest.raises(ConnectError), session_of(rogue):
            pass
        assert b"hostname" not in b"".join(rogue.received)


def test_no_password_in_the_clear_without_tls() -> None:
    with RogueMySQL(login=(CLEAR_PASSWORD, OK)) as rogue:
        with pytest.raises(ConfigError, match="in the clear"), session_of(rogue, password="hunter2"):
            pass
        assert b"hunter2" not in b"".join(rogue.received)


def test_a_server_without_tls_is_refused_and_gets_no_login(mariadb: MariaDB) -> None:
    with RogueMySQL() as rogue:
        config = config_of(rogue, ssl_enabled=True, ssl_ca=mariadb.authority.pem)
        with pytest.raises(TLSFailed) as caught:
            MySQLConnector().fresh(config)
        assert "ssl_enabled" in caught.value.hint
        with pytest.raises(TLSFailed, match="offers no encryption"):
            MySQLConnector().start_tls(config, 5)
        assert rogue.announced == []


def test_a_server_that_is_full_says_so_to_the_handshake_too() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    payload = error(1040, "Too many connections")

    with server:
        config = config_of(type("Full", (), {"port": server.getsockname()[1]}), ssl_enabled=True)
        import threading

        def refuse() -> None:
            for _ in range(2):
                client, _ = server.accept()
                with client:
                    client.sendall(len(payload).to_bytes(3, "little") + b"\0" + payload)

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(ConnectError, match="Too many connections"):
            MySQLConnector().start_tls(config, 5)
        with pytest.raises(ConnectError, match="Too many connections"):
            MySQLConnector().fresh(config)
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        [b"\1"],
        [b"\2", b"\0\0"],
        [b"\xff"],
        [b""],
        [*table(["a"], [])[:2], b"\0\0"],
        [*table(["a"], [[b"1"]])[:4], b"\xff"],
        [b"\xfc\xff\xff"],
    ],
)
def test_an_answer_that_is_no_mysql_loses_the_connection(answer: list[bytes]) -> None:
    with RogueMySQL(lambda statement: answer) as rogue, session_of(rogue) as session:
        run = Run("test", timeout=0.3)
        with pytest.raises(AiserError) as caught, run.on_cancel(session.cancel):
            fetch(session, "SELECT 1", run=run)
        assert isinstance(caught.value, ConnectionLost) or caught.value.code in (
            "deadline_exceeded",
            "cancelled",
        )
        assert not session.clean


# -- logins -------------------------------------------------------------------------------------------

PASSWORDS = [
    "x",
    "with space",
    "a@b:c/d#e%f?g&h",
    "quo'te\"s`",
    "back\\slash",
    "new\nline",
    "pässwörd 🦆",
    "p" * 400,
]


@pytest.mark.parametrize("password", PASSWORDS, ids=lambda text: text[:12].encode("unicode_escape").decode())
def test_any_password_works_and_none_is_shown(mariadb: MariaDB, password: str) -> None:
    mariadb.admin("CREATE OR REPLACE USER cleo@'%%' IDENTIFIED BY %s", password)
    with session_of(mariadb, username="cleo", password=password, database=None) as session:
        assert value(session, "CURRENT_USER()") == "cleo@%"
    with pytest.raises(AuthenticationFailed) as caught:
        MySQLConnector().fresh(config_of(mariadb, username="cleo", password=password + "!", database=None))
    shown = _verbose(caught.value)
    assert "cleo" in shown
    if len(password) > 8:
        for written in (password, repr(password)[1:-1], repr(password.encode())[2:-1]):
            assert written not in shown


def _verbose(exc: BaseException) -> str:
    """What a traceback with local variables shows, the frames of this file aside."""
    found: BaseException | None = exc
    texts = []
    while found is not None:
        frames = traceback.StackSummary.extract(traceback.walk_tb(found.__traceback__), capture_locals=True)
        texts += [f"{frame.name}: {frame.locals}" for frame in frames if frame.filename != __file__]
        texts.append(repr(found))
        found = found.__cause__ or found.__context__
    return "\n".join(texts)


def test_a_session_is_encrypted_by_default(mariadb: MariaDB) -> None:
    with session_of(mariadb) as session:
        ((_, cipher),) = session.ask("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        assert cipher
    assert MySQLConnector().start_tls(config_of(mariadb), 5).startswith("TLSv1.")


def test_the_name_in_the_certificate_may_differ_from_the_host(mariadb: MariaDB) -> None:
    with session_of(mariadb, ssl_server_name="localhost") as session:
        assert value(session, "1") == 1
    with pytest.raises(TLSFailed, match="not for"), session_of(mariadb, ssl_server_name="db.example"):
        pass


@pytest.fixture
def bad_certificates(mariadb: MariaDB, tmp_path: Path) -> Iterator[Callable[[Certificate], None]]:
    """Have the server read another certificate from its files; the good one is back at the end."""
    good = mariadb.certificate

    kept = good.certificate.read_bytes(), good.key.read_bytes()

    def replace(certificate: Certificate) -> None:
        good.certificate.write_bytes(certificate.certificate.read_bytes())
        good.key.write_bytes(certificate.key.read_bytes())
        mariadb.admin("FLUSH SSL")

    yield replace
    good.certificate.write_bytes(kept[0])
    good.key.write_bytes(kept[1])
    mariadb.admin("FLUSH SSL")


def test_bad_certificates_are_refused(
    mariadb: MariaDB, bad_certificates: Callable[[Certificate], None], tmp_path: Path
) -> None:
    config = config_of(mariadb)
    for certificate, words in (
        (Authority(tmp_path / "other", "A stranger").issue("stranger"), "not signed by an authority"),
        (mariadb.authority.issue("elsewhere", ("db.example",)), "not for 127.0.0.1"),
        (mariadb.authority.issue("old", expired=True), "expired"),
    ):
        bad_certificates(certificate)
        with pytest.raises(TLSFailed, match=words) as caught:
            MySQLConnector().fresh(config)
        assert caught.value.hint
        with pytest.raises((TLSFailed, ssl.SSLError)):
            MySQLConnector().start_tls(config, 5)


def test_without_our_authority_the_systems_own_do_not_help(mariadb: MariaDB) -> None:
    with pytest.raises(TLSFailed, match="not signed by an authority"):
        MySQLConnector().fresh(config_of(mariadb, ssl_ca=None))


def test_a_server_that_wants_tls_says_so(mariadb: MariaDB) -> None:
    mariadb.admin("CREATE OR REPLACE USER dora@'%' IDENTIFIED BY 'secret' REQUIRE SSL")
    with pytest.raises(AuthenticationFailed) as caught:
        MySQLConnector().fresh(config_of(mariadb, username="dora", password="secret", ssl_enabled=False))
    assert "encrypted" in caught.value.hint


def test_wrong_user_and_wrong_database(mariadb: MariaDB) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        MySQLConnector().fresh(config_of(mariadb, username="nobody"))
    assert caught.value.hint
    mariadb.admin("CREATE OR REPLACE USER erin@'%' IDENTIFIED BY 'secret'")
    mariadb.admin("GRANT ALL ON *.* TO erin@'%'")
    with pytest.raises(UnknownDatabase, match="nowhere"):
        MySQLConnector().fresh(config_of(mariadb, username="erin", password="secret", database="nowhere"))


def test_a_password_is_never_taken_from_a_file_of_the_user(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".my.cnf").write_text(f"[client]\npassword={mariadb.password}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(AuthenticationFailed):
        MySQLConnector().fresh(config_of(mariadb, password=None))


def test_nothing_is_left_of_logins_that_fail_and_that_work(mariadb: MariaDB) -> None:
    with session_of(mariadb):
        pass  # what is made once is made
    with nothing_left_behind():
        with session_of(mariadb) as session:
            value(session, "1")
        for changed in ({"password": "wrong"}, {"ssl_ca": None}, {"ssl_server_name": "db.example"}):
            with pytest.raises(ConnectError), session_of(mariadb, **changed):
                pass


def test_every_step_of_the_test_of_a_connection(mariadb: MariaDB) -> None:
    fetch_table: Any = mariadb.admin("CREATE OR REPLACE TABLE sampled SELECT 1 AS x", database="shop")
    assert fetch_table == ()
    steps = {stage.name: stage.run() for stage in MySQLConnector().stages(config_of(mariadb), Run("test"))}
    assert list(steps) == ["driver", "name", "tcp", "tls", "login", "database", "rights", "sample"]
    assert steps["tls"].startswith("TLSv1.")
    mariadb.admin("DROP TABLE sampled", database="shop")
