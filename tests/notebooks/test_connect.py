"""The notebook of the connections, cell by cell, on real servers and on the warehouses' endpoints.

What differs from the notebook as it is saved: the addresses, and where the secrets come from.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
import pytest

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.run import Run
from tests.conformance import bigquery as conformance
from tests.notebooks.test_notebooks import NOTEBOOKS, Ran, execute
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL

ORDERS = [
    "DROP TABLE IF EXISTS nb_orders",
    "CREATE TABLE nb_orders (id INTEGER, customer_id INTEGER, amount INTEGER)",
    "INSERT INTO nb_orders VALUES (1, 1, 10), (2, 1, 20), (3, 2, 40), (4, 3, 80)",
    "GRANT SELECT ON nb_orders TO ann",
]
CUSTOMERS = [
    "CREATE OR REPLACE TABLE nb_customers (id INTEGER, region VARCHAR(10))",
    "INSERT INTO nb_customers VALUES (1, 'north'), (2, 'south'), (3, 'west')",
]


def replacements(
    postgresql: Any, mariadb: Any, snowflake: Any, bigquery: Any, redshift: Any, databricks: Any
) -> dict[str, str]:
    """Return what stands in the notebook, and what takes its place here."""

    def at(server: Any) -> str:
        return f"127.0.0.1:{server.port}"

    def ca(server: Any) -> str:
        return f" --ca {server.authority.path} --alias "

    def box(question: str) -> str:
        return f'getpass("{question}: ")'

    return {
        "ann@db.example.org/shop --alias ": f"ann@{at(postgresql)}/shop{ca(postgresql)}",
        "ann@crm.example.org/shop --alias ": f"ann@{at(mariadb)}/shop{ca(mariadb)}",
        "ann@myorg-account1/": "ann@acme/",
        "snowflake_jwt --alias ": f"snowflake_jwt&host=127.0.0.1&port={snowflake.port}{ca(snowflake)}",
        "my-project-1/shop?": f"{bigquery.project}/shop?api_endpoint=https://{at(bigquery)}"
        f"&storage_endpoint=https://127.0.0.1:{bigquery.storage_port}&",
        "=6.25 --alias ": f"=6.25{ca(bigquery)}",
        "shop.abc123.eu-west-1.redshift.amazonaws.com:5439/": f"{at(redshift)}/",
        "shop --alias red ": f"shop{ca(redshift)}red ",
        "dbc-a1b2c3d4-e5f6.cloud.databricks.com": at(databricks),
        "a1b234c567d8e9fa --alias ": f"a1b234c567d8e9fa{ca(databricks)}",
        box("Password of ann at db.example.org"): repr(postgresql.password),
        box("Password of ann at crm.example.org"): repr(mariadb.password),
        'Path("~/.ssh/snowflake_key.p8").expanduser().read_text()': repr(snowflake.private_key),
        'Path("~/keys/reader.json").expanduser().read_text()': repr(bigquery.credentials()),
        box("Password of ann at the cluster"): repr(redshift.password),
        box("Access token"): repr(databricks.password),
        "SELECT * FROM orders": "SELECT * FROM nb_orders",
    }


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql: PostgreSQL,
    mariadb: MariaDB,
    snowflake: Any,
    bigquery: Any,
    redshift: Any,
    databricks: Any,
) -> Ran:
    for statement in ORDERS:
        postgresql.admin(statement, database=postgresql.database)
    for statement in CUSTOMERS:
        mariadb.admin(statement, database=mariadb.database)
    sold = conformance.config(Path(), bigquery)
    with closing(connector("bigquery").open(sold)) as session:
        for statement in ("DROP TABLE IF EXISTS nb_orders", "CREATE TABLE nb_orders AS SELECT 1 AS id"):
            session.execute(statement, (), Run("notebook")).read_all()
    folder = tmp_path_factory.mktemp("connect") / "copy"
    folder.mkdir()
    notebook = nbformat.read(NOTEBOOKS / "02_connect.ipynb", as_version=4)
    for old, new in replacements(postgresql, mariadb, snowflake, bigquery, redshift, databricks).items():
        found = [cell for cell in notebook.cells if cell.cell_type == "code" and old in cell.source]
        assert found, f"{old!r} stands in no cell any more"
        for cell in found:
            cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, folder / "02_connect.ipynb")
    return execute(folder, "02_connect")


def test_no_cell_fails(ran: Ran) -> None:
    failed = {
        name: ran.error(name).evalue
        for name, cell in ran.cells.items()
        if cell.cell_type == "code" and ran.error(name)
    }
    assert failed == {}


@pytest.mark.parametrize("name", ["shop", "crm", "lab", "snow", "bq", "red", "lake"])
def test_each_is_listed(ran: Ran, name: str) -> None:
    assert name in ran.text("connections").split()


@pytest.mark.parametrize(
    "kind", ["postgresql", "mysql", "duckdb", "snowflake", "bigquery", "redshift", "databricks"]
)
def test_each_is_saved_and_answers(ran: Ran, kind: str) -> None:
    assert "Saved." in ran.text(kind)
    assert "42" in ran.text(f"{kind}-ask")


def test_the_cost_is_said_before_the_run(ran: Ran) -> None:
    text = ran.text("bigquery-cost")
    assert "nothing was run" in text
    assert "USD" in text


def test_one_statement_reads_two_databases_and_a_frame(ran: Ran) -> None:
    text = ran.text("joined")
    assert [line.split() for line in text.splitlines() if "orth" in line or "outh" in line] == [
        ["north", "100", "30"],
        ["south", "200", "40"],
    ]


def test_parallel_statements_are_summed_up(ran: Ran) -> None:
    text = ran.text("parallel")
    assert [word in text for word in ("orders", "customers", "answer")] == [True] * 3
    assert text.count("done") == 3


def test_no_secret_is_in_what_was_shown(ran: Ran, postgresql: Any, databricks: Any) -> None:
    shown = "\n".join(ran.text(name) for name, cell in ran.cells.items() if cell.cell_type == "code")
    for secret in (postgresql.password, databricks.password, "BEGIN PRIVATE KEY"):
        assert secret not in shown


def test_nothing_else_is_in_the_folder(ran: Ran) -> None:
    assert sorted(path.name for path in Path(ran.folder).iterdir()) == ["02_connect.ipynb", "local.duckdb"]
