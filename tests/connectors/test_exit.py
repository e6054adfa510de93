"""A process that ends while sessions wait to be used again: they are closed, and nothing is complained of."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import json, sys, time
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run

type, values = json.loads(sys.stdin.read())
kind = connector(type)
session = kind.open(ConnectionConfig(type, "shop", kind.validate(values)), read_only=True)
with session.execute("SELECT 1", {}, Run("test")) as reader:
    assert reader.read_all().num_rows == 1
session.close()
end = time.monotonic() + 30
while not kind._pool._idle and time.monotonic() < end:
    time.sleep(0.02)
assert kind._pool._idle
"""


@pytest.mark.parametrize("type", ["postgresql", "mysql"])
def test_a_process_ends_quietly_with_sessions_in_its_pool(type: str, postgresql: Any, mariadb: Any) -> None:
    server = postgresql if type == "postgresql" else mariadb
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "username": server.user,
        "password": server.password,
        "database": server.database,
        "ssl_ca": server.authority.pem,
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        input=json.dumps([type, values]),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
