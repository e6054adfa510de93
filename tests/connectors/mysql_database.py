"""Connections of the tests to a MySQL server, and statements on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from aiser_jupyter.connectors.mysql import MySQLConnector
from aiser_jupyter.connectors.network import NetworkSession
from aiser_jupyter.models import ConnectionConfig, Notice
from aiser_jupyter.run import Run


def config_of(server: Any, **changed: Any) -> ConnectionConfig:
    """Return the connection of the server's user; ``changed`` fields differ, None leaves one out."""
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "username": getattr(server, "user", "ann"),
        "password": getattr(server, "password", "secret"),
        "database": getattr(server, "database", None),
        "ssl_ca": server.authority.pem if hasattr(server, "authority") else None,
        "ssl_enabled": hasattr(server, "authority"),
        **changed,
    }
    given = {name: value for name, value in values.items() if value is not None}
    return ConnectionConfig("mysql", "shop", MySQLConnector().validate(given))


@contextmanager
def session_of(server: Any, *, read_only: bool = False, **changed: Any) -> Iterator[Any]:
    """Log in past the pool, and close at the end."""
    session = MySQLConnector().fresh(config_of(server, **changed), read_only=read_only)
    try:
        yield session
    finally:
        session.close()


def fetch(session: NetworkSession, sql: str, parameters: Any = (), run: Run | None = None) -> pa.Table:
    """Run a statement and check its result as far as Arrow can."""
    with session.execute(sql, parameters, run or Run("test")) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return table


def value(session: NetworkSession, expression: str, parameters: Any = ()) -> Any:
    """Return the one value of an expression."""
    ((found,),) = fetch(session, f"SELECT {expression}", parameters).to_pydict().values()
    return found


def notices(session: NetworkSession, sql: str) -> list[Notice]:
    """Return what a statement had to say beside its rows."""
    run = Run("test")
    fetch(session, sql, run=run)
    return run.notices
