"""A real PostgreSQL."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pg8000.dbapi

from .server import Server

CONFIG = """
port = {port}
listen_addresses = '127.0.0.1'
unix_socket_directories = '{folder}'
ssl = on
ssl_cert_file = '{certificate}'
ssl_key_file = '{key}'
ssl_ca_file = '{ca}'
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 400
shared_buffers = 256MB
timezone = 'UTC'
"""
ACCESS = """
local all postgres trust
hostssl all certain 127.0.0.1/32 cert
hostssl all doubly 127.0.0.1/32 scram-sha-256 clientcert=verify-full
host all all 127.0.0.1/32 scram-sha-256
"""


def programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed")
    return found[-1].parent


class PostgreSQL(Server):
    """PostgreSQL with TLS, a user ``ann`` who owns the database ``shop``, and ``postgres`` (`admin`).

    The roles ``certain`` and ``doubly``, where a test makes them, log in with a certificate of the authority.
    """

    account = "postgres"

    def prepare(self) -> None:
        self.own(self.certificate.key)
        self.own(self.folder)
        data = self.folder / "data"
        initdb = [str(programs() / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8"]
        self.run([*initdb, "--locale=C.UTF-8", "--auth=trust", "--no-sync"])
        with (data / "postgresql.conf").open("a") as file:
            file.write(
                CONFIG.format(
                    folder=self.folder,
                    port=self.port,
                    certificate=self.certificate.certificate,
                    key=self.certificate.key,
                    ca=self.authority.path,
                )
            )
        (data / "pg_hba.conf").write_text(ACCESS)
        self.start()
        self.admin(f"CREATE ROLE {self.user} LOGIN PASSWORD '{self.password}'")
        self.admin(f"CREATE DATABASE {self.database} OWNER {self.user}")

    def command(self) -> list[str]:
        return [str(programs() / "postgres"), "-D", str(self.folder / "data")]

    def ready(self) -> bool:
        asked = [str(programs() / "pg_isready"), "-q", "-h", str(self.folder), "-p", str(self.port)]
        return subprocess.run(asked, capture_output=True).returncode == 0

    def kill(self) -> None:
        super().kill()
        # What the postmaster could not remove; else the next start takes its old process for a living one.
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def admin(
        self, statement: str, *values: object, database: str = "postgres"
    ) -> tuple[tuple[Any, ...], ...]:
        """Run one statement as the superuser over the socket, and return its rows."""
        connection = pg8000.dbapi.connect(
            "postgres", unix_sock=f"{self.folder}/.s.PGSQL.{self.port}", database=database
        )
        connection.autocommit = True
        try:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            return tuple(map(tuple, cursor.fetchall())) if cursor.description else ()
        finally:
            connection.close()

    def connect(self) -> pg8000.dbapi.Connection:
        """Return the bare driver's connection as ``ann``, over verified TLS."""
        connection = pg8000.dbapi.connect(
            self.user,
            host="127.0.0.1",
            port=self.port,
            password=self.password,
            database=self.database,
            ssl_context=ssl.create_default_context(cadata=self.authority.pem),
        )
        connection.autocommit = True
        return connection

    def reload(self) -> None:
        """Have it read its configuration and its certificates again."""
        os.kill(self.pid, 1)
