"""The process that runs DuckDB for one person of a server: locked down, limited, and gone with its server.

It is started with nothing but a socket, as its standard input. The first frame there configures it; each
later one opens a session, whose own socket comes with it, or interrupts one. A session is a `DuckDBSession`,
driven by frames. Rules:

- Memory is limited by the operating system before DuckDB starts; a core file is never written.
- The first thread waits for the server, and ends the process when the server is gone. Where Python itself is
  stuck, a timer in C ends it.
- What goes wrong is an answer of our own error tree, or the end of the process.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AiserError, OutOfMemory, QueryFailed
from ...models import LOCAL, ConnectionConfig
from ...run import Event, Progress, Run
from .wire import (
    NO_MEMORY,
    Channel,
    Closed,
    Incoming,
    Outgoing,
    decode,
    encode,
    error_of,
    pack_error,
    pack_event,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from ..duckdb.session import DuckDBSession

__all__ = ["main"]

_LOOK_SECONDS = 5.0
_LEAST_IDLE_SECONDS = 0.25
_STUCK_SECONDS = 120.0
"""Without a sign of life from Python for so long the process ends."""


def main() -> None:
    """Serve until the server is gone, or nothing was asked for a while."""
    server = Channel(socket.socket(fileno=0))
    settings = server.answer()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # where memory runs out, the server is the last to be killed
        Path("/proc/self/oom_score_adj").write_text("1000")
    _configure(settings)
    limit = int(settings["process_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    status = 1
    try:
        _serve(server, max(float(settings["idle_seconds"]), _LEAST_IDLE_SECONDS))
        status = 0
    except MemoryError:
        status = NO_MEMORY
    finally:
        shutil.rmtree(settings["temp_directory"], ignore_errors=True)
        os._exit(status)  # nothing waits for a DuckDB that may still compute


def _configure(settings: dict[str, Any]) -> None:
    import duckdb  # noqa: F401 - what is imported now does not count against a query's time
    import pyarrow as pa

    from ...config import AiserDuckDB
    from ..duckdb.instance import configure, confine

    os.chdir(settings["folder"])
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    names = ("memory_limit", "threads", "temp_directory", "temp_limit")
    configure(AiserDuckDB(**{name: settings[name] for name in names}))
    confine(Path(settings["folder"]))


def _serve(server: Channel, idle_seconds: float) -> None:
    sessions: dict[int, _Service] = {}
    used: float | None = None  # it was started because somebody is about to ask
    with open(os.devnull, "w") as nowhere:
        while True:
            # Its timer is a thread: where a statement has all the memory, there is none until the next look.
            with suppress(MemoryError, RuntimeError):
                faulthandler.dump_traceback_later(_STUCK_SECONDS, exit=True, file=nowhere)
            for id in [id for id, one in sessions.items() if one.ended]:
                del sessions[id]
            if sessions:
                used = time.monotonic()
            if not server.wait(min(_LOOK_SECONDS, idle_seconds)):
                if not sessions and used is not None and time.monotonic() - used >= idle_seconds:
                    return
                continue
            try:
                asked = server.answer()
                if "open" in asked:
                    used = time.monotonic()
                    sessions[asked["open"]] = _Service(server.receive_socket())
                elif asked["cancel"] in sessions:
                    sessions[asked["cancel"]].cancel()
            except Closed:
                return


class _Service:
    """One session: answers its requests one after the other, in a thread of its own."""

    def __init__(self, end: socket.socket) -> None:
        self._channel = Channel(end)
        self._session: DuckDBSession | None = None
        self._run: Run | None = None
        self._arriving: list[_Arriving] = []
        self.ended = False
        try:
            threading.Thread(target=self._work, name="aiser-session", daemon=True).start()
        except RuntimeError:  # no memory for a thread: who asked sees the socket close
            self._channel.close()
            self.ended = True

    def cancel(self) -> None:
        """Interrupt what runs. A run's cancel signal is repeated until its statement has stopped."""
        run, session = self._run, self._session
        if run is not None:
            run.cancel()
        if session is not None:
            session.cancel()

    def _work(self) -> None:
        try:
            while True:
                asked = self._channel.answer()
                try:
                    self._channel.send(self._answer(asked))
                except BaseException as exc:
                    if isinstance(exc, Closed):
                        raise
                    self._channel.send({"error": pack_error(_ours(exc)), "again": self._again()})
        except Closed:
            pass
        finally:
            self._end()

    def _end(self) -> None:
        for one in self._arriving:
            one.close()
        try:
            if self._session is not None:
                self._session.close()
        finally:
            self._channel.close()
            self.ended = True

    def _again(self) -> list[str]:
        """Names of the streams that a statement wanted to read a second time."""
        return [one.name for one in self._arriving if one.again]

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        does: dict[str, Callable[..., Any]] = {
            "open": self._open,
            "execute": self._execute,
            "rows": self._rows,
            "defines": lambda name: self._opened.defines(name),
            "offer": lambda names: self._opened.offer(names),
            "register": self._register,
            "register_file": lambda name: _packed(self._opened.register_file(name)),
            "register_stream": self._register_stream,
            "keep": self._keep,
        }
        return {"value": does[asked["do"]](**asked["with"])}

    @property
    def _opened(self) -> DuckDBSession:
        assert self._session is not None
        return self._session

    def _open(self, database: str | None, read_only: bool) -> None:
        from ..duckdb import DuckDBConnector

        values = {"database": database} if database else {}
        config = ConnectionConfig("duckdb", LOCAL, values)
        session: Any = DuckDBConnector().open(config, read_only=read_only)
        self._session = session

    def _execute(self, sql: str, parameters: Any, timeout: float | None, run: str) -> bool:
        """Send the rows; return whether the statement may have left something behind."""
        self._run = Run(run, timeout=timeout, emit=self._emit)
        try:
            reader = self._opened.execute(sql, decode(parameters), self._run)
            outgoing = Outgoing(self._channel, reader.schema)
            for batch in reader:
                outgoing.batch(batch)
            outgoing.end()
        finally:
            self._run = None
        return self._opened.wrote

    def _rows(self, sql: str, parameters: Any) -> Any:
        return encode(self._opened.rows(sql, decode(parameters)))

    def _emit(self, event: Event) -> None:
        message = {"event": pack_event(event)}
        if isinstance(event, Progress):  # of the thread that watches every session: it must not be held up
            self._channel.offer(message)
        else:
            self._channel.send(message)

    def _register(self, name: str) -> Any:
        return _packed(self._opened.register(name, self._table()))

    def _keep(self, name: str) -> None:
        self._opened.keep(name, self._table())

    def _table(self) -> pa.Table:
        import pyarrow as pa

        incoming = Incoming(self._channel, _raise)
        return pa.Table.from_batches(incoming.batches(), incoming.schema)

    def _register_stream(self, name: str) -> None:
        arriving = _Arriving(name, Channel(self._channel.receive_socket()))
        self._arriving.append(arriving)
        self._opened.register_stream(name, arriving)


