"""Database files between processes, the limits of memory, and what is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.errors import ConnectError, DataError, StatementError
from aiser_jupyter.models import ConnectionConfig, TableRef
from aiser_jupyter.run import Run

HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
sys.stdin.readline()
connection.close()
"""
STREAM = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1500 * 2**20, 1500 * 2**20))
from aiser_jupyter.config import Settings
from aiser_jupyter.engines.duckdb import DuckDBEngine
from aiser_jupyter.models import LOCAL, Connection, ConnectionConfig, Scope, StatementKind
from aiser_jupyter.run import Run
from aiser_jupyter.sql import Statement

settings = Settings()
settings.duckdb.threads = 2
scope = Scope(Connection(LOCAL, "tester", ConnectionConfig("duckdb", LOCAL), "builtin"))
text = "SELECT range AS i, repeat(chr(97 + (range % 26)::INTEGER), 200) AS s FROM range(5000000)"
rows = size = 0
statement = Statement(text, "duckdb", StatementKind.READ)
for batch in DuckDBEngine(settings).execute(statement, scope, Run("test")):
    rows, size = rows + batch.num_rows, size + batch.nbytes
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(rows, size // 2**20, int(status["VmHWM"].split()[0]) // 2**10)  # ru_maxrss begins at the parent's
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one table, ``t``."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS n FROM range(3)")
        connection.execute("CREATE VIEW v AS SELECT * FROM t")
    return path


@pytest.fixture
def hold(database: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Open the database in another process, until its standard input has a line."""
    held: list[subprocess.Popen[str]] = []

    def open_elsewhere(mode: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(database), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        held.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield open_elsewhere
    for process in held:
        if process.poll() is None:
            process.communicate("\n")


def config(path: Path) -> ConnectionConfig:
    return ConnectionConfig("duckdb", "shop", {"database": str(path)})


def test_readers_of_two_processes_do_not_lock_each_other_out(
    database: Path, hold: Callable[[str], object]
) -> None:
    hold("read")
    session = DuckDBConnector().open(config(database), read_only=True)
    assert session.execute("FROM t", {}, Run("test")).read_all().num_rows == 3
    session.close()


def test_a_writer_elsewhere_is_named(database: Path, hold: Callable[[str], subprocess.Popen[str]]) -> None:
    process = hold("write")
    with pytest.raises(ConnectError, match=f"held by process {process.pid}"):
        DuckDBConnector().open(config(database), read_only=True)


def test_a_short_lock_is_waited_for(database: Path, hold: Callable[[str], subprocess.Popen[str]]) -> None:
    process = hold("write")
    release = threading.Timer(0.5, lambda: process.communicate("\n"))
    release.start()
    session = DuckDBConnector().open(config(database))
    release.join()
    session.execute("INSERT INTO t VALUES (9)", {}, Run("test")).read_all()
    session.close()


def test_a_connection_of_the_notebook_is_named(database: Path) -> None:
    with (
        duckdb.connect(str(database)),
        pytest.raises(ConnectError, match="held in this process"),
    ):
        DuckDBConnector().open(config(database), read_only=True)


def test_a_session_gives_the_file_back(database: Path, hold: Callable[[str], object]) -> None:
    session = DuckDBConnector().open(config(database))
    session.execute("SELECT range FROM range(1000000)", {}, Run("test")).read_next_batch()
    session.close()
    hold("write")


def test_a_write_to_a_read_only_session_is_refused(database: Path) -> None:
    session = DuckDBConnector().open(config(database), read_only=True)
    with pytest.raises(StatementError, match=r"for reading only"):
        session.execute("INSERT INTO t VALUES (9)", {}, Run("test"))
    session.close()


def test_tables_views_and_their_sizes(database: Path) -> None:
    kind = DuckDBConnector()
    session = kind.open(config(database), read_only=True)
    assert [(t.name, t.kind, t.schema, t.statistics.rows) for t in kind.tables(session)] == [
        ("t", "table", "main", 3),
        ("v", "view", "main", None),
    ]
    assert kind.statistics(session, TableRef("T")).rows == 3
    assert [c.name for c in kind.columns(session, TableRef("V", schema="main")).columns or ()] == ["n"]
    session.close()


@pytest.mark.parametrize(
    "name",
    [
        'a"; drop table t;--',
        "`",
        '"',
        "]",
        "a.b",
        "$$",
        "x" * 300,
        "🦆",
        "\u202eabc",
        "a'b",
        "%s",
        "{x}",
        " ",
    ],
)
def test_any_name_is_one_name(database: Path, name: str) -> None:
    kind, quoted = DuckDBConnector(), '"' + name.replace('"', '""') + '"'
    with closing(kind.open(config(database))) as session:
        session.execute(f"CREATE SCHEMA {quoted}", {}, Run("test")).read_all()
        session.execute(f"CREATE TABLE {quoted}.{quoted} ({quoted} INTEGER)", {}, Run("test")).read_all()
        (listed,) = kind.tables(session, name)
        assert (listed.schema, listed.name) == (name, name)
        found = kind.columns(session, TableRef(name, name))
        assert [column.name for column in found.columns or ()] == [name]
        assert kind.statistics(session, TableRef(name, name)).rows == 0
        assert [table.name for table in kind.tables(session, "main")] == ["t", "v"]


@pytest.mark.parametrize(
    ("content", "error"),
    [(None, ConnectError), (b"a,b\n1,2\n", DataError), (b"", DataError), (b"SQLite format 3\0", DataError)],
    ids=["missing", "csv", "empty", "sqlite"],
)
def test_what_is_no_database_is_said(tmp_path: Path, content: bytes | None, error: type[Exception]) -> None:
    path = tmp_path / "data.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error) as caught:
        DuckDBConnector().open(config(path), read_only=True)
    assert caught.value.hint  # type: ignore[attr-defined]
    assert path.exists() == (content is not None)


def test_a_truncated_database_is_a_data_error(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:5000])
    with pytest.raises(DataError, match="cannot be read"):
        DuckDBConnector().open(config(database), read_only=True)


def test_tables_of_the_memory_database_outlive_a_session() -> None:
    kind, local = DuckDBConnector(), ConnectionConfig("duckdb", "local")
    for sql in ("CREATE TABLE kept AS SELECT 1 AS x", "FROM kept", "DROP TABLE kept"):
        session = kind.open(local)
        session.execute(sql, {}, Run("test")).read_all()
        session.close()


def test_the_spill_folder_is_private_and_goes_with_the_process() -> None:
    script = """
import os, stat
from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.models import ConnectionConfig
session = DuckDBConnector().open(ConnectionConfig("duckdb", "local"))
folder = session.rows("SELECT current_setting('temp_directory')")[0][0]
print(folder, oct(stat.S_IMODE(os.stat(folder).st_mode)))
session.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    folder, mode = done.stdout.split()
    assert mode == "0o700"
    assert not Path(folder).exists()
    assert done.stderr == ""


def test_a_gigabyte_streams_through_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", STREAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows, streamed, peak = map(int, done.stdout.split())
    assert rows == 5_000_000
    assert streamed > 950
    assert peak < 400
