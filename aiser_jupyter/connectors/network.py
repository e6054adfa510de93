"""What databases behind a network have in common: fields, sessions that can be stopped, and a graded test.

A connector of this kind says how to log in (`NetworkConnector.connect`), how to offer TLS (`start_tls`), and
what its session does with one statement. Kept here, so that it is kept everywhere:

- Every wait ends. Connecting has a deadline for the name, the handshake and the login together. A statement
  is stopped by a request on a second connection; where the session does not come back soon after, its socket
  is shut down, and the run says that the database has not confirmed.
- A session is used by one statement at a time, reset before the next one, and thrown away where it was cut,
  left with unread rows, or in a transaction.
- Every statement begins with a comment that says who runs it, for the database's own process list.
"""

from __future__ import annotations

import re
import threading
import time
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import (
    AiserError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    EngineUnavailable,
    QueryCancelled,
    QuerySyntaxError,
)
from ..models import Availability, ConnectionConfig
from ..run import Handle, Run
from .base import Parameters, Session, Stage
from .catalog import CatalogConnector
from .causes import bare
from .pool import Pool, PooledSession
from .probe import probe
from .sockets import Cut
from .tls import translate_tls

if TYPE_CHECKING:
    import pyarrow as pa

    from .proxy import Proxy
    from .state import WarehouseState

__all__ = ["NetworkConnector", "NetworkSession"]

STOP_SECONDS = 2.0
"""For the request to stop, on its second connection."""
PATIENCE = 0.7
"""Seconds that a session has to come back after such a request; then it is cut."""
PING_SECONDS = 3.0
_LIMITS = {"port": 65535, "timeout": 3600, "max_connections": 1000}
_UNSAFE = re.compile(r"[^A-Za-z0-9_.@=: -]")


