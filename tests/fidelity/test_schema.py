"""The schema of a result follows from its statement, and not from its rows."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aiser_jupyter.connectors.base import Session
from tests.fidelity.corpus import cells
from tests.fidelity.databases import TABLE, Database, ask
from tests.fidelity.values import PG, values_of

SERIES = {
    "postgresql": "generate_series(1, {n}) AS s (i)",
    "mysql": "(SELECT seq AS i FROM seq_1_to_{n}) AS s",
    "duckdb": "range({n}) AS s (i)",
}
ROWS = 300_000


def names(database: Database, *, settled: bool = False) -> list[str]:
    """Columns that can be read; without ``settled`` those whose type the first rows settle are left out."""
    found = cells(database.name).items()
    return [name for name, cell in found if not cell.error and (settled or not cell.open)]


def batches(session: Session, sql: str) -> Any:
    answer = ask(session, sql)
    for schema in answer.batches:
        assert schema.equals(answer.table.schema, check_metadata=True)
    return answer


def test_no_row_a_row_and_nulls_have_one_schema(database: Database) -> None:
    columns = ", ".join(names(database))
    with database.opened() as session:
        found = {
            rows: batches(session, f"SELECT {columns} FROM {TABLE} WHERE {where}")
            for rows, where in {
                "none": "id = 0",
                "values": "id = 1",
                "nulls": "id = 2",
                "both": "id < 3",
            }.items()
        }
    schema = found["both"].table.schema
    assert {rows: answer.table.num_rows for rows, answer in found.items()} == {
        "none": 0, "values": 1, "nulls": 1, "both": 2,
    }  # fmt: skip
    for answer in found.values():
        assert answer.table.schema.equals(schema, check_metadata=True)
    for column in found["nulls"].table.columns:
        assert values_of(column) == [None]


def test_every_batch_of_a_long_result_has_the_schema(database: Database) -> None:
    small = [n for n in names(database, settled=True) if "repeat" not in cells(database.name)[n].sql]
    small = small[:: len(small) // 6]
    text = (
        f"SELECT i, {', '.join(small)} FROM {TABLE}, {SERIES[database.name]} WHERE id = 1 OR i > {ROWS - 2}"
    )
    with database.opened() as session:
        answer = batches(session, text.format(n=ROWS))
        one = ask(session, f"SELECT {', '.join(small)} FROM {TABLE} WHERE id = 1").table
    assert len(answer.batches) > 1
    assert ROWS < answer.table.num_rows < ROWS + 9
    for name in small:
        column = answer.table.column(name)
        assert column.slice(0, 1).equals(one.column(name)), name
        assert column.slice(ROWS - 3, 1).equals(one.column(name)) or column.null_count, name
        assert column.null_count in (0, answer.table.num_rows - ROWS, answer.table.num_rows), name


@pytest.mark.parametrize("word", ["decimal(38,9)", "double", "bigint", "date", "varchar(99)"])
def test_small_and_huge_values_have_one_schema(database: Database, word: str) -> None:
    kind = "double precision" if (database.name, word) == (PG, "double") else word
    small, huge = {
        "decimal(38,9)": ("0", "99999999999999999999999999999.999999999"),
        "double": ("0", "1.7976931348623157e308"),
        "bigint": ("0", "-9223372036854775808"),
        "date": ("'1970-01-01'", "'9999-12-31'"),
        "varchar(99)": ("''", "'" + "🦆" * 99 + "'"),
    }[word]
    table = f"fidelity_{re.sub('[^a-z]', '', word)}"
    with database.opened() as session:
        ask(session, f"DROP TABLE IF EXISTS {table}")
        ask(session, f"CREATE TABLE {table} (x {kind})")
        schemas = []
        for value in (None, "NULL", small, huge):
            if value is not None:
                ask(session, f"DELETE FROM {table}")
                ask(session, f"INSERT INTO {table} VALUES ({value})")
            answer = ask(session, f"SELECT x, count(x) AS n FROM {table} GROUP BY x")
            schemas.append(answer.table.schema)
        ask(session, f"DROP TABLE {table}")
    for schema in schemas:
        assert schema.equals(schemas[0], check_metadata=True), schema


def test_a_plain_numeric_and_an_array_are_what_their_first_rows_are(filled: Any) -> None:
    """PostgreSQL declares neither a scale nor a dimension: the schema is that of the rows, and exact."""
    database = filled(PG)
    columns = [name for name, cell in cells(PG).items() if cell.open and not cell.error]
    with database.opened() as session:
        for name in columns:
            none = ask(session, f"SELECT {name} FROM {TABLE} WHERE id = 0").table.schema.field(0)
            one = ask(session, f"SELECT {name} FROM {TABLE} WHERE id = 1").table.schema.field(0)
            assert none.metadata == one.metadata
            assert str(one.type) == cells(PG)[name].arrow
            if not cells(PG)[name].type.endswith("[]"):
                assert str(none.type) == "decimal128(38, 0)"
