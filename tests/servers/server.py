"""What the real servers of the tests have in common: a folder, a user to run as, start, kill and stop."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

from .certificates import Authority

PATIENCE = 60.0
"""Seconds that a server may take to start on a busy machine."""


def free_port() -> int:
    """Return a port of the loopback address that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Server(ABC):
    """A database server on loopback, in a folder of its own, which dies with the tests."""

    account = ""
    """The system user it runs as where the tests run as root: no database server starts as root."""
    user = "ann"
    password = "correct horse battery staple"
    database = "shop"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aiser-servers-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.authority = Authority(self.folder / "tls")
        self.certificate = self.authority.issue("server")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line of the server."""

    @abstractmethod
    def ready(self) -> bool:
        """Say whether it takes queries."""

    def start(self) -> None:
        """Start it, and wait until it takes queries."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._as_account(self.command()), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + PATIENCE
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.command()[0]} did not start:\n{self.log()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, without a word to its clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """Return what the server printed."""
        return (self.folder / "server.log").read_text(errors="replace")[-4000:]

    def run(self, command: list[str]) -> None:
        """Run a tool of the server as its account, and wait."""
        done = subprocess.run(self._as_account(command), capture_output=True, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout.decode()}\n{done.stderr.decode()}")

    def own(self, path: Path) -> None:
        """Give ``path`` to the account that the server runs as."""
        if os.getuid() == 0:
            entry = pwd.getpwnam(self.account)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _as_account(self, command: list[str]) -> list[str]:
        become = ["setpriv", "--pdeathsig", "KILL"]
        if os.getuid() == 0 and self.account:
            become += ["--reuid", self.account, "--regid", self.account, "--init-groups"]
        return [*become, "--", *command]
