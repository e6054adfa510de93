"""What goes wrong around the panel: it says so, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.browser.doing import CONNECTIONS, button, opened
from tests.browser.lab import prepared

pytestmark = pytest.mark.usefixtures("forgotten")

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


@contextmanager
def locked(store):
    """Another process keeps the store's file locked."""
    command = [sys.executable, "-c", LOCK, str(store / "aiser.db")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as other:
        assert other.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            other.communicate("\n", timeout=20)


def group(panel, title):
    return panel().get_by_role("region", name=title)


def sleeps(postgresql, seconds):
    """Whether such a statement runs at the database."""
    found = postgresql.admin(
        f"SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep({seconds})%' AND state = 'active'"
    )
    return bool(found)


def test_a_store_that_another_process_locks(lab, page, panel, shop, ask, screenshot):
    lab.open(page)
    row = opened(panel)
    expect(row).to_contain_text("answers in")
    with locked(lab.store):
        with pytest.raises(sqlite3.OperationalError):  # it is locked indeed
            sqlite3.connect(lab.store / "aiser.db", timeout=0).execute("BEGIN IMMEDIATE")
        assert ask("POST", "data/query/execute", {"query": "SELECT 42"})["data"] == [[42]]
        button(row, "Delete shop").click()
        button(page.get_by_role("dialog"), "Delete").click()
        alert = row.get_by_role("alert")
        # Each writer of this process waits some seconds for the lock, one after the other.
        expect(alert).to_contain_text("Another process keeps", timeout=45_000)
        expect(alert).to_contain_text("Try again.")
        screenshot("store-locked")
    expect(group(panel, "Ended, newest first")).to_contain_text("SELECT 42")
    expect(row).to_be_visible()
    button(row, "Delete shop").click()
    button(page.get_by_role("dialog"), "Delete").click()
    expect(panel()).to_contain_text("No database is connected yet.")


def test_a_kernel_that_is_killed(lab, page, panel, shop, postgresql, screenshot):
    pid = lab.root / "pid"
    lab.notebook(
        "killed.ipynb",
        [
            "%load_ext aiser_jupyter\nimport os, pathlib\n"
            f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))",
            "%%aiser shop\nSELECT pg_sleep(604)",
        ],
    )
    lab.open(page, "killed.ipynb")
    page.add_locator_handler(  # JupyterLab says that the kernel is gone, too
        page.locator(".jp-Dialog"), lambda _: page.keyboard.press("Escape")
    )
    panel()
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(group(panel, "Running now")).to_contain_text("SELECT pg_sleep(604)")
    os.kill(int(pid.read_text()), signal.SIGKILL)
    ended = group(panel, "Ended, newest first").locator(".aiser-Entry").first
    expect(ended.get_by_role("img", name="Lost: its process ended")).to_be_visible(timeout=30_000)
    expect(ended).to_contain_text("SELECT pg_sleep(604)")
    expect(panel()).to_contain_text("The extension is not loaded in this kernel.")
    end = time.monotonic() + 30
    while sleeps(postgresql, 604):
        assert time.monotonic() < end
        page.wait_for_timeout(200)
    screenshot("kernel-killed")


def test_a_query_of_the_server_is_seen_and_cancelled_from_a_kernel(lab, page, panel, shop, ask, postgresql):
    lab.notebook("cancel.ipynb", ["%load_ext aiser_jupyter", "seen = 1", "cancelled = 1"])
    lab.open(page, "cancel.ipynb")
    panel()
    id = ask("POST", f"{CONNECTIONS}/{shop['id']}/query", {"query": "SELECT pg_sleep(605)", "async": True})[
        "id"
    ]
    expect(group(panel, "Running now")).to_contain_text("SELECT pg_sleep(605)")
    for at, source in enumerate(("%aiser history", f"%aiser cancel {id}"), start=1):
        page.evaluate(
            """([at, source]) => jupyterapp.shell.currentWidget.content.model.cells.get(at)
                .sharedModel.setSource(source)""",
            [at, source],
        )
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(page.locator(".jp-OutputArea").nth(1)).to_contain_text("SELECT pg_sleep(605)")
    ended = group(panel, "Ended, newest first").locator(".aiser-Entry").first
    expect(ended.get_by_role("img", name="Cancelled")).to_be_visible(timeout=30_000)
    assert ask("GET", f"data/query/{id}")["state"] == "cancelled"
    assert not sleeps(postgresql, 605)


@pytest.mark.timeout(300)  # it starts a server twice
def test_a_server_that_is_killed_and_started_again(
    assets, page, panel, values, postgresql, tmp_path_factory, screenshot
):
    lab = prepared(tmp_path_factory.mktemp("killed"))
    page.add_locator_handler(  # JupyterLab says that the server is gone, too
        page.locator(".jp-Dialog"), lambda _: page.keyboard.press("Escape")
    )
    with lab.running():
        shop = lab.ask("POST", CONNECTIONS, {**values, "name": "shop"})["connection"]
        assert lab.ask("POST", "data/query/execute", {"query": "SELECT 42"})["data"] == [[42]]
        query = {"query": "SELECT pg_sleep(606)", "async": True}
        lab.ask("POST", f"{CONNECTIONS}/{shop['id']}/query", query)
        lab.open(page)
        row = panel().locator(".aiser-Connection", has_text="shop")
        expect(row).to_contain_text("answers in")
        expect(group(panel, "Running now")).to_contain_text("SELECT pg_sleep(606)")
        lab.kill()
    expect(panel().get_by_role("alert").first).to_contain_text(
        "The Jupyter server does not answer.", timeout=30_000
    )
    expect(row).to_contain_text("not asked yet")
    expect(group(panel, "Running now")).to_have_count(0)
    expect(group(panel, "Ended, newest first")).to_contain_text("SELECT 42")
    screenshot("server-killed")
    with lab.running():
        expect(row).to_contain_text("answers in", timeout=60_000)  # it asks again by itself
        ended = group(panel, "Ended, newest first").locator(".aiser-Entry", has_text="SELECT pg_sleep(606)")
        expect(ended.get_by_role("img", name=re.compile("^Lost"))).to_be_visible(timeout=60_000)
        expect(ended.locator(".aiser-Entry-line")).to_have_text("lost · direct_sql · shop")
        expect(panel().get_by_role("alert")).to_have_count(0, timeout=60_000)
        assert not sleeps(postgresql, 606)
        screenshot("server-again")
