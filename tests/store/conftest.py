"""A store in a folder of its own, and entries to put into its history."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from aiser_jupyter.models import HistoryEntry, RunState
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "aiser"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    store = Store(folder)
    yield store
    store.close()


@pytest.fixture
def keys(folder: Path) -> KeyFile:
    return KeyFile(folder / "key")


@pytest.fixture
def records(store: Store, keys: KeyFile) -> ConnectionRecords:
    return ConnectionRecords(store, keys)


@pytest.fixture
def entry() -> Callable[..., HistoryEntry]:
    numbers = count(1)

    def make(**changes: object) -> HistoryEntry:
        number = next(numbers)
        values = {
            "id": f"run-{number}",
            "started_at": datetime(2026, 3, 1, 12, 0, 0, number, UTC),
            "user": "ann",
            "connection": "local",
            "state": RunState.RUNNING,
            "sql": f"SELECT {number}",
            "pid": os.getpid(),
        }
        return HistoryEntry(**{**values, **changes})

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    point = tmp_path / "disk"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(point)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.fixture
def fill() -> Callable[[Path], Path]:
    """Take all the space of a file system; the file returned holds it."""

    def take(disk: Path) -> Path:
        with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 1024)
        return disk / "filler"

    return take


@pytest.fixture
def python() -> Callable[..., subprocess.Popen[str]]:
    """Start a Python program, warnings being errors there too, and give its pipes."""

    def start(program: str, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start
