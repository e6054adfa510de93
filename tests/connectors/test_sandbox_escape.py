"""Ways out of the sandbox that SQL may try: each is refused by an error of ours, and leaks nothing."""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from aiser_jupyter.config import MIB
from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.folder import Folder
from aiser_jupyter.connectors.sandbox import Sandbox
from aiser_jupyter.errors import (
    AiserError,
    DataError,
    EngineUnavailable,
    NotPermitted,
    QueryFailed,
    StatementError,
    UnknownTable,
)
from tests.connectors.sandbox_kit import config, fetch, sandbox_in, spill_of

CANARY = "canary-4f1c9e0b7d2a"
VARIABLE = "AISER_TEST_CANARY"


@dataclass(frozen=True)
class Place:
    """``root`` is the sandbox's folder; ``outside`` stands beside it, with files that hold the canary."""

    sandbox: Sandbox
    root: Path
    outside: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    base = tmp_path_factory.mktemp("place")
    root, outside, sibling = base / "root", base / "outside", base / "root2"
    for folder in (root, outside, sibling):
        folder.mkdir()
        (folder / "t.csv").write_text(f"a\n{'inside' if folder is root else CANARY}\n")
    with duckdb.connect(str(outside / "d.duckdb")) as made:
        made.execute(f"CREATE TABLE t AS SELECT '{CANARY}' AS a")
    (root / "link.csv").symlink_to(outside / "t.csv")
    (root / "linked").symlink_to(outside)
    (root / "sub").mkdir()
    (root / "sub" / "t.csv").write_text("a\ninside\n")
    os.environ[VARIABLE] = CANARY
    try:
        with sandbox_in(root) as sandbox:
            fetch(sandbox, "CREATE TABLE mine AS SELECT 1 AS a")
            yield Place(sandbox, root, outside)
    finally:
        del os.environ[VARIABLE]


READS = [
    "FROM 't.csv'",
    "FROM 'sub/t.csv'",
    "FROM 'sub/../t.csv'",
    "FROM '{root}/t.csv'",
    "FROM read_csv('*.csv')",
    "SELECT content AS a FROM read_text('t.csv')",
    "SELECT file AS a FROM glob('sub/*')",
    "SELECT count(*) AS a FROM duckdb_secrets()",
    "COPY (SELECT 1 AS a) TO '{root}/written.parquet'",
    "FROM mine",
]


@pytest.mark.parametrize("sql", READS)
def test_what_is_below_the_folder_is_read_and_written(place: Place, sql: str) -> None:
    (place.root / "link.csv").unlink(missing_ok=True)  # a glob would meet it
    try:
        assert fetch(place.sandbox, sql.format(root=place.root)).num_rows > 0
    finally:
        (place.root / "link.csv").symlink_to(place.outside / "t.csv")


