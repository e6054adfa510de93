"""A real MariaDB."""

from __future__ import annotations

import ssl
import subprocess
from typing import Any

import pymysql

from .server import Server

CONFIG = """[mysqld]
datadir={folder}/data
socket={folder}/mariadb.sock
pid-file={folder}/mariadb.pid
tmpdir={folder}
port={port}
bind-address=127.0.0.1
ssl-ca={ca}
ssl-cert={certificate}
ssl-key={key}
max_connections=400
max_allowed_packet=64M
innodb_flush_log_at_trx_commit=0
innodb_buffer_pool_size=256M
skip-name-resolve
performance_schema=OFF
"""


class MariaDB(Server):
    """MariaDB with TLS, a user ``ann`` who owns the database ``shop``, and ``root`` (`admin`)."""

    account = "mysql"
    admin_password = "the password of root"

    def prepare(self) -> None:
        self.own(self.certificate.key)
        data = self.folder / "data"
        data.mkdir()
        for path in (self.folder, data):
            self.own(path)
        (self.folder / "my.cnf").write_text(
            CONFIG.format(
                folder=self.folder,
                port=self.port,
                ca=self.authority.path,
                certificate=self.certificate.certificate,
                key=self.certificate.key,
            )
        )
        self.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={data}",
                f"--tmpdir={self.folder}",  # in a shared one, another server that starts removes its tables
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ]
        )
        self.start()
        self.admin("SET PASSWORD FOR root@localhost = PASSWORD(%s)", self.admin_password, password="")
        self.admin(f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4")
        self.admin("CREATE USER ann@'%%' IDENTIFIED BY %s", self.password)
        self.admin(f"GRANT ALL ON {self.database}.* TO ann@'%'")

    def command(self) -> list[str]:
        return ["/usr/sbin/mariadbd", f"--defaults-file={self.folder}/my.cnf"]

    def ready(self) -> bool:
        asked = ["mariadb-admin", "--no-defaults", f"--socket={self.folder}/mariadb.sock", "ping"]
        return subprocess.run(asked, capture_output=True).returncode == 0

    def admin(
        self, statement: str, *values: object, password: str | None = None, database: str | None = None
    ) -> tuple[tuple[Any, ...], ...]:
        """Run one statement as root over the socket, and return its rows."""
        connection = pymysql.connect(
            unix_socket=str(self.folder / "mariadb.sock"),
            user="root",
            password=self.admin_password if password is None else password,
            database=database,
            autocommit=True,
            charset="utf8mb4",
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return tuple(cursor.fetchall())

    def make_many(self, schema: str, count: int, columns: str) -> None:
        """Make the schema with ``count`` tables ``table_0``, ``table_1``, … of no row.

        They are copies of the files of the first one: MariaDB syncs each CREATE TABLE to the disk.
        """
        self.drop_many(schema)
        self.admin(f"CREATE SCHEMA {schema}")
        self.admin(f"CREATE TABLE {schema}.table_0 ({columns}) ENGINE=MyISAM")
        self.admin("FLUSH TABLES")
        files = list((self.folder / "data" / schema).glob("table_0.*"))
        assert len(files) == 3
        for path in files:
            content = path.read_bytes()
            for number in range(1, count):
                copy = path.with_stem(f"table_{number}")
                copy.write_bytes(content)
                self.own(copy)

    def drop_many(self, schema: str) -> None:
        """Drop what `make_many` made, files first: DROP SCHEMA syncs for each table."""
        for path in (self.folder / "data" / schema).glob("table_*"):
            path.unlink()
        self.admin("FLUSH TABLES")
        self.admin(f"DROP SCHEMA IF EXISTS {schema}")

    def connect(self) -> pymysql.Connection[Any]:
        """Return the bare driver's connection as ``ann``, over verified TLS."""
        context = ssl.create_default_context(cadata=self.authority.pem)
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database,
            ssl=context,
            autocommit=True,
            charset="utf8mb4",
        )
