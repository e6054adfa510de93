"""Signing in with the browser: in a tab of the vendor's, from the form and from the row of a connection."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.doing import CONNECTIONS, asked_until, button, opened, readable

pytestmark = pytest.mark.usefixtures("forgotten")

ADDRESS = "Address of the page you ended on"
OWN = ("own-application", "the secret of our own")
"""An application that a vendor sends back to our callback."""


@pytest.fixture
def typed(page, panel, workspace):
    """Open the form of a Databricks connection and type what a person would, as whatever application."""

    def type_(application=("", "")):
        panel().get_by_role("button", name="Connect a database").last.click()
        form = page.get_by_role("form", name="New connection")
        form.get_by_label("Databricks").check()
        form.get_by_label("Name", exact=True).fill("lake")
        form.get_by_label("Server hostname").fill("127.0.0.1")
        form.get_by_label("HTTP path").fill(workspace.http_path)
        form.get_by_label("Sign in with").select_option(label="The browser")
        id, secret = application
        form.get_by_label("OAuth client id").fill(id)
        form.get_by_label("OAuth client secret").fill(secret)
        form.get_by_text("More, all optional:").click()
        form.get_by_label("Port").fill(str(workspace.port))
        form.get_by_label("Certificate authority").fill(workspace.authority.pem)
        return form

    return type_


@pytest.fixture
def callback(lab):
    return f"{lab.url}aiser/sign-in/callback"


@pytest.fixture
def ended(context):
    """Addresses on this machine that a vendor sent the browser to."""
    found = []

    def keep(request):
        if "state=" in request.url and "code=" in request.url:
            found.append(request.url)

    context.on("request", keep)
    yield found
    context.remove_listener("request", keep)


@pytest.fixture
def no_token(page, lab, workspace):
    """What the vendor gave to the server never comes into the page, nor into the log of the server."""
    read = []
    page.on("response", lambda answer: read.append(answer) if "/aiser/" in answer.url else None)
    yield
    tokens = [token for kind in workspace.ask("/_tokens").values() for token in kind]
    assert tokens
    seen = page.content() + readable(page) + lab.log.read_text()
    seen += "".join(answer.text() for answer in read if answer.status == 200)
    assert [token for token in tokens if token in seen] == []


def wait_until(page, condition):
    """Wait for what happens outside of the page."""
    for _ in range(200):
        if condition():
            return
        page.wait_for_timeout(100)
    pytest.fail("it did not happen in time")


def test_a_tab_comes_back_by_itself_and_the_connection_is_there(
    lab, page, panel, typed, workspace, callback, ask, no_token, screenshot
):
    workspace.behave(oauth={"redirect": callback})
    lab.open(page)
    form = typed(OWN)
    expect(button(form, "Test")).to_have_count(0)
    screenshot("sign-in-form")
    with page.expect_popup() as opening:
        button(form, "Sign in and save").click()
    tab = opening.value
    expect(tab.locator("h1")).to_have_text("Signed in")
    expect(tab.locator("body")).to_contain_text("The connection lake works, and is saved.")
    assert tab.evaluate("opener") is None
    expect(form).to_have_count(0)
    row = opened(panel, "lake")
    expect(row).to_contain_text(re.compile("lake.*databricks"))
    button(row, "Test lake").click()
    expect(row).to_contain_text("answers in")
    (saved,) = [each for each in ask("GET", CONNECTIONS)["connections"] if each["name"] == "lake"]
    assert saved["config"]["signed_in"] == {"set": True}
    screenshot("sign-in-done")
    tab.close()


def test_an_address_is_pasted_where_the_vendor_knows_only_its_own(
    lab, page, panel, typed, ended, no_token, screenshot
):
    lab.open(page)
    form = typed()
    with page.expect_popup() as opening:
        button(form, "Sign in and save").click()
    waiting = form.get_by_role("region", name="Sign in with the browser")
    expect(waiting.get_by_role("status")).to_contain_text(
        "Sign in on the page that has opened in another tab."
    )
    expect(waiting).to_contain_text(re.compile(r"\d minutes left"))
    expect(form.get_by_label("Name", exact=True)).to_be_disabled()
    wait_until(page, lambda: ended)
    screenshot("sign-in-paste")
    waiting.get_by_label(ADDRESS).fill("http://localhost:8020/?code=another&state=another")
    button(waiting, "Finish").click()
    expect(waiting.get_by_role("alert")).to_contain_text("This is not the address of the page")
    waiting.get_by_label(ADDRESS).fill(ended[-1])
    waiting.get_by_label(ADDRESS).press("Enter")
    expect(form).to_have_count(0)
    expect(panel().locator(".aiser-Connection")).to_contain_text("lake")
    opening.value.close()


def test_what_the_vendor_refuses_is_said_and_tried_again(
    lab, page, panel, typed, workspace, callback, no_token, screenshot
):
    workspace.behave(oauth={"redirect": callback, "refuse": "<b>Not for you</b>"})
    lab.open(page)
    form = typed(OWN)
    with page.expect_popup() as opening:
        button(form, "Sign in and save").click()
    expect(opening.value.locator("h1")).to_have_text("The connection was not saved")
    opening.value.close()
    alert = form.get_by_role("alert")
    expect(alert).to_contain_text("did not sign you in: <b>Not for you</b>.")
    expect(alert).to_contain_text("Begin again.")
    expect(form.get_by_label("Name", exact=True)).to_be_enabled()
    screenshot("sign-in-refused")
    workspace.behave(oauth={"redirect": callback})
    with page.expect_popup() as opening:
        button(form, "Try again").click()
    expect(opening.value.locator("h1")).to_have_text("Signed in")
    opening.value.close()
    expect(panel().locator(".aiser-Connection")).to_contain_text("lake")


def test_a_tab_that_may_not_open_is_a_link_and_a_sign_in_can_be_given_up(lab, page, typed, screenshot):
    page.add_init_script("window.open = () => null")
    lab.open(page)
    form = typed()
    with page.expect_response(re.compile(r"/data/sign-ins(\?|$)")) as begun:
        button(form, "Sign in and save").click()
    link = form.get_by_role("link", name="Open the sign-in page")
    expect(link).to_have_attribute("href", re.compile("/oidc/v1/authorize[?]"))
    assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener noreferrer")
    link.scroll_into_view_if_needed()
    screenshot("sign-in-blocked")
    id = begun.value.json()["id"]
    with page.expect_request(lambda asked: asked.method == "DELETE" and f"sign-ins/{id}" in asked.url):
        button(form, "Cancel the sign-in").click()
    expect(button(form, "Sign in and save")).to_be_enabled()
    expect(form.get_by_label("Name", exact=True)).to_have_value("lake")


def test_a_mistake_is_told_before_a_tab_opens(lab, page, typed):
    lab.open(page)
    form = typed()
    form.get_by_label("HTTP path").fill("")
    tabs = []
    page.on("popup", lambda tab: tabs.append(tab))
    button(form, "Sign in and save").click()
    expect(form.get_by_label("HTTP path")).to_be_focused()
    expect(form).to_contain_text("HTTP path is needed.")
    assert tabs == []


def test_who_is_signed_in_no_longer_signs_in_from_the_row(
    lab, page, panel, typed, workspace, callback, no_token, screenshot
):
    short = {"redirect": callback, "told_seconds": 0.5}  # it is refreshed at its next use
    workspace.behave(oauth=short)
    lab.open(page)
    with page.expect_popup() as opening:
        button(typed(OWN), "Sign in and save").click()
    row = panel().locator(".aiser-Connection", has_text="lake")
    expect(row).to_be_visible()
    opening.value.close()
    workspace.behave(oauth=short, end_sign_ins=True)
    row.get_by_role("button").first.click()
    asked_until(row, "sign-in needed")  # the token that is there holds for some moments more
    expect(row).to_contain_text("The sign-in at Databricks has ended")
    screenshot("sign-in-row")
    with page.expect_popup() as opening:
        button(row, "Sign in to lake").click()
    expect(opening.value.locator("h1")).to_have_text("Signed in")
    opening.value.close()
    expect(row.locator(".aiser-Status")).to_contain_text("answers in")
    expect(button(row, "Sign in to lake")).to_have_count(0)
