"""What Redshift's views tell of databases, tables and columns, and what its planner expects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aiser_jupyter.connectors.redshift import catalog
from aiser_jupyter.connectors.redshift.estimate import plan
from aiser_jupyter.errors import NotPermitted, UnknownTable
from aiser_jupyter.models import Column, Estimate, TableRef
from aiser_jupyter.sql.parameters import quote_identifier
from tests.connectors.postgresql_kit import ask
from tests.connectors.redshift_kit import KIND, session

NAMES = ['a"; drop table x;--', "ü🦆", "with space", "$x", "'", "a.b", "Ä" * 31, "COLUMN"]
SQL = """
CREATE TABLE {s}.customers (
  id integer PRIMARY KEY, name varchar(20) NOT NULL, "odd "", name" numeric(18,4));
CREATE TABLE {s}.orders (
  id bigint NOT NULL, "line no" smallint NOT NULL, customer integer REFERENCES {s}.customers (id),
  at timestamptz,
  note super_like, PRIMARY KEY (id, "line no"));
COMMENT ON TABLE {s}.orders IS 'what was sold';
COMMENT ON COLUMN {s}.orders.customer IS 'dist: who bought';
COMMENT ON COLUMN {s}.orders.at IS 'sort';
CREATE VIEW {s}.recent AS SELECT id FROM {s}.orders;
INSERT INTO {s}.customers SELECT i, 'name ' || i, i FROM generate_series(1, 1000) i;
ANALYZE {s}.customers;
GRANT USAGE ON SCHEMA {s} TO plain;
GRANT SELECT ON {s}.customers TO plain;
"""


@pytest.fixture(scope="module")
def shop(redshift: Any) -> str:
    """A schema with tables of every kind, owned by ann."""
    admin = redshift.behind.admin
    with opened(redshift) as session:
        ask(session, "CREATE SCHEMA cat")
        admin("CREATE DOMAIN cat.super_like AS text", database="shop")
        for statement in SQL.replace("super_like", "cat.super_like").format(s="cat").split(";\n"):
            if statement.strip():
                ask(session, statement)
        ask(session, "CREATE SCHEMA nasty")
        for name in NAMES:
            quoted = quote_identifier(name, dialect="redshift")
            ask(session, f"CREATE TABLE nasty.{quoted} ({quoted} integer)")
    return "cat"


@contextmanager
def opened(redshift: Any, **changed: Any) -> Iterator[Any]:
    with session(redshift, **changed) as made:
        yield made


def test_tables_and_their_sizes(redshift: Any, shop: str) -> None:
    with opened(redshift) as session:
        found = {table.name: table for table in KIND.tables(session, shop)}
        assert {name: table.kind for name, table in found.items()} == {
            "customers": "table", "orders": "table", "recent": "view",
        }  # fmt: skip
        assert found["orders"].comment == "what was sold"
        sizes = found["customers"].statistics
        assert (sizes.rows, sizes.bytes, sizes.source) == (1000, 1 << 20, "svv_table_info")
        assert KIND.statistics(session, TableRef("customers", shop)) == sizes
        assert KIND.statistics(session, TableRef("orders", shop)).rows is None  # empty ones are not listed
        assert KIND.statistics(session, TableRef("nothing", shop)).rows is None
        assert {"cat", "nasty", "public"} <= set(KIND.schemas(session))
        assert "pg_catalog" not in KIND.schemas(session)
        assert "shop" in KIND.databases(session)


def test_sizes_are_unknown_to_whom_they_are_not_shown(redshift: Any, shop: str) -> None:
    with opened(redshift, username="plain") as session:
        assert [(table.name, table.statistics.rows) for table in KIND.tables(session, shop)] == [
            ("customers", None)
        ]
        assert KIND.statistics(session, TableRef("customers", shop)).rows is None


def test_columns_with_keys_and_layout(redshift: Any, shop: str) -> None:
    with opened(redshift, schema=shop) as session:
        orders = KIND.columns(session, TableRef("orders"))
        assert orders.columns == (
            Column("id", "bigint", False, None, True),
            Column("line no", "smallint", False, None, True),
            Column(
                "customer", "integer", True, "dist: who bought; distribution key", False, "cat.customers.id"
            ),
            Column("at", "timestamp with time zone", True, "sort; sort key 1"),
            Column("note", "text", True),
        )
        customers = KIND.columns(session, TableRef("CUSTOMERS", "CAT"))  # names are folded
        assert customers.columns is not None
        assert [(column.name, column.type) for column in customers.columns] == [
            ("id", "integer"), ("name", "character varying(20)"), ('odd ", name', "numeric(18,4)"),
        ]  # fmt: skip
        described = {table.name: table for table in KIND.describe(session, shop)}
        assert described["orders"] == orders
        assert set(described) == {"customers", "orders", "recent"}


def test_a_view_that_is_bound_late_is_described_by_reading_no_row(redshift: Any, shop: str) -> None:
    """The catalog has the view, and none of its columns: the endpoint's hides those of views so named."""
    with opened(redshift) as session:
        ask(session, "CREATE OR REPLACE VIEW cat.late_recent AS SELECT id, name FROM cat.customers")
        found = KIND.columns(session, TableRef("late_recent", shop))
        assert found.columns == (Column("id", "integer"), Column("name", "character varying(20)"))
        described = {table.name: table.columns for table in KIND.describe(session, shop)}
        assert described["late_recent"] is None
        ask(session, "DROP VIEW cat.late_recent")


