"""The form of a connection: typed, pasted or chosen, tested step by step on real databases, saved."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.doing import CONNECTIONS, STEPS, button, faint, fill, opened, readable, steps_of

pytestmark = pytest.mark.usefixtures("forgotten")


class TestForm:
    def test_a_wrong_password_is_told_and_the_right_one_saved(
        self, lab, page, panel, values, ask, screenshot
    ):
        lab.open(page)
        expect(panel()).to_contain_text("No database is connected yet.")
        panel().locator(".aiser-Message").get_by_role("button", name="Connect a database").click()
        form = page.get_by_role("form", name="New connection")
        expect(form.get_by_label("Paste a URL")).to_be_focused()
        fill(form, values, password="not it")
        assert form.get_by_label("Password").get_attribute("autocomplete") == "new-password"
        button(form, "Test").click()
        steps = form.locator(".aiser-Check")
        expect(steps.last).to_contain_text("Login")
        assert steps_of(form) == {**dict.fromkeys(STEPS[:4], "passed"), "Login": "failed"}
        expect(steps.last).to_contain_text("Check user and password.")
        expect(steps.last.get_by_role("img", name="failed")).to_be_visible()
        expect(steps.first).to_contain_text(re.compile(r"Driver.*ms$"))
        expect(button(form, "Save")).to_be_disabled()
        screenshot("form-wrong-password")
        form.get_by_label("Password").fill(values["password"])
        expect(form).to_contain_text("Something changed since: test again.")
        button(form, "Test").click()
        expect(form).to_contain_text("The connection works.")
        assert steps_of(form) == dict.fromkeys(STEPS, "passed")
        button(form, "Save").click()
        row = panel().locator(".aiser-Connection")
        expect(row).to_contain_text(re.compile(r"shop.*postgresql.*answers in .*yours"))
        expect(form).to_have_count(0)
        assert values["password"] not in page.content()
        saved = ask("GET", CONNECTIONS)["connections"][-1]
        assert (saved["name"], saved["config"]["password"]) == ("shop", {"set": True})

    def test_a_url_fills_the_fields_and_leaves_none_of_its_password(
        self, lab, page, panel, values, screenshot
    ):
        lab.open(page)
        panel().get_by_role("button", name="Connect a database").last.click()
        form = page.get_by_role("form", name="New connection")
        place = f"localhost:{values['port']}/{values['database']}"
        form.get_by_label("Paste a URL").fill(f"postgres://ann:a%20b@{place}")
        form.get_by_label("Paste a URL").press("Enter")
        expect(form.get_by_label("Host")).to_have_value("localhost")
        expect(form.get_by_label("Port")).to_have_value(str(values["port"]))
        expect(form.get_by_label("User")).to_have_value("ann")
        expect(form.get_by_label("Password")).to_have_value("a b")
        expect(form.get_by_label("Paste a URL")).to_have_value("")
        expect(form.locator(".aiser-Check").last).to_contain_text("is not signed by an authority")
        assert "a b" not in readable(page)
        assert steps_of(form)["Encryption (TLS)"] == "failed"

    @pytest.mark.parametrize(
        ("url", "left"),
        [
            ("postgres://a:canary@b@c/d", "postgres://a@c/d"),
            (
                "postgres://ann:canary@localhost/shop?init_command=x",
                "postgres://ann@localhost/shop?init_command=x",
            ),
            ("postgres://ann@localhost/shop?password=canary", "postgres://ann@localhost/shop?password="),
        ],
    )
    def test_a_url_that_is_refused_keeps_no_password(self, lab, page, panel, url, left):
        lab.open(page)
        panel().get_by_role("button", name="Connect a database").last.click()
        form = page.get_by_role("form", name="New connection")
        form.get_by_label("Paste a URL").fill(url)
        button(form, "Fill in and test").click()
        expect(form.get_by_role("alert")).to_be_visible()
        expect(form.get_by_label("Paste a URL")).to_have_value(left)
        assert "canary" not in page.content() + readable(page) + lab.log.read_text()

    def test_a_url_of_mysql_fills_its_fields_and_the_password_is_typed(
        self, lab, page, panel, mariadb, ask, screenshot
    ):
        lab.open(page)
        panel().get_by_role("button", name="Connect a database").last.click()
        form = page.get_by_role("form", name="New connection")
        form.get_by_label("Paste a URL").fill(
            f"mysql://{mariadb.user}@localhost:{mariadb.port}/{mariadb.database}?connect_timeout=7"
        )
        button(form, "Fill in and test").click()
        expect(form.get_by_label("MySQL or MariaDB")).to_be_checked()
        for label, value in (("Host", "localhost"), ("Port", str(mariadb.port)), ("User", mariadb.user)):
            expect(form.get_by_label(label)).to_have_value(value)
        expect(form.get_by_label(re.compile("^Database"))).to_have_value(mariadb.database)
        expect(form.get_by_label("Password")).to_have_value("")
        form.get_by_text("More, all optional:").click()
        expect(form.get_by_label("Seconds to connect")).to_have_value("7")
        expect(form.get_by_label("Time zone")).to_have_value("")
        form.get_by_label("Time zone").fill("+00:00")
        form.get_by_label("Password").fill(mariadb.password)
        form.get_by_label("Certificate authority").fill(mariadb.authority.pem)
        form.get_by_label("Name", exact=True).fill("crm")
        button(form, "Test").click()
        expect(form).to_contain_text("The connection works.")
        assert steps_of(form) == dict.fromkeys(STEPS, "passed")
        screenshot("form-mysql")
        button(form, "Save").click()
        expect(panel().locator(".aiser-Connection")).to_contain_text(re.compile("crm.*mysql.*answers in"))
        (saved,) = [each for each in ask("GET", CONNECTIONS)["connections"] if each["name"] == "crm"]
        assert (saved["config"]["time_zone"], saved["config"]["timeout"]) == ("+00:00", 7)
        assert mariadb.password not in page.content() + lab.log.read_text()

    def test_a_choice_decides_which_fields_there_are(self, lab, page, panel, screenshot):
        lab.open(page)
        panel().get_by_role("button", name="Connect a database").last.click()
        form = page.get_by_role("form", name="New connection")
        form.get_by_label("Snowflake").check()
        choice = form.get_by_label("Sign in with")
        assert choice.locator("option").all_inner_texts() == [
            *("Password", "Key pair", "OAuth token", "Programmatic access token", "The browser")
        ]
        expect(form.get_by_label("Password")).to_be_visible()
        expect(form.get_by_label("Private key")).to_have_count(0)
        choice.select_option(label="Key pair")
        expect(form.get_by_label("Password")).to_have_count(0)
        form.get_by_label("Private key").fill("-----BEGIN PRIVATE KEY-----\ncanary")
        assert "canary" not in readable(page)
        screenshot("form-choice")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        button(form, "Test").click()
        expect(form.get_by_label("Account")).to_be_focused()  # needed, and empty
        expect(form).to_contain_text("Account is needed.")
        assert not [url for url in asked if url.endswith("/test")]

    def test_a_choice_stays_in_view_where_it_needs_no_secret(self, lab, page, panel):
        lab.open(page)
        panel().get_by_role("button", name="Connect a database").last.click()
        form = page.get_by_role("form", name="New connection")
        form.get_by_label("BigQuery").check()
        choice = form.get_by_label("Sign in with")
        choice.focus()
        choice.select_option(label="Application default credentials")
        expect(form.get_by_label("Key of the service account")).to_have_count(0)
        expect(choice).to_be_visible()
        expect(choice).to_be_focused()
        expect(choice).to_have_value("application_default")

    def test_it_can_be_read_in_both_themes_and_in_a_narrow_tab(self, lab, page, panel, theme, screenshot):
        lab.open(page)
        panel().get_by_role("button", name="Connect a database").last.click()
        form = page.get_by_role("form", name="New connection")
        form.get_by_label("PostgreSQL").check()
        expect(form.locator(".aiser-Kind", has_text="PostgreSQL")).to_have_attribute(
            "title", re.compile("^connects with pg8000 ")
        )
        button(form, "Test").click()
        expect(form).to_contain_text("Host is needed.")
        for name in ("JupyterLab Light", "JupyterLab Dark"):
            theme(name)
            assert faint(form) == []
            for width in (300, 960):  # the rest is the form's: 920 px and 260
                panel(width)
                assert form.evaluate("e => e.scrollWidth <= e.clientWidth")
                assert form.get_by_label("Paste a URL").bounding_box()["width"] >= 160
                screenshot(f"form-{name.split()[1].lower()}-{width}")

    def test_a_changed_host_demands_the_password(self, lab, page, panel, shop, values, ask):
        lab.open(page)
        row = opened(panel)
        button(row, "Edit shop").click()
        form = page.get_by_role("form", name="Connection shop")
        password = form.get_by_label("Password", exact=False).first
        expect(password).to_have_attribute("placeholder", "set; type to replace it")
        expect(password).to_have_value("")
        form.get_by_label("Host").fill("127.0.0.1")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        button(form, "Test").click()
        expect(form).to_contain_text("Host changed, so give this again")
        expect(password).to_be_focused()
        assert not [url for url in asked if url.endswith("/test")]
        password.fill(values["password"])
        button(form, "Test").click()
        expect(form).to_contain_text("The connection works.")
        button(form, "Save").click()
        expect(row).to_contain_text(f"127.0.0.1:{values['port']}")
        assert ask("GET", f"{CONNECTIONS}/{shop['id']}")["connection"]["config"]["host"] == "127.0.0.1"

    def test_what_the_server_refuses_is_said_where_it_was_sent(self, lab, page, panel, shop, ask):
        lab.open(page)
        button(opened(panel), "Edit shop").click()
        form = page.get_by_role("form", name="Connection shop")
        form.get_by_label("Host").wait_for()
        ask("DELETE", f"{CONNECTIONS}/{shop['id']}")  # meanwhile, by somebody else
        button(form, "Test").click()
        expect(form.get_by_role("alert")).to_contain_text("There is no such connection.")
        expect(button(form, "Save")).to_be_disabled()

    def test_it_is_made_with_the_keyboard_alone(self, lab, page, panel):
        lab.open(page)
        panel().get_by_role("button", name="Connect a database").last.focus()
        page.keyboard.press("Enter")
        form = page.get_by_role("form", name="New connection")
        expect(form.get_by_label("Paste a URL")).to_be_focused()
        page.keyboard.press("Tab")  # the button beside it is off while there is nothing to read
        page.keyboard.press("Space")
        while not form.get_by_label("DuckDB").is_checked():
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        expect(form.get_by_label("Name", exact=True)).to_be_focused()
        page.keyboard.type("memory")
        page.keyboard.press("Enter")
        expect(form).to_contain_text("The connection works.")
        page.keyboard.press("Enter")
        expect(panel().locator(".aiser-Connection")).to_contain_text("memory")
