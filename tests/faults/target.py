"""A database under test: how it is reached, what it is asked, and what its administrator sees of it."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, cast

import pyarrow as pa

from aiser_jupyter.connectors.network import NetworkConnector
from aiser_jupyter.models import Check, ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from aiser_jupyter.services.connections import _timed
from tests.servers.leaks import eventually
from tests.servers.proxy import CLIENT_SSL, SSL_REQUEST
from tests.servers.server import Server

MYSQL_SSL_REQUEST = struct.pack("<I", 32 | 1 << 24) + struct.pack("<IIB23x", CLIENT_SSL | 0x8200, 1 << 24, 45)
BUSY = 1.5
"""Seconds that a busy machine may add to any bound."""


@dataclass(frozen=True)
class Words:
    """One database's own words."""

    type: str
    connector: str
    many: str
    """Answers with {rows} rows of a number and 100 letters."""
    sleep: str
    begin: str
    sessions: str
    running: str
    end_sessions: str
    user: tuple[str, ...]
    encrypted: str
    certificates: str
    poor: tuple[str, ...]
    """Make ``dave``, who may read nothing, and not enter the database ``forbidden``."""
    poor_end: tuple[str, ...]
    impatient: tuple[str, ...]
    """Have the server end sessions that do nothing for a second; ``patient`` takes it back."""
    patient: tuple[str, ...]
    crew: tuple[str, ...]
    """Make a role that ``carol`` may take."""
    leavings: tuple[tuple[str, str], ...]
    """What a statement may leave in a session, and what sees it."""