class _Arriving:
    """Rows of the server as an Arrow stream that is asked for when it is scanned, and can be read once."""

    def __init__(self, name: str, channel: Channel) -> None:
        import pyarrow as pa

        self.name = name
        self.again = False
        self._channel = channel
        self._asked = threading.Lock()
        frame = channel.receive()
        assert isinstance(frame, memoryview)
        self._schema: pa.Schema = pa.ipc.read_schema(pa.py_buffer(frame))

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        import pyarrow as pa

        if not self._asked.acquire(blocking=False):
            self.again = True
            raise QueryFailed(f"{self.name} is read twice, and its rows arrive once.")
        self._channel.send({"scan": True})
        incoming = Incoming(self._channel, _raise)
        reader: Any = pa.RecordBatchReader.from_batches(self._schema, incoming.batches())
        return reader.__arrow_c_stream__(requested_schema)

    def close(self) -> None:
        self._channel.close()


def _raise(message: dict[str, Any]) -> None:
    raise error_of(message["error"])


def _packed(notices: Any) -> list[Any]:
    return [pack_event(notice) for notice in notices]


def _ours(exc: BaseException) -> AiserError:
    """Return what is said of an exception: our own as it is, anything else by its class alone."""
    if isinstance(exc, AiserError):
        return exc
    if isinstance(exc, MemoryError):
        return OutOfMemory(
            "The process that DuckDB runs in has no memory left.",
            hint="Read fewer columns or rows, or aggregate first; AiserDuckDB.server_bytes sets the limit.",
        )
    return QueryFailed(f"DuckDB's process failed for a reason of its own: {type(exc).__name__}.")


if __name__ == "__main__":
    main()
