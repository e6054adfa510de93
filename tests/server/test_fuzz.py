"""What a fuzzer makes of the contract: thousands of requests, and no answer that is not in it.

The server is a real one in a process of its own. It reaches no host but this machine, and the fuzzer names no
file outside of its folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from tests.servers.server import free_port

ROOT = Path(__file__).parents[2]
TOKEN = "fuzz"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
    "use_after_free",
    "ensure_resource_availability",
)


@dataclass(frozen=True)
class Running:
    """A server: where it is, its folder and its process."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")


@pytest.fixture
def server(tmp_path) -> Iterator[Running]:
    folder, port = tmp_path / "server", free_port()
    folder.mkdir()
    own = {"JUPYTER_CONFIG_DIR": "jc", "JUPYTER_DATA_DIR": "jd", "JUPYTER_RUNTIME_DIR": "jr"}
    environment = {
        name: str(folder / where) for name, where in {**own, "HOME": "", "AISER_STORE": "s"}.items()
    }
    command = [sys.executable, "-m", "tests.server.fuzz_server", str(folder), str(port), TOKEN]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log
        )
    running = Running(f"http://127.0.0.1:{port}", folder, process)
    try:
        _wait(running)
        yield running
    finally:
        process.kill()
        process.wait()


def _wait(server: Running) -> None:
    end = time.monotonic() + 60.0
    while True:
        try:
            with urllib.request.urlopen(f"{server.url}/api"):
                return
        except (urllib.error.URLError, ConnectionError):
            assert server.process.poll() is None, server.log
            assert time.monotonic() < end, server.log
            time.sleep(0.1)


def fuzz(server: Running, examples: int) -> int:
    """Run the fuzzer; return how many requests it made up."""
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"),
        str(files("aiser_jupyter.server") / "openapi.yaml"),
        f"--url={server.url}/aiser",
        f"--header=Authorization: token {TOKEN}",
        f"--checks={','.join(CHECKS)}",
        f"--max-examples={examples}",
        "--generation-database=none",
        "--request-timeout=60",
        "--seed=20260301",
        "--suppress-health-check=all",
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.server.fuzz_hooks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=server.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    found = re.search(r"([\d,]+) generated", done.stdout)
    assert found is not None, done.stdout
    return int(found[1].replace(",", ""))


def held(server: Running) -> None:
    """The server is there, nothing failed in it, and it reached no other machine."""
    assert server.process.poll() is None
    assert "Traceback" not in server.log
    written = {path.parent.name for path in server.folder.rglob("*.duckdb")}
    assert written <= {"work"}


@pytest.mark.timeout(300)
def test_2_000_requests_are_answered_by_the_contract(server):
    assert fuzz(server, 30) >= 2_000
    held(server)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_10_000_requests_are_answered_by_the_contract(server):
    assert fuzz(server, 600) >= 10_000
    held(server)
