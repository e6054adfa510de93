"""Saved connections: each owner's own, by a checked name, and never with a secret."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiser_jupyter.errors import ConfigError, StoreError, UnknownConnection
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = frozenset({"password", "token"})


@pytest.fixture
def records(store: Store) -> ConnectionRecords:
    return ConnectionRecords(store)


def _config(name: str = "shop", **values: object) -> ConnectionConfig:
    return ConnectionConfig("postgresql", name, values)


def test_a_connection_comes_back_as_it_was(records: ConnectionRecords) -> None:
    saved = records.add("ann", _config(host="db", port=5432, ssl=True, note=None), SECRETS, NOW)
    assert re.fullmatch("[0-9a-f]{32}", saved.id)
    assert records.get("ann", "shop") == saved
    assert saved.created_at == NOW


def test_ids_differ(records: ConnectionRecords) -> None:
    assert len({records.add("ann", _config(f"c{n}"), SECRETS, NOW).id for n in range(20)}) == 20


def test_another_owner_neither_sees_nor_removes_it(records: ConnectionRecords) -> None:
    records.add("ann", _config(), SECRETS, NOW)
    assert records.get("bob", "shop") is None
    assert records.list("bob") == []
    with pytest.raises(UnknownConnection):
        records.delete("bob", "shop")
    assert records.add("bob", _config(host="other"), SECRETS, NOW).owner == "bob"
    assert [c.name for c in records.list("ann")] == ["shop"]


def test_listed_by_name(records: ConnectionRecords) -> None:
    for name in ("shop", "Books", "archive"):
        records.add("ann", _config(name), SECRETS, NOW)
    assert [c.name for c in records.list("ann")] == ["archive", "Books", "shop"]


@pytest.mark.parametrize("name", ["shop", "SHOP"])
def test_a_name_is_taken_in_any_case(records: ConnectionRecords, name: str) -> None:
    records.add("ann", _config(), SECRETS, NOW)
    with pytest.raises(ConfigError, match="already"):
        records.add("ann", _config(name), SECRETS, NOW)
    assert len(records.list("ann")) == 1


@pytest.mark.parametrize("name", ["", "1st", "-x", "a b", "a.b", "é", "x" * 64, "a\n", "local", "LOCAL"])
def test_a_malformed_or_reserved_name_is_refused(records: ConnectionRecords, name: str) -> None:
    with pytest.raises(ConfigError):
        records.add("ann", _config(name), SECRETS, NOW)
    assert records.list("ann") == []


@pytest.mark.parametrize("name", ["_", "a-b_9", "x" * 63])
def test_names_that_are_right(records: ConnectionRecords, name: str) -> None:
    assert records.add("ann", _config(name), SECRETS, NOW).name == name


def test_a_secret_is_refused_and_reaches_neither_file_nor_message(
    records: ConnectionRecords, store: Store
) -> None:
    with pytest.raises(ConfigError, match="saving a secret needs a sealed store") as caught:
        records.add("ann", _config(host="db", password="canary-7"), SECRETS, NOW)
    assert "canary-7" not in str(caught.value)
    assert records.list("ann") == []
    store.close()
    assert all(b"canary-7" not in path.read_bytes() for path in store.folder.iterdir())


def test_a_secret_field_left_empty_is_fine(records: ConnectionRecords) -> None:
    assert records.add("ann", _config(password="", token=None), SECRETS, NOW).name == "shop"


@pytest.mark.parametrize("value", [object(), float("nan"), b"x", {1, 2}])
def test_a_value_that_json_does_not_have_is_refused(records: ConnectionRecords, value: object) -> None:
    with pytest.raises(ConfigError, match="cannot be saved"):
        records.add("ann", _config(field=value), SECRETS, NOW)


def test_deleting(records: ConnectionRecords) -> None:
    records.add("ann", _config(), SECRETS, NOW)
    with pytest.raises(UnknownConnection, match="Did you mean 'shop'"):
        records.delete("ann", "shpo")
    records.delete("ann", "shop")
    assert records.get("ann", "shop") is None


def test_a_broken_store_does_not_say_that_a_connection_is_unknown(folder: Path) -> None:
    folder.symlink_to("/nowhere")
    records = ConnectionRecords(Store(folder))
    assert records.list("ann") == []
    with pytest.raises(StoreError):
        records.get("ann", "shop")
