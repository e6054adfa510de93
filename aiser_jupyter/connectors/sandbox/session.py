"""A session of DuckDB that runs in another process; it does what a `DuckDBSession` does, over a socket.

Rows are read from the socket when they are asked for. A statement that was told to stop and does not is ended
with its process.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import AiserError, DataError, DeadlineExceeded, QueryCancelled, QueryFailed
from ...models import Notice
from ...run import Run
from ..base import Parameters, Session
from ..duckdb.frames import readable
from ..folder import Folder
from .wire import Channel, Closed, Incoming, Outgoing, decode, encode, error_of, event_of, pack_error

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Process", "SandboxSession"]

OPEN_SECONDS = 60.0
"""For the process to start and to open a database."""


class Process(Protocol):
    """What a session needs to know of the process that it runs in."""

    patience: float
    """Seconds that a statement has to stop."""
    folder: Folder
    """What it reads and writes."""

    def interrupt(self, session: int) -> None:
        """Ask it to stop what a session runs."""

    def left(self, session: int) -> None:
        """Take note that a session is over. Safe to call twice."""

    def kill(self) -> None:
        """End it at once, for it does not do what it is told."""

    def failure(self) -> AiserError:
        """Return the error of whoever was waiting for it, when it is gone."""

    def wrote(self) -> None:
        """Take note that it may hold tables now."""

    def news(self) -> Notice | None:
        """Return what the next result has to say of processes that were here before; once."""


class SandboxSession(Session):
    """One session in the process of a `Sandbox`; see `DuckDBSession` for what its methods mean.

    Parameters
    ----------
    id : int
        What the process knows it by.
    end : socket.socket
        Its connection to that process.
    process : Process
    """

    def __init__(self, id: int, end: socket.socket, process: Process) -> None:
        self._id = id
        self._process = process
        self._channel = Channel(end, self._waiting)
        self._run: Run | None = None
        self._busy = False
        self._local = False
        self._lost = False
        self._closed = False
        self._until: float | None = None  # when the process is ended, unless it answers before
        self._defined: dict[str, bool] = {}
        self._streams: dict[str, _Stream] = {}

    def open(self, database: str | None, read_only: bool) -> None:
        """Open the database; ``None`` is the one in memory. Raises `Closed` where the process is gone."""
        self._local = database is None
        self._until = time.monotonic() + OPEN_SECONDS
        self._channel.send({"do": "open", "with": {"database": database, "read_only": read_only}})
        answer = self._channel.answer()
        if "error" in answer:
            raise error_of(answer["error"])
        self._until = None

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        import pyarrow as pa

        from ..duckdb.session import bound

        values = encode(bound(parameters))
        self._run = run
        if self._local and (news := self._process.news()):
            run.emit(news)
        run.check()
        asked = {"sql": sql, "parameters": values, "timeout": run.remaining, "run": run.id}
        self._busy = True
        with _Told(self):
            self._channel.send({"do": "execute", "with": asked})
            incoming = Incoming(self._channel, self._message)
        return pa.RecordBatchReader.from_batches(incoming.schema, self._batches(incoming))

    def cancel(self) -> None:
        if self._closed:
            return
        if self._until is None:
            self._until = time.monotonic() + self._process.patience
        self._process.interrupt(self._id)

    def abort(self) -> None:
        """End the process: it does not answer."""
        self._process.kill()

    def close(self) -> None:
        if self._closed:
            return
        if self._busy:
            self._process.interrupt(self._id)
        self._closed = True
        self._channel.close()
        for stream in self._streams.values():
            stream.close()
        self._process.left(self._id)

    def expand(self, name: str) -> list[Path]:
        """Return the files that a name in FROM stands for."""
        return self._process.folder.expand(name)

    def register(self, name: str, frame: object) -> list[Notice]:
        """Let ``name`` in FROM mean the rows of ``frame``, which are copied."""
        table = _arrow(name, frame)
        with _Told(self):
            self._send("register", name=name)
            self._send_table(table)
            return _notices(self._answer())

    def register_stream(self, name: str, stream: Any) -> None:
        """Let ``name`` in FROM mean ``stream``, whose ``__arrow_c_stream__`` is called when it is scanned; it
        has a ``schema``."""
        here, there = socket.socketpair()
        self._streams[name] = _Stream(stream, here)
        with _Told(self), there:
            self._busy = True
            self._channel.send({"do": "register_stream", "with": {"name": name}}, there)
            self._answer()

    def keep(self, name: str, rows: pa.Table) -> None:
        """Append ``rows`` to the temporary table ``name``."""
        with _Told(self):
            self._send("keep", name=name)
            self._send_table(rows)
            self._answer()

    def register_file(self, name: str) -> list[Notice]:
        """Let ``FROM 'name'`` mean a workbook or a folder, which the process reads. Raises `NotPermitted`."""
        self._process.folder.require(name)
        return _notices(self._ask("register_file", name=name))

    def offer(self, names: Iterable[str]) -> None:
        """Name what else could stand in FROM, for the hint of an unknown table."""
        self._ask("offer", names=list(names))

    def defines(self, name: str) -> bool:
        """Whether the database itself has a table or view of this name."""
        if name not in self._defined:
            self._defined[name] = bool(self._ask("defines", name=name))
        return self._defined[name]

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Ask DuckDB's own catalog; for small answers of plain types."""
        with _Told(self):
            found = decode(self._ask("rows", sql=sql, parameters=encode(parameters or {})))
            return [tuple(row) for row in found]

    # -- inside ---------------------------------------------------------------------------------------------

    def _ask(self, do: str, **asked: Any) -> Any:
        with _Told(self):
            self._send(do, **asked)
            return self._answer()

    def _send(self, do: str, **asked: Any) -> None:
        self._busy = True
        self._channel.send({"do": do, "with": asked})

    def _send_table(self, table: pa.Table) -> None:
        outgoing = Outgoing(self._channel, table.schema)
        for batch in table.to_batches():
            outgoing.batch(batch)
        outgoing.end()

    def _answer(self) -> Any:
        while True:
            message = self._channel.answer()
            if "value" in message:
                self._busy = False
                return message["value"]
            self._message(message)

    def _batches(self, incoming: Incoming) -> Iterator[pa.RecordBatch]:
        with _Told(self):
            yield from incoming.batches()
            if self._answer() and self._local:
                self._process.wrote()

    def _message(self, message: dict[str, Any]) -> None:
        """Take what comes between rows: an event, or the error that ends them."""
        if "event" in message and self._run is not None:
            self._run.emit(event_of(message["event"]))
        elif "error" in message:
            self._busy = False
            for name in message["again"]:
                self._streams[name].again()
            raise error_of(message["error"])

    def _waiting(self) -> None:
        """Called while the process is slow: see to the deadline, and to a statement that does not stop."""
        run = self._run
        if self._closed:
            raise Closed("the session was closed")
        if run is not None and run.remaining == 0.0:
            run.cancel(timed_out=True)
        if run is not None and run.cancelled and self._until is None:
            self.cancel()
        if self._until is not None and time.monotonic() > self._until:
            self._lost = True
            self._process.kill()
            raise Closed("it does not answer")

    def _translated(self, exc: BaseException) -> BaseException | None:
        """Return the error for what happened at the socket; None where it can be raised as it is."""
        run = self._run
        if isinstance(exc, DeadlineExceeded | QueryCancelled) and run is not None:
            run.cancel(timed_out=isinstance(exc, DeadlineExceeded))
            return run.stopped()
        if isinstance(exc, Closed):
            return self._ended()
        if isinstance(exc, AiserError | MemoryError) or not isinstance(exc, Exception):
            return None
        self._process.kill()
        return QueryFailed("DuckDB's process said what is not understood, and was ended.")

    def _ended(self) -> AiserError:
        """Return why nothing more comes from the process."""
        run = self._run
        if run is not None and run.cancelled:
            error: AiserError = run.stopped()
        elif self._closed or self._until is not None:
            error = QueryCancelled("The session was closed.")
        else:
            return self._process.failure()
        if self._lost:
            error.message += " It did not stop by itself: the process it ran in was ended."
            error.hint = "Tables that were made in memory are gone."
        return error