class NetworkSession(Session):
    """One logged-in connection. A subclass runs a statement; this class stops it, and says how it ended.

    Parameters
    ----------
    connector : NetworkConnector
    config : ConnectionConfig
    cut : Cut
        Of the connection's socket.

    Attributes
    ----------
    patience : float
        Seconds to come back after a request to stop, before the session is cut.
    """

    patience: ClassVar[float] = PATIENCE

    def __init__(self, connector: NetworkConnector, config: ConnectionConfig, cut: Cut) -> None:
        self._connector = connector
        self._config = config
        self._cut = cut
        self._idle = threading.Event()
        self._idle.set()
        self._deadline: threading.Timer | None = None
        self._stop_asked = False
        self._closed = False

    # -- what a database does in its own way ----------------------------------------------------------

    @property
    @abstractmethod
    def handle(self) -> str:
        """The database's name of this session, as `Connector.stop` takes it; "" where a run has its own."""

    @abstractmethod
    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        """Send one statement; return the declared schema and its batches. Raises what the driver raises."""

    @abstractmethod
    def ping(self) -> None:
        """One round trip. Raises what the driver raises."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything the last user left: settings, temporary tables, locks, roles, transactions."""

    @abstractmethod
    def disconnect(self) -> None:
        """Say goodbye and close the socket; never waits for the server."""

    @property
    def clean(self) -> bool:
        """Whether the session may be used again after a `reset`: nothing unread, nothing cut.

        Nor one that was asked to stop: the request may come late, and stop what runs next.
        """
        return self._idle.is_set() and not (self._cut.done or self._stop_asked or self._closed)

    # -- what is the same everywhere ------------------------------------------------------------------

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        import pyarrow as pa

        prefix = f"/* aiser {_UNSAFE.sub('_', run.tag)} */ " if run.tag else ""
        if self.handle:
            run.emit(Handle(self.handle, self._config.name))
        self._idle.clear()
        try:
            run.check()  # after the line above: a cancel from here on finds a session at work
        except AiserError:
            self._idle.set()
            raise
        if run.remaining is not None:
            self._deadline = threading.Timer(run.remaining, run.cancel, kwargs={"timed_out": True})
            self._deadline.daemon = True
            self._deadline.start()
        try:
            schema, batches = self.start(prefix + sql, parameters, run)
        except BaseException as exc:
            self._finish()
            raise self._ended(exc, run, sql, prefix) from exc
        return pa.RecordBatchReader.from_batches(schema, self._read(batches, run, sql, prefix))

    def _read(
        self, batches: Generator[pa.RecordBatch], run: Run, sql: str, prefix: str
    ) -> Iterator[pa.RecordBatch]:
        with closing(batches):
            try:
                yield from batches
            except GeneratorExit:  # left before its end: unread rows are on the line
                raise
            except BaseException as exc:
                self._finish()
                raise self._ended(exc, run, sql, prefix) from exc
        self._finish()

    def _finish(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._idle.set()

    def _ended(self, exc: BaseException, run: Run, sql: str, prefix: str) -> BaseException:
        """Return what to raise for ``exc``: why the run stopped, or what the database says."""
        if not isinstance(exc, Exception):
            return exc
        if self._cut.done:
            return self._cut_off(run)
        error = exc if isinstance(exc, AiserError) else self._connector.translate(exc, prefix + sql)
        if isinstance(error, ConnectionLost):
            self._cut.cut()  # nobody uses it again
        if run.cancelled and isinstance(error, QueryCancelled | DeadlineExceeded):
            return run.stopped()
        if isinstance(error, QuerySyntaxError) and error.line == 1 and error.column is not None:
            error.column = max(1, error.column - len(prefix))
        return error

    def _cut_off(self, run: Run) -> AiserError:
        hint = (
            f"{self._config.name} did not confirm that it stopped; the statement may go on there for a while."
        )
        if not run.cancelled:
            return ConnectionLost(f"The connection to {self._config.name} was cut off.", hint="Run it again.")
        stopped = run.stopped()
        if isinstance(stopped, QueryCancelled):
            return QueryCancelled(stopped.message, hint=hint, confirmed=False)
        stopped.hint, stopped.confirmed = f"{hint} {stopped.hint}".strip(), False
        return stopped

    def cancel(self) -> None:
        """Ask on a second connection; cut this one where it does not come back soon."""
        if self._idle.is_set():
            return
        self._stop_asked = True
        threading.Thread(target=self._ask_to_stop, name="aiser-stop", daemon=True).start()
        if not self._idle.wait(self.patience):
            self.abort()

    def _ask_to_stop(self) -> None:
        """Ask, and once more where the first request came before its statement."""
        for _ in range(2):
            try:
                self._connector.ask_to_stop(self._config, self.handle, STOP_SECONDS)
            except AiserError:
                return  # not reached: the cut, and its word that nothing was confirmed, are all there is
            if self._idle.wait(PATIENCE):
                return

    def limited(self, seconds: float) -> AbstractContextManager[None]:
        """Cut the session off unless the block ends within ``seconds``."""
        return self._cut.after(seconds)

    def abort(self) -> None:
        self._cut.cut()

    def check(self) -> bool:
        """Say whether the server still answers on this connection."""
        with self._cut.after(PING_SECONDS):
            try:
                self.ping()
            except Exception:  # whatever the driver says of a dead connection
                self._cut.cut()
        return self.clean

    def recycle(self) -> bool:
        """`reset`, and say whether the session may be used again."""
        if not self.clean:
            return False
        with self._cut.after(PING_SECONDS):
            try:
                self.reset()
            except Exception:  # a session that cannot be reset is not used again
                self._cut.cut()
        return self.clean

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._deadline is not None:
            self._deadline.cancel()
        if not self._idle.is_set() and not self._cut.done:
            # Unread rows: the server must not go on making them.
            threading.Thread(target=self._ask_to_stop, name="aiser-stop", daemon=True).start()
            self._cut.cut()
        with self._cut.after(PING_SECONDS):
            self.disconnect()
        self._cut.cut()
        self._cut.close()


class NetworkConnector(CatalogConnector):
    """A database behind a network; its sessions come from a pool."""

    module: ClassVar[str]
    """Import name of the driver."""
    distribution: ClassVar[str] = ""
    """Name of the driver's package, where it differs from the first part of ``module``."""
    extra: ClassVar[str]

    def __init__(self) -> None:
        self._pool = Pool()

    # -- what a database does in its own way ----------------------------------------------------------

    @abstractmethod
    def connect(self, config: ConnectionConfig, *, read_only: bool, seconds: float) -> NetworkSession:
        """Log in on a socket of our own (`dial`), within ``seconds``. Raises what the driver raises."""

    @abstractmethod
    def start_tls(self, config: ConnectionConfig, seconds: float) -> str:
        """Do the handshake alone, without a login, and return what was agreed (``TLSv1.3``)."""

    @abstractmethod
    def ask_to_stop(self, config: ConnectionConfig, handle: str, seconds: float) -> bool:
        """Stop the statement of ``handle`` on a connection of its own; True where there was one."""

    def address(self, values: Mapping[str, Any]) -> tuple[str, int]:
        """Return the host and the port that ``values`` lead to."""
        return str(values["host"]), int(values["port"])

    def login_name(self, values: Mapping[str, Any]) -> str:
        """Return whom ``values`` log in as, for people to read."""
        return str(values["username"])

    def proxy(self, values: Mapping[str, Any]) -> Proxy | None:
        """Return the proxy that ``values`` are reached through; None for what does not speak https."""
        return None

    # -- what is the same everywhere ------------------------------------------------------------------

    def available(self) -> Availability:
        if not _installed(self.module):
            hint = f"pip install 'aiser-jupyter[{self.extra}]'"
            return Availability(False, f"{self.module} is not installed", hint=hint)
        package = self.distribution or self.module.partition(".")[0]
        return Availability(True, f"connects with {self.module}", version=driver_version(package))

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = super().validate(values)
        for name, most in _LIMITS.items():
            if not 1 <= checked.get(name, 1) <= most:
                raise ConfigError(f"{self.label}: {name!r} goes from 1 to {most:,}.")
        try:
            str(checked.get("ssl_server_name") or "").encode("idna")  # a handshake would leave its socket
        except UnicodeError as exc:
            raise ConfigError(
                f"{self.label}: 'ssl_server_name' is no name of a host.",
                hint="It is the name that the server's certificate carries.",
            ) from exc
        return checked

    def open(self, config: ConnectionConfig, *, read_only: bool = False) -> Session:
        available = self.available()
        if not available.ok:
            raise EngineUnavailable(available.reason, hint=available.hint)
        return PooledSession(self._pool, self, config, read_only=read_only)

    def fresh(
        self, config: ConnectionConfig, *, read_only: bool = False, seconds: float | None = None
    ) -> NetworkSession:
        """Log in, past the pool. Raises `ConnectError`, `ConfigError`."""
        self.require_secrets(config.values)
        limit = float(config.values.get("timeout", 10)) if seconds is None else seconds
        began = time.monotonic()
        try:
            return self.connect(config, read_only=read_only, seconds=limit)
        except Exception as exc:
            host, _ = self.address(config.values)
            lost = isinstance(exc, ConnectionLost) or not isinstance(exc, AiserError)
            if lost and time.monotonic() - began >= limit - 0.05:
                proxy = self.proxy(config.values)
                way = f" through the proxy {proxy}" if proxy else ""
                error: AiserError = ConnectError(
                    f"{host} did not finish the login{way} within {limit:g} s.",
                    hint="It accepts connections and does not answer: it may be overloaded or no database.",
                )
            elif isinstance(exc, AiserError):
                if exc.__cause__ is not None:
                    bare(exc.__cause__)
                raise
            else:
                shown = bool(config.values.get("ssl_certificate"))
                error = translate_tls(exc, host, shown=shown) or self.translate(exc)
            raise error from bare(exc)

    def state(self, config: ConnectionConfig, seconds: float) -> WarehouseState | None:
        """`Connector.state`: an idle session is asked whether it lives, a new one has just logged in."""
        self.open(config, read_only=self.capabilities.read_only).close()
        return None

    def stop(self, config: ConnectionConfig, handle: str) -> bool:
        return self.ask_to_stop(config, handle, STOP_SECONDS)

    def stages(self, config: ConnectionConfig, run: Run) -> Generator[Stage]:
        """Name, TCP, TLS, login, database, rights, sample; each with a deadline of its own."""
        return probe(self, config, run)


@cache
def driver_version(package: str) -> str:
    """Return the version of an installed driver; read once, for it is asked before every query."""
    from importlib.metadata import version

    return version(package)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package that it would lie in is not there either
        return False
