"""A table means the same to the database itself and to DuckDB, or it is refused, or it is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.errors import DataError
from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.result import QueryResult
from aiser_jupyter.services import Services, build
from tests.fidelity.corpus import label, readable
from tests.fidelity.databases import TABLE, Database
from tests.fidelity.values import DUCK, MDN, MY, PG, Cell, same, values_of

PINNED, FETCHED, ITSELF = "the engine pinned", "a statement of local", "the database itself"


@dataclass(frozen=True)
class Source:
    """A saved connection to the table of the corpus."""

    name: str
    services: Services

    def ask(self, how: str, *columns: str) -> QueryResult:
        """Read columns in one of three ways."""
        table, more = (f"source.{TABLE}", {}) if how == FETCHED else (TABLE, {"connection": "source"})
        more = {**more, "engine": {PINNED: "duckdb", ITSELF: "direct_sql"}.get(how)}
        return self.services.queries.run(
            Query(f"SELECT {', '.join(columns)} FROM {table} ORDER BY id", whole=True, **more)
        )


@pytest.fixture(scope="module", params=[PG, MY])
def source(
    request: pytest.FixtureRequest,
    filled: Callable[[str], Database],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Source]:
    database = filled(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISER_STORE", str(tmp_path_factory.mktemp("store")))
        services = build(Settings())
        services.connections.create(database.config(), tested=False)
        yield Source(request.param, services)
        services.close()


def _wide(cell: Cell) -> bool:
    """Whether it is a number that DuckDB has no decimal for."""
    return isinstance(cell.value, Decimal) and len(cell.value.as_tuple().digits) > 38


def _kind(type_: pa.DataType) -> str:
    """Return a type as both sides call it: the names of a list's items and of the zone of an instant are
    each database's own, and a length of time is an interval in DuckDB."""
    text = re.sub(r"list<\w+:", "list<", re.sub(r"tz=[^\]]+", "tz", str(type_)))
    return (
        MDN if text == "duration[us]" else re.sub(r"decimal256\((\d\d), (\d+)\)", r"decimal128(38, \2)", text)
    )


def _values(column: pa.ChunkedArray[Any]) -> list[Any]:
    if not pa.types.is_duration(column.type):
        return values_of(column)
    micros = column.cast(pa.int64()).to_pylist()
    return [None if value is None else pa.MonthDayNano([0, 0, value * 1000]) for value in micros]


def test_duckdb_has_the_same_values_or_says_what_it_lost(source: Source) -> None:
    cells = {name: cell for name, cell in readable(source.name).items() if not _wide(cell)}
    theirs = source.ask(ITSELF, *cells)
    assert theirs.engine == "direct_sql"
    for how in (FETCHED, PINNED):
        asked = [name for name, cell in cells.items() if how == FETCHED or not cell.lossy]
        ours = source.ask(how, *asked)
        assert ours.engine == "duckdb"
        ours.table.validate(full=True)
        for name in asked:
            one, other = theirs.table.column(name), ours.table.column(name)
            assert _kind(one.type) == _kind(other.type), label(name)
            assert same(_values(one), _values(other)), label(name)
        said = [notice.message for notice in ours.notices if notice.code == "lossy_type"]
        for name in asked:
            assert any(f"{name!r}" in message for message in said) == bool(cells[name].lossy), label(name)


def test_what_duckdb_has_no_number_for_is_refused(source: Source) -> None:
    wide = [name for name, cell in readable(source.name).items() if _wide(cell)]
    assert len(wide) > 3
    for name in wide:
        for how in (FETCHED, PINNED):
            with pytest.raises(DataError, match=f"'{name}' holds a number of more than 38 digits") as caught:
                source.ask(how, name)
            assert "its own connection" in caught.value.hint


def test_a_pinned_engine_that_would_lose_a_value_is_refused_or_says_so(source: Source) -> None:
    """Nobody wrote DuckDB's SQL: an answer that was shown to be the same must be it; any other is doubted."""
    lossy = [name for name, cell in readable(source.name).items() if cell.lossy]
    said: dict[str, set[str]] = {}
    for name in lossy:
        with suppress(DataError):
            said[name] = {notice.code for notice in source.ask(PINNED, name).notices}
    for name, codes in said.items():
        assert {"lossy_type", "differs"} <= codes, label(name)
    refused = [name for name in lossy if name not in said]
    assert len(refused) > 3
    with pytest.raises(DataError, match="The answer would be another one"):
        source.ask(PINNED, *refused)


def test_a_duckdb_file_reads_the_same_by_either_engine(tmp_path: Path) -> None:
    config = ConnectionConfig("duckdb", "source", {"database": str(tmp_path / "source.duckdb")})
    database = _File(DUCK, None, config)
    with database.opened() as session:
        database.fill(session)
    services = build(Settings())
    services.connections.create(config)
    source = Source(DUCK, services)
    cells = readable(DUCK)
    theirs, ours = source.ask(ITSELF, *cells), source.ask(PINNED, *cells)
    assert (theirs.engine, ours.engine) == ("direct_sql", "duckdb")
    assert theirs.table.schema.equals(ours.table.schema, check_metadata=True)
    assert theirs.table.equals(ours.table) or all(
        same(values_of(theirs.table.column(name)), values_of(ours.table.column(name))) for name in cells
    )
    services.close()


@dataclass(frozen=True)
class _File(Database):
    """A DuckDB database file in place of the process's own memory."""

    file: ConnectionConfig

    def config(self, **values: Any) -> ConnectionConfig:
        return replace(self.file, values={**self.file.values, **values})
