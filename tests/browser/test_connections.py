"""Connections in the panel: made by the form on a real PostgreSQL, changed, browsed, deleted, and queried."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request

import pytest
from playwright.sync_api import expect

from aiser_jupyter.store.database import Store

HOSTILE = "<img src=x onerror=alert(1)>"
CONNECTIONS = "data/enterprise/connections"


@pytest.fixture
def ask(lab):
    """Call the REST API as another client would."""

    def call(verb: str, path: str, body: object = None) -> dict:
        request = urllib.request.Request(
            f"{lab.url}aiser/{path}",
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {lab.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    return call


@pytest.fixture(autouse=True)
def forgotten(ask, lab):
    """No connection and no run outlives its test."""
    yield
    store = Store(lab.store)
    with store.write() as connection:
        connection.execute("DELETE FROM history")
    store.close()
    for connection in ask("GET", CONNECTIONS)["connections"]:
        if connection["source"] == "store":
            ask("DELETE", f"{CONNECTIONS}/{urllib.parse.quote(connection['id'])}")


@pytest.fixture
def values(postgresql):
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
def shop(ask, values):
    """A saved connection."""
    return ask("POST", CONNECTIONS, {**values, "name": "shop"})["connection"]


@pytest.fixture
def tables(postgresql):
    """Tables in two schemas, with keys, comments and a name that is not one."""
    postgresql.admin("CREATE SCHEMA panel AUTHORIZATION ann", database=postgresql.database)
    connection = postgresql.connect()
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE panel.customers (id bigint PRIMARY KEY, name text NOT NULL)")
    cursor.execute(
        "CREATE TABLE panel.orders (id bigint PRIMARY KEY,"
        " customer_id bigint REFERENCES panel.customers, amount numeric(18,2))"
    )
    cursor.execute("COMMENT ON COLUMN panel.orders.amount IS 'net, in euro'")
    cursor.execute(f'CREATE TABLE panel."{HOSTILE}" ("{HOSTILE}" int)')
    yield
    cursor.execute("DROP SCHEMA panel CASCADE")
    connection.close()


def fill(form, values, **others):
    """Type what a person would into the form of a PostgreSQL connection."""
    form.get_by_label("PostgreSQL").check()
    form.get_by_label("Name", exact=True).fill(others.get("name", "shop"))
    form.get_by_label("Host").fill(values["host"])
    form.get_by_label("Port").fill(str(values["port"]))
    form.get_by_label(re.compile("^Database")).fill(values["database"])
    form.get_by_label("User").fill(values["username"])
    form.get_by_label("Password").fill(others.get("password", values["password"]))
    form.get_by_text("More:").click()
    form.get_by_label("Certificate authority").fill(values["ssl_ca"])


def button(place, name):
    return place.get_by_role("button", name=name, exact=True)


def opened(panel, name="shop"):
    """The row of a connection, opened."""
    row = panel().locator(".aiser-Connection", has_text=name)
    row.get_by_role("button").first.click()
    return row


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
        expect(steps.last).to_contain_text("Check user and password.")
        expect(steps.last.get_by_role("img", name="failed")).to_be_visible()
        expect(steps.first).to_contain_text(re.compile(r"Driver.*ms$"))
        expect(button(form, "Save")).to_be_disabled()
        screenshot("form-wrong-password")
        form.get_by_label("Password").fill(values["password"])
        expect(form).to_contain_text("Something changed since: test again.")
        button(form, "Test").click()
        expect(form).to_contain_text("The connection works.")
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
        form.get_by_label("Paste a URL").fill("postgres://a@b@c/d")
        button(form, "Fill in and test").click()
        expect(form.get_by_role("alert")).to_be_visible()

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
        expect(form.get_by_label("DuckDB")).to_be_checked()
        page.keyboard.press("Tab")
        expect(form.get_by_label("Name", exact=True)).to_be_focused()
        page.keyboard.type("memory")
        page.keyboard.press("Enter")
        expect(form).to_contain_text("The connection works.")
        page.keyboard.press("Enter")
        expect(panel().locator(".aiser-Connection")).to_contain_text("memory")


class TestList:
    def test_delete_asks_first(self, lab, page, panel, shop, ask):
        lab.open(page)
        row = opened(panel)
        button(row, "Delete shop").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Delete shop?")
        button(dialog, "Cancel").click()
        expect(row).to_be_visible()
        button(row, "Delete shop").click()
        button(dialog, "Delete").click()
        expect(panel()).to_contain_text("No database is connected yet.")
        assert [each["name"] for each in ask("GET", CONNECTIONS)["connections"]] == ["local"]

    def test_another_source_is_read_only_and_everything_shown_is_text(self, lab, page, panel, shop):
        """Stands in for the server's listing: what the panel makes of it is tested here."""
        told = {
            **shop,
            "id": "admin-1",
            "name": "warehouse",
            "source": "admin",
            "read_only": True,
            "config": {"host": HOSTILE, "ssl_enabled": False},
        }
        failing = {
            "id": "admin-1",
            "name": "warehouse",
            "status": "failing",
            "code": "connect",
            "message": HOSTILE,
            "hint": f"Ask {HOSTILE}",
            "failures": 3,
            "checked_at": None,
            "last_ok": None,
            "next_check": None,
            "latencies": [],
        }

        def with_health(route):
            body = route.fetch().json()
            route.fulfill(json={**body, "connections": [failing]})

        page.route(
            "**/aiser/data/enterprise/connections*",
            lambda route: route.fulfill(json={"success": True, "connections": [told], "count": 1}),
        )
        page.route("**/aiser/data/health*", with_health)
        lab.open(page)
        row = opened(panel, "warehouse")
        for words in ("failed 3 times", "administrator", "read-only", "no TLS", f"Ask {HOSTILE}"):
            expect(row).to_contain_text(words)
        assert row.locator("img").count() == 0
        assert button(row, "Edit warehouse").count() == button(row, "Delete warehouse").count() == 0
        page.unroute_all(behavior="ignoreErrors")

    def test_a_server_that_is_gone_is_said_and_nothing_is_claimed(self, lab, page, panel, shop):
        lab.open(page)
        row = panel().locator(".aiser-Connection")
        expect(row).to_contain_text("answers in")
        page.route("**/aiser/**", lambda route: route.abort())
        button(panel(), "Refresh the connections").click()
        alert = panel().get_by_role("alert").first
        expect(alert).to_contain_text("The Jupyter server does not answer.")
        expect(row).to_contain_text("not asked yet")
        page.unroute_all(behavior="ignoreErrors")


