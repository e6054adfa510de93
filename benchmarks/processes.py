"""Where the sides run: our interpreter, the peer's own environment, and the data both read.

A side never shares a process with the other. A worker gets its arguments on the command line and answers in
JSON; its home, its working folder and its store are made for it, so that nobody's settings are measured.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"
WORKERS = Path(__file__).parent / "workers"
OURS = Path(sys.executable)
TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
PEER = ("jupysql==0.11.1", "duckdb-engine==0.17.0")
ANSWER = ("{", "[")  # of JSON; the peer prints other things to stdout as well
SHARED = ("duckdb", "pandas", "ipython")  # the peer gets the versions that we run on


def peer_python(name: str = "jupysql", packages: Sequence[str] | None = None) -> Path:
    """Return the interpreter of a peer's environment, made where it is missing or of other versions.

    Parameters
    ----------
    packages : sequence of str, optional
        What to install; by default JupySQL with the versions of DuckDB, pandas and IPython that we run on.
    """
    folder = CACHE / "peers" / name
    shared = [f"{each}=={version(each)}" for each in SHARED]
    wanted = [*PEER, *shared] if packages is None else list(packages)
    stamp, python = folder / "packages.txt", folder / "bin" / "python"
    if not stamp.is_file() or stamp.read_text().split() != wanted:
        print(f"making {folder} …", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([OURS, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *wanted], check=True)
        stamp.write_text("\n".join(wanted))
    return python


def tpch_files(scale: str) -> Path:
    """Return the folder of the TPC-H tables as Parquet, made where it is missing."""
    folder = CACHE / "tpch" / f"sf{scale}"
    if not all((folder / f"{table}.parquet").is_file() for table in TABLES):
        print(f"making {folder} …", file=sys.stderr, flush=True)
        part = Path(tempfile.mkdtemp(dir=_made(CACHE / "tpch")))
        tool = OURS.with_name("tpchgen-cli")
        subprocess.run([tool, "parquet", "-s", scale, "-o", part, "--quiet"], check=True)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    return folder


def ask(python: Path, worker: str, *arguments: str) -> Any:
    """Run a worker to its end in a fresh process and return its answer."""
    with tempfile.TemporaryDirectory() as home:
        command = [python, WORKERS / f"{worker}.py", *arguments]
        done = subprocess.run(
            command, check=True, env=_environment(home), cwd=home, stdout=subprocess.PIPE, text=True
        )
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith(ANSWER)))


class Worker:
    """A worker that stays: each call sends a number and gets the answer as JSON."""

    def __init__(self, python: Path, worker: str, *arguments: str) -> None:
        self._home = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [python, WORKERS / f"{worker}.py", *arguments],
            env=_environment(self._home.name),
            cwd=self._home.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, number: int) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                return json.loads(line)
        raise RuntimeError(f"the worker ended with status {self._process.wait()}")

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._home.cleanup()


def _environment(home: str) -> dict[str, str]:
    """Return an environment with a home of its own, without the peer's usage statistics over the network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AISER"))}
    return kept | {"HOME": home, "AISER_STORE": f"{home}/store", "PLOOMBER_STATS_ENABLED": "false"}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
