"""Whether the connections work: asked in the background, from time to time, and when somebody asks.

Nothing runs before `HealthService.start`. Rules:

- One question (`Connector.state`) at a time for a connection, each with a deadline. It goes through the pool:
  where a session is idle it costs one round trip, else one login, at most one in ``Rhythm.healthy`` seconds.
- What fails is asked less and less often. A login that is refused is tried a few times and then no more,
  until the connection changes or somebody asks: a database may lock the account.
- Connections that failed last time have half of the threads at most, so that they do not hold up the others.
- A warehouse is never started to be asked: what it does is told by its vendor, at an easier pace. It answers
  where the vendor does, suspended or not: it is `HealthStatus.OK`, and ``warehouse`` says the rest.
- What cannot be asked without costing money, and a database file, which would be locked for a moment, is
  asked on demand only.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..catalog.cache import file_of, settings_of
from ..errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    DeadlineExceeded,
    SignInRequired,
    UnknownConnection,
    UsageError,
    nearest,
)
from ..models import LOCAL, Connection
from .health_state import LATENCIES, ConnectionHealth, HealthStatus, LastError, Rhythm

if TYPE_CHECKING:
    from ..connectors.state import WarehouseState
    from . import Services

__all__ = ["LATENCIES", "ConnectionHealth", "HealthService", "HealthStatus", "LastError", "Rhythm"]


class _Watched:
    """One connection and its questions. Guarded by the service's lock."""

    def __init__(self, connection: Connection, rhythm: Rhythm, previous: _Watched | None = None) -> None:
        self.connection = connection
        self.rhythm, background = _pace(connection, rhythm)
        self.settings = _settings(connection)
        self.state = ConnectionHealth(connection.name, connection.id)
        if connection.problem:
            self.state = replace(
                self.state, status=HealthStatus.FAILING, code=ConfigError.code, message=connection.problem
            )
        self.background = background
        self.due: float | None = time.monotonic() if background else None
        self.previous = previous  # as it was set up before
        self.refused = 0
        self.began: float | None = None  # of the question that is waited for
        self.asking: threading.Thread | None = None  # ends some time after its deadline
        self.latencies: deque[tuple[datetime, float]] = deque(maxlen=LATENCIES)

    @property
    def late(self) -> bool:
        """Whether the last question failed: those wait for each other, and the rest not for them."""
        return self.state.status is HealthStatus.FAILING

    def ready(self, now: float) -> bool:
        """Say whether it is time to ask, and nobody is asking."""
        if self.previous is not None and self.previous.asking is None:
            self.previous = None
        free = self.asking is None and self.previous is None
        return free and self.due is not None and self.due <= now