class _Told:
    """A block around talk with the process: what goes wrong there leaves it as an `AiserError`."""

    def __init__(self, session: SandboxSession) -> None:
        self._session = session

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        error = None if exc is None else self._session._translated(exc)
        if error is not None:
            raise error from exc


class _Stream:
    """Hands the rows of an Arrow stream to the process, once it scans them, from a thread of its own."""

    def __init__(self, stream: Any, end: socket.socket) -> None:
        self._stream = stream
        self._channel = Channel(end)
        self._thread = threading.Thread(target=self._work, name="aiser-stream", daemon=True)
        self._thread.start()

    def again(self) -> None:
        """Have the stream know that it was asked for a second time, for it to say what that means."""
        with suppress(AiserError):
            self._stream.__arrow_c_stream__()

    def close(self) -> None:
        """Hang up; the thread ends when what it waits for does."""
        self._channel.close()
        self._thread.join(1.0)

    def _work(self) -> None:
        import pyarrow as pa

        with suppress(Closed):  # then the statement needs no more of them
            self._channel.send_arrow([self._stream.schema.serialize()])
            self._channel.answer()
            try:
                outgoing = Outgoing(self._channel, self._stream.schema)
                for batch in pa.RecordBatchReader.from_stream(self._stream):
                    outgoing.batch(batch)
                outgoing.end()
            except Closed:
                raise
            except Exception as exc:  # Arrow's C interface leaves of an error its text, in a class of Arrow's
                error = exc if isinstance(exc, AiserError) else QueryFailed(str(exc))
                self._channel.send({"error": pack_error(error)})
        self._channel.close()


def _arrow(name: str, frame: object) -> pa.Table:
    """Return the rows of a frame. Raises `DataError`."""
    import pyarrow as pa

    rows = readable(name, frame)
    try:
        for read in ("to_table", "collect"):  # of a dataset, and of a lazy frame
            if hasattr(rows, read):
                rows = getattr(rows, read)()
        return rows if isinstance(rows, pa.Table) else pa.table(rows)
    except Exception as exc:  # the frame's own library may raise anything
        hint = "Convert that column to a type Arrow has, or to text."
        raise DataError(f"{name!r} cannot be read: {exc}", hint=hint) from exc


def _notices(packed: Any) -> list[Notice]:
    found = [event_of(one) for one in packed]
    return [one for one in found if isinstance(one, Notice)]
