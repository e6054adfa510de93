"""MySQL and MariaDB, by pymysql.

- The socket is ours, and TLS is verified; a server that asks for a file of this machine, or for a password in
  the clear without TLS, gets neither.
- A schema of MySQL is what others call a database: the catalog knows schemas, and no databases beside them.
- The zone of a session is the server's, so that a statement means what it means in the database's own client;
  ``time_zone`` sets another. A TIMESTAMP is an instant where that zone is one fixed offset from UTC.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from ...errors import AiserError, ConfigError, TLSFailed
from ...models import ConnectionConfig
from ...secret import Secret
from ..base import Capabilities, Field
from ..catalog import Catalog
from ..causes import forget_locals
from ..fields import client_certificate, network_fields
from ..network import STOP_SECONDS, NetworkConnector
from ..sockets import Cut, dial, reach, resolve
from ..tls import context_of, require_tls, translate_tls, wrap
from . import catalog
from .errors import translate
from .rows import Wire
from .session import MySQLSession

if TYPE_CHECKING:
    import socket
    import ssl

__all__ = ["MySQLConnector"]

Ask = Callable[[str], tuple[tuple[Any, ...], ...]]
"""Runs a statement of our own and returns its rows."""
_SSL = 0x0800
_PROTOCOL_41, _SECURE, _PLUGINS, _UTF8MB4 = 0x0200, 0x8000, 0x80000, 45
_SSL_REQUEST = struct.pack(
    "<IIIB23x", 32 | 1 << 24, _SSL | _PROTOCOL_41 | _SECURE | _PLUGINS, 1 << 24, _UTF8MB4
)
_STATEMENT = (
    "SELECT INFO FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute')"
    " AND USER = SUBSTRING_INDEX(USER(), '@', 1)"
)
_POLL_SECONDS = 0.02
_CLOCK_SECONDS = 2


class MySQLConnector(NetworkConnector):
    """MySQL 5.7 and later, MariaDB 10.2 and later."""

    type = "mysql"
    label = "MySQL or MariaDB"
    dialect = "mysql"
    module = "pymysql"
    extra = "mysql"
    catalog: ClassVar[Catalog] = catalog
    fields = network_fields(
        3306,
        Field(
            "time_zone",
            "Time zone",
            help="Of the session, as the server names it (+00:00); the server's own where it is empty.",
        ),
        *client_certificate(),
    )
    capabilities = Capabilities(paramstyle="pyformat", read_only=True)

    def connect(self, config: ConnectionConfig, *, read_only: bool, seconds: float) -> MySQLSession:
        end = time.monotonic() + seconds
        connection, cut = _log_in(config, seconds)
        try:
            with cut.after(end - time.monotonic()):
                return MySQLSession(self, config, cut, connection, read_only=read_only)
        except BaseException:
            cut.close()
            connection._force_close()
            raise

    def start_tls(self, config: ConnectionConfig, seconds: float) -> str:
        import pymysql

        values = config.values
        host, context = str(values["host"]), context_of(values)
        assert context is not None
        sock = dial(host, int(values.get("port", 3306)), seconds)
        cut = Cut(sock)
        try:
            with closing(sock), cut.after(seconds):
                if not _greeting(sock) & _SSL:
                    raise TLSFailed(
                        f"{host} offers no encryption.",
                        hint="Have TLS turned on at the server, or turn it off here: ssl_enabled.",
                    )
                sock.sendall(_SSL_REQUEST)
                with wrap(sock, context, str(values.get("ssl_server_name") or host)) as wrapped:
                    return str(wrapped.version())
        except pymysql.Error as exc:
            raise self.translate(exc) from exc
        finally:
            cut.close()

    def ask_to_stop(self, config: ConnectionConfig, handle: str, seconds: float) -> bool:
        with self._second(config, seconds) as ask:
            found = _running(ask, handle)
            if found is not None:
                ask(f"KILL QUERY {_thread(handle)}")
        return found is not None

    def stop(self, config: ConnectionConfig, handle: str) -> bool:
        end = time.monotonic() + STOP_SECONDS
        with self._second(config, STOP_SECONDS) as ask:
            found = _running(ask, handle)
            if found is not None:
                ask(f"KILL QUERY {_thread(handle)}")
            while found is not None and _running(ask, handle) == found:
                if time.monotonic() > end:
                    return False
                time.sleep(_POLL_SECONDS)
        return True

    @contextmanager
    def _second(self, config: ConnectionConfig, seconds: float) -> Iterator[Ask]:
        """Log in beside the sessions, and yield what asks there; all of it ends within ``seconds``."""
        connection = cut = None
        try:
            connection, cut = _log_in(config, seconds)
            with cut.after(seconds):
                yield partial(_ask, connection)
        except AiserError:
            raise
        except Exception as exc:
            raise translate_tls(exc, str(config.values["host"])) or self.translate(exc) from exc
        finally:
            if cut is not None:
                cut.close()
            if connection is not None:
                connection._force_close()

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        return translate(exc, sql)

    # -- what there is --------------------------------------------------------------------------------


def _log_in(config: ConnectionConfig, seconds: float) -> tuple[Any, Cut]:
    """Reach the server and log in, within ``seconds`` in all. Raises what the driver raises."""
    values = config.values
    host, port = str(values["host"]), int(values.get("port", 3306))
    end = time.monotonic() + seconds
    context = context_of(values)
    addresses = resolve(host, port, seconds)
    require_tls(values, addresses)
    sock = reach(addresses, host, max(0.05, end - time.monotonic()))
    cut = Cut(sock)
    try:
        with cut.after(end - time.monotonic()):
            connection = _driver(values, context)
            connection.connect(sock)
        connection._rfile.close()
        connection._rfile = Wire(connection._sock)
        return connection, cut
    except BaseException as exc:
        cut.close()
        sock.close()
        forget_locals(exc)
        raise


def _driver(values: Mapping[str, Any], context: ssl.SSLContext | None) -> Any:
    """Return pymysql's connection, not connected; every keyword that it knows is looked at in the tests."""
    import pymysql

    password = values.get("password")
    return pymysql.Connection(
        host=str(values.get("ssl_server_name") or values["host"]),  # for the certificate alone
        user=str(values["username"]),
        password=password.reveal().encode() if isinstance(password, Secret) else b"",
        database=str(values["database"]) if values.get("database") else None,
        charset="utf8mb4",
        autocommit=True,
        local_infile=False,
        ssl=context,
        ssl_disabled=context is None,
        program_name="aiser",
        auth_plugin_map={} if context else {"mysql_clear_password": _Refused, "dialog": _Refused},
        defer_connect=True,
    )


