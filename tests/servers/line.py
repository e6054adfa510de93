"""A small database of one's own: a line of text is a statement, and everything it does can be counted.

For what all databases behind a network have in common (sessions, the pool, the graded test): the server is
quick to start, and its connector is as small as one can be.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Generator
from typing import Any

import pyarrow as pa

from aiser_jupyter.connectors.base import Capabilities, Parameters
from aiser_jupyter.connectors.fields import network_fields
from aiser_jupyter.connectors.network import NetworkConnector, NetworkSession
from aiser_jupyter.connectors.sockets import Cut, reach, resolve
from aiser_jupyter.connectors.tls import require_tls
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConnectionLost,
    NotPermitted,
    QueryCancelled,
    QueryFailed,
)
from aiser_jupyter.models import ConnectionConfig, Table, TableRef
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret

PASSWORD = "open sesame"
SCHEMA = pa.schema([("value", pa.string())])


class _Handler(socketserver.StreamRequestHandler):
    server: LineServer

    def handle(self) -> None:
        word, _, rest = self.read().partition(" ")
        if word == "STOP":
            self.server.stop_session(int(rest))
            self.say("OK")
            return
        if rest.rpartition(" ")[2] != PASSWORD.replace(" ", "_"):
            self.say("DENIED")
            return
        number, stop = self.server.opened()
        self.say(f"OK {number}")
        try:
            self.serve(stop)
        except OSError:
            pass  # the client is gone
        finally:
            self.server.left(number)

    def serve(self, stop: threading.Event) -> None:
        kept: dict[str, str] = {}
        while (line := self.read()) not in ("", "BYE"):
            word, *rest = line.rpartition("*/ ")[2].split(" ")
            if word == "RESET":
                kept.clear()
                self.say("END")
            elif word == "SET":
                kept[rest[0]] = rest[1]
                self.say("END")
            elif word == "GET":
                self.say(kept.get(rest[0], "nothing"), "END")
            elif word == "ROWS":
                for number in range(int(rest[0])):
                    self.say(f"row {number}")
                self.say("END")
            elif word == "WAIT":
                self.say("STOPPED" if stop.wait(float(rest[0])) else "END")
                stop.clear()
            elif word == "PING":
                self.say("END")
            else:
                self.say(f"ERROR no such word: {word}")

    def read(self) -> str:
        return self.rfile.readline().decode().rstrip("\n")

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\n" for line in lines).encode())


class LineServer(socketserver.ThreadingTCPServer):
    """Listens on loopback while it is used in a ``with`` statement; counts logins, sessions and stops."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = self.server_address[1]
        self.logins = 0
        self.stops: list[int] = []
        self._lock = threading.Lock()
        self._open: dict[int, threading.Event] = {}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def open(self) -> int:
        """Sessions that are logged in."""
        return len(self._open)

    def __enter__(self) -> LineServer:
        self._thread.start()
        return self

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def config(self, **values: Any) -> ConnectionConfig:
        """Return what leads here; ``values`` are fields that differ from the usual."""
        usual = {"host": "127.0.0.1", "port": self.port, "username": "ann", "password": Secret(PASSWORD)}
        usual |= {"timeout": 2, "max_connections": 3, "ssl_enabled": False}
        return ConnectionConfig("line", "lines", usual | values)

    def opened(self) -> tuple[int, threading.Event]:
        with self._lock:
            self.logins += 1
            stop = self._open[self.logins] = threading.Event()
            return self.logins, stop

    def left(self, number: int) -> None:
        with self._lock:
            del self._open[number]

    def stop_session(self, number: int) -> None:
        with self._lock:
            self.stops.append(number)
            if number in self._open:
                self._open[number].set()


class Broken(Exception):
    """What this driver raises where the connection is gone."""


class Refused(Exception):
    """What this driver raises where the server says no."""


class LineSession(NetworkSession):
    """A session of the small database."""

    def __init__(self, connector: LineConnector, config: ConnectionConfig, sock: socket.socket) -> None:
        super().__init__(connector, config, Cut(sock))
        self._socket = sock
        self._file = sock.makefile("r")
        self._number = ""

    @property
    def handle(self) -> str:
        return self._number

    def say(self, line: str) -> None:
        self._socket.sendall(f"{line}\n".encode())

    def read(self) -> str:
        line = self._file.readline()
        if not line.endswith("\n"):
            raise Broken("the server is gone")
        return line[:-1]

    def login(self, username: str, password: str) -> None:
        self.say(f"LOGIN {username} {password.replace(' ', '_')}")
        word, _, self._number = self.read().partition(" ")
        if word != "OK":
            raise Refused(word)

    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        self.say(sql)
        first = self.read()
        if first.startswith("ERROR") or first == "STOPPED":
            raise Refused(first)
        return SCHEMA, self._batches(first)

    def _batches(self, line: str) -> Generator[pa.RecordBatch]:
        while line != "END":
            yield pa.record_batch([[line]], schema=SCHEMA)
            line = self.read()

    def ping(self) -> None:
        self.say("PING")
        if self.read() != "END":
            raise Broken("out of step")

    def reset(self) -> None:
        self.say("RESET")
        if self.read() != "END":
            raise Broken("out of step")

    def disconnect(self) -> None:
        try:
            self.say("BYE")
        except OSError:
            pass  # it is gone already
        finally:
            self._file.close()
            self._socket.close()


class LineConnector(NetworkConnector):
    """The connector of the small database."""

    type = "line"
    label = "Lines"
    dialect = ""
    module = "pyarrow"
    extra = "line"
    fields = network_fields(1)
    capabilities = Capabilities()

    def connect(self, config: ConnectionConfig, *, read_only: bool, seconds: float) -> LineSession:
        values = config.values
        addresses = resolve(values["host"], values["port"], seconds)
        require_tls(values, addresses)
        session = LineSession(self, config, reach(addresses, values["host"], seconds))
        try:
            with session.limited(seconds):
                session.login(values["username"], values["password"].reveal())
        except BaseException:
            session.close()
            raise
        return session

    def start_tls(self, config: ConnectionConfig, seconds: float) -> str:
        raise Refused("no TLS")

    def ask_to_stop(self, config: ConnectionConfig, handle: str, seconds: float) -> bool:
        addresses = resolve(config.values["host"], config.values["port"], seconds)
        with reach(addresses, config.values["host"], seconds) as sock:
            sock.settimeout(seconds)
            try:
                sock.sendall(f"STOP {handle}\n".encode())
                return sock.recv(100) == b"OK\n"
            except OSError as exc:
                raise ConnectionLost("It did not answer.") from exc

    def rights(self, session: NetworkSession) -> str:
        with session.execute("GET rights", (), Run("test")) as reader:
            if reader.read_all().to_pylist() != [{"value": "nothing"}]:
                raise NotPermitted("There is nothing to read.")
        return "all"

    def sample(self, session: NetworkSession) -> str:
        with session.execute("ROWS 1", (), Run("test")) as reader:
            return f"{reader.read_all().num_rows} row"

    def tables(self, session: Any, schema: str | None = None) -> list[Table]:
        return []

    def columns(self, session: Any, table: TableRef) -> Table:
        return Table(table.name)

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        if isinstance(exc, Broken | OSError):
            return ConnectionLost("The connection broke off.", hint="Run it again.")
        if str(exc) == "STOPPED":
            return QueryCancelled("The query was cancelled.")
        return (
            AuthenticationFailed("It refused the login.") if str(exc) == "DENIED" else QueryFailed(str(exc))
        )
