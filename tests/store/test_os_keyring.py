"""The key in the keyring of the operating system, and in none that keeps it in the open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import InitError, KeyringLocked

from aiser_jupyter.config import AiserStore
from aiser_jupyter.errors import SecretError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import keys_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = ConnectionConfig("mysql", "shop", {"host": "db", "password": Secret("correct horse")})


class Memory(KeyringBackend):
    """A keyring that lives as long as its object."""

    priority: ClassVar[float] = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


class Locked(Memory):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("the collection is locked")


class Broken(Memory):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise InitError(password)


class Chain(Memory):
    """Several in a row; what is kept goes to the first."""

    def __init__(self, *backends: KeyringBackend) -> None:
        super().__init__()
        self.backends = backends


class InTheOpen(Memory):
    priority: ClassVar[float] = 0.5  # type: ignore[assignment]


@pytest.fixture
def use() -> Iterator[object]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture
def memory(use) -> Memory:
    backend = Memory()
    use(backend)
    return backend


@pytest.fixture
def kept(store: Store) -> ConnectionRecords:
    return ConnectionRecords(store, keys_of(AiserStore(key_source="keyring")))


def _saved(records: ConnectionRecords) -> str:
    records.add("ann", CONFIG, "db", {"password"}, NOW)
    return str(records.list("ann")[0].config.values["password"].reveal())


def test_the_key_is_an_entry_of_its_store_and_no_file(
    kept: ConnectionRecords, memory: Memory, store: Store, store_directory
) -> None:
    assert _saved(kept) == "correct horse"
    assert list(memory.entries) == [("aiser_jupyter", str(store_directory))]
    assert not list(store.folder.rglob("key*"))
    assert not store_directory.exists()


def test_it_is_rotated(kept: ConnectionRecords, memory: Memory) -> None:
    _saved(kept)
    (before,) = memory.entries.values()
    done = kept.rotate()
    assert (done.resealed, done.already, done.failed, done.finished) == (1, 0, (), True)
    (after,) = memory.entries.values()
    assert done.key in after
    assert done.key not in before
    assert after.count('"') == before.count('"')  # one key
    assert kept.list("ann")[0].config.values["password"].reveal() == "correct horse"


def test_a_required_entry_that_is_missing_is_not_made(store: Store, memory: Memory) -> None:
    keys = keys_of(AiserStore(key_source="keyring", key_required=True))
    with pytest.raises(SecretError, match="has no key"):
        ConnectionRecords(store, keys).add("ann", CONFIG, "db", {"password"}, NOW)
    assert memory.entries == {}


def test_a_lost_entry_is_not_replaced(kept: ConnectionRecords, memory: Memory) -> None:
    _saved(kept)
    memory.entries.clear()
    with pytest.raises(SecretError, match="sealed with that key"):
        kept.add("bob", CONFIG, "db", {"password"}, NOW)
    assert memory.entries == {}


def test_a_malformed_entry_is_refused(kept: ConnectionRecords, memory: Memory) -> None:
    _saved(kept)
    memory.entries = dict.fromkeys(memory.entries, "hunter2")
    with pytest.raises(SecretError, match="not the JSON") as caught:
        kept.list("ann")[0].config.values["password"].reveal()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "backend", [fail.Keyring(), null.Keyring(), InTheOpen(), Chain(InTheOpen(), Memory())], ids=repr
)
def test_a_keyring_that_keeps_no_secret_is_refused(kept: ConnectionRecords, use, backend) -> None:
    use(backend)
    with pytest.raises(SecretError, match="no keyring here that keeps a secret") as caught:
        _saved(kept)
    assert "AiserStore.key_source" in caught.value.hint
    assert kept.list("ann") == []


def test_a_chain_is_judged_by_its_first(kept: ConnectionRecords, use) -> None:
    use(Chain(Memory(), InTheOpen()))
    assert _saved(kept) == "correct horse"


@pytest.mark.parametrize(("backend", "name"), [(Locked(), "KeyringLocked"), (Broken(), "InitError")])
def test_what_the_keyring_refuses_is_one_of_our_errors_without_its_words(
    kept: ConnectionRecords, use, backend, name: str
) -> None:
    use(backend)
    with pytest.raises(SecretError, match=name) as caught:
        _saved(kept)
    assert '"keys"' not in str(caught.value)
    assert kept.list("ann") == []


def test_listing_does_not_ask_it(kept: ConnectionRecords, memory: Memory, use) -> None:
    _saved(kept)
    use(Locked())
    assert [found.name for found in kept.list("ann")] == ["shop"]
