"""What a tab that closes leaves behind: nothing that somebody waited for."""

from __future__ import annotations

import time

import pytest

from tests.browser.doing import CONNECTIONS

WAITED, FOLLOWED, KEPT = 601, 602, 603
"""Seconds that the queries would sleep, by which the database tells them apart."""
START = """
async ([url, seconds]) => {
    const headers = {
        'Content-Type': 'application/json',
        'X-XSRFToken': /_xsrf=([^;]*)/.exec(document.cookie)[1]
    };
    const post = (seconds, background) => {
        const body = JSON.stringify({query: `SELECT pg_sleep(${seconds})`, async: background});
        return fetch(`${url}/query`, {method: 'POST', headers, body});
    };
    post(seconds[0], false).catch(() => undefined);
    const sent = await Promise.all([post(seconds[1], true), post(seconds[2], true)]);
    const [followed, kept] = await Promise.all(sent.map(answer => answer.json()));
    const events = new EventSource(`/aiser/data/query/${followed.id}/events`);
    await new Promise(heard => events.addEventListener('state', heard, {once: true}));
    return [followed.id, kept.id];
}
"""


@pytest.fixture
def sleeping(postgresql):
    """Return how long the queries want to sleep that run now."""

    def look():
        found = postgresql.admin(
            "SELECT substring(query FROM 'pg_sleep[(]([0-9]+)[)]') FROM pg_stat_activity"
            " WHERE state = 'active' AND pid <> pg_backend_pid()"
        )
        return {int(seconds) for (seconds,) in found if seconds} & {WAITED, FOLLOWED, KEPT}

    return look


def until(condition, seconds):
    """Wait for it, and return how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.1)
    return time.monotonic() - began


def test_a_tab_that_closes_takes_its_queries_along_and_leaves_those_in_the_background(
    lab, context, ask, shop, sleeping
):
    page = context.new_page()
    lab.open(page)
    url = f"/aiser/{CONNECTIONS}/{shop['id']}"
    followed, kept = page.evaluate(START, [url, [WAITED, FOLLOWED, KEPT]])
    try:
        until(lambda: sleeping() == {WAITED, FOLLOWED, KEPT}, 20)
        page.close()
        until(lambda: WAITED not in sleeping(), 10)
        assert FOLLOWED in sleeping()  # it may be a page that is loaded anew
        until(lambda: FOLLOWED not in sleeping(), 32)
        assert ask("GET", f"data/query/{followed}")["state"] == "cancelled"
        assert sleeping() == {KEPT}
        assert ask("GET", f"data/query/{kept}")["state"] == "running"
    finally:
        for id in (followed, kept):
            ask("POST", f"data/query/{id}/cancel", {})
    until(lambda: sleeping() == set(), 10)
