"""PostgreSQL, through pg8000 for the login and our own reading of rows.

pg8000 is pure Python: it takes a socket of ours, so that every wait can be ended, a TLS context of ours, and
reads neither the environment nor a file. What it does not do well, fetching rows, is in `session`.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from typing import ClassVar, cast

from ...errors import AiserError, ConnectError, TLSFailed
from ...models import ConnectionConfig
from ..base import Capabilities, Field
from ..catalog import Catalog
from ..fields import client_certificate, network_fields
from ..network import NetworkConnector
from ..sockets import Address, Cut, reach, resolve
from ..tls import context_of, require_tls, wrap
from . import catalog
from .errors import translate
from .session import PostgreSQLSession
from .transaction import TransactionSession

__all__ = ["PostgreSQLConnector"]

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_CANCEL = struct.pack("!ii", 16, 80877102)
_CHECK = "client_connection_check_interval"
_POOLER_REFUSES = "unsupported startup parameter"
# The handle of a session says when its connection began, that of a transaction when this did.
_STARTS = """
((extract(epoch FROM backend_start) * 1000000)::bigint, (extract(epoch FROM xact_start) * 1000000)::bigint)"""
_STOP = """
SELECT pg_cancel_backend(pid), query_start FROM pg_stat_activity
WHERE pid = {pid} AND {begun} IN {starts} AND state <> 'idle'"""
_STILL = """
SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'
AND {begun} IN {starts} AND query_start = '{since}'"""


class PostgreSQLConnector(NetworkConnector):
    """Opens a database of PostgreSQL.

    Examples
    --------
    >>> PostgreSQLConnector().validate({"host": "db", "username": "ann"})["port"]
    5432
    """

    type = "postgresql"
    label = "PostgreSQL"
    dialect = "postgres"
    module = "pg8000"
    extra = "postgresql"
    catalog: ClassVar[Catalog] = catalog
    fields = network_fields(
        5432,
        Field(
            "schema", "Schema", help="Where names without a schema are looked up; the server's own rule else."
        ),
        Field("role", "Role", help="Set after the login, where it is not the user's own."),
        *client_certificate(),
    )
    capabilities = Capabilities(paramstyle="named", read_only=True)

    # -- connecting -----------------------------------------------------------------------------------

    def connect(self, config: ConnectionConfig, *, read_only: bool, seconds: float) -> PostgreSQLSession:
        settings = _settings(config, read_only)
        end, offered = time.monotonic() + seconds, True
        for _ in range(2):
            try:
                return self._login(config, settings, end, offered=offered)
            except Exception as exc:
                if offered and _POOLER_REFUSES in str(exc):
                    offered = False
                # A server before 14, or on a system that cannot look after its clients, does not know it.
                elif _CHECK not in str(exc) or settings.pop(_CHECK, None) is None:
                    raise
        return self._login(config, settings, end, offered=offered)

    def _login(
        self, config: ConnectionConfig, settings: dict[str, str], end: float, *, offered: bool
    ) -> PostgreSQLSession:
        """Log in. Through a pooler, or with the settings not offered, each transaction has them."""
        from pg8000.core import CoreConnection

        values = config.values
        sock = self.dial(config, end - time.monotonic())
        cut = Cut(sock)
        password = values.get("password")
        core: CoreConnection | None = None
        try:
            with cut.after(end - time.monotonic()):
                core = CoreConnection(
                    str(values["username"]),
                    host=_server_name(config),
                    database=values.get("database"),
                    password=password.reveal() if password is not None else "",
                    ssl_context=context_of(values) or False,
                    application_name="aiser",
                    startup_params=settings if offered else {},
                    sock=sock,
                )
                core.password = core.auth = None  # not needed again
                session = PostgreSQLSession(self, config, cut, core)
                if offered and _is_the_server(session.handle, core._backend_key_data):
                    return session
                return TransactionSession(self, config, cut, core, settings)
        except BaseException:
            cut.cut()
            cut.close()
            sock.close()
            for each in (core._sock, core._usock) if core is not None else ():
                with contextlib.suppress(OSError):  # what is buffered has nowhere to go
                    each.close()
            raise

    def start_tls(self, config: ConnectionConfig, seconds: float) -> str:
        end = time.monotonic() + seconds
        sock = self.dial(config, seconds)
        with sock, self.encrypted(sock, config, end) as encrypted:
            return str(encrypted.version())

    def dial(self, config: ConnectionConfig, seconds: float) -> socket.socket:
        """Connect, where this is allowed. Raises `ConnectError`, `ConfigError`."""
        values = config.values
        host, end = str(values["host"]), time.monotonic() + seconds
        addresses = resolve(host, int(values["port"]), seconds)
        self.require_own_host(host, addresses)
        require_tls(values, addresses)
        return reach(addresses, host, max(0.05, end - time.monotonic()))

    def require_own_host(self, host: str, addresses: Sequence[Address]) -> None:
        """Refuse a host that this kind of database is never at. Raises `ConfigError`."""

    def encrypted(self, sock: socket.socket, config: ConnectionConfig, end: float) -> ssl.SSLSocket:
        """Offer TLS on ``sock``, and do the handshake until ``end``."""
        context = context_of(config.values)
        assert context is not None
        sock.settimeout(max(0.05, end - time.monotonic()))
        sock.sendall(_SSL_REQUEST)
        answer = sock.recv(1)
        if answer != b"S":
            said = "offers no encryption" if answer == b"N" else "did not answer the offer of TLS"
            raise TLSFailed(
                f"The server {said}.",
                hint=f"Its administrator can turn it on (ssl = on); or it is no {self.label} server.",
            )
        return wrap(sock, context, _server_name(config))

    def request_stop(self, config: ConnectionConfig, key: bytes, seconds: float) -> None:
        """Have the server stop what the session of ``key`` runs; no login is needed for it.

        Returns when the server has passed the request on.

        Raises
        ------
        ConnectError
        """
        end = time.monotonic() + seconds
        sock = self.dial(config, seconds)
        cut = Cut(sock)
        try:
            with cut.after(end - time.monotonic()):
                if context_of(config.values) is not None:
                    sock = self.encrypted(sock, config, end)
                sock.sendall(_CANCEL + key)
                sock.recv(1)  # nothing: the server closes the connection
        except OSError as exc:
            raise ConnectError("The request to stop did not reach the server.") from exc
        finally:
            cut.close()
            sock.close()

    def ask_to_stop(self, config: ConnectionConfig, handle: str, seconds: float) -> bool:
        found = re.fullmatch(r"(\d{1,10}):(\d{1,19})", handle)
        if found is None:
            return False
        named = {"pid": found[1], "begun": found[2], "starts": _STARTS}
        end = time.monotonic() + seconds
        session = cast(PostgreSQLSession, self.fresh(config, seconds=seconds))
        try:
            session.texts("SET ROLE NONE")  # whoever logged in may stop what they run
            running = session.texts(_STOP.format(**named))
            while running:
                since = str(running[0][1])
                if not session.texts(_STILL.format(**named, since=since)):
                    break
                if time.monotonic() > end:
                    return False
                time.sleep(0.02)
            return True
        finally:
            session.close()

    # -- the catalog ----------------------------------------------------------------------------------

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        return translate(exc, sql)


def _settings(config: ConnectionConfig, read_only: bool) -> dict[str, str]:
    """Return what holds for the whole session, and comes back when it is reset."""
    settings = {
        "client_encoding": "UTF8",
        "DateStyle": "ISO",
        "IntervalStyle": "postgres",
        "extra_float_digits": "3",
        _CHECK: "5000",
    }
    if read_only:
        settings["default_transaction_read_only"] = "on"
    if schema := config.values.get("schema"):
        settings["search_path"] = catalog.quoted_identifier(schema)
    if role := config.values.get("role"):
        settings["role"] = role
    return settings


def _is_the_server(handle: str, key: bytes | None) -> bool:
    """Say whether the server itself answered the login: then its process has the number that it told.

    A pooler tells one of its own, so that it can pass a request to stop on.
    """
    return not key or int.from_bytes(key[:4]) == int(handle.partition(":")[0])


def _server_name(config: ConnectionConfig) -> str:
    """The name that the certificate must carry."""
    return str(config.values.get("ssl_server_name") or config.values["host"])
