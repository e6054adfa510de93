"""The endpoint of Redshift as a fixture: a PostgreSQL of its own behind `redshift_server`."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.servers.fixtures import PACKAGES, started
from tests.servers.postgresql import PostgreSQL, programs
from tests.servers.server import free_port

from .endpoint import HERE, Endpoint

ACCESS = """
local all postgres trust
host all plain 127.0.0.1/32 password
host all all 127.0.0.1/32 md5
"""


class Behind(PostgreSQL):
    """The PostgreSQL, with Redshift's views. Passwords are proved by MD5, or sent (user ``plain``), for the
    driver knows no other way."""

    def prepare(self) -> None:
        super().prepare()
        (self.folder / "data" / "pg_hba.conf").write_text(ACCESS)
        for user in (self.user, "plain"):
            digest = hashlib.md5((self.password + user).encode(), usedforsecurity=False).hexdigest()
            made = "ALTER" if user == self.user else "CREATE"
            self.admin(f"{made} ROLE {user} LOGIN PASSWORD 'md5{digest}'")
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write("password_encryption = md5\n")  # how a user that is not there is asked
        self.reload()
        self.views(self.database)

    def views(self, database: str) -> None:
        """Give ``database`` Redshift's views."""
        psql = [str(programs() / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder)]
        self.run([*psql, "-p", str(self.port), "-d", database, "-f", str(HERE / "redshift_views.sql")])


class Redshift(Endpoint):
    """The front door, with the database behind it; ``api`` is where AWS answers."""

    program = "redshift_server.py"

    def __init__(self) -> None:
        super().__init__()
        self.behind = Behind()
        self.api_port = free_port()
        self.api = f"https://127.0.0.1:{self.api_port}"

    def prepare(self) -> None:
        self.behind.prepare()
        self.environment = {
            "POSTGRESQL_PORT": str(self.behind.port),
            "POSTGRESQL_FOLDER": str(self.behind.folder),
            "API_PORT": str(self.api_port),
        }
        super().prepare()

    def stop(self) -> None:
        super().stop()
        self.behind.stop()

    def seen(self) -> list[dict[str, str]]:
        """Return the start-up parameters of every client so far."""
        context = ssl.create_default_context(cadata=self.authority.pem)
        with urlopen(f"{self.api}/seen", timeout=10, context=context) as answer:
            found: list[dict[str, str]] = json.load(answer)
        return found


PACKAGES[Redshift] = PACKAGES[PostgreSQL]


@pytest.fixture(scope="session")
def redshift() -> Iterator[Redshift]:
    """The endpoint, shared by all tests."""
    for server in started(Redshift):
        assert isinstance(server, Redshift)
        yield server