FILES = [
    "FROM '../outside/t.csv'",
    "FROM 'sub/../../outside/t.csv'",
    "FROM '{outside}/t.csv'",
    "FROM '{root}/../outside/t.csv'",
    "FROM '{root}2/t.csv'",
    "FROM 'file://{outside}/t.csv'",
    "FROM 'link.csv'",
    "FROM 'linked/t.csv'",
    "FROM read_csv('*.csv')",
    "FROM read_csv(['t.csv', '../outside/t.csv'])",
    "FROM read_csv_auto('../outside/t.csv')",
    "FROM sniff_csv('../outside/t.csv')",
    "FROM read_text('{outside}/t.csv')",
    "FROM read_blob('{outside}/t.csv')",
    "FROM read_json('{outside}/t.csv')",
    "FROM read_parquet('{outside}/t.csv')",
    "FROM parquet_metadata('{outside}/t.csv')",
    "FROM glob('../outside/*')",
    "FROM glob('/etc/*')",
    "FROM glob('linked/*')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_text('/proc/self/cmdline')",
    "FROM read_blob('/proc/self/mem')",
    "FROM read_text('/dev/fd/0')",
    "FROM read_text('/etc/passwd')",
    "FROM '~/t.csv'",
    "COPY mine FROM '../outside/t.csv'",
    "CREATE VIEW v AS FROM '../outside/t.csv'",
]
WRITES = [
    "COPY (SELECT 1) TO '../outside/w.csv'",
    "COPY (SELECT 1) TO '{outside}/w.parquet'",
    "COPY (SELECT 1 AS a, 2 AS b) TO '../outside/w' (FORMAT csv, PARTITION_BY (a))",
    "COPY (SELECT 1) TO 'linked/w.csv'",
    "COPY (SELECT 1) TO '/dev/shm/aiser-w.csv'",
    "EXPORT DATABASE '../outside/export'",
    "IMPORT DATABASE '../outside/export'",
    "ATTACH '../outside/d.duckdb' AS d",
    "ATTACH '{outside}/d.duckdb' AS d (READ_ONLY)",
    "ATTACH '{outside}/new.duckdb' AS d",
    "ATTACH 'linked/d.duckdb' AS d",
]
CODE = [
    "INSTALL httpfs",
    "INSTALL spatial FROM community",
    "FORCE INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{outside}/x.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "ATTACH 'host=127.0.0.1' AS p (TYPE postgres)",
    "FROM sqlite_scan('{outside}/d.db', 't')",
    "SELECT getenv('HOME')",
    "FROM 'http://127.0.0.1:{port}/t.csv'",
    "FROM read_csv('https://127.0.0.1:{port}/t.csv')",
    "FROM 's3://bucket/t.parquet'",
    "ATTACH 'http://127.0.0.1:{port}/d.duckdb' AS d",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "CALL load_aws_credentials()",
]
SETTINGS = [
    "SET enable_external_access = true",
    "SET GLOBAL enable_external_access = true",
    "PRAGMA enable_external_access = true",
    "RESET enable_external_access",
    "SET allowed_directories = ['/']",
    "SET allowed_paths = ['/etc/passwd']",
    "SET lock_configuration = false",
    "SET memory_limit = '64GB'",
    "RESET memory_limit",
    "PRAGMA threads = 64",
    "SET max_temp_directory_size = '1TB'",
    "SET temp_directory = '{outside}'",
    "SET home_directory = '{outside}'",
    "SET secret_directory = '{outside}'",
    "SET extension_directory = '{outside}'",
    "SET autoload_known_extensions = true",
    "SET allow_community_extensions = true",
    "SET allow_unsigned_extensions = true",
    "SET python_enable_replacements = true",
    "SET python_scan_all_frames = true",
    "SET file_search_path = '{outside}'",
    "SET log_query_path = '{outside}/log'",
    "PRAGMA profiling_output = '{outside}/p'",
    "PRAGMA enable_profiling = 'json'",
    "SET TimeZone = 'Asia/Kolkata'",
]
REFUSED = (NotPermitted, StatementError, UnknownTable, EngineUnavailable, DataError, QueryFailed)


