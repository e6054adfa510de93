"""What each database holds arrives as it is, or it is said that it does not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aiser_jupyter.errors import DataError
from tests.fidelity.corpus import cells, label
from tests.fidelity.databases import TABLE, Database, ask
from tests.fidelity.values import DUCK, MY, PG, same, values_of

LITERALS = [(name, column) for name in (PG, MY, DUCK) for column in cells(name)]
IDS = [f"{name}-{label(column)}-{cells(name)[column].type}"[:70] for name, column in LITERALS]


@pytest.fixture(scope="module")
def sessions(filled: Any) -> Any:
    """A session of each database, opened when it is first asked for."""
    opened: dict[str, Any] = {}

    def session(name: str) -> Any:
        if name not in opened:
            context = filled(name).opened()
            opened[name] = context, context.__enter__()
        return opened[name][1]

    yield session
    for context, _ in opened.values():
        context.__exit__(None, None, None)


@pytest.mark.parametrize(("name", "column"), LITERALS, ids=IDS)
def test_a_value_is_exact_or_it_is_said(filled: Any, sessions: Any, name: str, column: str) -> None:
    cell, text = cells(name)[column], f"SELECT {column} FROM {TABLE} ORDER BY id"
    if cell.error:
        with filled(name).opened() as session, pytest.raises(DataError, match=cell.error) as caught:
            ask(session, text)
        assert "text" in caught.value.hint or "VARCHAR" in caught.value.hint
        return
    answer = ask(sessions(name), text)
    kind = str(answer.table.schema.types[0])
    if name == DUCK:  # the zone that DuckDB shows is the machine's; what is stored is UTC
        kind = re.sub(r"tz=[^\]]+", "tz=UTC", kind)
    assert kind == cell.arrow
    found = values_of(answer.table.column(0))
    assert same(found, [cell.value, None]), found
    if cell.lossy:
        (message,) = answer.lossy
        assert re.search(cell.lossy, message)
        assert repr(column) in message
    else:
        assert answer.notices == []


def test_every_field_says_what_its_database_calls_its_type(database: Database) -> None:
    columns = [name for name, cell in cells(database.name).items() if not cell.error]
    with database.opened() as session:
        schema = ask(session, f"SELECT {', '.join(columns)} FROM {TABLE} WHERE id = 2").table.schema
    words = [(field.metadata or {}).get(b"aiser.source_type", b"").decode() for field in schema]
    assert all(words)
    marked = [field.name for field in schema if b"aiser.lossy" in (field.metadata or {})]
    by_type = [name for name in columns if cells(database.name)[name].type in ("float", "VARIANT")]
    assert marked == ([] if database.name == PG else [n for n in by_type if _loses_always(database.name, n)])


def _loses_always(database: str, column: str) -> bool:
    """Whether it is the type that loses, and not the value."""
    return bool(re.search("six digits|VARIANT", cells(database)[column].lossy))


def test_repeated_names_are_kept(database: Database) -> None:
    with database.opened() as session:
        answer = ask(session, "SELECT 1 AS a, 'x' AS a, NULL AS a")
    assert answer.table.column_names == ["a", "a", "a"]
    assert [values_of(column) for column in answer.table.columns] == [[1], ["x"], [None]]
