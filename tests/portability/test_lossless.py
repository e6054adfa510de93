"""Values that no fetch can hand over: with them the answers differ, so that a fetch must be free of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from aiser_jupyter.sql.portable import to_duckdb, why_not_portable
from tests.portability.tables import Source, equal

COLUMNS = {
    "mysql": {"odd": {"id": "int(11)", "day": "date"}},
    "postgres": {"odd": {"id": "integer", "day": "date", "amount": "numeric(8,2)"}},
}
MADE = {
    "mysql": "INSERT INTO odd VALUES (1, '2024-02-29'), (2, '0000-00-00'), (3, '2024-02-00')",
    "postgres": "INSERT INTO odd VALUES (1, '2024-02-29', 1.50), (2, 'infinity', 'NaN'), (3, '-infinity', 2)",
}


def _held(value: object) -> object:
    """Return a value as Arrow holds it: NULL for a date that is none, and for NaN."""
    if isinstance(value, str):
        return None
    return None if isinstance(value, Decimal) and value.is_nan() else value


@pytest.fixture(scope="module")
def odd(mysql: Source, postgres: Source) -> dict[str, Source]:
    found = {}
    for source in (mysql, postgres):
        columns = COLUMNS[source.dialect]
        written = ", ".join(f"{name} {kind}" for name, kind in columns["odd"].items())
        source.change(f"CREATE TABLE odd ({written})")
        if source.dialect == "mysql":
            source.change("SET sql_mode = ''")
        source.change(MADE[source.dialect])
        _, rows = source.run("SELECT * FROM odd ORDER BY id")
        types: list[Any] = [pa.int32(), pa.date32(), pa.decimal128(8, 2)]
        arrays = [
            pa.array([_held(value) for value in column], kind)
            for column, kind in zip(zip(*rows, strict=True), types, strict=False)
        ]
        database = duckdb.connect()
        database.register("held", pa.table(dict(zip(columns["odd"], arrays, strict=True))))
        database.execute("CREATE TABLE odd AS FROM held")
        found[source.dialect] = replace(source, columns=columns, duckdb=database)
    return found


BOTH = (
    "SELECT count(day) AS days FROM odd",
    "SELECT id FROM odd WHERE day < '2000-01-01'",
    "SELECT id FROM odd WHERE day > '2000-01-01' OR day < '2000-01-01'",
    "SELECT id FROM odd WHERE day IS NULL",
    "SELECT count(DISTINCT day) AS days FROM odd",
    "SELECT min(day) = DATE '2024-02-29' AS first_, max(id) AS last_ FROM odd",
    "SELECT id FROM odd ORDER BY day, id DESC",
    "SELECT id FROM odd WHERE day IN (SELECT day FROM odd)",
)
NUMBERS = (
    "SELECT id FROM odd WHERE amount > 1",
    "SELECT count(amount) AS amounts FROM odd",
    "SELECT max(amount) AS most FROM odd",
    "SELECT id FROM odd WHERE amount IS NOT NULL",
)
CASES = [("mysql", text) for text in BOTH if "DATE" not in text and "IS NULL" not in text]
CASES += [("postgres", text) for text in (*BOTH, *NUMBERS)]


@pytest.mark.parametrize(("dialect", "text"), CASES)
def test_what_was_lost_changes_the_answer(dialect: str, text: str, odd: dict[str, Source]) -> None:
    source = odd[dialect]
    theirs = source.answer(text)
    ours = source.computed(to_duckdb(text, dialect, source.columns))
    assert not equal(theirs, ours, ordered="ORDER BY" in text)
    why = why_not_portable(text, dialect, source.columns)
    assert why is not None
    assert ("may be infinity" in why) or ("may be NaN" in why) or ("may be 0000-00-00" in why)
    assert why_not_portable(text, dialect, source.columns, lossless=True) is None
