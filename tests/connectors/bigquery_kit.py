"""Connections to the endpoint of BigQuery, and statements on them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

import pyarrow as pa

from aiser_jupyter.connectors.bigquery import BigQueryConnector
from aiser_jupyter.errors import AiserError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from tests.endpoints.bigquery import BigQuery
from tests.servers.certificates import Authority

KIND = BigQueryConnector()


def config_of(server: BigQuery, **changed: Any) -> ConnectionConfig:
    """Return a connection with an access token, with some values ``changed``; None leaves one out."""
    values = {
        "project": server.project,
        "dataset": server.dataset,
        "sign_in": "access_token",
        "token": Secret(server.password),
        "api_endpoint": f"https://127.0.0.1:{server.port}",
        "storage_endpoint": f"https://127.0.0.1:{server.storage_port}",
        "ssl_ca": server.authority.pem,
        **changed,
    }
    if values["sign_in"] != "access_token":
        del values["token"]
    kept = {name: value for name, value in values.items() if value is not None}
    return ConnectionConfig("bigquery", "lake", KIND.validate(kept))


def account(server: BigQuery, **changed: Any) -> ConnectionConfig:
    """Return a connection with the service account's key, with some values of its JSON changed."""
    key = Secret(server.credentials(**changed))
    return config_of(server, sign_in="service_account", credentials_json=key)


def ask(
    config: ConnectionConfig,
    sql: str = "SELECT 1 AS x",
    parameters: Sequence[Any] = (),
    run: Run | None = None,
    *,
    read_only: bool = False,
) -> pa.Table:
    """Run a statement in a session of the pool, and return its rows."""
    run = run or Run("test")
    with (
        closing(KIND.open(config, read_only=read_only)) as session,
        run.on_cancel(session.cancel),
        session.execute(sql, parameters, run) as reader,
    ):
        table = reader.read_all()
    table.validate(full=True)
    return table


def failure(config: ConnectionConfig) -> AiserError:
    """Return what a login fails with; its frames begin here, where no secret is."""
    try:
        KIND.fresh(config).close()
    except AiserError as exc:
        return exc
    raise AssertionError("it was let in")


class Canary:
    """Counts what comes to a port, and answers nothing."""

    def __init__(self) -> None:
        self.came = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError):  # shut down
            while True:
                connection, _ = self._server.accept()
                self.came += 1
                connection.close()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()


class Listener(Canary):
    """Speaks TLS, and keeps what comes through it."""

    def __init__(self, authority: Authority) -> None:
        made = authority.issue("server")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(made.certificate, made.key)
        self._context.set_alpn_protocols(["h2"])
        self.heard = b""
        super().__init__()

    def _listen(self) -> None:
        with suppress(OSError):  # shut down
            while True:
                connection, _ = self._server.accept()
                connection.settimeout(5)
                with (
                    connection,
                    suppress(OSError),
                    self._context.wrap_socket(connection, server_side=True) as secure,
                ):
                    self.came += 1
                    self.heard += secure.recv(1000)
