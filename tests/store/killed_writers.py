"""Fork writers one after another and kill each in the middle of its work; print what it had acknowledged.

Usage: ``python killed_writers.py FOLDER KILLS SEED``. A program of its own because it forks: one thread only.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from aiser_jupyter.models import HistoryEntry, RunState
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History


def write(folder: Path, name: str, pipe: int) -> None:
    history = History(Store(folder))
    for number in range(1_000_000):
        id = f"{name}-{number}"
        entry = HistoryEntry(
            id, datetime.now(UTC), "ann", "local", RunState.RUNNING, "x" * 500, pid=os.getpid()
        )
        history.start(entry)
        if history.flush() and history.problem is None:
            os.write(pipe, f"{id}\n".encode())
        if number % 20 == 19:
            history._store.close()  # so that opening and closing are hit as well


def main(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for kill in range(kills):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            write(folder, f"w{kill}", writer)
        os.close(writer)
        if kill % 2:  # a busy machine may let none of them get anywhere in so short a time
            select.select([reader], [], [], 30.0)
        time.sleep(chance.uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader) as pipe:
            sys.stdout.write("".join(line for line in pipe if line.endswith("\n")))


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
