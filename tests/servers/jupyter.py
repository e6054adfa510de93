"""A Jupyter server with our extension in a process of its own, and a caller for it.

Who asks is told by a header, as a proxy in front of a server for many people does; the token is asked for all
the same. ``python -m tests.servers.jupyter FOLDER PORT TOKEN`` is the process: it reads no settings but those
in the folder, and writes nowhere else.
"""

from __future__ import annotations

import http.client
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import jupyter_core.paths
from jupyter_server.auth import IdentityProvider, User
from jupyter_server.serverapp import ServerApp

from .server import PATIENCE, Server, free_port

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-tests"
HERE = ["localhost", "127.0.0.1", "::1"]
"""Where the tests' databases are: a server of several persons leads there only where it is allowed."""


class NamedByProxy(IdentityProvider):
    """The token opens the door; the header says whose request it is."""

    async def get_user(self, handler: Any) -> User | None:
        found = super().get_user(handler)
        user = await found if inspect.isawaitable(found) else found
        name = handler.request.headers.get("X-User")
        return User(name) if user and name else user


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Caller:
    """One person at one open line; not for two threads at once."""

    def __init__(self, port: int, user: str) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {
            "Authorization": f"token {TOKEN}",
            "X-User": user,
            "Content-Type": "application/json",
        }

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Send one request and read its answer whole."""
        began = time.monotonic()
        sent = None if body is None else json.dumps(body).encode()
        self._line.request(method, path, sent, self._headers)
        response = self._line.getresponse()
        raw = response.read()
        return Answer(response.status, dict(response.headers), raw, time.monotonic() - began)

    def execute(self, sql: str, **more: Any) -> Answer:
        """Run a statement."""
        return self.ask("POST", "/aiser/data/query/execute", {"query": sql, **more})

    def save(self, server: Server, type: str, **changed: Any) -> str:
        """Save a connection ``shop`` to a database; return its id."""
        body = {
            "type": type,
            "name": "shop",
            "host": "127.0.0.1",
            "port": server.port,
            "database": server.database,
            "username": server.user,
            "password": server.password,
            "ssl_ca": server.authority.pem,
            **changed,
        }
        answer = self.ask("POST", "/aiser/data/enterprise/connections", body)
        if answer.status != 201:
            raise RuntimeError(answer.raw.decode())
        return str(answer.json["connection"]["id"])

    def leave(self, path: str, body: Any) -> None:
        """Send a request, and hang up before its answer."""
        self._line.request("POST", path, json.dumps(body).encode(), self._headers)
        self._line.close()

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class JupyterServer:
    """A running server; use it in a ``with`` statement.

    Parameters
    ----------
    policy : mapping
        The administrator's settings: ``{"AiserLimits": {"workers": 8}}``.
    """

    def __init__(self, policy: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aiser-jupyter-"))
        self.port = free_port()
        for name in ("policy", "work", "tmp"):
            (self.folder / name).mkdir()
        given = {"AiserConnections": {}, **(policy or {})}
        given["AiserConnections"] = {"allowed_hosts": HERE, **given["AiserConnections"]}
        (self.folder / "policy" / "aiser_config.json").write_text(json.dumps(given))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def caller(self, user: str) -> Caller:
        """Return a line for one person."""
        return Caller(self.port, user)

    def __enter__(self) -> Self:
        own = {"JUPYTER_CONFIG_DIR": "jc", "JUPYTER_DATA_DIR": "jd", "JUPYTER_RUNTIME_DIR": "jr"}
        own |= {"HOME": "", "AISER_STORE": "store", "TMPDIR": "tmp"}
        environment = {**os.environ, **{name: str(self.folder / where) for name, where in own.items()}}
        command = [sys.executable, "-m", __spec__.name, str(self.folder), str(self.port), TOKEN]
        with (self.folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError(f"The server did not start:\n{self.log[-4000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with self.caller("nobody") as line:
                return line.ask("GET", "/api").status == 200
        except (OSError, http.client.HTTPException):
            return False


def main(folder: Path, port: int, token: str) -> None:
    """Serve until the process is ended."""
    os.chdir(folder / "work")
    jupyter_core.paths.SYSTEM_CONFIG_PATH[:] = [str(folder / "policy")]
    jupyter_core.paths.ENV_CONFIG_PATH[:] = []
    ServerApp.launch_instance(
        [
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}",
            "--ServerApp.identity_provider_class=tests.servers.jupyter.NamedByProxy",
            "--ServerApp.jpserver_extensions={'aiser_jupyter': True}",
            "--ServerApp.terminals_enabled=False",
            f"--ServerApp.root_dir={folder / 'work'}",
            "--log-level=WARN",
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
