from __future__ import annotations

import os
from pathlib import Path

import jupyter_core.paths
import pytest

from aiser_jupyter.errors import SecretError
from aiser_jupyter.models import Connection
from aiser_jupyter.secret import Secret
from aiser_jupyter.sources import listed
from aiser_jupyter.sources.admin import FILE, admin_connections

SHOP = """
[shop]
type = "postgresql"
host = "db.example.com"
database = "shop"
username = "reader"
password_file = "{secret}"
ssl_ca_file = "{certificate}"
"""
BROKEN = """
[good]
type = "mysql"
host = "db"
username = "ann"
[typeless]
host = "canary"
[unknown_type]
type = "oracle"
host = "canary"
[unknown_field]
type = "mysql"
host = "canary"
username = "ann"
local_infile = true
[missing]
type = "mysql"
host = "canary"
[wrong_kind]
type = "mysql"
host = "canary"
username = "ann"
port = "many"
[in_clear]
type = "mysql"
host = "canary"
username = "ann"
password = "canary"
[relative]
type = "mysql"
host = "canary"
username = "ann"
password_file = "canary"
[no_certificate]
type = "mysql"
host = "canary"
username = "ann"
ssl_ca_file = "/nowhere/ca.pem"
[two_hosts]
type = "mysql"
host = "canary,db"
username = "ann"
["bad name!"]
type = "mysql"
host = "canary"
[local]
type = "duckdb"
[GOOD]
type = "duckdb"
[an_object]
type = "object"
object = "canary"
[port_range]
type = "mysql"
host = "canary"
username = "ann"
port = 70_000
[port_size]
type = "mysql"
host = "canary"
username = "ann"
port = 0xfffffffffffffffffffffffffffffff
"""
REASONS = {
    "typeless": "It has no type.",
    "unknown_type": "There is no connector 'oracle' in this version.",
    "unknown_field": "has no field 'local_infile'.",
    "missing": "needs 'username' (User).",
    "wrong_kind": "'port' takes a whole number.",
    "in_clear": "'password' stands in the file in clear.",
    "relative": "password_file needs the absolute path of a file.",
    "no_certificate": "There is no file /nowhere/ca.pem.",
    "two_hosts": "A connection goes to one host, not to a list of them.",
    "bad_name": "'bad name!' cannot name a connection.",
    "local_2": "'local' is the connection that is always there.",
    "GOOD_2": "There is 'GOOD' already, in another case.",
    "an_object": "There is no connector 'object' in this version.",
    "port_range": "'port' goes from 1 to 65,535.",
    "port_size": "'port' is too large.",
    "loose": "loose is not a table.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "system"
    made.mkdir()
    return made


def write(folder: Path, text: str) -> Path:
    path = folder / FILE
    path.write_text(text)
    path.chmod(0o644)
    return path


def by_name(found: list[Connection]) -> dict[str, Connection]:
    assert len({connection.id for connection in found}) == len(found)
    return {connection.name: connection for connection in found}


def test_a_connection_of_the_administrator(tmp_path, folder, kinds, certificate):
    secret = tmp_path / "password"
    path = write(folder, SHOP.format(secret=secret, certificate=certificate))
    (shop,) = admin_connections([folder], kinds)
    assert (shop.id, shop.name, shop.type, shop.owner) == ("admin-shop", "shop", "postgresql", "")
    assert (shop.source, shop.problem) == ("admin", "")
    assert (shop.config.values["host"], shop.config.values["port"]) == ("db.example.com", 5432)
    assert shop.config.values["ssl_ca"].startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in shop.config.values["ssl_ca"]
    os.utime(path, (2_000_000_000, 2_000_000_000))
    assert admin_connections([folder], kinds)[0].version > shop.version


def test_a_secret_is_read_when_it_is_revealed(tmp_path, folder, kinds, certificate):
    secret = tmp_path / "password"
    write(folder, SHOP.format(secret=secret, certificate=certificate))
    (shop,) = admin_connections([folder], kinds)
    password = shop.config.values["password"]
    assert isinstance(password, Secret)
    with pytest.raises(SecretError) as caught:
        password.reveal()
    assert (str(secret) in caught.value.message, bool(caught.value.hint)) == (True, True)
    for written, read in [
        (b"canary", "canary"),
        (b"rotated\n", "rotated"),
        (b" p w \r\n", " p w "),
        (b"two\n\n", "two\n"),
    ]:
        secret.write_bytes(written)
        assert password.reveal() == read
    for written in (b"", b"\n", b"\xff", b"a\0b", b"x" * (1024 * 1024 + 1)):
        secret.write_bytes(written)
        with pytest.raises(SecretError):
            password.reveal()
    secret.unlink()
    os.mkfifo(secret)
    with pytest.raises(SecretError, match="not a regular file"):
        password.reveal()


def test_one_bad_entry_disables_itself_alone(folder, kinds):
    write(folder, 'loose = "canary"\n' + BROKEN)
    found = by_name(admin_connections([folder], kinds))
    good = found.pop("good")
    assert (good.problem, good.type, good.config.values["host"]) == ("", "mysql", "db")
    assert set(found) == set(REASONS)
    for name, connection in found.items():
        assert REASONS[name] in connection.problem
        assert connection.config.values == {}
        assert (connection.id, connection.source) == (f"admin-{name}", "admin")
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    "text", ["[shop", "a = \x00", "[a]\nb = 'canary", "a = " + "[" * 5000, "n = " + "9" * 5000]
)
def test_a_file_that_is_not_toml_is_one_entry(tmp_path, folder, kinds, text):
    other = tmp_path / "env"
    other.mkdir()
    write(folder, text)
    write(other, '[shop]\ntype = "duckdb"\ndatabase = "/data/shop.duckdb"\n')
    broken, shop = admin_connections([folder, other], kinds)
    assert (broken.name, broken.type, broken.id) == ("aiser_connections", "", "admin-aiser_connections")
    assert broken.problem.startswith(f"{folder / FILE} is not TOML")
    assert "canary" not in repr(broken)
    assert (shop.name, shop.problem) == ("shop", "")
    write(other, text)
    assert [c.name for c in admin_connections([folder, other], kinds)] == [
        "aiser_connections",
        "aiser_connections_2",
    ]


