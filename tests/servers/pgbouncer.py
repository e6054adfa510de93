"""A real PgBouncer before a real PostgreSQL."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .postgresql import programs
from .server import Server

PROGRAM = Path("/usr/sbin/pgbouncer")
CONFIG = """[databases]
shop = host=127.0.0.1 port={server} dbname=shop
shared = host=127.0.0.1 port={server} dbname=shop pool_mode=transaction pool_size=2
statements = host=127.0.0.1 port={server} dbname=shop pool_mode=statement
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = session
default_pool_size = 40
client_tls_sslmode = allow
client_tls_cert_file = {certificate}
client_tls_key_file = {key}
server_tls_sslmode = verify-ca
server_tls_ca_file = {ca}
ignore_startup_parameters = {ignored}
"""


class PgBouncer(Server):
    """PgBouncer with TLS: ``shop`` in session mode, ``shared`` in transaction mode, and ``statements``.

    Parameters
    ----------
    behind : Server
        The PostgreSQL that it leads to; its user is ``ann`` as there.
    ignored : str
        Startup parameters that it drops without a word; all that it does not know are refused else.
    """

    account = "postgres"

    def __init__(self, behind: Server, ignored: str = "") -> None:
        super().__init__()
        self._behind = behind
        self._ignored = ignored

    def prepare(self) -> None:
        users = self.folder / "users.txt"
        users.write_text(f'"{self.user}" "{self.password}"\n')
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(
            CONFIG.format(
                server=self._behind.port,
                port=self.port,
                folder=self.folder,
                certificate=self.certificate.certificate,
                key=self.certificate.key,
                ca=self._behind.authority.path,
                ignored=self._ignored,
            )
        )
        for path in (self.folder, self.certificate.key, users, settings):
            self.own(path)
        self.start()

    def command(self) -> list[str]:
        return [str(PROGRAM), str(self.folder / "pgbouncer.ini")]

    def ready(self) -> bool:
        asked = [str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, capture_output=True).returncode == 0
