from __future__ import annotations

import os
from pathlib import Path

import pytest

from aiser_jupyter.errors import ConfigError
from aiser_jupyter.secret import Secret
from aiser_jupyter.sources.importing import FORMATS, Imported, import_connections

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CONNECTIONS_INI = """\
# written by hand
[shop]
drivername = postgresql+psycopg2
username = ann
password = p%%ss = w#rd ; x
host = db.example.com
port = 6000
database = shop
query = sslmode=require&application_name=jupysql

[local file]
drivername = duckdb
database = /data/shop.duckdb

[memory]
drivername = duckdb
database = :memory:

[interpolated]
drivername = mysql
host = %(base)s.example.com
username = ann

[weak]
drivername = postgresql
host = db
username = ann
query = sslmode=prefer

[elsewhere]
drivername = oracle
host = db

[extra]
drivername = mysql
host = db
creator = x

[nothing]
host = db

[many]
drivername = mysql
username = ann
host = h1,h2

[mariadb]
drivername = mariadb+pymysql
username = ann
host = db
"""


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def by_name(found: list[Imported]) -> dict[str, Imported]:
    assert len({entry.config.name for entry in found}) == len(found)
    return {entry.config.name: entry for entry in found}


def test_jupysql(tmp_path, kinds):
    found = by_name(import_connections(private(tmp_path / "connections.ini", CONNECTIONS_INI), kinds=kinds))
    shop = found["shop"]
    assert (shop.problem, shop.notices, shop.config.type) == ("", (), "postgresql")
    assert shop.config.values["password"].reveal() == "p%ss = w#rd ; x"
    wanted = {
        "host": "db.example.com",
        "port": 6000,
        "database": "shop",
        "username": "ann",
        "ssl_enabled": True,
    }
    assert {name: shop.config.values[name] for name in wanted} == wanted
    assert found["local_file"].config.values == {"database": "/data/shop.duckdb"}
    assert found["local_file"].notices == ("'local file' is called local_file here.",)
    assert (found["mariadb"].config.type, found["mariadb"].problem) == ("mysql", "")
    assert found["mariadb"].config.values["port"] == 3306


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("memory", "':memory:' is not a file."),
        ("interpolated", "'host' refers to another option"),
        ("weak", "sslmode=prefer is not supported"),
        ("elsewhere", "There is no connector 'oracle' in this version."),
        ("extra", "A section has no 'creator'."),
        ("nothing", "It has no drivername."),
        ("many", "A connection goes to one host, not to a list of them."),
    ],
)
def test_what_jupysql_has_and_we_cannot_is_said(tmp_path, kinds, name, reason):
    found = by_name(import_connections(private(tmp_path / "connections.ini", CONNECTIONS_INI), kinds=kinds))
    assert found[name].problem.startswith(reason)
    assert found[name].config.values == {}


PGPASS = r"""# host:port:database:user:password
db.example.com:6000:shop:ann:pass:w\:rd\\x\
10.0.0.7:5432:shop:ann:x
localhost:5432:we\:ird:dom\\ann:x
*:*:*:ann:canary
db:5432:*:ann:canary
db:5432:shop:*:canary
db:5432:\*:ann:x
db:5432:shop:ann
db:5432:shop:ann\:canary
db:port:shop:ann:canary
/var/run/postgresql:5432:shop:ann:canary
db:5432:empty:ann:
db.example.com:5432:shop:bob:y
"""