class TestCatalog:
    @pytest.fixture
    def catalog(self, lab, page, panel, tables, shop):
        lab.notebook("names.ipynb", ["%%aiser\nSELECT * FROM ", "%%aiser shop\nSELECT * FROM "])
        lab.open(page, "names.ipynb")
        button(opened(panel), "Browse shop").click()
        place = panel().locator(".aiser-Section", has=page.get_by_label("Catalog of"))
        place.get_by_role("button", name="orders", exact=False).first.wait_for()
        return place

    def test_tables_columns_keys_and_comments_are_shown_as_text(self, catalog, page, screenshot):
        expect(catalog.get_by_role("button", name="panel 3 tables")).to_have_attribute(
            "aria-expanded", "true"
        )
        catalog.get_by_role("button", name="orders").first.click()
        columns = catalog.get_by_label("Columns", exact=True).locator("li")
        expect(columns).to_have_text(
            ["idPKbigint", "customer_idFKbigint", re.compile("amount.*net, in euro")]
        )
        assert columns.nth(1).locator("abbr").get_attribute("title") == "Refers to panel.customers.id"
        catalog.get_by_role("button", name=HOSTILE).first.click()
        expect(catalog.get_by_label("Columns", exact=True).first).to_have_text(
            f"{HOSTILE}integer"
        )  # sorts first
        assert catalog.locator("img").count() == 0
        screenshot("catalog-database")

    def test_search_finds_columns_in_the_database(self, catalog):
        catalog.get_by_label("Search tables and columns").fill("amount")
        found = catalog.get_by_label("Found").locator(".aiser-Table")
        expect(found).to_have_count(1)
        expect(found).to_contain_text("panel.orders")
        expect(found.get_by_label("Columns found")).to_contain_text("amount")
        catalog.get_by_label("Search tables and columns").fill("no such thing")
        expect(catalog).to_contain_text("No table or column is named like “no such thing”.")

    def test_a_name_is_written_as_the_cell_needs_it(self, catalog, page):
        for at, expected in ((0, "shop.panel.orders"), (1, "panel.orders")):
            page.evaluate(
                """at => { const {content} = jupyterapp.shell.currentWidget;
                    content.activeCellIndex = at;
                    content.activeCell.editor.setCursorPosition({line: 1, column: 14}); }""",
                at,
            )
            catalog.locator(".aiser-Row", has_text="orders").first.hover()
            button(catalog, "Write orders into the active cell").click()
            page.wait_for_function(
                """([at, text]) => jupyterapp.shell.currentWidget.content.model.cells.get(at)
                    .sharedModel.getSource().endsWith('FROM ' + text)""",
                arg=[at, expected],
            )


def test_a_query_of_a_kernel_is_seen_and_cancelled(lab, page, panel, shop, screenshot):
    lab.notebook("long.ipynb", ["%load_ext aiser_jupyter", "%%aiser shop\nSELECT pg_sleep(300)"])
    lab.open(page, "long.ipynb")
    panel(340)
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    running = panel().get_by_role("region", name="Running now")
    expect(running).to_contain_text("SELECT pg_sleep(300)")
    expect(running.locator(".aiser-Entry-when")).to_have_text(re.compile(r"^\d.* m?s$"))
    screenshot("running")
    button(running, "Cancel SELECT pg_sleep(300)").click()
    expect(page.locator(".jp-OutputArea").nth(1)).to_contain_text("QueryCancelled")
    ended = panel().get_by_role("region", name="Ended, newest first")
    expect(ended.locator(".aiser-Entry").first.get_by_role("img", name="Cancelled")).to_be_visible()
    expect(running).to_have_count(0)


def test_it_is_pleasant_in_both_themes_and_widths(lab, page, panel, theme, shop, tables, values, screenshot):
    lab.open(page)
    button(opened(panel), "Browse shop").click()
    panel().get_by_role("button", name="orders").first.click()
    panel().get_by_role("button", name="Connect a database").first.click()
    form = page.get_by_role("form", name="New connection")
    fill(form, values, password="not it")
    button(form, "Test").click()
    form.get_by_text("does not work yet").wait_for()
    for name in ("JupyterLab Light", "JupyterLab Dark"):
        theme(name)
        for width in (250, 300, 500):  # with 500 the form has about 800 px
            shown = panel(width)
            page.mouse.move(1000, 700)
            assert shown.bounding_box()["width"] == pytest.approx(width, abs=10)
            assert shown.evaluate("e => e.scrollWidth <= e.clientWidth")
            assert form.evaluate("e => e.scrollWidth <= e.clientWidth")
            screenshot(f"connections-{name.split()[1].lower()}-{width}")