MARIADB = Words(
    type="mysql",
    connector="aiser_jupyter.connectors.mysql:MySQLConnector",
    many="SELECT seq AS n, REPEAT('x', 100) AS x FROM seq_1_to_{rows}",
    sleep="SELECT SLEEP({seconds})",
    begin="START TRANSACTION",
    sessions="SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'carol'",
    running="SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'carol' AND COMMAND = 'Query'",
    end_sessions="KILL USER carol",
    user=(
        "CREATE OR REPLACE USER carol@'%' IDENTIFIED BY '{password}'",
        "GRANT ALL ON shop.* TO carol@'%'",
    ),
    encrypted="SHOW SESSION STATUS LIKE 'Ssl_cipher'",
    certificates="FLUSH SSL",
    poor=(
        "CREATE DATABASE forbidden",
        "CREATE USER dave@'%' IDENTIFIED BY '{password}'",
    ),
    poor_end=("DROP USER dave@'%'", "DROP DATABASE forbidden"),
    impatient=("SET GLOBAL wait_timeout = 1",),
    patient=("SET GLOBAL wait_timeout = 28800",),
    crew=("CREATE OR REPLACE ROLE crew", "GRANT crew TO carol@'%'"),
    leavings=(
        ("SET SESSION sql_mode = 'ANSI_QUOTES'", "SELECT @@sql_mode"),
        ("SET @left_behind = 1", "SELECT @left_behind"),
        ("CREATE TEMPORARY TABLE left_behind (a INT)", "SELECT COUNT(*) FROM left_behind"),
        ("START TRANSACTION", "SELECT @@in_transaction"),
        ("SET autocommit = 0", "SELECT @@autocommit"),
        ("PREPARE left_behind FROM 'SELECT 1'", "EXECUTE left_behind"),
        (
            "SELECT GET_LOCK('left_behind', 5)",
            "SELECT COALESCE(IS_USED_LOCK('left_behind') = CONNECTION_ID(), 0) AS mine",
        ),
        ("USE information_schema", "SELECT DATABASE()"),
        ("SET ROLE crew", "SELECT CURRENT_ROLE()"),
        ("SET SESSION time_zone = '+09:00'", "SELECT @@session.time_zone"),
        ("SET SESSION max_statement_time = 77", "SELECT @@max_statement_time"),
    ),
)
POSTGRESQL = Words(
    type="postgresql",
    connector="aiser_jupyter.connectors.postgresql:PostgreSQLConnector",
    many="SELECT n, repeat('x', 100) AS x FROM generate_series(1, {rows}) AS n",
    sleep="SELECT 1 FROM pg_sleep({seconds})",
    begin="BEGIN",
    sessions="SELECT count(*) FROM pg_stat_activity WHERE usename = 'carol'",
    running="SELECT count(*) FROM pg_stat_activity WHERE usename = 'carol' AND state = 'active'",
    end_sessions="SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'carol'",
    user=(
        "CREATE ROLE carol LOGIN PASSWORD '{password}'",
        "GRANT CREATE ON DATABASE shop TO carol",
        "CREATE SCHEMA carol AUTHORIZATION carol",
    ),
    encrypted="SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
    certificates="SELECT pg_reload_conf()",
    poor=(
        "CREATE TABLE closed AS SELECT 1 AS one",
        "CREATE DATABASE forbidden",
        "CREATE ROLE dave LOGIN PASSWORD '{password}'",
        "REVOKE ALL ON DATABASE forbidden FROM PUBLIC",
    ),
    poor_end=("DROP TABLE closed", "DROP DATABASE forbidden", "DROP ROLE dave"),
    impatient=("ALTER ROLE carol SET idle_session_timeout = '1s'",),
    patient=("ALTER ROLE carol RESET idle_session_timeout",),
    crew=("DROP ROLE IF EXISTS crew", "CREATE ROLE crew", "GRANT crew TO carol"),
    leavings=(
        ("SET lock_timeout = 12345", "SHOW lock_timeout"),
        ("SET search_path = pg_catalog", "SHOW search_path"),
        ("SET TIME ZONE 'Asia/Tokyo'", "SHOW timezone"),
        ("CREATE TEMP TABLE left_behind (a INT)", "SELECT count(*) FROM left_behind"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation"),
        ("PREPARE left_behind AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements"),
        (
            "SELECT pg_advisory_lock(42)",
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        ),
        ("SET ROLE crew", "SELECT current_user::text"),
        ("LISTEN left_behind", "SELECT count(*) FROM pg_listening_channels()"),
        ("DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors"),
        ("SET default_transaction_read_only = on", "SHOW default_transaction_read_only"),
    ),
)


class Target:
    """A running server, its connector, and a user ``carol`` whom only these tests know."""

    password = "a password of these tests"

    def __init__(self, server: Server, words: Words) -> None:
        self.server = server
        self.words = words

    @cached_property
    def kind(self) -> NetworkConnector:
        """The connector, with a pool of its own."""
        module, _, name = self.words.connector.partition(":")
        return cast(NetworkConnector, getattr(import_module(module), name)())

    def prepare(self) -> None:
        """Make the user."""
        for statement in self.words.user:
            self.admin(statement.format(password=self.password), database="shop")

    def admin(self, statement: str, database: str | None = None) -> Any:
        """Run a statement as the administrator, and return its rows."""
        admin = cast(Callable[..., Any], self.server.admin)  # type: ignore[attr-defined]
        return admin(statement, database=database) if database else admin(statement)

    def config(self, **values: Any) -> ConnectionConfig:
        """Return what leads to the server; ``values`` are fields that differ from the usual."""
        usual = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "database": "shop",
            "username": "carol",
            "password": Secret(self.password),
            "timeout": 10,
            "ssl_ca": self.server.authority.pem,
        }
        checked = self.kind.validate(usual | values)
        return ConnectionConfig(self.words.type, "shop", checked)

    def ask(self, sql: str, config: ConnectionConfig, run: Run | None = None) -> pa.Table:
        """Run a statement in a session of its own, as an engine does it."""
        run = run or Run("r", tag="faults")
        with (
            closing(self.kind.open(config)) as session,
            run.on_cancel(session.cancel),
            session.execute(sql, {}, run) as reader,
        ):
            return reader.read_all()

    def graded(self, config: ConnectionConfig) -> list[Check]:
        """Test a connection step by step, as the service does it."""
        checks: list[Check] = []
        with closing(self.kind.stages(config, Run("test", timeout=60))) as stages:
            for stage in stages:
                checks.append(_timed(stage))
                if not checks[-1].ok:
                    break
        return checks

    def close_idle(self) -> None:
        """Close the sessions that wait for another use, those that are being reset included."""
        pool = self.kind._pool

        def closed() -> bool:
            pool.close()
            return not pool._open

        assert eventually(closed), "a session is still in use"

    def sessions(self) -> int:
        """Return how many sessions of these tests the server holds."""
        return int(self.admin(self.words.sessions)[0][0])

    def running(self) -> int:
        """Return how many statements of these tests the server runs."""
        return int(self.admin(self.words.running)[0][0])

    def read_certificates(self) -> None:
        """Have the server read its certificate again, and wait until it presents it."""
        self.admin(self.words.certificates)
        want = ssl.PEM_cert_to_DER_cert(self.server.certificate.certificate.read_text())
        assert eventually(lambda: self._presented() == want), "the server keeps its old certificate"

    def _presented(self) -> bytes | None:
        """Return the certificate that the server presents, verified by nobody."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.server.port), 5) as sock:
            sock.settimeout(5)
            if self.words.type == "postgresql":
                sock.sendall(SSL_REQUEST)
                sock.recv(1)
            else:
                sock.recv(1000)
                sock.sendall(MYSQL_SSL_REQUEST)
            with context.wrap_socket(sock) as encrypted:
                return encrypted.getpeercert(binary_form=True)

    def end_sessions(self) -> None:
        """End every session of these tests, as an administrator or a time-out does it."""
        self.admin(self.words.end_sessions)
