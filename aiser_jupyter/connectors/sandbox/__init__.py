"""A process that runs DuckDB for one person of a server, started when it is needed.

DuckDB reads files that anybody may have written, and its memory limit is not the process's. On a server it
therefore runs in a child (`child`) that reaches the files below the server's folder and nothing else,
has a memory limit of the operating system, an environment without secrets, and no descriptor but its socket.
If it dies, the statements of its person fail, and the next one starts another. All of them together are
promised so much memory at most (`room`): one that rests is ended where another person needs its share. A
connection's configuration names its sandbox by id; one whose sandbox is gone opens nothing.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config import MIB, machine_memory
from ...errors import AiserError, ConnectError, ConnectionLost, EngineUnavailable, OutOfMemory
from ...models import Notice
from ..folder import Folder
from .room import Room
from .session import SandboxSession
from .wire import NO_MEMORY, Channel, Closed

if TYPE_CHECKING:
    from ...config import AiserDuckDB

__all__ = ["Sandbox", "find"]

OVERHEAD = 512 * MIB
"""Bytes of address space that Python, Arrow and DuckDB take before they hold a row."""
LEAST = 768 * MIB
"""A process with less does not start; a smaller setting means this."""
PREFIX = "aiser-duckdb-"
_INHERITED = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ")
_LIMIT = "AiserDuckDB.server_bytes sets the limit"
_GONE = "Tables that were made in memory are gone."

_room = Room()
_sandboxes: weakref.WeakValueDictionary[str, Sandbox] = weakref.WeakValueDictionary()


def find(id: str) -> Sandbox:
    """Return the sandbox of an id. Raises `EngineUnavailable`."""
    found = _sandboxes.get(id)
    if found is None:
        raise EngineUnavailable("DuckDB's process was closed with the server.")
    return found


class Sandbox:
    """DuckDB for one person, in a process of its own. Safe from any thread, and not for an event loop.

    Parameters
    ----------
    settings : AiserDuckDB
    folder : Path
        What may be read and written; relative names mean files there.
    patience : float
        Seconds that a statement has to stop before its process is ended.

    Attributes
    ----------
    id : str
        For `ConnectionConfig.sandbox`.
    """

    def __init__(self, settings: AiserDuckDB, folder: Path, *, patience: float = 10.0) -> None:
        self.id = uuid.uuid4().hex
        self.folder = Folder(folder)
        self.patience = patience
        self._settings = settings
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._closed = False
        _sandboxes[self.id] = self

    def open(self, database: str | None, *, read_only: bool) -> SandboxSession:
        """Open a session, in a new process where there is none. Raises as `DuckDBConnector.open`."""
        child, fresh = self._running()
        try:
            return child.session(database, read_only)
        except Closed as exc:
            error = child.failure()
            if fresh:
                raise error from exc
        child, _ = self._running()  # the other was about to end, or just died, and was asked nothing yet
        try:
            return child.session(database, read_only)
        except Closed as exc:
            raise child.failure() from exc

    @property
    def pid(self) -> int | None:
        """Of the running process; None where there is none."""
        child = self._child
        return child.pid if child is not None and child.alive else None

    def close(self) -> None:
        """End the process. Safe to call twice."""
        with self._lock:
            self._closed = True
            child, self._child = self._child, None
        _sandboxes.pop(self.id, None)
        if child is not None:
            child.close()

    def _running(self) -> tuple[_Child, bool]:
        """Return the process, and whether it was started now."""
        with self._lock:
            if self._closed:
                raise EngineUnavailable("DuckDB's process was closed with the server.")
            before = self._child
            if before is not None and before.alive:
                return before, False
            self._child = child = _Child(self._settings, self.folder, self.patience)
            if before is not None and before.kept:
                child.lost()
            return child, True


class _Child:
    """One process, from its start to its end."""

    def __init__(self, settings: AiserDuckDB, folder: Folder, patience: float) -> None:
        self.patience = patience
        self.folder = folder
        self.kept = False
        self._given_up = False
        self._news: Notice | None = None
        self._ids = itertools.count()
        self._ended = threading.Event()
        self._using = threading.Lock()
        self._sessions: set[int] = set()
        self._rested: float | None = None  # it was started because somebody is about to ask
        self._retired = False
        _room.enter(self, _promise(settings), _total(settings))
        with ExitStack() as undone:
            undone.callback(_room.leave, self)
            try:
                self._begin(settings, undone)
            except (OSError, RuntimeError, Closed) as exc:
                raise ConnectError(f"DuckDB's process did not start: {exc}") from exc
            undone.pop_all()
        _room.settle(self, self)

    def _begin(self, settings: AiserDuckDB, undone: ExitStack) -> None:
        """Start it; ``undone`` gets what has to be undone where that fails."""
        self._spill = _Spill(settings.temp_directory or tempfile.gettempdir())
        undone.callback(self._spill.remove)
        here, there = socket.socketpair()
        self._server = Channel(here)
        undone.callback(self._server.close)
        with there:
            self._process = _start(there.fileno())
        undone.callback(self._process.wait)
        undone.callback(self._process.kill)
        self._server.send(_configuration(settings, self.folder.path, self._spill.path))
        threading.Thread(target=self._watch, name="aiser-duckdb-process", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    @property
    def resting(self) -> float | None:
        """Since when nobody has a session in it, on the monotonic clock; None while somebody has."""
        return self._rested

    def session(self, database: str | None, read_only: bool) -> SandboxSession:
        """Return an open session. Raises `Closed` where the process is gone, or has no memory for it."""
        id = next(self._ids)
        with self._using:
            if self._retired:
                raise Closed("it makes room for another")
            self._sessions.add(id)
            self._rested = None
        try:
            here, there = socket.socketpair()
        except OSError as exc:
            self.left(id)
            raise ConnectError(f"DuckDB's process was not reached: {exc.strerror}.") from exc
        session = SandboxSession(id, here, self)
        try:
            with there:
                self._server.send({"open": id}, there)
            session.open(database, read_only)
        except BaseException:
            session.close()
            raise
        return session

    def left(self, session: int) -> None:
        with self._using:
            self._sessions.discard(session)
            if self._sessions or self._rested is not None:
                return
            self._rested = time.monotonic()
        _room.rests()

    def retire(self) -> bool:
        """End it for another person's, unless somebody has a session in it."""
        with self._using:
            if self._sessions or self._rested is None:
                return False
            self._retired = True
        self.close()
        return True

    def interrupt(self, session: int) -> None:
        with suppress(Closed):  # then what it ran has stopped with it
            self._server.send({"cancel": session})

    def kill(self) -> None:
        self._given_up = True
        self._process.kill()
        self._ended.wait(self.patience)

    def failure(self) -> AiserError:
        if not self._ended.wait(5.0):
            return ConnectionLost("DuckDB's process closed the session.", hint="Run it again.")
        code = self._process.returncode
        hint = f"The next statement starts a new one. {_GONE}"
        if not self._given_up and code in (NO_MEMORY, -signal.SIGABRT):
            what = "ended" if code == NO_MEMORY else "gave up (SIGABRT), most likely"
            return OutOfMemory(
                f"The process that DuckDB ran in {what} because it had no memory left.",
                hint=f"Read fewer columns or rows, or aggregate first; {_LIMIT}. {hint}",
            )
        if self._given_up:
            what = "had to be ended, because of another statement in it"
        elif code == -signal.SIGKILL:
            what = "was killed, as the operating system does where memory runs out"
        elif code < 0:
            what = f"crashed ({signal.Signals(-code).name}), as a damaged file may make it do"
        else:
            what = f"ended ({code})"
        return ConnectionLost(f"The process that DuckDB ran in {what}.", hint=hint)

    def wrote(self) -> None:
        self.kept = True

    def lost(self) -> None:
        """The process before this one held tables: the next result says so."""
        self._news = Notice("restarted", f"DuckDB runs in a new process. {_GONE}")

    def news(self) -> Notice | None:
        news, self._news = self._news, None
        return news

    def close(self) -> None:
        """Have it end, and end it where it does not."""
        self._server.close()
        if not self._ended.wait(self.patience):
            self.kill()

    def _watch(self) -> None:
        """Wait for the end of the process, and remove what it spilled."""
        self._process.wait()
        self._spill.remove()
        self._ended.set()
        self._server.close()
        _room.leave(self)


