"""What warehouses that are reached by https have in common; their drivers keep their sockets to themselves.

A connector of this kind says where it leads (`address`), how to log in (`log_in`), and what its session does
with one statement. Beyond what holds for every database behind a network (see `network`):

- It leads to the vendor's hosts, to this machine, or to what the administrator lists, by https.
- Every call of the driver is made in the session's own thread (`DriverThread.call`), so that nobody waits for
  a silent server longer than allowed. The driver's own retries are given the same limit.
- A statement has a name of its own at the warehouse, known only once it was sent. `WarehouseSession.running`
  tells it to the history, and to a request to stop that came before it.
- A session that ran anything but a query is not used again: what such a statement leaves behind has no
  common way to be undone.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import closing
from typing import Any, ClassVar

from ..errors import AiserError, UsageError
from ..models import ConnectionConfig
from ..run import Handle, Run
from ..sql.scan import significant
from .base import Parameters
from .driver_thread import DriverThread
from .hosts import require_vendor
from .network import PING_SECONDS, STOP_SECONDS, NetworkConnector, NetworkSession
from .sockets import Cut, dial, resolve
from .tls import context_of, require_tls, wrap

__all__ = ["WarehouseConnector", "WarehouseSession"]

_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN"})


class WarehouseSession(NetworkSession):
    """One login at a warehouse. A subclass runs a statement; see `NetworkSession`.

    Parameters
    ----------
    thread : DriverThread
        Where every call of the driver is made; its ``at_end`` says goodbye.
    """

    patience = 1.5

    def __init__(self, connector: WarehouseConnector, config: ConnectionConfig, thread: DriverThread) -> None:
        super().__init__(connector, config, thread)
        self._thread = thread
        self._id = ""
        self._known = threading.Event()
        self._stopping = self._known
        self._left = False

    # -- what a warehouse does in its own way ---------------------------------------------------------

    @abstractmethod
    def request_stop(self, id: str) -> None:
        """Ask the warehouse to stop a statement. Called from another thread; raises what it likes."""

    # -- what is the same everywhere ------------------------------------------------------------------

    @property
    def handle(self) -> str:
        return ""

    def running(self, id: str, run: Run) -> None:
        """Say that the statement is at the warehouse, under this name; called by `start`."""
        self._id = id
        self._known.set()
        run.emit(Handle(id, self._config.name))

    def execute(self, sql: str, parameters: Parameters, run: Run) -> Any:
        self._known = threading.Event()  # one of its own: a late request must not stop the next statement
        self._id = ""
        first = next(iter(significant(sql, self._connector.dialect)), None)
        self._left |= first is None or first.text.upper() not in (*_QUERIES, "(")
        return super().execute(sql, parameters, run)

    def ping(self) -> None:
        """Nothing: by https no line could be dead, and what has expired says so when it is used."""

    def reset(self) -> None:
        if self._left:
            raise UsageError("The session may be changed.")  # read by `recycle` alone: it is closed

    def cancel(self) -> None:
        self._stopping = self._known
        super().cancel()

    def close(self) -> None:
        self._stopping = self._known
        super().close()

    def _ask_to_stop(self) -> None:
        known = self._stopping
        if not known.wait(STOP_SECONDS):
            return  # it never came to the warehouse; the cut is all there is
        for _ in range(2):
            id = self._id
            if known is not self._known:
                return  # it has ended, and this is the name of another one
            try:
                self.request_stop(id)
            except Exception:  # not reached: the cut, and its word that nothing was confirmed, say so
                return
            if self._idle.wait(self.patience):
                return

    def disconnect(self) -> None:
        self._thread.finish(PING_SECONDS)


class WarehouseConnector(NetworkConnector):
    """A warehouse behind https; its sessions come from a pool."""

    domains: ClassVar[tuple[str, ...]]
    """The vendor's: ``.snowflakecomputing.com`` for all below it, or a whole name."""

    # -- what a warehouse does in its own way ---------------------------------------------------------

    @abstractmethod
    def address(self, values: Mapping[str, Any]) -> tuple[str, int]:
        """Return the host and the port that ``values`` lead to. Raises `ConfigError`."""

    @abstractmethod
    def log_in(
        self, config: ConnectionConfig, thread: DriverThread, *, read_only: bool, seconds: float
    ) -> WarehouseSession:
        """Log in by a call in ``thread``, and set its ``at_end``. Raises what the driver raises.

        The driver is told ``seconds`` as its own limit too, so that what is left to itself ends.
        """

    # -- what is the same everywhere ------------------------------------------------------------------

    def connect(self, config: ConnectionConfig, *, read_only: bool, seconds: float) -> WarehouseSession:
        self.require_reachable(config, seconds)
        thread = DriverThread(f"aiser-{self.type}")
        try:
            with thread.after(seconds):
                return self.log_in(config, thread, read_only=read_only, seconds=seconds)
        except BaseException:
            thread.cut()
            raise

    def require_reachable(self, config: ConnectionConfig, seconds: float) -> None:
        """Refuse a host that is not allowed, or is reached in the open. Raises `AiserError`."""
        host, port = self.address(config.values)
        addresses = resolve(host, port, seconds)
        require_vendor(host, [str(address[0]) for _, address in addresses], self.domains)
        require_tls(config.values, addresses, host)

    def start_tls(self, config: ConnectionConfig, seconds: float) -> str:
        self.require_reachable(config, seconds)
        host, port = self.address(config.values)
        context = context_of(config.values)
        assert context is not None
        sock = dial(host, port, seconds)
        cut = Cut(sock)
        try:
            with closing(sock), cut.after(seconds), wrap(sock, context, host) as wrapped:
                return str(wrapped.version())
        finally:
            cut.close()

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = super().validate(values)
        self.address(checked)  # it says what is wrong with a name before anything is saved
        return checked

    def ask_to_stop(self, config: ConnectionConfig, handle: str, seconds: float) -> bool:
        """Log in and stop the statement of another process; a warehouse with a cheaper way has its own."""
        session = self.fresh(config, seconds=max(seconds, float(config.values.get("timeout", 30))))
        try:
            assert isinstance(session, WarehouseSession)
            session.request_stop(handle)
        except AiserError:
            raise
        except Exception as exc:
            raise self.translate(exc) from exc
        finally:
            session.close()
        return True
