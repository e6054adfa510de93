"""Names are replaced in the text, and nothing else; what cannot be read from here is refused."""

from __future__ import annotations

import pytest

from aiser_jupyter.errors import UsageError
from aiser_jupyter.models import TableRef
from aiser_jupyter.sql.federated import splice

REFS = {
    TableRef("orders", "public", "shop"),
    TableRef("orders", "w"),
    TableRef("or.ders", "public", "ware house"),
    TableRef("t", "w"),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 'é🦆', a FROM shop.public.orders o", """SELECT 'é🦆', a FROM "shop.public.orders" o"""),
        ("/* shop.public.orders */ FROM w.t x -- w.t", '/* shop.public.orders */ FROM "w.t" x -- w.t'),
        ("FROM w /* ! */ . t AS x", 'FROM "w.t" AS x'),
        ("SELECT 'w.t' FROM W.T", "SELECT 'w.t' FROM W.T"),
        (
            "SELECT shop.public.orders.id, w.orders.* FROM shop.public.orders, w.orders",
            'SELECT "shop.public.orders".id, "w.orders".* FROM "shop.public.orders" AS "shop.public.orders",'
            ' "w.orders" AS "w.orders"',
        ),
        (
            'SELECT * FROM "ware house".public."or.ders" JOIN w.t ON w.t.a = "ware house".public."or.ders".b',
            'SELECT * FROM "ware house.public.or.ders" AS "or.ders" JOIN "w.t" AS "t" ON "t".a = "or.ders".b',
        ),
        (
            "SELECT (SELECT max(w.t.a) FROM w.t) FROM x WHERE EXISTS (SELECT w.t.b)",
            None,
        ),
        ("SELECT w.t.struct.field FROM w.t", 'SELECT "t".struct.field FROM "w.t" AS "t"'),
        ("WITH t AS (SELECT 1) SELECT * FROM t, w.t u", 'WITH t AS (SELECT 1) SELECT * FROM t, "w.t" u'),
        ("CREATE TABLE x AS FROM w.t", 'CREATE TABLE x AS FROM "w.t" AS "t"'),
        ("INSERT INTO x SELECT * FROM w.t", 'INSERT INTO x SELECT * FROM "w.t" AS "t"'),
        ("COPY (FROM w.t) TO 'a.csv'", """COPY (FROM "w.t" AS "t") TO 'a.csv'"""),
        ("SUMMARIZE w.t", 'SUMMARIZE "w.t"'),
        ("PIVOT w.t ON a USING sum(b)", 'PIVOT "w.t" ON a USING sum(b)'),
        ("SELECT * FROM w.t TABLESAMPLE 10%", 'SELECT * FROM "w.t" AS "t" TABLESAMPLE 10%'),
    ],
)
def test_names_are_spliced(text: str, expected: str | None) -> None:
    if expected is None:  # a column of a table that is not in FROM there
        with pytest.raises(UsageError, match="is not in FROM"):
            splice(text, REFS)
    else:
        assert splice(text, REFS).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO w.t SELECT 1",
        "INSERT INTO w.t (a) SELECT a FROM x",
        "UPDATE w.t SET a = 1",
        "DELETE FROM w.t",
        "MERGE INTO w.t USING x ON w.t.a = x.a WHEN MATCHED THEN DELETE",
        "DROP TABLE w.t",
        "TRUNCATE w.t",
        "CREATE TABLE w.t (a INTEGER)",
        "COPY w.t FROM 'a.csv'",
    ],
)
def test_a_remote_table_is_not_written(text: str) -> None:
    with pytest.raises(UsageError, match="only read here") as caught:
        splice(text, REFS)
    assert caught.value.hint == "Write in a cell of that connection: %%aiser w."


@pytest.mark.parametrize("text", ["CREATE VIEW v AS FROM w.t", "CREATE MACRO m() AS TABLE FROM w.t"])
def test_a_remote_table_is_not_kept_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="fetched for one statement"):
        splice(text, REFS)


def test_explain_says_where_to_look() -> None:
    with pytest.raises(UsageError) as caught:
        splice("EXPLAIN SELECT * FROM w.t", REFS)
    assert "%aiser route" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("SELECT a FROM w.t WHERE a > 1 GROUP BY a ORDER BY a LIMIT 3", True),
        ("FROM w.t", True),
        ("SELECT a, (SELECT 1) FROM w.t", False),
        ("SELECT a FROM w.t x JOIN w.t y USING (a)", False),
        ("WITH q AS (FROM w.t) FROM q", False),
        ("SELECT sum(a) OVER () FROM w.t", False),
        ("SELECT a FROM w.t UNION ALL SELECT a FROM w.t", False),
        ("SELECT a FROM w.t, df", False),
        ("SELECT a FROM (SELECT a FROM w.t)", False),
        ("SELECT a FROM w.t WHERE a IN (SELECT 1)", False),
        ("SELECT a FROM w.t WHERE EXISTS (SELECT 1 WHERE w.t.a = 1)", False),
        ("PIVOT w.t ON a USING sum(b)", False),
        ("SUMMARIZE w.t", False),
        ("CREATE TABLE x AS FROM w.t", False),
    ],
)
def test_what_is_streamed(text: str, once: bool) -> None:
    assert splice(text, REFS).once == once