def test_a_file_that_anyone_may_change_is_not_read(folder, kinds):
    path = write(folder, '[shop]\ntype = "duckdb"\n')
    path.chmod(0o646)
    (found,) = admin_connections([folder], kinds)
    assert found.problem.startswith(f"Anyone may change {path}")


def test_a_stronger_folder_replaces_by_name(tmp_path, folder, kinds):
    other = tmp_path / "env"
    other.mkdir()
    write(folder, '[shop]\ntype = "duckdb"\n[crm]\ntype = "duckdb"\n')
    write(other, '[Shop]\ntype = "mysql"\nhost = "db"\nusername = "ann"\n[crm]\ntype = "nothing"\n')
    found = by_name(admin_connections([folder, other], kinds))
    assert set(found) == {"Shop", "crm"}
    assert found["Shop"].type == "mysql"
    assert found["crm"].problem


def test_only_the_administrators_folders_are_read(tmp_path, monkeypatch, kinds):
    made = {name: tmp_path / name for name in ("system", "env", "user", "path", "project")}
    for name, each in made.items():
        each.mkdir()
        write(each, f'[{name}]\ntype = "duckdb"\n')
    monkeypatch.setattr(jupyter_core.paths, "SYSTEM_CONFIG_PATH", [str(made["system"])])
    monkeypatch.setattr(jupyter_core.paths, "ENV_CONFIG_PATH", [str(made["env"]), str(tmp_path / "none")])
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(made["user"]))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(made["path"]))
    monkeypatch.chdir(made["project"])
    assert [connection.name for connection in admin_connections(kinds=kinds)] == ["env", "system"]
    monkeypatch.setenv("AISER_CONNECTION_SYSTEM", str(made["user"] / "mine.toml"))
    (made["user"] / "mine.toml").write_text('type = "duckdb"\n')
    assert [(c.name, c.source) for c in listed(kinds)] == [
        ("system", "environment"),
        ("env", "admin"),
        ("system", "admin"),
    ]
