"""Counters of what this process ran, in the shape that Prometheus reads.

Rules:

- Nothing is registered here and no thread is started: the server extension gives `Metrics.collect` to
  Jupyter's ``/metrics``, a kernel has no `Metrics` at all.
- Labels are words of ours, never of a person: engines by their entry point's name, of which the first
  `ENGINES` get a label of their own and the rest are ``other``; kinds and outcomes are enums. Whatever runs,
  there are less than 200 series.
- One lock for all of it: a scrape sees each run in every counter, or in none.
- Counters begin at 0 with the process, as Prometheus expects of counters; ``rate()`` and ``increase()`` see
  the restart. The history goes on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING

from ..models import HistoryEntry, RunState

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["BUCKETS", "ENGINES", "Metrics"]

ENGINES = 5
BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0)
"""Upper ends of the classes of seconds."""
NONE, OTHER = "none", "other"


class Metrics:
    """Counts runs as they end. Safe from any thread.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> metrics = Metrics()
    >>> metrics.ended(HistoryEntry("1", datetime.now(UTC), "ann", "local", RunState.FAILED, "SELEC 1"))
    >>> [sample.labels for sample in next(metrics.collect()).samples]
    [{'engine': 'none', 'kind': 'unknown', 'outcome': 'failed'}]
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._engines: set[str] = set()
        self._queries: Counter[tuple[str, str, str]] = Counter()
        self._classes: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()  # a sum of floats
        self._rows = self._bytes = self._hits = 0

    def ended(self, entry: HistoryEntry) -> None:
        """Count a run that ended.

        Seconds, rows and bytes are those of engines: an answer from the cache adds to none of them, and a run
        that failed before it had an engine adds no seconds.
        """
        with self._lock:
            engine = self._label(entry.engine)
            self._queries[engine, str(entry.kind), str(entry.state)] += 1
            if entry.cached:
                self._hits += 1
                return
            if entry.engine and entry.seconds is not None:
                classes = self._classes.setdefault(engine, [0] * (len(BUCKETS) + 1))
                classes[bisect_left(BUCKETS, entry.seconds)] += 1
                self._seconds[engine] += entry.seconds  # type: ignore[assignment]
            if entry.state is RunState.DONE:
                self._rows += entry.rows or 0
                self._bytes += entry.bytes or 0

    def collect(self) -> Iterator[Metric]:
        """Give every family with its samples, as of one moment."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        with self._lock:
            counted = sorted(self._queries.items())
            seconds = [
                (engine, list(found), self._seconds[engine]) for engine, found in self._classes.items()
            ]
            totals = (self._rows, self._bytes, self._hits)
        queries = CounterMetricFamily(
            "aiser_queries", "Queries that ended in this process.", labels=["engine", "kind", "outcome"]
        )
        for labels, count in counted:
            queries.add_metric(labels, count)
        yield queries
        histogram = HistogramMetricFamily(
            "aiser_query_seconds",
            "Seconds of queries that an engine ran, from plan to last row.",
            labels=["engine"],
        )
        for engine, found, total in seconds:
            counts = accumulate(found)
            buckets = [
                (str(end), float(count)) for end, count in zip((*BUCKETS, "+Inf"), counts, strict=True)
            ]
            histogram.add_metric([engine], buckets, total)
        yield histogram
        texts = (
            ("aiser_result_rows", "Rows of results that an engine computed."),
            ("aiser_result_bytes", "Bytes of Arrow of results that an engine computed."),
            ("aiser_cache_hits", "Queries that were answered from the cache."),
        )
        for (name, text), total in zip(texts, totals, strict=True):
            yield CounterMetricFamily(name, text, value=total)

    def _label(self, engine: str) -> str:
        """Lock held."""
        if not engine:
            return NONE
        if engine not in self._engines:
            if len(self._engines) >= ENGINES:
                return OTHER
            self._engines.add(engine)
        return engine
