"""What the tests of the sandbox share: one with a folder of files, runs in it, and looks at its process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from aiser_jupyter.config import MIB, AiserDuckDB
from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.sandbox import Sandbox
from aiser_jupyter.models import ConnectionConfig, Notice
from aiser_jupyter.run import Event, Run

ENDLESS = "SELECT count(*) FROM range(100000000000000) t(i) WHERE hash(i) = 42"


@contextmanager
def sandbox_in(folder: Path, *, patience: float = 10.0, **settings: Any) -> Iterator[Sandbox]:
    """Give a sandbox whose process is small, and end it."""
    known = {"threads": 2, "server_bytes": 1024 * MIB, "temp_limit": 64 * MIB}
    sandbox = Sandbox(AiserDuckDB(**{**known, **settings}), folder, patience=patience)
    try:
        yield sandbox
    finally:
        sandbox.close()


def config(sandbox: Sandbox, database: Path | None = None) -> ConnectionConfig:
    """Return the configuration of ``local``, or of a database file, in a sandbox."""
    values = {"database": str(database)} if database else {}
    return ConnectionConfig("duckdb", "local", values, sandbox=sandbox.id)


def fetch(
    sandbox: Sandbox, sql: str, parameters: Any = (), *, run: Run | None = None, database: Path | None = None
) -> pa.Table:
    """Run one statement in a session of its own."""
    session = DuckDBConnector().open(config(sandbox, database))
    try:
        return session.execute(sql, parameters, run or Run("test")).read_all()
    finally:
        session.close()


class Heard:
    """A run that remembers what it was told."""

    def __init__(self, timeout: float | None = None) -> None:
        self.events: list[Event] = []
        self.run = Run("test", timeout=timeout, emit=self.events.append)

    @property
    def notices(self) -> list[str]:
        return [event.code for event in self.events if isinstance(event, Notice)]


def pid_of(sandbox: Sandbox) -> int:
    """Return the process of a sandbox, which runs."""
    assert sandbox.pid is not None
    return sandbox.pid


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition; an `AssertionError` where it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether a process is there, and is more than an entry that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def spill_of(sandbox: Sandbox) -> Path:
    """Return the folder that a sandbox's process spills to."""
    (row,) = fetch(sandbox, "SELECT current_setting('temp_directory') AS d").to_pylist()
    return Path(row["d"])


def computes(pid: int) -> bool:
    """Whether a process has used the processor since it was last looked at."""
    used = _ticks(pid)
    time.sleep(0.1)
    return _ticks(pid) > used + 1


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
