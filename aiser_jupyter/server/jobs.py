"""Queries on their way through the server: each has an id, a state that can be followed, and an end.

A query that somebody waits for ends with who waits: at once where the answer itself is waited for; where its
events are followed after `GONE_SECONDS` and a sweep, 30 s at most, so that a page may be loaded anew. One
that was sent in the background and never followed goes on by itself: its result is kept for a while.

Used on the event loop only; what blocks is handed to threads. A run reports from its own thread, and every
report is taken over to the loop.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from tornado.log import app_log

from ..errors import AiserError, NotFound, OutOfMemory, QueryCancelled
from ..models import Notice, Query, Route, RunState
from ..run import Event, Phase, Progress

if TYPE_CHECKING:
    from ..result import QueryResult
    from ..services import Services
    from ..services.results import KeptResult, ResultStore
    from ..services.submission import Submission
    from ..sql import Statement
    from .admission import Admission, Turn

__all__ = ["GONE_SECONDS", "Job", "Jobs", "Wanted"]

GONE_SECONDS = 20.0
"""A query whose events were followed is cancelled when nobody has asked about it for so long."""
PAUSE_SECONDS = 0.1
"""Between two events of one query."""
ENDED = 1000
"""Ended queries that one person may have here."""
NOTICES = 100


class Blocking(Protocol):
    """Awaits a call, run in a thread."""

    def __call__(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What becomes of the rows: kept where nobody waits for them (``background``), and where ``page_size``
    leaves some out of the answer. ``query_id`` is the client's own."""

    query_id: str | None = None
    page_size: int | None = None
    background: bool = False

    def keeps(self, rows: int) -> bool:
        """Whether a result with so many rows is kept."""
        return self.background or (self.page_size is not None and self.page_size < rows)


