"""The driver's login on a socket of ours.

redshift-connector makes its socket and its TLS context inside its constructor, resolves the name there
without a limit of time, and knows no certificate authority of a connection. So its `Connection` is given a
socket that is connected and encrypted already: the attribute that it stores its own socket in keeps ours
instead. The driver writes the start-up message and answers the server's demand for a proof; nothing else of
it is used.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from redshift_connector.config import ClientProtocolVersion
from redshift_connector.core import Connection

from ...errors import ConnectError
from .iam import Login

__all__ = ["log_in"]


def log_in(sock: socket.socket, login: Login, database: str) -> Connection:
    """Log in on ``sock``, and return the driver's connection. Raises what the driver raises."""
    made = _Given(
        sock,
        user=login.user,
        password=login.password.reveal(),
        database=database,
        # Not resolved and not connected to: it is a number, and `_Connected` is connected.
        host="127.0.0.1",
        ssl=False,
        tcp_keepalive=False,
        application_name="aiser",
        # The base version: rows are described and numbers are written as PostgreSQL does.
        client_protocol_version=ClientProtocolVersion.BASE_SERVER.value,
    )
    made.password = b""  # not needed again
    if made._client_protocol_version != ClientProtocolVersion.BASE_SERVER.value:
        raise ConnectError("The cluster speaks a version of the protocol that it was not asked for.")
    return made


class _Connected:
    """A socket that is connected, whatever it is told to connect to."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def connect(self, address: object) -> None:
        """Nothing: it is."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Given(Connection):
    """The driver's connection on a socket that it was given."""

    def __init__(self, sock: socket.socket, **options: Any) -> None:
        self._ours: Any = _Connected(sock)
        try:
            super().__init__(**options)
        except BaseException:
            if (file := getattr(self, "_sock", None)) is not None:
                with contextlib.suppress(OSError, ValueError):  # what is buffered has nowhere to go
                    file.close()  # while it is open, closing the socket does nothing
            raise

    @property
    def _usock(self) -> Any:
        return self._ours

    @_usock.setter
    def _usock(self, made: Any) -> None:
        if isinstance(made, socket.socket):
            made.close()  # the driver's own, not connected yet
        else:
            self._ours = made

    @property
    def client_os_version(self) -> str:
        """Sent to the server; what it asks the system for by default is nobody's business."""
        return "unknown"
