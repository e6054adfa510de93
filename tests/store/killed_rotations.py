"""Fork rotations one after another and kill each somewhere; after each, open every secret of the store.

Usage: ``python killed_rotations.py FOLDER CONNECTIONS KILLS SEED``. A program of its own because it forks:
one thread only. Prints how many kills left an older key in the ring, and how many keys were current.
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


def save(folder: Path, connections: int) -> None:
    saving = records(folder)
    for number in range(connections):
        name, owner = f"c{number}", ("ann", "bob")[number % 2]
        values = {
            "host": name,
            "password": Secret(f"password of {name}"),
            "token": Secret(f"token of {name}"),
        }
        config = ConnectionConfig("mysql", name, values)
        saving.add(owner, config, name, {"password", "token"}, datetime.now(UTC))


def opened(folder: Path) -> int:
    """Open every secret; return how many there are."""
    found = [connection for owner in ("ann", "bob") for connection in records(folder).list(owner)]
    for connection in found:
        for field in ("password", "token"):
            assert connection.config.values[field].reveal() == f"{field} of {connection.name}"
    return len(found)


def rotate(folder: Path, pipe: int) -> None:
    rotating = records(folder)
    os.write(pipe, b"x")
    while True:
        done = rotating.rotate()
        assert done.finished, done


def main(folder: Path, connections: int, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    pending, current = 0, set()
    save(folder, connections)
    began = time.monotonic()
    records(folder).rotate()
    seconds = time.monotonic() - began
    for _ in range(kills):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            rotate(folder, writer)
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        time.sleep(chance.uniform(0.0, 3 * seconds))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        assert opened(folder) == connections
        ring = KeyFile(folder / "key").load()
        assert len(ring.keys) <= 2
        pending += ring.pending
        current.add(ring.current)
    print(pending, len(current))


main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