class Job:
    """One query: where it is, and once it ended its result or its error.

    ``result`` is there for who waits for it; ``handle`` is where the rows can be read again.
    """

    def __init__(self, query: Query, wanted: Wanted) -> None:
        self.id = uuid.uuid4().hex
        self.wanted = wanted
        self.connection = query.connection
        self.state = RunState.QUEUED
        self.phase = ""
        self.progress: Progress | None = None
        self.notices: list[Notice] = []
        self.started_at = datetime.now(UTC)
        self.statement: Statement | None = None
        self.route: Route | None = None
        self.result: QueryResult | None = None
        self.handle: KeptResult | None = None
        self.error: AiserError | None = None
        self.stopping = False
        self.task: asyncio.Task[None]
        self._began = time.monotonic()
        self._seconds: float | None = None
        self._changed = asyncio.Event()
        self._followers = 0
        self._followed = False
        self._seen = time.monotonic()

    @property
    def query_id(self) -> str | None:
        """The client's own id."""
        return self.wanted.query_id

    @property
    def ended(self) -> bool:
        return self._seconds is not None

    @property
    def seconds(self) -> float:
        """Since it was sent; of an ended one until its end."""
        return time.monotonic() - self._began if self._seconds is None else self._seconds

    @property
    def age(self) -> float:
        """Seconds since its end; 0 before."""
        return 0.0 if self._seconds is None else time.monotonic() - self._began - self._seconds

    @property
    def abandoned(self) -> bool:
        """Whether its reader is gone: it was followed, and nobody asks any more."""
        silent = time.monotonic() - self._seen
        return self._followed and not (self._followers or self.ended) and silent > GONE_SECONDS

    def seen(self) -> None:
        """Somebody asks about it."""
        self._seen = time.monotonic()

    def hear(self, event: Event) -> None:
        """Take what the run reports."""
        if isinstance(event, Phase):
            self.phase = event.name
        elif isinstance(event, Progress):
            self.progress = event
        elif isinstance(event, Notice) and len(self.notices) < NOTICES:
            self.notices.append(event)
        self.change()

    def change(self) -> None:
        """Wake up whoever follows."""
        self._changed.set()
        self._changed = asyncio.Event()

    def end(self, state: RunState, error: AiserError | None = None) -> None:
        """Set how it ended; once. The frames of an error are let go: they hold rows, requests, this job."""
        self.state, self.error, self.phase = state, error, ""
        if error is not None:
            _let_go(error, set())
        self._seconds = time.monotonic() - self._began
        self.change()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Hold while an event stream is open; who holds it is woken up by `change` when its client leaves."""
        self._followers, self._followed = self._followers + 1, True
        try:
            yield
        finally:
            self._followers -= 1
            self.seen()

    async def changes(self, heartbeat: float) -> AsyncIterator[bool]:
        """Give True when something changed, at first at once and last when it ended; False each time that
        nothing did for ``heartbeat`` seconds."""
        while True:
            changed = self._changed
            yield True
            if self.ended:
                return
            await asyncio.sleep(PAUSE_SECONDS)
            while not changed.is_set():
                try:
                    await asyncio.wait_for(changed.wait(), heartbeat)
                except TimeoutError:
                    yield False


def _let_go(error: BaseException, seen: set[BaseException]) -> None:
    """Take the frames from an error and from all that led to it, which may go round in a circle."""
    error.__traceback__ = None
    seen.add(error)
    for before in (error.__cause__, error.__context__):
        if before is not None and before not in seen:
            _let_go(before, seen)


class Jobs:
    """The queries of one person, by id.

    Parameters
    ----------
    services : Services
    admission : Admission
    results : ResultStore
    blocking : callable
        Awaits a call that may take as long as a database likes.
    """

    def __init__(
        self, services: Services, admission: Admission, results: ResultStore, blocking: Blocking
    ) -> None:
        self._services = services
        self._admission = admission
        self._results = results
        self._blocking = blocking
        self._jobs: dict[str, Job] = {}
        self._named: dict[str, str] = {}

    def start(self, query: Query, wanted: Wanted) -> Job:
        """Let a query begin as soon as there is a place for it.

        Raises
        ------
        LookupError
            Its ``query_id`` is in use.
        QueueFull
        """
        if wanted.query_id in self._named:
            raise LookupError(wanted.query_id)
        turn = self._admission.enter(self._services.identity)
        job = Job(query, wanted)
        self._jobs[job.id] = job
        if wanted.query_id is not None:
            self._named[wanted.query_id] = job.id
        job.task = asyncio.create_task(self._run(job, query, turn))
        job.task.add_done_callback(lambda _: self._ended(job, turn))
        return job

    def get(self, id: str) -> Job:
        """Return a query by its id, or by the client's own. Raises `NotFound`."""
        job = self._jobs.get(self._named.get(id, id))
        if job is None:
            raise NotFound("There is no such query.", hint="An ended one is known for a while only.")
        job.seen()
        return job

    async def cancel(self, job: Job) -> None:
        """Ask a query to stop; nothing where it has ended."""
        if job.ended or job.stopping:
            return
        job.stopping = True
        if job.state is RunState.QUEUED:
            job.task.cancel()
        elif job.route is not None:
            await self._blocking(self._services.queries.cancel, job.id)

    async def sweep(self, seconds: float) -> None:
        """Cancel what nobody waits for any more, and forget what ended ``seconds`` ago."""
        for job in tuple(self._jobs.values()):
            if job.abandoned:
                await self.cancel(job)
        ended = [job for job in self._jobs.values() if job.ended]
        for job in ended:
            if job.age > seconds:
                self._forget(job)
        for job in ended[:-ENDED]:
            self._forget(job)

    async def close(self) -> None:
        """Cancel everything, and wait for it."""
        for job in tuple(self._jobs.values()):
            await self.cancel(job)
        tasks = [job.task for job in self._jobs.values() if not job.task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=5.0)

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        if job.query_id is not None:
            self._named.pop(job.query_id, None)

    def _ended(self, job: Job, turn: Turn) -> None:
        """A task that is cancelled before its first step runs none of its own code."""
        turn.leave()
        if not job.ended:
            job.end(RunState.CANCELLED, QueryCancelled("The query was cancelled before it began."))

    async def _run(self, job: Job, query: Query, turn: Turn) -> None:
        try:
            async with turn:
                job.state = RunState.RUNNING
                job.change()
                await self._compute(job, query)
            job.end(RunState.DONE)
        except QueryCancelled as exc:
            job.end(RunState.CANCELLED, exc)
        except AiserError as exc:
            job.end(RunState.FAILED, exc)
        except MemoryError:
            hint = "Read fewer columns or rows, or ask for the result in pages."
            job.end(RunState.FAILED, OutOfMemory("The server has no memory for the result.", hint=hint))
        except Exception as exc:
            app_log.exception("The query %s failed for a reason of ours", job.id)
            error = AiserError("The query failed for a reason of ours.", hint="The server's log says more.")
            error.run_id = getattr(exc, "run_id", "")
            job.end(RunState.FAILED, error)

    async def _compute(self, job: Job, query: Query) -> None:
        loop = asyncio.get_running_loop()

        def emit(event: Event) -> None:
            with suppress(RuntimeError):  # the server is closing
                loop.call_soon_threadsafe(job.hear, event)

        queries = self._services.queries
        submission: Submission = await self._blocking(queries.submit, query, emit=emit, id=job.id)
        job.statement, job.route = submission.statement, submission.route
        if job.stopping:
            await self._blocking(queries.cancel, job.id)
        result: QueryResult = await asyncio.wrap_future(submission.future)
        if job.wanted.keeps(result.row_count):
            job.handle = await self._blocking(self._results.put, self._services.identity, result)
        if not job.wanted.background:
            job.result = result