class HealthService:
    """Asks the saved connections of one identity whether they work.

    Parameters
    ----------
    services : Services
    rhythm : Rhythm
    """

    def __init__(self, services: Services, rhythm: Rhythm | None = None) -> None:
        self._services = services
        self._rhythm = rhythm or Rhythm()
        self._lock = threading.Condition()
        self._watched: dict[str, _Watched] = {}
        self._scheduler: threading.Thread | None = None
        self._stopped = True

    def start(self) -> None:
        """Begin to ask in the background; nothing where that goes on already."""
        with self._lock:
            if not self._stopped:
                return
            self._stopped = False
            self._scheduler = threading.Thread(target=self._schedule, name="aiser-health", daemon=True)
            self._scheduler.start()

    def stop(self) -> None:
        """Ask no more; what is known stays. What is being asked ends within its deadline."""
        with self._lock:
            self._stopped = True
            self._lock.notify_all()
            scheduler, self._scheduler = self._scheduler, None
            asking = [each.asking for each in self._watched.values()]
        end = time.monotonic() + 1.0
        for thread in [scheduler, *asking]:
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

    close = stop

    def states(self) -> list[ConnectionHealth]:
        """Return what is known of each saved connection, by name; nothing is asked of a database."""
        self._look()
        with self._lock:
            return [each.state for each in self._watched.values()]

    def state(self, name: str) -> ConnectionHealth:
        """Return what is known of one connection. Raises `UnknownConnection`."""
        self._look()
        with self._lock:
            return self._find(name).state

    def check(self, name: str) -> ConnectionHealth:
        """Ask now, or wait for the question that goes on, and return what is known then.

        Raises
        ------
        UnknownConnection
        UsageError
            It is not a saved connection: ``local`` is always there, an object is the notebook's.
        """
        self._look()
        with self._lock:
            saved = name in self._watched
        if not saved:
            self._services.connections.get(name)
            raise UsageError(f"{name} is not a saved connection; there is nothing to ask it.")
        with self._lock:
            watched = self._find(name)
            if watched.asking is None and not watched.connection.problem:
                self._ask(watched)
            while watched.began is not None:
                self._expire(watched)
                if watched.began is not None:
                    self._lock.wait(watched.began + watched.rhythm.deadline - time.monotonic())
            return watched.state

    # -- what there is ----------------------------------------------------------------------------------

    def _look(self) -> None:
        """Learn which connections there are. Raises `StoreError`."""
        listed = [each for each in self._services.connections.list() if _is_saved(each)]
        with self._lock:
            before, self._watched = self._watched, {}
            for each in listed:
                known = before.get(each.name)
                if known is None or known.settings != _settings(each):
                    known = _Watched(each, self._rhythm, previous=known)
                self._watched[each.name] = known
            self._lock.notify_all()

    def _find(self, name: str) -> _Watched:
        """Lock held."""
        if name not in self._watched:
            raise UnknownConnection(
                f"There is no saved connection {name!r}.",
                hint=nearest(name, self._watched, noun="connections"),
            )
        return self._watched[name]

    # -- asking -----------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        look_at = 0.0
        while True:
            if time.monotonic() >= look_at:
                with suppress(AiserError):  # the store cannot be read now: `states` says so to who asks
                    self._look()
                look_at = time.monotonic() + self._rhythm.listing
            with self._lock:
                if self._scheduler is not threading.current_thread():
                    return
                now = time.monotonic()
                for each in self._watched.values():
                    self._expire(each)
                self._ask_due(now)
                times = [look_at]
                for each in self._watched.values():
                    if each.began is not None:
                        times.append(each.began + each.rhythm.deadline)
                    elif each.due is not None and each.due > now:
                        times.append(each.due)
                self._lock.wait(max(0.0, min(times) - time.monotonic()))

    def _ask_due(self, now: float) -> None:
        """Lock held. Begin the questions that are due, as far as there are threads for them."""
        asked = [each for each in self._watched.values() if each.began is not None]
        free = self._rhythm.threads - len(asked)
        free_for_late = self._rhythm.threads // 2 - sum(each.late for each in asked)
        due = [each for each in self._watched.values() if each.ready(now)]
        for each in sorted(due, key=lambda each: (each.late, each.due)):
            if free <= 0 or (each.late and free_for_late <= 0):
                return
            self._ask(each)
            free -= 1
            free_for_late -= each.late

    def _ask(self, watched: _Watched) -> None:
        """Lock held."""
        thread = threading.Thread(target=self._question, args=(watched,), name="aiser-probe", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system starts no more threads now
            watched.due = time.monotonic() + self._rhythm.first if watched.background else None
            return
        watched.asking = thread
        watched.began = time.monotonic()

    def _question(self, watched: _Watched) -> None:
        began = time.monotonic()
        answer: WarehouseState | AiserError | None
        try:
            answer = _state(watched.connection, watched.rhythm.deadline)
        except AiserError as exc:
            answer = exc
        except Exception as exc:  # a defect of ours, or of a connector: it must not stop the asking
            logging.getLogger(__name__).error(
                "Asking %s failed: %s", watched.connection.name, type(exc).__name__
            )
            answer = AiserError(f"Asking it failed: {type(exc).__name__}.")
        with self._lock:
            if watched.began is not None:  # else it was given up, and said so
                self._answered(watched, time.monotonic() - began, answer)
            watched.asking = None
            self._lock.notify_all()

    def _expire(self, watched: _Watched) -> None:
        """Lock held. Give up the question that takes too long."""
        deadline = watched.rhythm.deadline
        if watched.began is not None and time.monotonic() >= watched.began + deadline:
            hint = "It may be overloaded, or the network drops what is sent to it."
            error = DeadlineExceeded(
                f"{watched.connection.name} did not answer within {deadline:g} s.", hint=hint
            )
            self._answered(watched, deadline, error)

    def _answered(
        self, watched: _Watched, seconds: float, answer: WarehouseState | AiserError | None
    ) -> None:
        """Lock held. Write down how a question ended, and when to ask again."""
        now = datetime.now(UTC)
        watched.began = None
        if not isinstance(answer, AiserError):
            watched.refused = 0
            watched.latencies.append((now, seconds))
            state = replace(
                watched.state,
                status=HealthStatus.OK,
                warehouse=answer,
                code="",
                message="",
                hint="",
                failures=0,
                last_ok=now,
                latencies=tuple(watched.latencies),
            )
        else:
            watched.refused += isinstance(answer, AuthenticationFailed)
            if isinstance(answer, SignInRequired):  # its person alone can mend it
                watched.refused = watched.rhythm.refusals
            state = replace(
                watched.state,
                status=HealthStatus.FAILING,
                warehouse=None,
                code=answer.code,
                message=answer.message,
                hint=answer.hint,
                failures=watched.state.failures + 1,
                last_error=LastError(now, answer.code, answer.message, answer.hint),
            )
        wait = watched.rhythm.after(state.failures)
        again = watched.background and watched.refused < watched.rhythm.refusals
        watched.due = time.monotonic() + wait if again else None
        watched.state = replace(
            state, checked_at=now, next_check=now + timedelta(seconds=wait) if again else None
        )


def _settings(connection: Connection) -> tuple[object, ...]:
    return (*settings_of(connection), connection.problem)


def _is_saved(connection: Connection) -> bool:
    return connection.id != LOCAL and connection.source != "object"


def _pace(connection: Connection, rhythm: Rhythm) -> tuple[Rhythm, bool]:
    """Return how often to ask a connection, and whether it is asked in the background at all."""
    from ..connectors.registry import connectors
    from ..connectors.warehouse import WarehouseConnector

    kind = connectors().get(connection.type)
    if kind is None:
        return rhythm, False
    free = kind.state_is_free(connection.config)
    own = rhythm.of_warehouse() if isinstance(kind, WarehouseConnector) or not free else rhythm
    return own, free and not connection.problem and file_of(connection) is None


def _state(connection: Connection, seconds: float) -> WarehouseState | None:
    from ..connectors.registry import connector

    kind, config = connector(connection.type), connection.config
    if any(each.name == "timeout" for each in kind.fields):
        # Its own failure says more than that a deadline passed, so it comes first.
        seconds = min(float(config.values.get("timeout", seconds)), seconds * 5 / 6)
        config = replace(config, values={**config.values, "timeout": seconds})
    return kind.state(config, seconds)
