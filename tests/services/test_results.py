"""Kept results: for their owner only, for a while only, under a bound, and never a file to be found."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from aiser_jupyter.config import AiserResults
from aiser_jupyter.errors import DiskFull, NotFound
from aiser_jupyter.models import Identity, Route
from aiser_jupyter.result import QueryResult
from aiser_jupyter.services.results import EACH, ResultStore

ANN, BOB = Identity("ann", "configured"), Identity("bob", "configured")
KIB = 1024


def settings(folder: Path, **values) -> AiserResults:
    found = AiserResults(directory=str(folder))
    for name, value in values.items():
        setattr(found, name, value)
    return found


def result(id: str, bytes: int = 8 * KIB) -> QueryResult:
    return QueryResult(id, pa.table({"n": pa.array(range(bytes // 8))}), Route("duckdb", "files"))


def nameless(folder: Path, pid: int | str = "self") -> int:
    """Files of a folder that a process maps, and that have no name any more."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return sum(f"{folder}/" in line and line.endswith("(deleted)") for line in maps)


def test_a_result_is_read_by_its_owner_and_by_nobody_else(tmp_path):
    store = ResultStore(settings(tmp_path))
    kept = store.put(ANN, result("1"))
    assert (kept.rows, kept.bytes, kept.on_disk) == (KIB, 8 * KIB, False)
    assert store.get(ANN, "1").result.table.column("n").to_pylist() == list(range(KIB))
    said = set()
    for owner, id_ in ((BOB, "1"), (ANN, "2"), (Identity("ann"), "1")):
        with pytest.raises(NotFound) as missing:
            store.get(owner, id_)
        said.add(str(missing.value))
        with pytest.raises(NotFound):
            store.drop(owner, id_)
    assert len(said) == 1
    store.drop(ANN, "1")
    with pytest.raises(NotFound):
        store.get(ANN, "1")


def test_a_result_expires(tmp_path):
    store = ResultStore(settings(tmp_path, seconds=0.2))
    store.put(ANN, result("1"))
    time.sleep(0.25)
    with pytest.raises(NotFound):
        store.get(ANN, "1")
    store.sweep()
    assert not store._kept


def test_the_oldest_go_to_disk_and_say_the_same(tmp_path):
    store = ResultStore(settings(tmp_path, memory_bytes=20 * KIB))
    for number in range(4):
        store.put(ANN, result(str(number)))
    where = [store.get(ANN, str(number)).on_disk for number in range(4)]
    assert where == [True, True, False, False]
    assert list(tmp_path.iterdir()) == []
    for number in range(4):
        table = store.get(ANN, str(number)).result.table
        assert table.equals(result("x").table)
        assert table.slice(1000, 5).column("n").to_pylist() == [1000, 1001, 1002, 1003, 1004]
    store.close()
    with pytest.raises(NotFound):
        store.get(ANN, "3")


def test_words_that_each_batch_lists_anew_go_to_disk_too(tmp_path):
    words = [pa.array(values).dictionary_encode() for values in (["a", "b", None], ["c", "a"])]
    table = pa.table(
        {
            "word": pa.chunked_array(words),
            "list": pa.chunked_array(
                [pa.ListArray.from_arrays([0, len(each)], each) for each in words[:1]] * 5
            ),
            "n": range(5),
        }
    )
    kept = ResultStore(settings(tmp_path, memory_bytes=1)).put(
        ANN, QueryResult("1", table, Route("duckdb", ""))
    )
    assert kept.on_disk
    assert kept.result.table.to_pylist() == table.to_pylist()


def test_the_largest_leave_memory_first(tmp_path):
    store = ResultStore(settings(tmp_path, memory_bytes=20 * KIB))
    for number, size in enumerate((2, 12, 2, 10)):
        store.put(ANN, result(str(number), size * KIB))
    assert [store.get(ANN, str(number)).on_disk for number in range(4)] == [False, True, False, False]


def test_one_person_has_so_many_at_most_and_takes_none_from_another(tmp_path):
    store = ResultStore(settings(tmp_path))
    store.put(BOB, result("bob", 8))
    for number in range(EACH + 5):
        store.put(ANN, result(str(number), 8))
    assert store.get(BOB, "bob").rows == 1
    assert store.get(ANN, "5").rows == 1
    with pytest.raises(NotFound):
        store.get(ANN, "4")


def test_a_result_larger_than_memory_goes_straight_to_disk_and_none_larger_than_that(tmp_path):
    store = ResultStore(settings(tmp_path, memory_bytes=4 * KIB, disk_bytes=20 * KIB))
    assert store.put(ANN, result("1")).on_disk
    with pytest.raises(DiskFull):
        store.put(ANN, result("2", 64 * KIB))
    store.put(ANN, result("3"))
    store.put(ANN, result("4"))
    with pytest.raises(NotFound):  # the oldest made room
        store.get(ANN, "1")
    assert store.get(ANN, "4").on_disk


def test_a_folder_that_takes_nothing_is_said_and_the_rest_goes_on(tmp_path):
    missing = tmp_path / "missing"
    store = ResultStore(settings(missing, memory_bytes=10 * KIB))
    store.put(ANN, result("1"))
    store.put(ANN, result("2"))  # the first has to leave memory, and has nowhere to go
    with pytest.raises(NotFound):
        store.get(ANN, "1")
    assert store.get(ANN, "2").rows == KIB
    with pytest.raises(DiskFull):
        store.put(ANN, result("3", 64 * KIB))


def test_the_disk_is_given_back_when_the_rows_are(tmp_path):
    store = ResultStore(settings(tmp_path, memory_bytes=0))
    for number in range(5):
        store.put(ANN, result(str(number)))
    table = store.get(ANN, "0").result.table
    assert nameless(tmp_path) == 5
    store.close()
    assert nameless(tmp_path) == 1  # who reads it still has it
    assert table.column("n")[5].as_py() == 5
    del table
    assert nameless(tmp_path) == 0


KEEPER = """
import sys, time
from pathlib import Path
from tests.services.test_results import ANN, ResultStore, result, settings
store = ResultStore(settings(Path(sys.argv[1]), memory_bytes=0))
for number in range(3):
    store.put(ANN, result(str(number), 1024 * 1024))
print("kept", flush=True)
time.sleep(60)
"""


def test_a_killed_process_leaves_nothing(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KEEPER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"kept\n"
        assert nameless(tmp_path, process.pid) == 3
        assert list(tmp_path.iterdir()) == []
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert list(tmp_path.iterdir()) == []
