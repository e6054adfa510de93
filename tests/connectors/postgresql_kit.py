"""What the tests of the PostgreSQL connector share: a config of the test server, a session, a question."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from aiser_jupyter.connectors.postgresql import PostgreSQLConnector
from aiser_jupyter.connectors.postgresql.session import PostgreSQLSession
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run

KIND = PostgreSQLConnector()


def config(server: Any, **changed: Any) -> ConnectionConfig:
    """Return the connection of the server's user, with some values ``changed``."""
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "username": server.user,
        "password": server.password,
        "database": server.database,
        "ssl_ca": server.authority.pem,
        **changed,
    }
    return ConnectionConfig("postgresql", "shop", KIND.validate(values))


@contextmanager
def session(server: Any, *, read_only: bool = False, **changed: Any) -> Iterator[PostgreSQLSession]:
    """A session of its own, past the pool."""
    opened = KIND.fresh(config(server, **changed), read_only=read_only)
    assert isinstance(opened, PostgreSQLSession)
    try:
        yield opened
    finally:
        opened.close()


def ask(session: Any, sql: str, parameters: Any = (), run: Run | None = None) -> pa.Table:
    """Run one statement, and check what comes back to the last bit."""
    with session.execute(sql, parameters, run or Run("test")) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return table


def value(session: Any, sql: str, parameters: Any = ()) -> Any:
    """The only value of a result."""
    (row,) = ask(session, sql, parameters).to_pylist()
    (found,) = row.values()
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Say whether ``condition`` came true within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()