class _Spill:
    """A private folder for what does not fit into memory.

    It is locked as long as this process lives: whoever makes the next one removes those that nobody holds.
    """

    def __init__(self, base: str) -> None:
        for left in Path(base).glob(f"{PREFIX}*"):
            with suppress(OSError), _held(left):  # not another's, and not one that is held
                shutil.rmtree(left)
        self._stack = ExitStack()
        while True:
            self.path = tempfile.mkdtemp(prefix=PREFIX, dir=base)  # mode 0700
            with suppress(OSError):  # somebody else took it for one that was left
                self._stack.enter_context(_held(Path(self.path)))
                os.stat(self.path)
                return

    def remove(self) -> None:
        """Remove it with what it holds. Safe to call twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._stack.close()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold ``folder`` in the block. Raises `OSError` where it is held already, or not ours."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(str(folder))
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _start(end: int) -> subprocess.Popen[bytes]:
    """Start the process: nothing of the server's comes with it but the socket and where to import from."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",  # out of reach: extensions are installed below it
        "MALLOC_ARENA_MAX": "2",  # each arena reserves address space, which is what is limited
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "aiser_jupyter.connectors.sandbox.child"],
        stdin=end,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        close_fds=True,
        start_new_session=True,  # an interrupt at the server's terminal is not for it
    )


def _promise(settings: AiserDuckDB) -> int:
    """Bytes of one process."""
    return max(settings.server_bytes or machine_memory() // 4, LEAST)


def _total(settings: AiserDuckDB) -> int:
    """Bytes of all of them."""
    return settings.server_total_bytes or machine_memory() * 3 // 4


def _configuration(settings: AiserDuckDB, folder: Path, spill: str) -> dict[str, Any]:
    process = _promise(settings)
    memory = (process - OVERHEAD) * 3 // 4
    return {
        "process_bytes": process,
        "memory_limit": min(settings.memory_limit or memory, memory),
        "threads": settings.threads,
        "temp_directory": spill,
        "temp_limit": settings.temp_limit or shutil.disk_usage(spill).free // 4,
        "idle_seconds": settings.server_seconds,
        "folder": str(folder),
    }
