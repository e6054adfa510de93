"""Sessions that are used again: reset after each use, asked whether they live before the next.

A login costs a handshake, a certificate and a password check; the next query of the same connection, with the
same rights, need not pay for it. A session that was cut, or left with unread rows, is not used again. What a
statement left behind (settings, temporary tables, locks, a transaction) is gone before another one runs: the
reset happens in the background as soon as a session comes back, so that no lock stays with an idle one.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import queue
import secrets
import threading
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import (
    AiserError,
    ConnectError,
    DeadlineExceeded,
    QueryCancelled,
    QueueFull,
    StatementError,
)
from ..run import Run
from ..secret import Secret
from .base import Parameters, Session

if TYPE_CHECKING:
    import pyarrow as pa

    from ..models import ConnectionConfig
    from .network import NetworkConnector, NetworkSession

__all__ = ["SAMPLES", "Pool", "PooledSession", "a_row", "keep_idle", "rows"]

SAMPLES = 5
"""Tables that a connection test tries to read at most."""

_idle_seconds = 60.0
_SALT = secrets.token_bytes(16)
_OPENING = {"timeout", "max_connections"}
"""Fields that are about opening sessions, and make no difference to one that is open."""


def keep_idle(seconds: float) -> None:
    """Keep unused sessions open for so many seconds; 0 keeps none."""
    global _idle_seconds
    _idle_seconds = seconds


class Pool:
    """The idle sessions of one connector, by everything that made them what they are."""

    def __init__(self) -> None:
        self._start()
        _pools.add(self)

    def _start(self) -> None:
        self._lock = threading.Condition()
        self._idle: dict[str, list[tuple[NetworkSession, float]]] = {}
        self._open: dict[str, int] = {}
        self._returned: queue.SimpleQueue[tuple[str, NetworkSession]] = queue.SimpleQueue()
        self._keeper: threading.Thread | None = None

    def take(
        self, connector: NetworkConnector, config: ConnectionConfig, *, read_only: bool
    ) -> tuple[str, NetworkSession]:
        """Return a session that answers, an idle one or a new one, and the key to give it back under.

        Raises
        ------
        ConnectError
            No login.
        QueueFull
            ``max_connections`` are in use, and none came back within the connect timeout.
        """
        key = _key(config, read_only)
        end = time.monotonic() + float(config.values.get("timeout", 10))
        while (session := self._claim(key, int(config.values.get("max_connections", 10)), end)) is not None:
            if session.check():
                return key, session
            self._drop(key, session)
            self._drop_idle(key)  # a server that restarted, or a way that is broken, is so for all of them
        try:
            return key, connector.fresh(config, read_only=read_only)
        except BaseException:
            self._drop(key, None)
            raise

    def give_back(self, key: str, session: NetworkSession) -> None:
        """Take ``session`` back; it is reset in the background, or closed where it cannot be used again."""
        if not session.clean or _idle_seconds == 0:
            self._drop(key, session)
            return
        self._returned.put((key, session))
        with self._lock:
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="aiser-pool", daemon=True)
                self._keeper.start()

    def close(self) -> None:
        """Close every idle session."""
        for key in list(self._idle):
            self._drop_idle(key)

    def _drop_idle(self, key: str) -> None:
        with self._lock:
            sessions = self._idle.pop(key, [])
        for session, _ in sessions:
            self._drop(key, session)

    def _claim(self, key: str, most: int, end: float) -> NetworkSession | None:
        """Return an idle session, or None where a new one may be opened; both count as open."""
        with self._lock:
            while True:
                if idle := self._idle.get(key):
                    return idle.pop()[0]
                if self._open.get(key, 0) < most:
                    self._open[key] = self._open.get(key, 0) + 1
                    return None
                if not self._lock.wait(end - time.monotonic()):
                    raise QueueFull(
                        f"All {most} connections are in use.",
                        hint="Wait for a query to end, cancel one, or raise max_connections.",
                    )

    def _drop(self, key: str, session: NetworkSession | None) -> None:
        with self._lock:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
            self._lock.notify_all()
        if session is not None:
            session.close()

    def _keep(self) -> None:
        """Reset what comes back, close what was idle too long, and leave when there is nothing to keep."""
        while True:
            try:
                key, session = self._returned.get(timeout=min(5.0, _idle_seconds))
            except queue.Empty:
                if self._close_old():
                    return
                continue
            if session.recycle():
                with self._lock:
                    self._idle.setdefault(key, []).append((session, time.monotonic()))
                    self._lock.notify_all()
            else:
                self._drop(key, session)

    def _close_old(self) -> bool:
        """Close idle sessions of a certain age; True where none is left and the keeper has left."""
        now = time.monotonic()
        old = []
        with self._lock:
            for key, sessions in self._idle.items():
                old += [(key, each) for each, since in sessions if now - since >= _idle_seconds]
                sessions[:] = [pair for pair in sessions if now - pair[1] < _idle_seconds]
            self._idle = {key: sessions for key, sessions in self._idle.items() if sessions}
            done = not self._idle and self._returned.empty()
            if done:
                self._keeper = None
        for key, session in old:
            self._drop(key, session)
        return done


class PooledSession(Session):
    """The use of one session of a pool: taken when it is made, given back when it is closed."""

    def __init__(
        self, pool: Pool, connector: NetworkConnector, config: ConnectionConfig, *, read_only: bool
    ) -> None:
        self._pool = pool
        self._key, self._session = pool.take(connector, config, read_only=read_only)
        self._closed = threading.Event()

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        return self._session.execute(sql, parameters, run)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run a statement of the catalog and return its rows."""
        return rows(self._session, sql, parameters)

    def cancel(self) -> None:
        if not self._closed.is_set():
            self._session.cancel()

    def abort(self) -> None:
        if not self._closed.is_set():
            self._session.abort()

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._pool.give_back(self._key, self._session)


def rows(session: Session, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """Run a statement on ``session`` and return its rows as tuples."""
    with session.execute(sql, parameters, Run("catalog", tag="catalog")) as reader:
        table = reader.read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def a_row(session: Session, tables: Mapping[str, str]) -> str:
    """Read a row of the first of ``tables`` that can be read, and say which one; a view may be broken.

    Parameters
    ----------
    tables : mapping
        Name for people to name in SQL, quoted.

    Raises
    ------
    AiserError
        None of them can be read: what the database says of the last. Or the session ended.
    """
    failure: AiserError | None = None
    for name, quoted in tables.items():
        try:
            found = rows(session, f"SELECT * FROM {quoted} LIMIT 1")  # noqa: S608 - quoted
        except (ConnectError, QueryCancelled, DeadlineExceeded):
            raise
        except AiserError as exc:
            failure = exc
            continue
        return f"{'a row' if found else 'no row'} in {name}"
    raise failure or StatementError("There is no table to read.")


def _key(config: ConnectionConfig, read_only: bool) -> str:
    """Return what two sessions must have in common; secrets enter as a salted hash of this process."""
    digest = hashlib.blake2b(key=_SALT)
    plain: dict[str, Any] = {}
    values: Mapping[str, Any] = config.values
    for name in sorted(values.keys() - _OPENING):
        value = values[name]
        if isinstance(value, Secret):
            digest.update(f"{name}\0{len(value.reveal())}\0{value.reveal()}".encode())
        else:
            plain[name] = value
    whose = config.sandbox  # a server's persons share no session, whatever else they have in common
    return json.dumps([config.type, config.name, whose, plain, digest.hexdigest(), read_only], sort_keys=True)


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._start()  # the sockets are the parent's


os.register_at_fork(after_in_child=_after_fork)
