"""DuckDB on a server: in a process of its own for each person, and never in the server's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.connectors.sandbox_kit import ENDLESS, computes, eventually, lives
from tests.servers.jupyter import Caller, JupyterServer
from tests.servers.server import Server

CONNECTIONS = "/aiser/data/enterprise/connections"
POLICY = {"AiserDuckDB": {"server_bytes": 1024 * 1024**2, "threads": 2}}


@pytest.fixture(scope="module")
def server() -> Iterator[JupyterServer]:
    with JupyterServer(POLICY) as running:
        yield running


@pytest.fixture
def ann(server: JupyterServer) -> Iterator[Caller]:
    with server.caller("ann") as caller:
        yield caller


@pytest.fixture
def bob(server: JupyterServer) -> Iterator[Caller]:
    with server.caller("bob") as caller:
        yield caller


def sandboxes(server: JupyterServer) -> set[int]:
    """Return the processes of DuckDB that the server started."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            ours = b"connectors.sandbox.child" in (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == server.pid and ours:
            found.add(int(folder.name))
    return found


def rows(caller: Caller, sql: str, **more: object) -> list[list[object]]:
    """Run a statement, and return its rows."""
    answer = caller.execute(sql, **more)
    assert answer.status == 200, answer.raw
    return list(answer.json["data"])