def test_a_table_of_another_database_is_not_mistaken_for_one_of_here(redshift: Any, shop: str) -> None:
    with opened(redshift) as session:
        assert KIND.columns(session, TableRef("customers", shop, "shop")).catalog == "shop"
        with pytest.raises(UnknownTable):
            KIND.columns(session, TableRef("customers", shop, "other"))
        assert KIND.statistics(session, TableRef("customers", shop, "other")).rows is None


def test_a_name_is_a_name_whatever_it_holds(redshift: Any, shop: str) -> None:
    with opened(redshift) as session:
        assert sorted(table.name for table in KIND.tables(session, "nasty")) == sorted(NAMES)
        for name in NAMES:
            (column,) = KIND.columns(session, TableRef(name, "nasty")).columns or ()
            assert column.name == name
        for schema in ("'", "x' OR '1' = '1", 'a"b', "$schema"):
            assert KIND.tables(session, schema) == []
        with pytest.raises(UnknownTable) as caught:
            KIND.columns(session, TableRef("custmers", "cat"))
        assert caught.value.hint.startswith("Did you mean 'cat.customers'?")


@pytest.mark.parametrize(
    ("definition", "primary", "foreign"),
    [
        ("PRIMARY KEY (id)", {"id"}, {}),
        ('PRIMARY KEY (id, "line no")', {"id", "line no"}, {}),
        ('PRIMARY KEY ("a, b", "c"")")', {"a, b", 'c")'}, {}),
        ("FOREIGN KEY (a) REFERENCES t(x)", set(), {"a": "s.t.x"}),
        ("FOREIGN KEY (a, b) REFERENCES o.t(x, y)", set(), {"a": "o.t.x", "b": "o.t.y"}),
        ('FOREIGN KEY ("a b") REFERENCES "odd ("."t.u"("x ""y")', set(), {"a b": 'odd (.t.u.x "y'}),
        ("UNIQUE (id)", set(), {}),
    ],
)
def test_the_definition_of_a_key_is_read(definition: str, primary: set[str], foreign: dict[str, str]) -> None:
    found, meant = catalog._keys([("s", "mine", definition)])
    assert {place[2] for place in found} == primary
    assert {place[2]: target for place, target in meant.items()} == foreign


