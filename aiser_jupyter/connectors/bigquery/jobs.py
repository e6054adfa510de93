"""Requests about a job that any thread may make: poll, cancel, and what an answer means for people."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from ...models import ConnectionConfig, Estimate
from ...run import Progress, Run
from .login import Clients

__all__ = [
    "console_link",
    "estimate_of",
    "get",
    "handle_of",
    "labels",
    "limits",
    "progress_of",
    "report",
    "stop",
]

RETRY_SECONDS = 6.0
"""How long a request that may be repeated is."""
GRACE = 5
"""Seconds that the limits of others come after ours: they are for the case that nobody is left to ask."""
_REQUEST_SECONDS = 30.0
"""Silence after which a request is given up."""
_LABEL = re.compile(r"[^a-z0-9_-]")


def get(clients: Clients, path: str, params: dict[str, Any], *, retry: Any, timeout: Any) -> dict[str, Any]:
    """Ask the REST API as the driver does it."""
    found: dict[str, Any] = retry(clients.rest._connection.api_request)(
        method="GET",
        path=path,
        query_params={k: v for k, v in params.items() if v is not None},
        timeout=timeout,
    )
    return found


def limits(remaining: float | None) -> dict[str, Any]:
    """Return how long a request may take, and how long it may be repeated."""
    from google.cloud.bigquery import DEFAULT_RETRY

    seconds = RETRY_SECONDS if remaining is None else max(0.1, min(RETRY_SECONDS, remaining))
    quiet = _REQUEST_SECONDS if remaining is None else min(_REQUEST_SECONDS, remaining + GRACE)
    retry = DEFAULT_RETRY.with_predicate(_Again(DEFAULT_RETRY._predicate))
    patient = retry.with_delay(initial=0.1, maximum=2.0, multiplier=2.0).with_timeout(seconds)
    return {"retry": patient, "timeout": quiet}


class _Again:
    """Says whether a request is repeated: for BigQuery's own troubles until its time is over, and twice for
    a connection that broke, which may have been an idle one."""

    def __init__(self, usual: Callable[[Any], bool]) -> None:
        self._usual = usual
        self._broken = 0

    def __call__(self, exc: BaseException) -> bool:
        if not self._usual(exc):
            return False
        if not hasattr(exc, "errors"):
            self._broken += 1
        return self._broken <= 2


def stop(clients: Clients, handle: str, seconds: float) -> bool:
    """Cancel a job, and wait until it is done; True where it was running, and is not any more.

    A job that is not there yet is asked for again: it may be on its way.
    """
    from google.api_core.exceptions import NotFound

    project, location, id = _parts(handle)
    end = time.monotonic() + seconds
    where = {"project": project, "location": location or None}
    while True:
        left = max(0.1, end - time.monotonic())
        try:
            job = clients.rest.cancel_job(id, **where, retry=None, timeout=left)
            break
        except NotFound:
            if left < 0.3:
                raise
            time.sleep(0.1)
    while job.state != "DONE":
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(0.05, left))
        job = clients.rest.get_job(id, **where, retry=None, timeout=max(0.1, left))
    return bool(job.error_result and job.error_result.get("reason") == "stopped")


def handle_of(project: str, location: str | None, id: str) -> str:
    """Return a job's whole name: what `stop` takes.

    Examples
    --------
    >>> handle_of("acme", "EU", "aiser_1")
    'acme:EU.aiser_1'
    """
    return f"{project}:{location or ''}.{id}"


def _parts(handle: str) -> tuple[str, str, str]:
    """Read ``project:location.job``; a project may have a colon of its own."""
    project, _, rest = handle.rpartition(":")
    location, _, id = rest.partition(".")
    return project, location, id


def console_link(job: Any) -> str:
    """Return where Google's console shows the job."""
    place = f"bq:{job.location}:{job.job_id}"
    return f"https://console.cloud.google.com/bigquery?project={job.project}&j={place}&page=queryresults"


def labels(run: Run) -> dict[str, str]:
    """Return the run's tag, ``user=ann cell=3``, as BigQuery's labels take it."""
    found = {"aiser": "query"}
    for word in run.tag.split():
        name, equals, value = word.partition("=")
        if equals:
            found[_LABEL.sub("_", f"aiser_{name}".lower())[:63]] = _LABEL.sub("_", value.lower())[:63]
    return found


def progress_of(job: Any) -> Progress | None:
    """Say how far a running job is, by the work that its stages know of."""
    if job.state != "RUNNING":
        return Progress(message="BigQuery has not begun yet: it waits for slots.")
    units = job.timeline[-1:] if job.timeline else ()
    for last in units:
        done, left = (
            int(last.completed_units or 0),
            int(last.pending_units or 0) + int(last.active_units or 0),
        )
        if done + left:
            plan = job.query_plan or ()
            stages = sum(stage.status == "COMPLETE" for stage in plan)
            return Progress(done / (done + left), message=f"{stages} of {len(plan)} stages done.")
    return None


def report(answer: dict[str, Any], run: Run) -> None:
    """Tell ``run`` how much a job that is done has read."""
    size = int(answer.get("totalBytesProcessed") or 0)
    text = "from BigQuery's cache" if answer.get("cacheHit") else f"{size / 2**20:,.1f} MiB read"
    run.emit(Progress(1.0, int(answer.get("totalRows") or 0), text))


def estimate_of(size: int, accuracy: str | None, config: ConnectionConfig) -> Estimate:
    """Return the bytes of a dry run, and their price: at least 10 MiB are billed where any are."""
    unknown = {"UPPER_BOUND": ("clustered tables: it will be less",), "LOWER_BOUND": ("it may be more",)}
    notes = unknown.get(accuracy or "", () if accuracy in (None, "PRECISE") else ("how much will be read",))
    price = config.values.get("price_per_tib")
    if price is None:
        return Estimate(bytes=size, unknown=notes)
    billed = max(size, 10 * 2**20) if size else 0
    return Estimate(
        bytes=size,
        unknown=notes,
        money=float(price) * billed / 2**40,
        currency=str(config.values.get("currency", "USD")),
    )
