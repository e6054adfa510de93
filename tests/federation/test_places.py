"""DuckDB's errors speak of the statement as it was written: its lines, its columns, its names."""

from __future__ import annotations

import pytest

from aiser_jupyter.errors import AiserError, QuerySyntaxError

from .conftest import Federation

STREAMED = [
    "SELECT TOP §3 id FROM crm.customers",
    "SELECT id FROM crm.customers WHERE name §RLIKE 'x'",
    "SELECT id FROM crm.customers c WHERE c.name §RLIKE 'x'",
    "SELECT crm.customers.id FROM crm.customers WHERE crm.customers.name §RLIKE 'x'",
    "SELECT 3 DIV §crm.customers.id FROM crm.customers",
    "SELECT 3 AS a, 4 DIV §crm . /* é */ customers . id FROM crm.customers",
    "SELECT id\nFROM crm.customers\nWHERE name §RLIKE 'x'",
    "-- première ligne: crm.customers\nSELECT '🦆é', /* crm.customers */ id\n  FROM crm.customers -- é\n"
    "\tWHERE name <> '🦆' AND name §RLIKE '🦆'",
    "SELECT '🦆é' AS ß, id FROM crm.customers WHERE 'é' || name §RLIKE 'x'",
    "SELECT id FROM crm.customers WHERE id IN {{ xs }} AND name = {{ text }} AND name §RLIKE {{ text }}",
    "SELECT id FROM crm.customers WHERE id IN ({{ xs }})\n AND name = :text AND name §RLIKE :text",
    "SELECT {{ column | identifier }} FROM crm.customers WHERE name §RLIKE 'x'",
    "SELECT id FROM crm.customers §FOR XML PATH",
    "  ;SELECT id FROM crm.customers WHERE name §RLIKE 'x'; ;",
]
KEPT = [
    "SELECT TOP §3 c.id FROM crm.customers c, warehouse.sales.orders o",
    "SELECT c.id FROM crm.customers c, warehouse.sales.orders o WHERE c.name §RLIKE 'x'",
    "SELECT crm.customers.id FROM crm.customers JOIN warehouse.sales.orders\n  USING (id)"
    " WHERE warehouse.sales.orders.note §RLIKE crm.customers.name",
    "SELECT 3 DIV §warehouse.sales.orders.id FROM crm.customers, warehouse.sales.orders",
    "WITH q AS (\n  -- é 🦆\n  FROM crm.customers\n)\nSELECT id FROM q\nWHERE name §RLIKE 'x'",
    "SELECT id FROM (crm.customers§) WHERE id IN (SELECT id FROM warehouse.sales.orders)",
    "SELECT count(*) FROM crm.customers JOIN warehouse.sales.orders USING (id) /* 🦆\n é */ §SORT BY 1",
    "CREATE TABLE x AS\nSELECT id FROM crm.customers WHERE name §RLIKE 'x'",
]
VALUES = {"xs": [1, 2, 3], "text": "x", "column": "id"}


@pytest.mark.parametrize("text", STREAMED + KEPT)
def test_the_place_of_an_error(shop: Federation, text: str) -> None:
    place, text = text.index("§"), text.replace("§", "")
    expected = (text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place))
    with pytest.raises(QuerySyntaxError) as caught:
        shop.run(text, variables=VALUES)
    assert (caught.value.line, caught.value.column) == expected
    assert f"(line {expected[0]}, column {expected[1]})" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM crm.customers WHERE id IN {{ xs }} AND name = :text\n AND §= :text",
        "SELECT id FROM range(9) t(id) WHERE id IN {{ xs }} AND id = §= {{ text }}",
    ],
)
def test_the_place_of_an_error_where_only_parameters_are_replaced(shop: Federation, text: str) -> None:
    """Neither parser reads the first, so that no name in it is found."""
    place, text = text.index("§"), text.replace("§", "")
    with pytest.raises(QuerySyntaxError) as caught:
        shop.run(text, variables=VALUES)
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT id FROM crm.customers, crm.customers", "use: 'crm.customers.id' or 'crm.customers.id'"),
        (
            "SELECT id FROM warehouse.sales.orders, crm.customers, crm.customers",
            "use: 'orders.id' or 'crm.customers.id'",
        ),
        ('SELECT id FROM warehouse."odd name", warehouse."odd name"', """'warehouse."odd name".id'"""),
        ("SELECT x.id FROM crm.customers, crm.customers", "Known tables in FROM: crm.customers."),
        (
            "SELECT 3 DIV crm.customers.id FROM crm.customers",
            'at or near "crm.customers" (line 1, column 14)',
        ),
    ],
)
def test_the_names_of_an_error(shop: Federation, text: str, said: str) -> None:
    import duckdb

    with duckdb.connect(str(shop.folder / "warehouse.duckdb")) as made:
        made.execute('CREATE TABLE "odd name" AS SELECT 1 AS id')
    with pytest.raises(AiserError) as caught:
        shop.run(text)
    assert said in str(caught.value)


def test_a_translated_statement_has_no_places(servers: Federation) -> None:
    """Its text was made anew for DuckDB; what is wrong with it is no place of the reader's."""
    with pytest.raises(AiserError) as caught:
        servers.run("SELECT id FROM fed_orders WHERE MATCH(note) AGAINST ('x')", "warehouse", engine="duckdb")
    assert "(line " not in str(caught.value)
    assert getattr(caught.value, "line", None) is None
