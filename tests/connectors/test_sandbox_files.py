"""Damaged files of every format: whatever DuckDB does with them, only its own process can suffer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from aiser_jupyter.catalog.statistics import StatisticsCache
from aiser_jupyter.config import MIB
from aiser_jupyter.connectors.sandbox import Sandbox
from aiser_jupyter.errors import AiserError, ConnectionLost
from aiser_jupyter.models import LOCAL, Connection, Scope, Statistics, TableRef
from aiser_jupyter.run import Run
from tests.connectors.sandbox_kit import config, fetch, sandbox_in


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One for several tests: it has little memory, and little to spill to."""
    with sandbox_in(tmp_path_factory.mktemp("small"), server_bytes=768 * MIB, temp_limit=16 * MIB) as made:
        yield made


MADE = "SELECT i AS id, 'name ' || i AS name, i / 7 AS x, [i, i + 1] AS l, DATE '2026-01-01' + i::INT AS d"
FORMATS: dict[str, Callable[[duckdb.DuckDBPyConnection, Path], object]] = {
    "parquet": lambda made, path: made.execute(f"COPY ({MADE} FROM range(500) t(i)) TO '{path}'"),
    "csv": lambda made, path: made.execute(f"COPY ({MADE} FROM range(500) t(i)) TO '{path}'"),
    "json": lambda made, path: made.execute(f"COPY ({MADE} FROM range(500) t(i)) TO '{path}'"),
    "duckdb": lambda made, path: made.execute(
        f"ATTACH '{path}' AS d; CREATE TABLE d.t AS {MADE} FROM range(500) t(i); DETACH d"
    ),
}


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Return ``data`` with some bytes changed, doubled, left out or cut off."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 4, 32))):
        place = dice.randrange(len(changed))
        match dice.randrange(5):
            case 0:
                changed[place] = dice.randrange(256)
            case 1:
                changed[place : place + 8] = dice.choice((b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7))
            case 2:
                del changed[place : place + dice.randrange(1, 64)]
            case 3:
                changed[place:place] = changed[place : place + dice.randrange(1, 64)]
            case _:
                changed[-1 - dice.randrange(min(64, len(changed)))] ^= 1 << dice.randrange(8)
        changed = changed or bytearray(data)
    return bytes(changed[: dice.randrange(len(changed))] if dice.random() < 0.1 else changed)


def read_damaged(sandbox: Sandbox, folder: Path, format: str, count: int) -> tuple[int, int]:
    """Read so many damaged files; return how many gave an error, and how many ended the process."""
    whole = folder / f"whole.{format}"
    with duckdb.connect() as made:
        FORMATS[format](made, whole)
    data, dice, errors, deaths = whole.read_bytes(), random.Random(format), 0, 0
    for number in range(count):
        path = folder / f"{number}.{format}"
        path.write_bytes(damaged(data, dice))
        run = Run("test", timeout=30)
        try:
            if format == "duckdb":
                fetch(sandbox, "SELECT * FROM t", run=run, database=path)
            else:
                fetch(sandbox, f"SELECT * FROM '{path.name}'", run=run)
        except AiserError as exc:
            errors += 1
            deaths += isinstance(exc, ConnectionLost)
        path.unlink()
    assert fetch(sandbox, "SELECT 1").num_rows == 1
    return errors, deaths


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_file_ends_at_most_the_process(small: Sandbox, format: str) -> None:
    errors, _ = read_damaged(small, small.folder.path, format, 40)
    assert errors > 0


@pytest.mark.long
@pytest.mark.parametrize("format", FORMATS)
def test_500_damaged_files_end_at_most_the_process(small: Sandbox, format: str) -> None:
    errors, deaths = read_damaged(small, small.folder.path, format, 500)
    print(f"{format}: 500 files, {errors} errors, {deaths} ends of the process")
    assert errors > 0


def test_the_server_reads_no_footer_itself(small: Sandbox) -> None:
    """It knows the size of a file, and not how many rows it says it has."""
    path = small.folder.path / "rows.parquet"
    with duckdb.connect() as made:
        FORMATS["parquet"](made, path)
    scope = Scope(Connection(LOCAL, "ann", config(small)))
    (found,) = StatisticsCache().of((TableRef(path.name, is_file=True),), scope).values()
    assert found == Statistics(None, path.stat().st_size, "file size")
