"""Which declared types may be computed with, and which only shown."""

from __future__ import annotations

import pytest

from aiser_jupyter.sql.portable import why_not_portable


@pytest.mark.parametrize(
    ("dialect", "kind", "computes", "shows"),
    [
        ("mysql", "int(11)", True, True),
        ("mysql", "INT", True, True),
        ("mysql", "bigint(20) unsigned", True, True),
        ("mysql", "bigint unsigned", True, True),
        ("mysql", "int(10) unsigned zerofill", False, False),
        ("mysql", "decimal(38,0)", True, True),
        ("mysql", "decimal(18,2)", True, True),
        ("mysql", "decimal(39,2)", False, False),
        ("mysql", "decimal(10,2) unsigned", False, False),
        ("mysql", "double", True, True),
        ("mysql", "double(10,2)", False, False),
        ("mysql", "float", False, True),
        ("mysql", "char(3)", False, True),
        ("mysql", "longtext", False, True),
        ("mysql", "timestamp", False, True),
        ("mysql", "datetime(6)", True, True),
        ("mysql", "year(4)", False, False),
        ("mysql", "bit(1)", False, False),
        ("mysql", "set('a')", False, False),
        ("mysql", "json", False, False),
        ("mysql", "time", False, False),
        ("mysql", "blob", False, False),
        ("postgres", "smallint", True, True),
        ("postgres", "numeric", False, False),
        ("postgres", "numeric(12,2)", True, True),
        ("postgres", "numeric(2,5)", False, False),
        ("postgres", "real", False, True),
        ("postgres", "character varying(20)", False, True),
        ("postgres", "character(3)", False, True),
        ("postgres", "timestamp(3) without time zone", True, True),
        ("postgres", "timestamp with time zone", True, True),
        ("postgres", "time without time zone", False, False),
        ("postgres", "money", False, False),
        ("postgres", "uuid", False, False),
        ("postgres", "integer[]", False, False),
        ("postgres", "interval", False, False),
        ("postgres", "public.mood", False, False),
    ],
)
def test_types(dialect: str, kind: str, computes: bool, shows: bool) -> None:
    columns = {"t": {"id": "int", "c": kind}}
    texts = ("SELECT id FROM t ORDER BY c, id", "SELECT c FROM t")
    ordered, shown = (why_not_portable(text, dialect, columns, lossless=True) is None for text in texts)
    assert shown == shows
    assert ordered == computes
    assert why_not_portable("SELECT count(*) AS c FROM t", dialect, columns) is None


@pytest.mark.parametrize(
    ("dialect", "kind", "reason"),
    [
        ("mysql", "date", "0000-00-00"),
        ("mysql", "datetime", "0000-00-00"),
        ("postgres", "date", "infinity"),
        ("postgres", "timestamp with time zone", "infinity"),
        ("postgres", "numeric(9,2)", "NaN"),
    ],
)
def test_a_value_that_may_be_lost_is_shown_only(dialect: str, kind: str, reason: str) -> None:
    columns = {"t": {"c": kind}}
    assert why_not_portable("SELECT c FROM t", dialect, columns) is None
    for text in (
        "SELECT count(c) AS x FROM t",
        "SELECT 1 AS x FROM t WHERE c IS NULL",
        "SELECT COALESCE(c, c) AS x FROM t",
        "SELECT max(c) AS x FROM t",
        "SELECT c FROM t ORDER BY c",
        "SELECT q.x FROM (SELECT c AS x FROM t) q WHERE q.x IS NOT NULL",
    ):
        found = why_not_portable(text, dialect, columns)
        assert found is not None
        assert reason in found
        assert why_not_portable(text, dialect, columns, lossless=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM t WHERE name > 'a'",
        "SELECT id FROM t WHERE name BETWEEN 'a' AND 'b'",
        "SELECT id, name FROM t ORDER BY name",
        "SELECT max(name) AS x FROM t",
        "SELECT id FROM t WHERE name = 'a\\b'",
        "SELECT id FROM t WHERE name = 1",
        "SELECT code FROM t WHERE code = 'a'",
    ],
)
def test_the_order_of_text_is_never_portable(text: str) -> None:
    columns = {"t": {"id": "integer", "name": "text", "code": "character(3)"}}
    assert why_not_portable(text, "postgres", columns, default_collation=True) is not None
    assert (
        why_not_portable("SELECT id FROM t WHERE name = 'a'", "mysql", columns, default_collation=True)
        is not None
    )


@pytest.mark.parametrize("text", ["SELECT u - 1 AS x FROM t", "SELECT u * 1.5 AS x FROM t"])
def test_unsigned_numbers_are_not_computed_with(text: str) -> None:
    columns = {"t": {"u": "int(10) unsigned"}}
    found = why_not_portable(text, "mysql", columns)
    assert found is not None
    assert "unsigned" in found
    assert why_not_portable("SELECT u FROM t WHERE u > -1 ORDER BY u", "mysql", columns) is None