class _Refused:
    """Stands in for the plugins that send the password as it is, where nothing is encrypted."""

    def __init__(self, connection: Any) -> None:
        pass

    def authenticate(self, packet: Any) -> NoReturn:
        raise ConfigError(
            "The server asks for the password in the clear, and TLS is off.",
            hint="Turn TLS on (ssl_enabled), or use another kind of login for this user.",
        )


def _greeting(sock: socket.socket) -> int:
    """Read the server's first packet, and return the capabilities that it offers.

    Raises
    ------
    pymysql.Error
        The server refuses this machine, or its packet is not MySQL's.
    """
    from pymysql.err import OperationalError, raise_mysql_exception

    with sock.makefile("rb", buffering=0) as file:
        packet = _read(file, int.from_bytes(_read(file, 4)[:3], "little"))
    if packet[:1] == b"\xff":
        raise_mysql_exception(packet)
    version_ends = packet.find(b"\0", 1)
    at = version_ends + 1 + 4 + 8 + 1  # thread, first part of the salt, filler
    if packet[:1] != b"\x0a" or version_ends < 0 or len(packet) < at + 2:
        raise OperationalError(2007, "No greeting of a MySQL server.")
    return int.from_bytes(packet[at : at + 2], "little")


def _read(file: Any, size: int) -> bytes:
    from pymysql.err import OperationalError

    data = b""
    while len(data) < size:
        piece = file.read(size - len(data))
        if not piece:
            raise OperationalError(2013, "Lost connection")
        data += piece
    return data


def _ask(connection: Any, sql: str) -> tuple[tuple[Any, ...], ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return tuple(cursor.fetchall())


def _thread(handle: str) -> int:
    return int(handle.partition("@")[0])


def _running(ask: Ask, handle: str) -> str | None:
    """Return the statement that runs under ``handle``; None where none does.

    Nor where the number means somebody else's thread by now: threads are numbered from 1 when a server
    starts, and the handle says when that was.
    """
    ((_, uptime),) = ask("SHOW GLOBAL STATUS LIKE 'Uptime'")
    ((now, statement),) = ask(f"SELECT UNIX_TIMESTAMP(), ({_STATEMENT} AND ID = {_thread(handle)})")
    started = int(handle.partition("@")[2])
    return statement if abs(int(now) - int(uptime) - started) <= _CLOCK_SECONDS else None
