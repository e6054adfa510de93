"""Connections in the panel: their state, the administrator's too; browsed, deleted, and queried."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.doing import CONNECTIONS, HOSTILE, asked_until, button, fill, opened
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.fixture
def admin(lab):
    """Write a connection into the administrator's file; what ends with ``_file`` gets a file of its own."""
    path = lab.admin / "aiser_connections.toml"

    def write(name, **fields):
        lines = [f"[{name}]"]
        for field, value in fields.items():
            if field.endswith("_file"):
                secret = lab.admin / f"{name}-{field}"
                secret.write_text(value)
                secret.chmod(0o600)
                value = str(secret)
            lines.append(f"{field} = {json.dumps(value)}")  # TOML writes these as JSON does
        path.write_text("\n".join(lines))

    yield write
    path.unlink(missing_ok=True)


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

    def test_the_administrators_cannot_be_changed(self, lab, page, panel, admin, values):
        admin(
            "warehouse",
            type="postgresql",
            host="localhost",
            port=values["port"],
            database=values["database"],
            username=values["username"],
            password_file=values["password"],
            ssl_ca_file=values["ssl_ca"],
        )
        lab.open(page)
        row = opened(panel, "warehouse")
        expect(row).to_contain_text(
            re.compile("warehouse.*postgresql.*answers in .*administrator.*read-only")
        )
        expect(row).not_to_contain_text("no TLS")
        assert button(row, "Edit warehouse").count() == button(row, "Delete warehouse").count() == 0
        button(row, "Browse warehouse").click()
        expect(panel().get_by_label("Catalog of")).to_have_value("admin-warehouse")

    def test_one_without_encryption_says_so(self, lab, page, panel, admin, mariadb, screenshot):
        admin(
            "plain",
            type="mysql",
            host="127.0.0.1",
            port=mariadb.port,
            database=mariadb.database,
            username=mariadb.user,
            password_file=mariadb.password,
            ssl_enabled=False,
        )
        lab.open(page)
        row = panel().locator(".aiser-Connection", has_text="plain")
        expect(row).to_contain_text(re.compile("plain.*mysql.*answers in .*no TLS"))
        screenshot("connections-plain")

    def test_one_that_fails_is_red_and_what_is_said_of_it_is_text(
        self, lab, page, panel, admin, values, screenshot
    ):
        admin(
            "warehouse",
            type="postgresql",
            host="localhost",
            port=values["port"],
            username=HOSTILE,
            password_file="not it",
            ssl_ca_file=values["ssl_ca"],
        )
        lab.open(page)
        row = opened(panel, "warehouse")
        for words in ("failed", f'password authentication failed for user "{HOSTILE}"', "none yet"):
            expect(row).to_contain_text(words)
        expect(row.locator(".aiser-Dot")).to_have_class(re.compile("aiser-mod-failing"))
        expect(row).to_contain_text("Check user and password.")
        button(row, "Test warehouse").click()
        expect(row).to_contain_text(re.compile(r"failed [23] times"))
        assert row.locator("img").count() == 0
        screenshot("connections-red")

    def test_one_whose_server_goes_away_turns_red_and_green_again(
        self, lab, page, panel, ask, values, screenshot
    ):
        with Proxy(("127.0.0.1", values["port"])) as line:
            ask("POST", CONNECTIONS, {**values, "port": line.port, "name": "shop"})
            lab.open(page)
            row = opened(panel)
            expect(row).to_contain_text("answers in")
            line.set("mute")
            button(row, "Test shop").click()
            expect(row).to_contain_text("failed")
            expect(row).to_contain_text("shop did not answer within 3 s.")
            line.set("pass")
            asked_until(row, "answers in")
            expect(row.locator(".aiser-mod-error")).to_have_count(0)
            expect(row).to_contain_text(re.compile("Last error.*did not answer within 3 s"))

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
        expect(catalog.get_by_label("Catalog of")).to_have_attribute("title", "shop")  # a long one is cut
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
        catalog.get_by_label("Search tables, columns").fill("amount")
        found = catalog.get_by_label("Found").locator(".aiser-Table")
        expect(found).to_have_count(1)
        expect(found).to_contain_text("panel.orders")
        expect(found.get_by_label("Columns found")).to_contain_text("amount")
        catalog.get_by_label("Search tables, columns").fill("no such thing")
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