@pytest.fixture(scope="module")
def canary_server() -> Iterator[tuple[int, list[object]]]:
    """A port that takes connections, and who came."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def take() -> None:
            while not stop.is_set():
                try:
                    caller, who = server.accept()
                except TimeoutError:
                    continue
                came.append(who)
                caller.close()

        thread = threading.Thread(target=take)
        thread.start()
        yield server.getsockname()[1], came
        stop.set()
        thread.join()


@pytest.mark.parametrize("sql", [*FILES, *WRITES, *CODE, *SETTINGS])
def test_a_way_out_is_closed(place: Place, canary_server: tuple[int, list[object]], sql: str) -> None:
    port, came = canary_server
    before = sorted(place.outside.rglob("*"))
    text = sql.format(root=place.root, outside=place.outside, port=port)
    pid = place.sandbox.pid
    with pytest.raises(AiserError) as caught:
        fetch(place.sandbox, text)
    assert isinstance(caught.value, REFUSED)
    if sql in FILES or sql in WRITES or "INSTALL" in sql:  # refused before anything is looked at
        assert isinstance(caught.value, NotPermitted), str(caught.value)
        assert caught.value.hint
    assert CANARY not in str(caught.value)
    assert sorted(place.outside.rglob("*")) == before
    assert not Path("/dev/shm/aiser-w.csv").exists()
    assert came == []
    assert fetch(place.sandbox, "SELECT a FROM mine").num_rows == 1
    assert place.sandbox.pid == pid


@pytest.mark.parametrize("setting", ["memory_limit", "threads", "lock_configuration", "TimeZone"])
def test_a_refused_setting_has_not_changed(place: Place, setting: str) -> None:
    sql = f"SELECT current_setting('{setting}') AS s"
    before = fetch(place.sandbox, sql)
    with pytest.raises(NotPermitted):
        fetch(place.sandbox, f"SET GLOBAL {setting} = '7'")
    assert fetch(place.sandbox, sql).equals(before)


def test_a_view_made_of_an_outside_file_elsewhere_is_refused_when_it_is_read(
    place: Place, tmp_path: Path
) -> None:
    """A database file may have been made where more is allowed."""
    path = tmp_path / "made.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute(f"CREATE VIEW v AS SELECT * FROM '{place.outside}/t.csv'")
        made.execute(f"CREATE MACRO m() AS TABLE FROM read_text('{place.outside}/t.csv')")
    for sql in ("FROM v", "FROM m()"):
        with pytest.raises(NotPermitted):
            fetch(place.sandbox, sql, database=path)


@pytest.mark.parametrize(
    "name", ["../outside/b.xlsx", "linked", "linked/b.xlsx", "/etc", "~", "x://../../outside"]
)
def test_what_we_read_for_duckdb_is_below_the_folder_too(place: Place, name: str) -> None:
    session = DuckDBConnector().open(config(place.sandbox))
    try:
        with pytest.raises(NotPermitted):
            session.register_file(name)
        with pytest.raises(NotPermitted):
            session.expand(name)
    finally:
        session.close()


@pytest.mark.parametrize(
    "name",
    [
        "*/../../outside/*.csv",
        "*/../../outside/nothing*.csv",
        "[l]inked/*.csv",
        "l*d/t.csv",
        "../root2/*.csv",
        "x://../../outside",
    ],
)
def test_a_pattern_does_not_lead_out(place: Place, name: str) -> None:
    with pytest.raises(NotPermitted):
        Folder(place.root).expand(name)


def test_names_below_the_folder_are_found(place: Place) -> None:
    folder = Folder(place.root)
    assert folder.expand("sub/*.csv") == [place.root / "sub" / "t.csv"]
    assert folder.expand("sub/../t.csv") == [place.root / "sub" / ".." / "t.csv"]
    assert folder.expand("https://example.org/x.csv") == []
    with pytest.raises(UnknownTable):
        folder.expand("nothing.csv")


# -- the process --------------------------------------------------------------------------------------------


def test_nothing_of_the_server_comes_with_the_process(place: Place) -> None:
    fetch(place.sandbox, "SELECT 1")
    process = Path(f"/proc/{place.sandbox.pid}")
    assert CANARY in os.environ.values()
    assert CANARY.encode() not in (process / "environ").read_bytes()
    names = {one.split(b"=")[0] for one in (process / "environ").read_bytes().split(b"\0") if one}
    assert names <= {
        *(b"PYTHONPATH", b"PYTHONDONTWRITEBYTECODE", b"HOME", b"MALLOC_ARENA_MAX", b"OPENBLAS_NUM_THREADS"),
        *(b"ARROW_DEFAULT_MEMORY_POOL", b"LANG", b"LC_ALL", b"LD_LIBRARY_PATH", b"PATH", b"TZ"),
    }
    assert (process / "cmdline").read_bytes().split(b"\0")[1:] == [
        *(b"-P", b"-s", b"-m", b"aiser_jupyter.connectors.sandbox.child", b"")
    ]
    opened = [os.readlink(one) for one in (process / "fd").iterdir()]
    allowed = ("socket:", "/dev/null", "pipe:", "anon_inode:")
    assert [one for one in opened if not one.startswith(allowed)] == []
    assert (process / "cwd").readlink() == place.root


def test_the_process_is_limited_by_the_operating_system(place: Place) -> None:
    assert place.sandbox.pid is not None
    assert resource.prlimit(place.sandbox.pid, resource.RLIMIT_AS) == (1024 * MIB, 1024 * MIB)
    assert resource.prlimit(place.sandbox.pid, resource.RLIMIT_CORE) == (0, 0)
    assert spill_of(place.sandbox).stat().st_mode & 0o777 == 0o700
    found = fetch(place.sandbox, "SELECT current_setting('max_temp_directory_size') AS s").to_pylist()
    assert found == [{"s": "64.0 MiB"}]


def test_two_sandboxes_do_not_see_each_other(place: Place, tmp_path: Path) -> None:
    with sandbox_in(tmp_path) as other:
        with pytest.raises(UnknownTable):
            fetch(other, "FROM mine")
        assert fetch(place.sandbox, "FROM mine").num_rows == 1
        assert other.pid != place.sandbox.pid
        with pytest.raises(NotPermitted):
            fetch(other, f"FROM '{place.root}/t.csv'")
        for sandbox, theirs in ((other, place.sandbox), (place.sandbox, other)):
            with pytest.raises(NotPermitted):
                fetch(sandbox, f"FROM glob('{spill_of(theirs)}/*')")
