"""The one way from an open session to the reader an engine hands out.

A plain ``RecordBatchReader`` owns nothing: it neither closes its session nor hears that its run was
cancelled. ``stream`` runs a statement and returns a reader that does both, so that every engine on a
`Session` keeps the same rules:

- the session is closed once: after the last batch, on an error, by ``release``, or when nobody holds the
  reader any more;
- cancelling the run calls ``session.cancel`` as long as the session is open; rows are then read on, and
  thrown away, until the session says that the statement has ended, and for `PATIENCE` at most: else the error
  says that nothing was confirmed;
- phase ``execute`` lasts until the first batch, ``fetch`` from there;
- an error's place and names are those of the statement as it was written;
- whatever a session raises because it was stopped is reported as the run's own reason for stopping.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, ConnectionLost, DeadlineExceeded, QueryCancelled
from ..run import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from ..connectors.base import Parameters, Session
    from ..run import Run
    from ..sql.source_map import Written

__all__ = ["PATIENCE", "release", "stream"]

PATIENCE = 1.5
"""Seconds that a session has to end a statement that it was asked to stop."""


def stream(
    session: Session, sql: str, parameters: Parameters, run: Run, written: Written | None = None
) -> pa.RecordBatchReader:
    """Run one statement on ``session`` and return a reader that owns the session.

    Parameters
    ----------
    session : Session
        Open, with everything registered that the statement needs. It is closed here if this call fails.
    sql : str
        One statement, placeholders in the connector's ``paramstyle``.
    parameters : mapping or sequence
        Bound by the driver.
    run : Run
        Deadline, cancel signal, events.
    written : Written, optional
        What ``sql`` was made from; errors speak of that.

    Returns
    -------
    pyarrow.RecordBatchReader
        Iterating raises errors of `aiser_jupyter.errors` only. Whoever stops reading before the end calls
        `release`.

    Raises
    ------
    AiserError
    """
    import pyarrow as pa

    batches = _Batches(session, run, written)
    try:
        run.check()
        run.emit(Phase("execute"))
        with batches.stoppable():
            reader = session.execute(sql, parameters, run)
    except BaseException:
        batches.close()
        raise
    batches.reader = reader
    owned = pa.RecordBatchReader.from_batches(reader.schema, batches)
    _owners[owned] = batches
    return owned


def release(reader: pa.RecordBatchReader) -> None:
    """Close ``reader`` and the session behind it, read to its end or not; safe to call twice.

    ``reader.close()`` alone does not reach the session of a reader made from Python batches, and a traceback
    that still holds the reader would keep the session open for as long.
    """
    reader.close()
    if owner := _owners.pop(reader, None):
        owner.close()


class _Batches:
    """Batches of a running statement; an iterator and not a generator, for a generator that was never
    started does not clean up."""

    def __init__(self, session: Session, run: Run, written: Written | None) -> None:
        self.reader: pa.RecordBatchReader | None = None
        self._run = run
        self._written = written
        self._first = True
        self._closing = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._stack.callback(session.close)
        self._stack.enter_context(run.on_cancel(session.cancel))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        reader = self.reader
        if reader is None:  # closed, or at its end
            raise StopIteration
        try:
            if self._is_over():
                raise self._ended(reader)
            with self.stoppable():
                batch = reader.read_next_batch()
        except BaseException:
            self.close()
            raise
        if self._first:
            self._first = False
            self._run.emit(Phase("fetch"))
        return batch

    def _is_over(self) -> bool:
        """Say whether the run was stopped; past its deadline it is, in another thread: this one must read."""
        if not self._cancelled() and self._run.remaining == 0.0:
            late = threading.Thread(target=self._run.cancel, kwargs={"timed_out": True}, daemon=True)
            late.start()
            while not self._cancelled():
                time.sleep(0.001)
        return self._cancelled()

    def _cancelled(self) -> bool:
        return self._run.cancelled

    def _ended(self, reader: pa.RecordBatchReader) -> AiserError:
        """Read on until the session says that its statement has ended; return why the run stopped."""
        end = time.monotonic() + PATIENCE
        try:
            with self.stoppable():
                while time.monotonic() < end:
                    reader.read_next_batch()
        except StopIteration:
            return self._run.stopped()
        except AiserError as exc:
            return exc
        return _unconfirmed(self._run.stopped())

    @contextlib.contextmanager
    def stoppable(self) -> Iterator[None]:
        """Report an error that the cancel signal caused as what it is, any other as of what was written."""
        try:
            yield
        except (QueryCancelled, DeadlineExceeded):
            raise
        except AiserError as exc:
            if not self._run.cancelled:
                if self._written is not None:
                    self._written.retell(exc)
                raise
            stopped = self._run.stopped()
            raise (_unconfirmed(stopped) if isinstance(exc, ConnectionLost) else stopped) from exc

    def close(self) -> None:
        with self._closing:
            self.reader = None
            self._stack.close()

    def __del__(self) -> None:
        self.close()


def _unconfirmed(stopped: DeadlineExceeded | QueryCancelled) -> AiserError:
    hint = f"The database has not confirmed that it stopped; it may go on for a while. {stopped.hint}".strip()
    if isinstance(stopped, QueryCancelled):
        return QueryCancelled(stopped.message, hint=hint, confirmed=False)
    return DeadlineExceeded(stopped.message, hint=hint, confirmed=False)


_owners: weakref.WeakKeyDictionary[Any, _Batches] = weakref.WeakKeyDictionary()
