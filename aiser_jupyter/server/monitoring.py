"""What others may watch: series on Jupyter's ``/metrics``, and Jupyter events.

Rules:

- Counters are of the queries that this server ran, and begin at 0 with it. Gauges are of now and of every
  process: how many runs are open is read from the store, so queries of kernels are among them.
- A scrape happens on the event loop. What it needs of the store is read in a thread, and waited for `WAIT`
  seconds at most; then the figures before are shown, and ``aiser_gauges_age_seconds`` says how old they are.
  Without a store that works there are no gauges.
- No name, statement or message of a person is a label. Events say who, which run and which connection by id,
  and never a statement or a value.
- Who watches never breaks what is watched: an event is sent after the query or the request has its answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from ..errors import AiserError
from ..execution.metrics import Metrics
from ..services.health import HealthStatus

if TYPE_CHECKING:
    from ..models import Connection, HistoryEntry
    from ..services import Services
    from .extension import AiserExtension

__all__ = ["CONNECTION_EVENT", "RUN_EVENT", "Monitoring"]

RUN_EVENT = "https://events.aiser-jupyter.dev/run/v1"
CONNECTION_EVENT = "https://events.aiser-jupyter.dev/connection/v1"
SCHEMAS = tuple(Path(__file__).parent / "events" / name for name in ("run.yaml", "connection.yaml"))

WAIT = 0.05
OPEN = "SELECT state, count(*) FROM history WHERE state IN ('queued', 'running') GROUP BY state"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at the store found, and when on the monotonic clock."""

    open: Mapping[str, int]
    connections: Mapping[str, int]
    at: float


class Monitoring:
    """Watches the services of one server. A collector of Prometheus.

    Parameters
    ----------
    app : AiserExtension
    registry : CollectorRegistry
        Where it registers itself until `close`; the one of Jupyter's ``/metrics`` by default.
    """

    def __init__(self, app: AiserExtension, registry: CollectorRegistry = REGISTRY) -> None:
        self._app = app
        self._registry = registry
        self._services: list[Services] = []
        self._looking: Future[_Seen | None] | None = None
        self._seen: _Seen | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.metrics = Metrics()
        logger = self._events()
        for path, id in zip(SCHEMAS, (RUN_EVENT, CONNECTION_EVENT), strict=True):
            if id not in logger.schemas:
                logger.register_event_schema(path)
        registry.register(self)

    def attach(self, services: Services) -> None:
        """Watch one person's services. Called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._services.append(services)
        services.on_end.append(self._ended)

    def close(self) -> None:
        """Take the series away from the registry."""
        with suppress(KeyError):
            self._registry.unregister(self)

    def connection_changed(self, action: str, connection: Connection) -> None:
        """Tell that a connection was ``saved``, ``changed`` or ``removed``. Called on the event loop."""
        data = {
            "action": action,
            "user": connection.owner,
            "id": connection.id,
            "type": connection.type,
        }
        asyncio.get_running_loop().call_soon(self._emit, CONNECTION_EVENT, data)

    # -- metrics --------------------------------------------------------------------------------------

    def describe(self) -> Iterator[Metric]:
        """Give nothing: registering must not look at the store."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Give the counters of this process and the gauges of all. Called by a scrape, on the event loop."""
        yield from self.metrics.collect()
        seen = self._look()
        if seen is None:
            return
        queued = seen.open.get("queued", 0) + self._app.queries.waiting
        yield GaugeMetricFamily(
            "aiser_queries_running", "Open runs of every process.", value=seen.open.get("running", 0)
        )
        yield GaugeMetricFamily(
            "aiser_queries_queued", "Queries that wait, here or planned elsewhere.", value=queued
        )
        states = GaugeMetricFamily("aiser_connections", "Saved connections by health.", labels=["state"])
        for status in HealthStatus:
            states.add_metric([str(status)], seen.connections.get(str(status), 0))
        yield states
        age = max(0.0, time.monotonic() - seen.at)
        yield GaugeMetricFamily("aiser_gauges_age_seconds", "Since the gauges were read.", value=age)

    def _look(self) -> _Seen | None:
        """Return what the store says now, or said last where that takes too long."""
        if self._services and (self._looking is None or self._looking.done()):
            self._looking = self._app.executor.submit(_seen, tuple(self._services))
        if self._looking is not None:
            with suppress(Late):  # the figures before are shown with their age
                self._seen = self._looking.result(WAIT)
        return self._seen

    # -- events ---------------------------------------------------------------------------------------

    def _ended(self, entry: HistoryEntry, error: BaseException | None) -> None:
        """Called from any thread."""
        self.metrics.ended(entry)
        if self._loop is not None:
            with suppress(RuntimeError):  # the server is closing
                self._loop.call_soon_threadsafe(self._emit, RUN_EVENT, _run_event(entry))

    def _emit(self, id: str, data: dict[str, Any]) -> None:
        self._events().emit(schema_id=id, data=data)

    def _events(self) -> Any:
        assert self._app.serverapp is not None
        return self._app.serverapp.event_logger


def _run_event(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "user": entry.user,
        "connection_id": entry.connection_id,
        "engine": entry.engine,
        "kind": str(entry.kind),
        "outcome": str(entry.state),
        "cached": entry.cached,
        "seconds": entry.seconds,
        "rows": entry.rows,
        "bytes": entry.bytes,
        "error_code": str(entry.error_code),
    }


def _seen(watched: tuple[Services, ...]) -> _Seen | None:
    """Run in a thread: look at the store; None where it does not work."""
    store = watched[0].store  # all of one server have the same folder
    try:
        if not store.state.ok:
            return None
        counted = dict(store.read(OPEN))
        states = Counter(str(each.status) for services in watched for each in services.monitor.states())
    except AiserError:  # as when it does not work: who asks for health is told why
        return None
    return _Seen(counted, states, time.monotonic())
