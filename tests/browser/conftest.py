"""Drives a real JupyterLab in a real Chromium.

``lab`` is one server for the session, with folders, token and store of its own; it serves the assets that
were built from labextension/. ``page`` is a fresh tab. Pictures go to the folder ``AISER_SCREENSHOTS`` names.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = "@sparticuz/chromium@153.0.0"  # carries the browser in the npm tarball; x64 only
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KERNEL_IDLE = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


expect.set_options(timeout=15_000)  # the history is asked for every five seconds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture
def jp_asyncio_loop() -> None:
    """Playwright runs a loop of its own: pytest-jupyter's is not started here."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Nor is there a server of pytest-jupyter's to stop."""


def _unpacked_chromium(npm: str) -> Path:
    """Install the npm package that carries Chromium, and unpack it once."""
    import brotli

    cache = ROOT / ".cache" / "chromium"
    executable = cache / "chromium"
    if executable.exists():
        return executable
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.check_call([npm, "install", "--silent", "--ignore-scripts", "--prefix", str(cache), CHROMIUM])
    packed = cache / "node_modules" / "@sparticuz" / "chromium" / "bin"
    for pack in ("al2023", "fonts", "swiftshader"):  # its libraries, a font, software GL
        data = brotli.decompress((packed / f"{pack}.tar.br").read_bytes())
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(cache / pack, filter="data")
    part = cache / "chromium.part"
    part.write_bytes(brotli.decompress((packed / "chromium.br").read_bytes()))
    part.chmod(0o755)
    part.rename(executable)
    return executable


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A Chromium: ``$AISER_CHROMIUM``, one on PATH, or the npm package's."""
    if named := os.environ.get("AISER_CHROMIUM"):
        return Path(named)
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    if npm := shutil.which("npm"):
        return _unpacked_chromium(npm)
    pytest.skip("no Chromium: set AISER_CHROMIUM, install chromium, or install npm")


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
    """A running JupyterLab."""

    url: str
    token: str
    root: Path
    store: Path
    log: Path

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
        """Open JupyterLab, and a notebook where one is named; return when its kernel is idle."""
        path = f"lab/tree/{notebook}" if notebook else "lab"
        page.goto(f"{self.url}{path}?reset&token={self.token}")
        page.wait_for_selector("#jp-main-dock-panel", timeout=60_000)
        if notebook:
            page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
            page.wait_for_function(KERNEL_IDLE, timeout=60_000)


def _environment(folder: Path) -> dict[str, str]:
    extensions = folder / "share" / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "aiser-jupyter").symlink_to(ROOT / "aiser_jupyter" / "labextension")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    others = folder / "config" / "labconfig"
    others.mkdir(parents=True)
    (others / "page_config.json").write_text('{"disabledExtensions": {"jupysql-plugin": true}}')
    return {
        **os.environ,
        "AISER_STORE": str(folder / "store"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_PATH": str(folder / "share"),  # searched before what is installed
        "JUPYTER_RUNTIME_DIR": str(folder / "run"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a free port of the loopback interface."""
    subprocess.check_call([sys.executable, "labextension_build.py"], cwd=ROOT)
    folder = tmp_path_factory.mktemp("lab")
    root = folder / "root"
    root.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}"),
        "--ServerApp.jpserver_extensions={'aiser_jupyter': True}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--KernelManager.transport=ipc",
    ]
    log = folder / "lab.log"
    environment = {**_environment(folder), "JUPYTER_TOKEN": token}
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=root)
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait_until_up(f"{url}api/status?token={token}", server, log)
        yield Lab(url, token, root, folder / "store", log)
    finally:
        server.terminate()
        server.wait(30)


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


@pytest.fixture(scope="module")
def context(chromium: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser with an empty profile. Closed with its module: until then Playwright's event loop counts as
    running in this thread, and pytest-jupyter's tests cannot run theirs."""
    environment: dict[str, str | float | bool] = dict(os.environ)
    libraries = chromium.parent / "al2023" / "lib"
    if libraries.is_dir():
        environment["LD_LIBRARY_PATH"] = str(libraries)
        environment["FONTCONFIG_PATH"] = str(chromium.parent / "fonts" / "fonts")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=str(chromium),
            headless=True,
            viewport={"width": 1300, "height": 850},
            args=FLAGS,
            env=environment,
        )
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield context
        context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A new tab. An error that no code of the page caught fails the test."""
    page = context.new_page()
    page.set_default_timeout(20_000)
    errors: list[str] = []

    def keep(error: Error) -> None:
        stack = error.stack or ""
        if "/static/notebook/" in stack and "aiser-jupyter" not in stack:
            return  # Notebook 7 has one of its own at each start, with and without us
        errors.append(str(error))

    page.on("pageerror", keep)
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def panel(page: Page) -> Callable[[int], Locator]:
    """Show the AISER panel, dragged to a width in pixels."""

    def show(width: int = 300) -> Locator:
        panel = page.locator("#aiser-panel")
        if not panel.is_visible():
            page.click('.jp-SideBar [data-id="aiser-panel"]')
            panel.wait_for()
        for _ in range(5):  # a drag is lost while a new theme lays the page out
            box = panel.bounding_box()
            assert box is not None
            if abs(box["width"] - width) < 10:
                break
            edge = box["x"] + box["width"] + 1
            page.mouse.move(edge, 400)
            page.mouse.down()
            page.mouse.move(box["x"] + width, 400, steps=4)
            page.mouse.up()
            page.evaluate("getSelection().removeAllRanges()")  # of a drag that was lost
        return panel

    return show


@pytest.fixture
def theme(page: Page) -> Callable[[str], None]:
    """Switch to ``JupyterLab Light`` or ``JupyterLab Dark``."""

    def change(name: str) -> None:
        page.evaluate("name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")

    return change


@pytest.fixture
def screenshot(page: Page) -> Callable[[str], None]:
    """Keep a picture under a name, if ``AISER_SCREENSHOTS`` says where."""

    def take(name: str) -> None:
        if folder := os.environ.get("AISER_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}.png")

    return take
