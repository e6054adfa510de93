"""Drives a real JupyterLab in a real Chromium.

``lab`` is one server for the session, with folders, token and store of its own; it serves the assets that
were built from labextension/. It runs in a virtual environment of its own, whose config folder is the
administrator's (``lab.admin``). ``page`` is a fresh tab. Pictures go to the folder that ``AISER_SCREENSHOTS``
names.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, Page, expect, sync_playwright

from aiser_jupyter.models import HistoryEntry, RunState
from aiser_jupyter.services import os_identity
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History
from tests.browser.doing import CONNECTIONS
from tests.browser.lab import ROOT, Lab, prepared
from tests.servers.server import Server

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


@pytest.fixture(scope="session")
def assets() -> None:
    """The panel, built where its sources have changed."""
    subprocess.check_call([sys.executable, "labextension_build.py"], cwd=ROOT)


@pytest.fixture(scope="session")
def lab(assets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a free port of the loopback interface."""
    with prepared(tmp_path_factory.mktemp("lab")).running() as lab:
        yield lab


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
            ignore_https_errors=True,  # an endpoint's pages are signed by an authority of the tests
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
        if error.message == "Failed to fetch" and "aiser-jupyter" not in stack:
            return  # JupyterLab asks a server that is gone
        errors.append(f"{error}\n{stack}")

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
        page.wait_for_selector("#jupyterlab-splash", state="detached")

    return change


@pytest.fixture
def screenshot(page: Page) -> Callable[[str], None]:
    """Keep a picture under a name, if ``AISER_SCREENSHOTS`` says where."""

    def take(name: str) -> None:
        if folder := os.environ.get("AISER_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}.png")

    return take


@pytest.fixture
def ask(lab: Lab) -> Callable[..., dict[str, Any]]:
    """Call the REST API as another client would: ``ask("GET", "data/enterprise/connections")``."""
    return lab.ask


@pytest.fixture
def remember(lab: Lab, forgotten: None) -> Iterator[Callable[..., str]]:
    """Write runs into the store of the server."""
    store = Store(lab.store)
    history = History(store)

    def write(sql: str, ago: float = 60, **values: Any) -> str:
        started = datetime.now(UTC) - timedelta(seconds=ago)
        known = {"user": os_identity().name, "connection": "local", "state": RunState.DONE}
        entry = HistoryEntry(
            id=f"{started.timestamp():.6f}", started_at=started, sql=sql, **{**known, **values}
        )
        (history.start if entry.state is RunState.RUNNING else history.finish)(entry)
        history.flush()
        return entry.id

    yield write
    history.close()
    store.close()


@pytest.fixture
def forgotten(lab: Lab) -> Iterator[None]:
    """There are no connections and no runs before the test, and none after it."""

    def forget() -> None:
        store = Store(lab.store)
        with store.write() as connection:
            connection.execute("DELETE FROM history")
        store.close()
        for connection in lab.ask("GET", CONNECTIONS)["connections"]:
            if connection["source"] == "store":
                lab.ask("DELETE", f"{CONNECTIONS}/{urllib.parse.quote(connection['id'])}")

    forget()
    yield
    forget()


@pytest.fixture
def values(postgresql: Server) -> dict[str, Any]:
    """The fields of a connection that works."""
    return {
        "type": "postgresql",
        "host": "localhost",
        "port": postgresql.port,
        "database": postgresql.database,
        "username": postgresql.user,
        "password": postgresql.password,
        "ssl_ca": postgresql.authority.pem,
    }


@pytest.fixture
def shop(lab: Lab, values: dict[str, Any], forgotten: None) -> dict[str, Any]:
    """A saved connection."""
    saved: dict[str, Any] = lab.ask("POST", CONNECTIONS, {**values, "name": "shop"})["connection"]
    return saved
