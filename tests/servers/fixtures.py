"""The servers as fixtures: started once a session, when first asked for, and stopped at its end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .mariadb import MariaDB
from .pgbouncer import PROGRAM, PgBouncer
from .postgresql import PostgreSQL, programs
from .server import Server

PACKAGES = {MariaDB: "mariadb-server", PostgreSQL: "postgresql", PgBouncer: "pgbouncer"}


def missing() -> list[str]:
    """Return the Debian packages of the servers that are not installed."""
    found = []
    if not Path("/usr/sbin/mariadbd").exists() or shutil.which("mariadb-install-db") is None:
        found.append(PACKAGES[MariaDB])
    try:
        programs()
    except FileNotFoundError:
        found.append(PACKAGES[PostgreSQL])
    if not PROGRAM.exists():
        found.append(PACKAGES[PgBouncer])
    return found


def started(kind: type[Server], *given: Server) -> Iterator[Server]:
    """Yield a running server; skip where it is not installed, but never on CI. ``given`` is what it needs."""
    if PACKAGES[kind] in missing():
        message = f"{PACKAGES[kind]} is not installed: apt-get install {PACKAGES[kind]}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    server = kind(*given)
    try:
        server.prepare()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB shared by all tests; a test that harms it restores it, or starts its own (`started`)."""
    yield from started(MariaDB)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL shared by all tests; a test that harms it restores it, or starts its own (`started`)."""
    yield from started(PostgreSQL)


@pytest.fixture(scope="session")
def pgbouncer(postgresql: Server) -> Iterator[Server]:
    """A PgBouncer before the PostgreSQL that all tests share."""
    yield from started(PgBouncer, postgresql)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not tested."""
    lacking = missing()
    if lacking:
        terminalreporter.write_line(
            f"NOT TESTED on real servers: apt-get install {' '.join(lacking)}", red=True, bold=True
        )
