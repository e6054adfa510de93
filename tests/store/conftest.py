"""A store in a folder of its own, and entries to put into its history."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from aiser_jupyter.models import HistoryEntry, RunState
from aiser_jupyter.store.database import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "aiser"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    store = Store(folder)
    yield store
    store.close()


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
