"""A JupyterLab of the tests: its folders, its environment, its server."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.servers.server import free_port

ROOT = Path(__file__).parents[2]
KERNEL_IDLE = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


def code(source: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "id": secrets.token_hex(4),
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


@dataclass(frozen=True)
class Lab:
    """A JupyterLab in a folder of its own; a server that is started again has the same port and token."""

    folder: Path
    port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def root(self) -> Path:
        """Where the notebooks are."""
        return self.folder / "root"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def log(self) -> Path:
        return self.folder / "lab.log"

    @property
    def settings(self) -> Path:
        """What a person chose in JupyterLab's settings: the theme is there."""
        return self.folder / "settings" / "@jupyterlab" / "apputils-extension"

    @property
    def admin(self) -> Path:
        """Jupyter's *environment* config folder of this server: what stands there is the administrator's."""
        return self.folder / "env" / "etc" / "jupyter"

    def ask(self, verb: str, path: str, body: object = None) -> dict[str, Any]:
        """Call the REST API as another client would."""
        request = urllib.request.Request(
            f"{self.url}aiser/{path}",
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def kill(self) -> None:
        """End the running server as the system does where memory is short: it learns nothing of it."""
        (written,) = (self.folder / "run").glob("jpserver-*.json")
        os.kill(json.loads(written.read_text())["pid"], signal.SIGKILL)
        written.unlink()

    @contextmanager
    def running(self, *flags: str) -> Iterator[Lab]:
        """Run the server."""
        command = [
            *(
                str(self.folder / "env" / "bin" / "python"),
                "-m",
                "jupyterlab",
                "--allow-root",
                "--no-browser",
            ),
            *("--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0"),
            f"--ServerApp.root_dir={self.root}",
            "--ServerApp.jpserver_extensions={'aiser_jupyter': True}",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--KernelManager.transport=ipc",
            *flags,
        ]
        environment = {**_environment(self.folder), "JUPYTER_TOKEN": self.token}
        with self.log.open("a") as output:
            server = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=self.root
            )
        try:
            _wait_until_up(f"{self.url}api/status?token={self.token}", server, self.log)
            yield self
        finally:
            server.terminate()
            server.wait(30)

    def notebook(self, name: str, cells: Sequence[str]) -> Path:
        """Write a notebook of code cells."""
        path = self.root / name
        spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
        document = {
            "cells": [code(source) for source in cells],
            "metadata": {"kernelspec": spec},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path.write_text(json.dumps(document))
        return path

    def open(self, page: Page, notebook: str = "") -> None:
        """Open JupyterLab in its first theme, and a notebook if one is named; return when it is idle."""
        (self.settings / "themes.jupyterlab-settings").unlink(missing_ok=True)  # of a test before
        path = f"lab/tree/{notebook}" if notebook else "lab"
        page.goto(f"{self.url}{path}?reset&token={self.token}")
        page.wait_for_selector("#jp-main-dock-panel", timeout=60_000)
        if notebook:
            page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
            page.wait_for_function(KERNEL_IDLE, timeout=60_000)


def _environment(folder: Path) -> dict[str, str]:
    installed = Path(sys.prefix)
    paths = [folder / "share", installed / "share" / "jupyter"]  # searched before what is installed
    return {
        **os.environ,
        "AISER_STORE": str(folder / "store"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_CONFIG_PATH": str(installed / "etc" / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_PATH": os.pathsep.join(map(str, paths)),
        "JUPYTER_RUNTIME_DIR": str(folder / "run"),
        "JUPYTERLAB_DIR": str(installed / "share" / "jupyter" / "lab"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }


def prepared(folder: Path) -> Lab:
    """Make the folders of a JupyterLab, and the environment that it runs in."""
    for name in ("root", "share/labextensions", "config/labconfig"):
        (folder / name).mkdir(parents=True)
    (folder / "share" / "labextensions" / "aiser-jupyter").symlink_to(ROOT / "aiser_jupyter" / "labextension")
    lab = Lab(folder)
    lab.settings.mkdir(parents=True)
    (lab.settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    (folder / "config" / "labconfig" / "page_config.json").write_text(
        '{"disabledExtensions": {"jupysql-plugin": true}}'
    )
    venv.create(folder / "env", symlinks=True)
    inside = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=inside))
    ours = sysconfig.get_path("purelib")
    (packages / "installed.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    lab.admin.mkdir(parents=True)
    return lab


def _wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")
