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
- A session that was idle for a while is asked whether it lives, or takes a new line (`freshen`): firewalls
  forget an idle line without a word. What the warehouse does is another question, `Connector.state`.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, ClassVar

from ..errors import AiserError, ConnectError, UsageError
from ..models import ConnectionConfig
from ..run import Handle, Progress, Run
from ..sql.scan import significant
from .base import Connector, Parameters, Session
from .driver_thread import DriverThread
from .network import PING_SECONDS, STOP_SECONDS, NetworkConnector, NetworkSession
from .proxy import Proxy, dial_https, proxy_for, vendor_addresses
from .sockets import Cut
from .state import SLEEPING, Activity, WarehouseState
from .tls import context_of, require_tls, wrap

__all__ = ["WarehouseConnector", "WarehouseSession", "telling"]

TRUSTED_SECONDS = 5.0
"""So long the line of an idle session is believed to be there."""
_QUIET_SECONDS = 2.0
"""Until a statement that waits is worth a question, ..."""
_AGAIN_SECONDS = 5.0
"""... and between two questions."""
_STATE_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
"""Between two logins at a warehouse that starts."""
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
        self._used = time.monotonic()

    # -- what a warehouse does in its own way ---------------------------------------------------------

    @abstractmethod
    def request_stop(self, id: str) -> None:
        """Ask the warehouse to stop a statement. Called from another thread; raises what it likes."""

    @abstractmethod
    def freshen(self) -> None:
        """See to it that the next request finds a line: ask something cheap, or have the driver take another.

        Called in the driver's thread; raises what it likes. It must not start a warehouse.
        """

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
        if time.monotonic() - self._used >= TRUSTED_SECONDS:
            self._thread.call(self.freshen)

    def recycle(self) -> bool:
        self._used = time.monotonic()
        return super().recycle()

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

    @abstractmethod
    def state(self, config: ConnectionConfig, seconds: float) -> WarehouseState | None:
        """`Connector.state`, by a question to the vendor that starts nothing and costs next to nothing."""

    # -- what is the same everywhere ------------------------------------------------------------------

    def state_is_free(self, config: ConnectionConfig) -> bool:
        return True

    def open_for(self, run: Run, config: ConnectionConfig, *, read_only: bool = False) -> Session:
        """Log in as often as it takes while the warehouse starts, for that may be minutes.

        Raises
        ------
        QueryCancelled, DeadlineExceeded
        ConnectError
            For another reason than that.
        """
        stopped = threading.Event()
        with run.on_cancel(stopped.set):
            while True:
                try:
                    return self.open(config, read_only=read_only)
                except ConnectError:
                    if not self._is_starting(config):
                        raise
                stopped.wait(_PAUSE_SECONDS)
                run.check()

    def _is_starting(self, config: ConnectionConfig) -> bool:
        try:
            state = self.state(config, _STATE_SECONDS)
        except AiserError:
            return False  # the login itself says what is wrong
        return state is not None and state.activity is Activity.STARTING

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
        https = context_of(config.values) is not None
        addresses = vendor_addresses(host, port, seconds, self.domains, https=https)
        require_tls(config.values, addresses, host)

    def proxy(self, values: Mapping[str, Any]) -> Proxy | None:
        return proxy_for(self.address(values)[0]) if context_of(values) is not None else None

    def start_tls(self, config: ConnectionConfig, seconds: float) -> str:
        self.require_reachable(config, seconds)
        host, port = self.address(config.values)
        context = context_of(config.values)
        assert context is not None
        sock = dial_https(host, port, seconds)
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


@contextmanager
def telling(connector: Connector, config: ConnectionConfig, run: Run) -> Iterator[None]:
    """Tell ``run`` what the warehouse does, where the block waits for one that does not run yet.

    It is asked in a thread of its own: the block never waits for that, and never fails by it.
    """
    over, emitting = threading.Event(), threading.Lock()

    def tell(message: str) -> None:
        with emitting:  # not a word after the block
            if not over.is_set():
                run.emit(Progress(message=f"{connector.label}: {message}"))

    thread = threading.Thread(
        target=_watch, args=(connector, config, over, tell), name="aiser-waiting", daemon=True
    )
    with suppress(RuntimeError):  # the system starts no more threads now
        thread.start()
    try:
        yield
    finally:
        with emitting:
            over.set()


def _watch(
    connector: Connector, config: ConnectionConfig, over: threading.Event, tell: Callable[[str], None]
) -> None:
    """Ask what the warehouse does, until it runs or it is ``over``; the seconds are told in between."""
    began, told, pause = time.monotonic(), False, _QUIET_SECONDS
    while not over.wait(pause):
        pause = _AGAIN_SECONDS
        try:
            state = connector.state(config, _STATE_SECONDS)
        except Exception:  # noqa: S112 - the statement itself says what is wrong
            continue
        if state is None:
            return
        words = state.message[:1].lower() + state.message[1:].rstrip(".")
        if state.activity not in SLEEPING:
            if told:
                tell(words)
            return
        told, end = True, time.monotonic() + _AGAIN_SECONDS
        while time.monotonic() < end:
            tell(f"{words}, {time.monotonic() - began:.0f} s")
            if over.wait(1.0):
                return
        pause = 0.0
