"""Saved connections: each owner's own, by a checked name; their secrets are sealed and go nowhere else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiser_jupyter.errors import ConfigError, SecretError, StoreError, UnknownConnection
from aiser_jupyter.models import Connection, ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = frozenset({"password", "token"})
CANARY = "canary-7-Übermut-\udc80"


def config(name: str = "shop", **values: object) -> ConnectionConfig:
    return ConnectionConfig("postgresql", name, values)


def add(records: ConnectionRecords, name: str = "shop", owner: str = "ann", **values: object) -> Connection:
    return records.add(owner, config(name, **values), str(values.get("host")), SECRETS, NOW)


def change(records: ConnectionRecords, new: ConnectionConfig, name: str = "shop") -> Connection:
    return records.change("ann", name, new, str(new.values.get("host")), SECRETS)


def password(records: ConnectionRecords, name: str = "shop") -> str:
    found = records.get("ann", name)
    assert found is not None
    text = found.config.values["password"].reveal()
    assert isinstance(text, str)
    return text


def tokens(store: Store) -> list[str]:
    return [text for (text,) in store.read("SELECT secrets FROM connections ORDER BY name")]


def test_a_connection_comes_back_as_it_was(records: ConnectionRecords) -> None:
    saved = add(records, host="db", port=5432, ssl=True, note=None)
    assert re.fullmatch("[0-9a-f]{32}", saved.id)
    assert records.get("ann", "shop") == saved
    assert (saved.created_at, saved.version) == (NOW, 1)


def test_ids_differ(records: ConnectionRecords) -> None:
    assert len({add(records, f"c{n}").id for n in range(20)}) == 20


def test_another_owner_neither_sees_nor_changes_nor_removes_it(records: ConnectionRecords) -> None:
    add(records)
    assert records.get("bob", "shop") is None
    assert records.list("bob") == []
    with pytest.raises(UnknownConnection):
        records.delete("bob", "shop")
    with pytest.raises(UnknownConnection):
        records.change("bob", "shop", config(), "", SECRETS)
    assert add(records, owner="bob", host="other").owner == "bob"
    assert [c.name for c in records.list("ann")] == ["shop"]


def test_listed_by_name(records: ConnectionRecords) -> None:
    for name in ("shop", "Books", "archive"):
        add(records, name)
    assert [c.name for c in records.list("ann")] == ["archive", "Books", "shop"]


@pytest.mark.parametrize("name", ["shop", "SHOP"])
def test_a_name_is_taken_in_any_case(records: ConnectionRecords, name: str) -> None:
    add(records)
    add(records, "books")
    with pytest.raises(ConfigError, match="already"):
        add(records, name)
    with pytest.raises(ConfigError, match="already"):
        change(records, config(name), "books")
    assert [c.name for c in records.list("ann")] == ["books", "shop"]


@pytest.mark.parametrize(
    "name",
    ["", "1st", "-x", "a b", "a.b", "é", "ѕhop", "x" * 64, "a\n", "a\0", "../a", "%2e", "local", "LOCAL"],
)
def test_a_malformed_or_reserved_name_is_refused(records: ConnectionRecords, name: str) -> None:
    add(records)
    with pytest.raises(ConfigError):
        add(records, name)
    with pytest.raises(ConfigError):
        change(records, config(name))
    assert [c.name for c in records.list("ann")] == ["shop"]


@pytest.mark.parametrize("type", ["", "../duckdb", "a b", "MySQL", "x\0", "x" * 64])
def test_a_malformed_type_is_refused(records: ConnectionRecords, type: str) -> None:
    with pytest.raises(ConfigError):
        records.add("ann", ConnectionConfig(type, "shop", {}), "", SECRETS, NOW)


@pytest.mark.parametrize("name", ["_", "a-b_9", "x" * 63])
def test_names_that_are_right(records: ConnectionRecords, name: str) -> None:
    assert add(records, name).name == name


@pytest.mark.parametrize("value", [object(), float("nan"), b"x", {1, 2}])
def test_a_value_that_json_does_not_have_is_refused(records: ConnectionRecords, value: object) -> None:
    with pytest.raises(ConfigError, match="cannot be saved"):
        add(records, field=value)


def test_deleting(records: ConnectionRecords) -> None:
    add(records, password=Secret(CANARY))
    with pytest.raises(UnknownConnection, match="Did you mean 'shop'"):
        records.delete("ann", "shpo")
    records.delete("ann", "shop")
    assert records.get("ann", "shop") is None


def test_a_broken_store_does_not_say_that_a_connection_is_unknown(folder: Path, keys: KeyFile) -> None:
    folder.symlink_to("/nowhere")
    records = ConnectionRecords(Store(folder), keys)
    assert records.list("ann") == []
    with pytest.raises(StoreError):
        records.get("ann", "shop")


def test_a_secret_comes_back_and_stands_in_no_file_and_no_repr(
    records: ConnectionRecords, store: Store
) -> None:
    saved = add(records, host="db", password=Secret(CANARY), token=Secret("t"))
    (listed,) = records.list("ann")
    for found in (saved, listed):
        assert "canary" not in repr(found)
        assert found.config.values["password"].reveal() == CANARY
        assert found.config.values["token"].reveal() == "t"
    change(records, config(host="db", port=1))
    store.close()
    assert store.state.ok  # makes the backup
    files = [path for path in store.folder.rglob("*") if path.is_file()]
    assert {"aiser.db", "aiser.db.backup", "aiser.db-wal", "key"} <= {path.name for path in files}
    assert all(b"canary" not in path.read_bytes() for path in files)


@pytest.mark.parametrize("value", ["canary-7", 7, b"canary-7", ["canary-7"]])
def test_a_secret_that_is_no_secret_is_refused_and_not_shown(
    records: ConnectionRecords, value: object
) -> None:
    add(records)
    for save in (
        lambda: add(records, "other", password=value),
        lambda: change(records, config(password=value)),
    ):
        with pytest.raises(ConfigError, match="'password' is a secret field") as caught:
            save()
        assert "canary" not in str(caught.value)
    assert tokens(records._store) == ["{}"]


def test_a_secret_under_any_name_is_sealed(records: ConnectionRecords, store: Store) -> None:
    add(records, passphrase=Secret(CANARY))
    assert store.read('SELECT "values" FROM connections') == [("{}",)]
    assert records.list("ann")[0].config.values["passphrase"].reveal() == CANARY


def test_an_empty_secret_is_refused_and_nothing_is_none(records: ConnectionRecords, keys: KeyFile) -> None:
    with pytest.raises(ConfigError, match="is empty"):
        add(records, password=Secret(""))
    assert add(records, password="", token=None).config.values == {}
    assert not keys.path.exists()


def test_listing_and_plain_connections_need_no_key(
    records: ConnectionRecords, keys: KeyFile, tmp_path: Path
) -> None:
    add(records, password=Secret(CANARY))
    keys.path.rename(tmp_path / "away")
    (found,) = records.list("ann")
    with pytest.raises(SecretError, match="no key file"):
        found.config.values["password"].reveal()
    assert add(records, "plain", host="db").config.values == {"host": "db"}
    (tmp_path / "away").rename(keys.path)
    assert found.config.values["password"].reveal() == CANARY


def test_a_lost_key_is_not_replaced_by_another(records: ConnectionRecords, keys: KeyFile) -> None:
    add(records, password=Secret(CANARY))
    keys.path.unlink()
    for save in (
        lambda: add(records, "other", password=Secret("x")),
        lambda: change(records, config(password=Secret("x"))),
    ):
        with pytest.raises(SecretError, match="sealed with that key"):
            save()
    assert not keys.path.exists()
    assert [c.name for c in records.list("ann")] == ["shop"]
    records.delete("ann", "shop")
    add(records, password=Secret("x"))
    assert password(records) == "x"


class TestChange:
    def test_replaces_values_and_name_and_counts(self, records: ConnectionRecords) -> None:
        saved = add(records, host="db", port=1)
        changed = change(records, config("store", host="db", ssl=True))
        assert (changed.id, changed.created_at, changed.version) == (saved.id, NOW, 2)
        assert changed.config == config("store", host="db", ssl=True)
        assert records.list("ann") == [changed]
        assert change(records, changed.config, "store").version == 3

    def test_of_what_is_not_there(self, records: ConnectionRecords) -> None:
        add(records)
        with pytest.raises(UnknownConnection, match="Did you mean 'shop'"):
            change(records, config(), "shpo")

    def test_keeps_a_secret_that_is_absent(self, records: ConnectionRecords) -> None:
        add(records, host="db", password=Secret("one"), token=Secret("two"))
        changed = change(records, config("store", host="db", port=2, token=Secret("three")))
        values = changed.config.values
        assert (values["password"].reveal(), values["token"].reveal()) == ("one", "three")

    def test_keeps_the_very_token_without_the_key_where_no_value_changes(
        self, records: ConnectionRecords, store: Store, keys: KeyFile
    ) -> None:
        add(records, host="db", password=Secret("one"))
        before = tokens(store)
        keys.path.rename(keys.path.with_name("away"))
        change(records, config("store", host="db"))
        assert tokens(store) == before
        keys.path.with_name("away").rename(keys.path)
        assert password(records, "store") == "one"

    def test_leads_a_secret_nowhere_else(self, records: ConnectionRecords, store: Store) -> None:
        add(records, host="db", password=Secret("one"), token=Secret("two"))
        before = store.read("SELECT * FROM connections")
        for given in ({}, {"token": Secret("three")}):
            with pytest.raises(ConfigError, match="give the password again"):
                change(records, config(host="evil", **given))
        assert store.read("SELECT * FROM connections") == before
        changed = change(records, config(host="other", password=Secret("new"), token=None))
        assert changed.config.values.keys() == {"host", "password"}
        assert password(records) == "new"

    def test_leads_a_secret_to_no_other_type(self, records: ConnectionRecords) -> None:
        add(records, host="db", password=Secret("one"))
        with pytest.raises(ConfigError, match="give the password again"):
            change(records, ConnectionConfig("mysql", "shop", {"host": "db"}))

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_removes_a_secret_that_is_given_as_nothing(
        self, records: ConnectionRecords, store: Store, nothing: object
    ) -> None:
        add(records, host="db", password=Secret("one"))
        assert change(records, config(host="db", password=nothing)).config == config(host="db")
        assert tokens(store) == ["{}"]

    def test_keeps_no_secret_that_does_not_open(self, records: ConnectionRecords, store: Store) -> None:
        """Otherwise a record that was altered in the file would be made whole."""
        add(records, host="db", password=Secret("one"))
        with store.write() as connection:
            connection.execute(
                """UPDATE connections SET "values" = '{"host": "evil"}', destination = 'evil'"""
            )
        with pytest.raises(SecretError, match="was altered"):
            change(records, config(host="evil", port=2))
        changed = change(records, config(host="db", password=Secret("two")))
        assert changed.config.values["password"].reveal() == "two"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("values", "[]"),
        ("values", "{"),
        ("values", "[" * 100_000),
        ("values", b"\xff"),
        ("created_at", "yesterday"),
        ("secrets", "{"),
        ("secrets", "[]"),
        ("secrets", '{"password": 1}'),
        ("id", "../../etc"),
        ("version", "many"),
    ],
)
def test_a_damaged_record_hides_no_other(
    records: ConnectionRecords, store: Store, column: str, value: object
) -> None:
    add(records, "books", host="db", password=Secret(CANARY))
    add(records, "shop", host="db", password=Secret(CANARY))
    with store.write() as connection:
        connection.execute(f"""UPDATE connections SET "{column}" = ? WHERE name = 'shop'""", (value,))
    books, shop = records.list("ann")
    assert books.problem == ""
    assert "'shop' cannot be read" in shop.problem
    assert shop.config.values == {}
    assert password(records, "books") == CANARY
    with pytest.raises(StoreError, match="'shop' cannot be read"):
        records.get("ann", "shop")
    records.delete("ann", "shop")


PICKLE = """
import os, pickle, sys
class Bomb:
    def __reduce__(self):
        return os.system, ("touch " + sys.argv[2],)
with open(sys.argv[1], "wb") as file:
    pickle.dump([Bomb()] * 500, file)
"""


@pytest.mark.parametrize("name", ["aiser.db", "key"])
def test_a_pickle_in_the_place_of_a_file_is_refused_and_not_run(
    records: ConnectionRecords,
    store: Store,
    python: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    name: str,
) -> None:
    add(records, password=Secret(CANARY))
    store.close()
    with python(PICKLE, store.folder / name, tmp_path / "exploded") as process:
        process.communicate()
    assert process.returncode == 0
    with pytest.raises(StoreError):
        password(records)
    assert not (tmp_path / "exploded").exists()
