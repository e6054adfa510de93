"""The health of connections: a warehouse that rests, what failed before, how long answers took."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.doing import CONNECTIONS, asked_until, button, opened
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.fixture
def lake(workspace, ask):
    """A saved connection to a warehouse."""
    return ask(
        "POST",
        CONNECTIONS,
        {
            "name": "lake",
            "type": "databricks",
            "server_hostname": "127.0.0.1",
            "port": workspace.port,
            "http_path": workspace.http_path,
            "access_token": workspace.password,
            "ssl_ca": workspace.authority.pem,
        },
    )


def test_a_warehouse_that_rests_is_neither_red_nor_green_and_stays_asleep(
    lab, page, panel, theme, lake, workspace, ask, screenshot
):
    lab.open(page)
    row = opened(panel, "lake")
    dot, status = row.locator(".aiser-Dot"), row.locator(".aiser-Status")

    def rests(word, told):
        asked_until(row, word)
        expect(status).to_have_attribute("title", re.compile(re.escape(told)))
        expect(row.locator(".aiser-Facts")).to_contain_text(told)
        expect(dot).to_have_class(re.compile("aiser-mod-(asleep|starting)"))
        expect(row.locator(".aiser-mod-error")).to_have_count(0)
        for name in ("JupyterLab Light", "JupyterLab Dark"):
            theme(name)
            screenshot(f"warehouse-{word}-{name.split()[1].lower()}")

    workspace.behave(state="STOPPED", start_seconds=600)
    rests("suspended", "The next query starts it, and waits until it runs.")
    assert workspace.seen()["woken"] == 0
    place = f"{CONNECTIONS}/{lake['connection']['id']}/query"
    query = ask("POST", place, {"query": "SELECT 1", "async": True})
    rests("starting", "Queries wait until it runs.")
    assert workspace.seen()["woken"] == 1
    workspace.behave()
    asked_until(row, "answers in")
    expect(dot).to_have_class(re.compile("aiser-mod-ok"))
    ask("POST", f"data/query/{query['id']}/cancel", {})


def test_the_last_error_and_the_times_of_answers_are_kept(lab, page, panel, ask, values, screenshot):
    with Proxy(("127.0.0.1", values["port"])) as line:
        ask("POST", CONNECTIONS, {**values, "port": line.port, "name": "shop"})
        lab.open(page)
        row = opened(panel)
        status = row.locator(".aiser-Status")
        for _ in range(3):
            button(row, "Test shop").click()
            expect(button(row, "Test shop")).to_be_enabled()
        expect(status).to_contain_text("answers in")
        facts = row.locator(".aiser-Facts")
        expect(facts).to_contain_text(re.compile(r"Answers in.* m?s, at most .* m?s"))
        expect(row.locator(".aiser-Sparkline polyline")).to_have_attribute(
            "points", re.compile(r"^\S+ \S+ \S+")
        )
        expect(facts).not_to_contain_text("Last error")
        line.set("mute")
        asked_until(row, "failed")
        line.set("pass")
        asked_until(row, "answers in")
        expect(facts).to_contain_text(re.compile("Last error.*shop did not answer within 3 s"))
        screenshot("health-recovered")
