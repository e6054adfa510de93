"""TPC-H at scale factor 0.1: the tables, the 22 queries, and what bare DuckDB answers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from traitlets.config import Config

from aiser_jupyter.config import Settings
from aiser_jupyter.services import Services, build

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "tpch"
TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
SCALE = "0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What bare DuckDB says: column names, its own words for their types, and the rows."""

    names: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]


@pytest.fixture(scope="session")
def tpch_folder() -> Path:
    """Folder of the Parquet files, generated once and kept."""
    folder = CACHE / f"sf{SCALE}"
    if not all((folder / f"{table}.parquet").is_file() for table in TABLES):
        CACHE.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=CACHE))
        tool = Path(sys.executable).with_name("tpchgen-cli")
        subprocess.run([tool, "parquet", "-s", SCALE, "-o", part, "--quiet"], check=True)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    return folder


@pytest.fixture(scope="session")
def files(tpch_folder: Path) -> Mapping[str, str]:
    """What to write after FROM to read each table's file."""
    return {table: f"'{tpch_folder / table}.parquet'" for table in TABLES}


@pytest.fixture(scope="session")
def arrow_tables(tpch_folder: Path) -> Mapping[str, pa.Table]:
    return {table: pq.read_table(tpch_folder / f"{table}.parquet") for table in TABLES}


@pytest.fixture(scope="session")
def database(tpch_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckDB database file with the eight tables."""
    path = tmp_path_factory.mktemp("tpch") / "tpch.duckdb"
    with duckdb.connect(path) as connection:
        for table in TABLES:
            connection.execute(f"CREATE TABLE {table} AS FROM '{tpch_folder / table}.parquet'")
    return path


@pytest.fixture(scope="session")
def statement() -> Callable[[str, Mapping[str, str]], str]:
    """Return the text of a query with the tables named as asked."""

    def text(query: str, tables: Mapping[str, str]) -> str:
        # The specification's FRACTION of query 11 is 0.0001 over the scale factor.
        return (HERE / "queries" / f"q{query}.sql").read_text().format(fraction="0.001", **tables)

    return text


@pytest.fixture(scope="session")
def expected(
    statement: Callable[[str, Mapping[str, str]], str], files: Mapping[str, str]
) -> Iterator[Callable[[str], Answer]]:
    """Ask bare DuckDB, once a query."""
    answers: dict[str, Answer] = {}
    with duckdb.connect() as connection:

        def answer(query: str) -> Answer:
            if query not in answers:
                relation = connection.sql(statement(query, files))
                answers[query] = Answer(
                    relation.columns, [str(type_) for type_ in relation.types], relation.fetchall()
                )
            return answers[query]

        yield answer


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("store")
    built = build(Settings(Config({"AiserStore": {"directory": str(folder)}})))
    yield built
    built.close()