def test_pgpass(tmp_path, kinds):
    found = import_connections(private(tmp_path / ".pgpass", PGPASS), kinds=kinds)
    good = [entry for entry in found if not entry.problem]
    read = [
        (
            entry.config.name,
            *(entry.config.values[name] for name in ("host", "port", "database", "username")),
            entry.config.values["password"].reveal() if "password" in entry.config.values else None,
        )
        for entry in good
    ]
    assert read == [
        ("db_shop", "db.example.com", 6000, "shop", "ann", "pass:w:rd\\x\\"),
        ("_10_0_0_7_shop", "10.0.0.7", 5432, "shop", "ann", "x"),
        ("localhost_we_ird", "localhost", 5432, "we:ird", "dom\\ann", "x"),
        ("db", "db", 5432, "*", "ann", "x"),
        ("db_empty", "db", 5432, "empty", "ann", None),
        ("db_shop_3", "db.example.com", 5432, "shop", "bob", "y"),
    ]
    bad = {entry.config.name: entry.problem for entry in found if entry.problem}
    assert set(bad) == {
        "line_5",
        "line_6",
        "line_7",
        "line_9",
        "line_10",
        "db_shop_2",
        "var_run_postgresql_shop",
    }
    assert "stands for any host" in bad["line_5"]
    assert "stands for any database" in bad["line_6"]
    assert "stands for any username" in bad["line_7"]
    assert bad["line_9"].startswith("Line 9: It has not five fields.")
    assert "whole number" in bad["db_shop_2"]
    assert "Unix sockets" in bad["var_run_postgresql_shop"]
    assert "canary" not in repr(found)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_pgpass_is_refused_where_postgresql_refuses_it(tmp_path, kinds, mode):
    path = private(tmp_path / ".pgpass", "db:5432:shop:ann:canary\n")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="Others may read") as caught:
        import_connections(path, kinds=kinds)
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("name", ["connections.ini", "profiles.yml", ".pgpass", "my.cnf"])
def test_a_file_that_anyone_may_change_is_refused(tmp_path, kinds, name):
    path = private(tmp_path / name, "")
    path.chmod(0o602)
    with pytest.raises(ConfigError, match="Anyone may change"):
        import_connections(path, kinds=kinds)


def test_a_password_that_others_may_read_is_noticed(tmp_path, kinds):
    path = private(tmp_path / "connections.ini", CONNECTIONS_INI)
    path.chmod(0o644)
    found = by_name(import_connections(path, kinds=kinds))
    assert any("chmod 600" in notice for notice in found["shop"].notices)
    assert found["mariadb"].notices == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("connections.ini", "password = canary\n"),
        ("connections.ini", "[a]\npassword\n canary: x\n=canary"),
        ("connections.ini", "[a]\nx=canary\nx=canary\n"),
        ("connections.ini", "[a]\n[a]\n"),
        ("profiles.yml", "shop:\n  outputs: {dev: {password: canary\n"),
        ("profiles.yml", "- canary"),
        ("profiles.yml", "!!python/object/apply:os.system ['touch canary']"),
        ("profiles.yml", "[" * 5000),
        ("profiles.yml", "a: \x07canary"),
        ("connections.ini", b"\xffcanary"),
        ("connections.ini", "#" * (1024 * 1024 + 1)),
    ],
    ids=range(11),
)
def test_a_file_that_cannot_be_read_shows_nothing_of_itself(tmp_path, monkeypatch, kinds, name, text):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        import_connections(path, kinds=kinds)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "canary" not in str(chain)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    assert os.listdir(tmp_path) == [name]


def test_files_that_are_none(tmp_path, kinds):
    with pytest.raises(ConfigError, match="There is no file"):
        import_connections(tmp_path / "connections.ini", kinds=kinds)
    with pytest.raises(ConfigError, match="does not say what the file is"):
        import_connections(tmp_path / "connections.json", kinds=kinds)
    with pytest.raises(ConfigError, match="There is no format"):
        import_connections(tmp_path / "connections.ini", "dbc", kinds=kinds)
    os.mkfifo(tmp_path / "pipe.ini")
    (tmp_path / "folder.ini").mkdir()
    for name in ("pipe.ini", "folder.ini"):
        with pytest.raises(ConfigError, match="not a regular file"):
            import_connections(tmp_path / name, kinds=kinds)


def test_a_format_can_be_given(tmp_path, kinds):
    path = private(tmp_path / "backup.txt", "db:5432:shop:ann:x\n")
    (found,) = import_connections(path, "pgpass", kinds=kinds)
    assert isinstance(found.config.values["password"], Secret)
    assert set(FORMATS) == {"jupysql", "dbt", "pgpass", "mysql", "snowflake", "databricks", "gcloud"}


def test_a_file_without_end_is_refused(tmp_path, kinds):
    path = private(tmp_path / ".pgpass", "db:5432:shop:ann:x\n" * 1001)
    with pytest.raises(ConfigError, match="more than 1,000 entries"):
        import_connections(path, kinds=kinds)