def loaded(pid: int) -> list[str]:
    """Return the parts of DuckDB that a process has loaded."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return sorted({line.split()[-1] for line in maps.splitlines() if "_duckdb" in line})


def test_the_server_itself_never_loads_duckdb(
    server: JupyterServer, ann: Caller, postgresql: Server, mariadb: Server, tmp_path: Path
) -> None:
    """Whatever is asked: `local`, files, database files, their tests and catalogs, several databases."""
    work = server.folder / "work"
    (work / "n.csv").write_text("id,name\n1,one\n2,two\n")
    parquet.write_table(pa.table({"id": [1, 2, 3]}), work / "n.parquet")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as made:
        made.execute("CREATE TABLE orders AS SELECT range AS id, range * 10 AS total FROM range(5)")
    saved = {"type": "duckdb", "name": "file", "database": str(tmp_path / "shop.duckdb")}
    assert ann.ask("POST", CONNECTIONS, saved).status == 201
    fresh = {"type": "duckdb", "name": "fresh", "database": str(tmp_path / "fresh.duckdb")}  # made by it
    assert ann.ask("POST", CONNECTIONS, fresh).status == 201
    assert ann.execute("CREATE TABLE t AS SELECT 1 AS a", connection="fresh").status == 200
    for name, type_, database in (("pg", "postgresql", postgresql), ("my", "mysql", mariadb)):
        ann.save(database, type_, name=name)
        for text in ("DROP TABLE IF EXISTS sandboxed", "CREATE TABLE sandboxed (id INT, v VARCHAR(20))"):
            assert ann.execute(text, connection=name).status == 200
        for number in range(3):
            text = f"INSERT INTO sandboxed VALUES ({number}, '{name}{number}')"
            assert ann.execute(text, connection=name).status == 200
    assert rows(ann, "SELECT name FROM 'n.csv' ORDER BY id") == [["one"], ["two"]]
    assert rows(ann, "SELECT count(*) FROM 'n.parquet'") == [[3]]
    assert rows(ann, "SELECT sum(total) FROM orders", connection="file") == [["100"]]
    assert rows(ann, "SELECT sum(total) FROM orders", connection="file", engine="duckdb") == [["100"]]
    joined = (
        "SELECT p.v, m.v, o.total, c.name FROM pg.sandboxed p JOIN my.sandboxed m USING (id)"
        " JOIN file.orders o USING (id) LEFT JOIN 'n.csv' c USING (id) ORDER BY 1"
    )
    assert rows(ann, joined) == [
        ["pg0", "my0", 0, None],
        ["pg1", "my1", 10, "one"],
        ["pg2", "my2", 20, "two"],
    ]
    streamed = "SELECT count(*), max(v) FROM pg.sandboxed WHERE id > 0"
    assert rows(ann, streamed) == [[2, "pg2"]]
    assert rows(ann, "SELECT max(v) FROM sandboxed", connection="my", engine="duckdb") == [["my2"]]
    for connection in ann.ask("GET", CONNECTIONS).json["connections"]:
        where = f"{CONNECTIONS}/{connection['id']}"
        assert ann.ask("POST", f"{where}/health", {}).status == 200
        assert ann.ask("GET", f"{where}/schema?search=o").status == 200
    assert loaded(server.pid) == []
    assert all(loaded(pid) for pid in sandboxes(server))


def test_two_people_have_a_process_each_and_tables_of_their_own(
    server: JupyterServer, ann: Caller, bob: Caller
) -> None:
    assert ann.execute("CREATE OR REPLACE TABLE secret AS SELECT 'canary' AS a").status == 200
    assert rows(ann, "SELECT a FROM secret") == [["canary"]]
    answer = bob.execute("SELECT a FROM secret")
    assert (answer.status, answer.json["error_code"]) == (400, "unknown_table")
    assert b"canary" not in answer.raw
    assert rows(bob, "SELECT count(*) FROM duckdb_tables() WHERE NOT internal") == [[0]]
    assert len(sandboxes(server)) >= 2
    assert bob.execute("CREATE TABLE secret AS SELECT 'mine' AS a").status == 200
    assert rows(ann, "SELECT a FROM secret") == [["canary"]]


REFUSED = [
    "SELECT * FROM '{outside}/t.csv'",
    "SELECT * FROM '{outside}/t.xlsx'",
    "SELECT * FROM '{outside}'",
    "SELECT * FROM read_text('{outside}/t.csv')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "COPY (SELECT 1) TO '{outside}/w.csv'",
    "ATTACH '{outside}/d.duckdb'",
    "SET GLOBAL enable_external_access = true",
    "INSTALL httpfs",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_nothing_but_the_servers_folder_is_reached(ann: Caller, tmp_path: Path, sql: str) -> None:
    (tmp_path / "t.csv").write_text("a\ncanary\n")
    answer = ann.execute(sql.format(outside=tmp_path))
    assert (answer.status, answer.json["error_code"]) == (403, "not_permitted"), answer.raw
    assert b"canary" not in answer.raw
    assert not (tmp_path / "w.csv").exists()


def test_relative_names_mean_files_of_the_servers_folder(server: JupyterServer, ann: Caller) -> None:
    """An answer is used again until its file changes: the file that is looked at is the one that is read."""
    path = server.folder / "work" / "again.csv"
    path.write_text("a\n1\n")
    sql = "SELECT sum(a) FROM 'again.csv'"
    found = [ann.execute(sql).json for _ in range(2)]
    assert [(one["cached"], one["data"]) for one in found] == [(False, [["1"]]), (True, [["1"]])]
    path.write_text("a\n1\n2\n")
    changed = ann.execute(sql).json
    assert (changed["cached"], changed["data"]) == (False, [["3"]])


def test_a_process_that_is_killed_ends_its_persons_statements_only(
    server: JupyterServer, ann: Caller, bob: Caller
) -> None:
    assert ann.execute("CREATE OR REPLACE TABLE gone AS SELECT 1").status == 200
    assert bob.execute("CREATE OR REPLACE TABLE kept AS SELECT 1").status == 200
    before = sandboxes(server)
    with ThreadPoolExecutor(2) as pool, server.caller("ann") as line:
        running = pool.submit(line.execute, ENDLESS)
        eventually(lambda: any(computes(pid) for pid in sandboxes(server)))
        (busy,) = [pid for pid in sandboxes(server) if all(computes(pid) for _ in range(3))]
        os.kill(busy, signal.SIGKILL)
        answer = running.result(60)
    assert (answer.status, answer.json["error_code"]) == (502, "connection_lost")
    assert "made in memory are gone" in answer.json["hint"]
    again = ann.execute("SELECT 1")
    assert (again.status, [one["code"] for one in again.json["notices"]]) == (200, ["restarted"])
    assert rows(bob, "SELECT count(*) FROM kept") == [[1]]
    assert len(sandboxes(server) & before) == len(before) - 1
    assert loaded(server.pid) == []


def test_a_statement_that_nobody_waits_for_is_cancelled_in_its_process(
    server: JupyterServer, ann: Caller
) -> None:
    started = ann.execute(ENDLESS, **{"async": True})
    assert started.status == 202
    id_ = started.json["id"]
    eventually(lambda: any(computes(pid) for pid in sandboxes(server)))
    assert ann.ask("POST", f"/aiser/data/query/{id_}/cancel", {}).status in (200, 202)
    eventually(lambda: ann.ask("GET", f"/aiser/data/query/{id_}").json["state"] == "cancelled")
    eventually(lambda: not any(computes(pid) for pid in sandboxes(server)))


def test_a_killed_server_leaves_no_process() -> None:
    with JupyterServer(POLICY) as server:
        with server.caller("ann") as caller:
            assert caller.execute("SELECT 1").status == 200
        left = sandboxes(server)
        assert len(left) == 1
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: not any(lives(pid) for pid in left))
        eventually(lambda: not list((server.folder / "tmp").glob("aiser-duckdb-*")))
