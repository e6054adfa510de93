"""What a person does in the panel and its form, and what can be read there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from playwright.sync_api import Locator, Page, expect

CONNECTIONS = "data/enterprise/connections"
HOSTILE = "<img src=x onerror=alert(1)>"
"""Data that would be a picture, and run, if it were taken for HTML."""
STEPS = [
    *("Driver", "Address of the server", "Network", "Encryption (TLS)"),
    *("Login", "Database", "Rights", "Sample query"),
]
"""Of the test of a connection."""


def fill(form: Locator, values: Mapping[str, Any], **others: str) -> None:
    """Type what a person would into the form of a PostgreSQL connection."""
    form.get_by_label("PostgreSQL").check()
    form.get_by_label("Name", exact=True).fill(others.get("name", "shop"))
    form.get_by_label("Host").fill(values["host"])
    form.get_by_label("Port").fill(str(values["port"]))
    form.get_by_label(re.compile("^Database")).fill(values["database"])
    form.get_by_label("User").fill(values["username"])
    form.get_by_label("Password").fill(others.get("password", values["password"]))
    form.get_by_text("More, all optional:").click()
    form.get_by_label("Certificate authority").fill(values["ssl_ca"])


def button(place: Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


def faint(place: Locator) -> list[str]:
    """Texts that stand out from their ground by less than 4.5 to 1, which WCAG's AA asks for."""
    return place.evaluate(
        """root => {
            const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
            const painted = colours => {
                canvas.clearRect(0, 0, 1, 1);
                for (const colour of colours) {
                    canvas.fillStyle = colour;
                    canvas.fillRect(0, 0, 1, 1);
                }
                const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map(value =>
                    value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4);
                return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
            };
            const grounds = element => {
                const found = [];
                for (let each = element; each; each = each.parentElement) {
                    found.unshift(getComputedStyle(each).backgroundColor);
                }
                return found;
            };
            const found = [];
            const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) {
                const element = texts.currentNode.parentElement;
                const text = texts.currentNode.textContent.trim();
                const seen = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
                if (text === '' || !seen || element.closest('option, :disabled')) {
                    continue;
                }
                const ground = grounds(element);
                const pair = [painted(ground), painted([...ground, getComputedStyle(element).color])];
                const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
                if (ratio < 4.5) {
                    found.push(`${ratio.toFixed(2)} ${element.className}: ${text}`);
                }
            }
            return found;
        }"""
    )


def steps_of(form: Locator) -> dict[str, str | None]:
    """The steps of a test with how each went, by name; every step says how long it took."""
    found = {}
    for step in form.locator(".aiser-Check").all():
        assert re.fullmatch(r"< 1 ms|\d+ ms|\d.* s", step.locator(".aiser-Check-ms").inner_text())
        name = step.locator(".aiser-Check-name").inner_text()
        found[name] = step.get_by_role("img").get_attribute("aria-label")
    return found


def readable(page: Page) -> str:
    """Everything that stands in fields that show what is typed."""
    return page.evaluate(
        """() => [...document.querySelectorAll('input:not([type=password]), textarea:not(.aiser-mod-masked)')]
            .map(field => field.value).join('\\n')"""
    )


def opened(panel: Callable[..., Locator], name: str = "shop") -> Locator:
    """The row of a connection, opened."""
    row = panel().locator(".aiser-Connection", has_text=name)
    row.get_by_role("button").first.click()
    return row


def asked_until(row: Locator, words: str, seconds: float = 20) -> None:
    """Press Test until the state has these words: a question that was given up may still be on its way."""
    status = row.locator(".aiser-Status")
    end = time.monotonic() + seconds
    while True:
        row.get_by_role("button", name=re.compile("^Test ")).click()
        expect(status).not_to_have_text("asking…")
        if words in status.inner_text():
            return
        assert time.monotonic() < end, f"{status.inner_text()!r} has no {words!r}"
        row.page.wait_for_timeout(200)