def test_rights_and_a_row(redshift: Any, shop: str) -> None:
    with opened(redshift, username="plain") as session:
        assert KIND.rights(session) == "1 tables and views are shown to plain"
        assert KIND.sample(session) == "a row in cat.customers"


def test_a_superuser_is_warned_of(redshift: Any, shop: str) -> None:
    redshift.behind.admin("ALTER ROLE ann SUPERUSER")
    try:
        with opened(redshift) as session:
            assert "WARNING: ann is a superuser" in KIND.rights(session)
    finally:
        redshift.behind.admin("ALTER ROLE ann NOSUPERUSER")


def many(redshift: Any, count: int) -> None:
    redshift.behind.admin("CREATE SCHEMA IF NOT EXISTS many AUTHORIZATION ann", database="shop")
    redshift.behind.admin(
        f"""DO $$ BEGIN SET ROLE ann; FOR i IN 1..{count} LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS many.t%s (a integer, b varchar(10))', i);
        IF i % 1000 = 0 THEN COMMIT; SET ROLE ann; END IF; END LOOP; END $$""",
        database="shop",
    )


@pytest.mark.long
def test_ten_thousand_tables(redshift: Any) -> None:
    many(redshift, 10_000)
    with opened(redshift) as session:
        started = time.monotonic()
        assert len(KIND.tables(session, "many")) == 10_000
        listed = time.monotonic() - started
        assert len(KIND.describe(session, "many")) == 10_000
        described = time.monotonic() - started - listed
    print(f"10,000 tables: listed in {listed:.2f} s, described in {described:.2f} s")
    assert listed < 10
    assert described < 30
    redshift.behind.admin("ALTER SCHEMA many RENAME TO gone", database="shop")


# -- what the planner expects --------------------------------------------------------------------------


def test_the_plan_of_a_statement_is_read(redshift: Any, shop: str) -> None:
    with opened(redshift) as session:
        found = KIND.expect(session, "SELECT id FROM cat.customers WHERE id > $least", {"least": 0})
        assert isinstance(found, Estimate)
        assert found.rows is not None
        assert 900 <= found.rows <= 1100
        assert found.bytes == found.rows * 4
        with pytest.raises(UnknownTable):
            KIND.expect(session, "SELECT * FROM cat.nothing", {})


PLAN = [
    "XN HashAggregate  (cost=131.97..133.41 rows=576 width=17)",
    "  ->  XN Hash Join DS_BCAST_INNER  (cost=112.50..3272334142.59 rows=170771 width=17)",
    '        Hash Cond: ("outer".venueid = "inner".venueid)',
    "        ->  XN Seq Scan on venue  (cost=0.00..2.02 rows=202 width=23)",
    "----- Tables missing statistics: venue, event -----",
    "----- Update statistics by running the ANALYZE command on these tables -----",
]


def test_a_plan_as_redshift_writes_it() -> None:
    found = plan([(line,) for line in PLAN])
    assert found is not None
    assert (found.rows, found.bytes, found.money) == (576, 576 * 17, None)
    assert found.unknown == (
        "the number of rows: tables were never analyzed",
        "time: a table is copied to every node for a join",
    )
    spectrum = plan([("XN Limit  (cost=1.00..9.00 rows=10 width=8)",), ("  ->  S3 Query Scan sales",)])
    assert spectrum is not None
    assert "paid by the byte" in spectrum.unknown[0]
    assert plan([("no plan",)]) is None


def test_a_right_that_lacks_is_said(redshift: Any, shop: str) -> None:
    redshift.behind.admin("CREATE ROLE shown LOGIN PASSWORD 'x'")
    redshift.behind.admin("GRANT SELECT (name) ON cat.customers TO shown", database="shop")
    redshift.behind.admin("GRANT USAGE ON SCHEMA cat TO shown", database="shop")
    with opened(redshift, username="shown", password="x") as session, pytest.raises(NotPermitted) as caught:
        KIND.sample(session)
    assert caught.value.hint
