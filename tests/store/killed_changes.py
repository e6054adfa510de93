"""Fork processes that change one connection, kill each in the middle, and look at what is left.

Usage: ``python killed_changes.py FOLDER KILLS SEED``. A program of its own because it forks: one thread only.
Prints how many changes were acknowledged.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile


def records(folder: Path) -> ConnectionRecords:
    return ConnectionRecords(Store(folder), KeyFile(folder / "key"))


def config(number: int) -> ConnectionConfig:
    """Every third change gives the secret, together with another host; the others keep it."""
    values: dict[str, object] = {"host": f"db{number // 3}", "note": number}
    if number % 3 == 0:
        values["password"] = Secret(f"password of db{number // 3}")
    return ConnectionConfig("mysql", "shop", values)


def last(folder: Path) -> int:
    """The number of the change that is there, all of it."""
    found = records(folder).get("ann", "shop")
    assert found is not None
    values = found.config.values
    assert values["host"] == f"db{values['note'] // 3}"
    assert values["password"].reveal() == f"password of {values['host']}"
    assert found.version == values["note"] + 1
    return int(values["note"])


def work(folder: Path, number: int, pipe: int) -> None:
    changing = records(folder)
    while True:
        number += 1
        new = config(number)
        changing.change("ann", "shop", new, str(new.values["host"]), {"password"})
        os.write(pipe, f"{number}\n".encode())
        if number % 20 == 19:
            changing._store.close()  # so that opening and closing are hit as well


def main(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    records(folder).add("ann", config(0), "db0", {"password"}, datetime.now(UTC))
    for _ in range(kills):
        before = last(folder)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            work(folder, before, writer)
        os.close(writer)
        time.sleep(chance.uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        with os.fdopen(reader) as pipe:
            acknowledged = [int(line) for line in pipe if line.endswith("\n")]
        # The one after the last may have been kept without a word.
        assert last(folder) - max([before, *acknowledged]) in (0, 1)
    print(last(folder))


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
