"""Names of files, what they match, their sizes, and whether they changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from aiser_jupyter.connectors import files
from aiser_jupyter.errors import DataError, UnknownTable


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """orders/ with two Parquet files of 3 rows, mixed/ with two types, and two files beside them."""
    for name in ("a", "b"):
        (tmp_path / "orders").mkdir(exist_ok=True)
        parquet.write_table(pa.table({"id": [1, 2, 3]}), tmp_path / "orders" / f"{name}.parquet")
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "x.csv").write_text("a\n1\n")
    (tmp_path / "mixed" / "y.json").write_text("{}")
    (tmp_path / "shops.csv").write_text("id\n1\n")
    (tmp_path / "notes.txt").write_text("nothing")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["a.parquet", "A.PQ", "x.tsv", "d/x.csv.gz", "x.ndjson", "x.json.gz", "b.xlsx#S.1", "x#1.csv", "*.csv"],
)
def test_a_data_file_is_known_by_its_name(name: str) -> None:
    assert files.is_data_file(name)


@pytest.mark.parametrize("name", ["orders", "main.orders", "x.txt", "parquet", "x.csv.zip", "a.gz", ""])
def test_another_name_is_not(name: str) -> None:
    assert not files.is_data_file(name)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("shops.csv", ["shops.csv"]),
        ("orders/*.parquet", ["orders/a.parquet", "orders/b.parquet"]),
        ("**/*.parquet", ["orders/a.parquet", "orders/b.parquet"]),
        ("orders/[a].parquet", ["orders/a.parquet"]),
        ("orders", ["orders/a.parquet", "orders/b.parquet"]),
        ("s3://bucket/x.parquet", []),
    ],
)
def test_a_pattern_gives_its_files(data: Path, pattern: str, found: list[str]) -> None:
    assert files.expand(pattern, data) == [data / name for name in found]
    if found:
        assert files.expand(str(data / pattern), Path("/")) == [data / name for name in found]


def test_a_pattern_without_files_names_the_nearest(data: Path) -> None:
    with pytest.raises(UnknownTable) as caught:
        files.expand("orders/aa.parquet", data)
    assert caught.value.hint == "Did you mean 'orders/a.parquet'?"
    with pytest.raises(UnknownTable) as caught:
        files.expand("oders/a.parquet", data)
    assert "no folder 'oders'" in caught.value.hint


def test_a_folder_of_two_types_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match=r"several types: \.csv, \.json") as caught:
        files.expand("mixed", data)
    assert "mixed/*.csv" in caught.value.hint


def test_the_listing_has_files_and_folders_as_globs(data: Path) -> None:
    (data / ".ipynb_checkpoints").mkdir()
    (data / ".ipynb_checkpoints" / "old.csv").write_text("a")
    (data / "node_modules").mkdir()
    (data / "node_modules" / "x.json").write_text("{}")
    (data / "1" / "2" / "3").mkdir(parents=True)
    (data / "1" / "2" / "deep.csv").write_text("a")
    (data / "1" / "2" / "3" / "deeper.csv").write_text("a")
    listed = {table.name: table for table in files.list_files(data)}
    assert sorted(listed) == [
        "1/2/deep.csv",
        "mixed/x.csv",
        "mixed/y.json",
        "orders/*.parquet",
        "orders/a.parquet",
        "orders/b.parquet",
        "shops.csv",
    ]
    one = (data / "orders" / "a.parquet").stat().st_size
    assert listed["orders/a.parquet"].statistics.bytes == one
    assert listed["orders/*.parquet"].statistics.bytes == 2 * one
    assert listed["orders/a.parquet"].kind == "file"


def test_the_listing_ends_at_its_limit(data: Path) -> None:
    assert len(files.list_files(data, limit=3)) == 3


def test_rows_come_from_footers_and_bytes_from_the_disk(data: Path) -> None:
    paths = files.expand("orders", data)
    found = files.file_statistics(paths)
    assert (found.rows, found.source) == (6, "parquet footer")
    assert found.bytes == sum(path.stat().st_size for path in paths)
    csv = files.file_statistics([data / "shops.csv"])
    assert (csv.rows, csv.bytes, csv.source) == (None, 5, "file size")


def test_a_damaged_footer_is_unknown_and_no_error(data: Path) -> None:
    path = data / "orders" / "a.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    assert files.file_statistics([path]).rows is None
    assert files.file_statistics([data / "gone.parquet"]).bytes is None


def test_a_stamp_sees_a_change_that_hides_its_time(data: Path) -> None:
    path = data / "shops.csv"
    before = files.stamps([path])
    stat = path.stat()
    assert files.stamps([path]) == before
    time.sleep(0.02)
    path.write_text("id\n2\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert files.stamps([path]) != before
    path.unlink()
    assert files.stamps([path])[0][1] == -1
