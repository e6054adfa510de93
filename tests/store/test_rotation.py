"""A new key for every secret: nothing is lost on the way, whoever dies and whatever does not open."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiser_jupyter.errors import SecretError, StoreError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile
from aiser_jupyter.store.ring import Ring
from aiser_jupyter.store.rotation import Rotation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

ROTATOR = """
import sys
from pathlib import Path
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile
folder = Path(sys.argv[1])
records = ConnectionRecords(Store(folder), KeyFile(folder / "key"))
for _ in range(int(sys.argv[2])):
    done = records.rotate()
    assert done.failed == (), done
"""


def _save(records: ConnectionRecords, name: str, owner: str = "ann") -> None:
    values = {"host": name, "password": Secret(f"password of {name}"), "token": Secret(f"token of {name}")}
    records.add(owner, ConnectionConfig("mysql", name, values), name, {"password", "token"}, NOW)


def _opened(records: ConnectionRecords, *owners: str) -> set[str]:
    """The names of all that open."""
    found = [connection for owner in owners or ("ann", "bob") for connection in records.list(owner)]
    for connection in found:
        for field in ("password", "token"):
            assert connection.config.values[field].reveal() == f"{field} of {connection.name}"
    return {connection.name for connection in found}


def _tokens(store: Store) -> list[tuple[str, str]]:
    return [(name, text) for name, text in store.read("SELECT name, secrets FROM connections ORDER BY name")]


@pytest.fixture
def saved(records: ConnectionRecords) -> ConnectionRecords:
    _save(records, "books")
    _save(records, "shop", "bob")
    records.add("ann", ConnectionConfig("mysql", "open", {"host": "db"}), "db", {"password"}, NOW)
    return records


def _damage(store: Store, name: str) -> None:
    with store.write() as connection:
        connection.execute("UPDATE connections SET destination = 'evil' WHERE name = ?", (name,))


def test_every_owners_secrets_open_with_the_new_key_alone(
    saved: ConnectionRecords, store: Store, keys: KeyFile
) -> None:
    before, tokens = keys.load(), _tokens(store)
    done = saved.rotate()
    ring = keys.load()
    assert done == Rotation(2, 0, (), ring.current, finished=True)
    assert ring.keys.keys() == {done.key}
    assert done.key != before.current
    assert [found.config.values["password"].reveal() for found in saved.list("bob")] == ["password of shop"]
    changed = {name for (name, old), (_, new) in zip(tokens, _tokens(store), strict=True) if old != new}
    assert changed == {"books", "shop"}
    assert [(found.name, found.version) for found in saved.list("ann")] == [("books", 1), ("open", 1)]


def test_doing_it_again_changes_nothing(saved: ConnectionRecords, store: Store, keys: KeyFile) -> None:
    done = saved.rotate()
    tokens, key = _tokens(store), keys.path.read_bytes()
    for _ in range(2):
        assert saved.reseal() == Rotation(0, 2, (), done.key, finished=True)
    assert _tokens(store) == tokens
    assert keys.path.read_bytes() == key


def test_without_a_key_there_is_nothing_to_rotate(records: ConnectionRecords, keys: KeyFile) -> None:
    with pytest.raises(SecretError, match="no key file"):
        records.rotate()
    assert not keys.path.exists()


def test_an_interrupted_rotation_is_ended_and_no_other_begun(
    saved: ConnectionRecords, store: Store, keys: KeyFile
) -> None:
    begun = keys.load().with_new_key()
    keys.save(begun)  # and here the process died
    _save(saved, "late")
    assert _opened(saved, "bob") == {"shop"}
    assert saved.rotate() == Rotation(2, 1, (), begun.current, finished=True)
    assert keys.load().keys.keys() == {begun.current}
    assert _opened(saved, "bob") == {"shop"}


def test_what_does_not_open_is_counted_and_keeps_the_old_key(
    saved: ConnectionRecords, store: Store, keys: KeyFile
) -> None:
    old = keys.load().current
    _damage(store, "books")
    before = dict(_tokens(store))["books"]
    done = saved.rotate()
    assert done == Rotation(1, 0, ("books",), done.key)
    assert keys.load().keys.keys() == {old, done.key}
    assert dict(_tokens(store))["books"] == before
    assert _opened(saved, "bob") == {"shop"}
    assert saved.rotate() == Rotation(0, 1, ("books",), done.key)  # not a third key
    with store.write() as connection:
        connection.execute("UPDATE connections SET destination = 'books' WHERE name = 'books'")
    assert saved.rotate() == Rotation(1, 1, (), done.key, finished=True)
    assert keys.load().keys.keys() == {done.key}
    assert saved.list("ann")[0].config.values["password"].reveal() == "password of books"


@pytest.mark.parametrize("damage", ["{", "[]", '{"password": "AAAA"}', '{"password": ""}'])
def test_a_record_whose_secrets_are_no_tokens_fails_and_no_other(
    saved: ConnectionRecords, store: Store, damage: str
) -> None:
    with store.write() as connection:
        connection.execute("UPDATE connections SET secrets = ? WHERE name = 'books'", (damage,))
    done = saved.rotate()
    assert (done.resealed, done.failed, done.finished) == (1, ("books",), False)
    assert _opened(saved, "bob") == {"shop"}


def test_one_secret_of_two_that_fails_leaves_both(saved: ConnectionRecords, store: Store) -> None:
    with store.write() as connection:
        connection.execute(
            "UPDATE connections SET secrets = json_set(secrets, '$.token', 'AAAA') WHERE name = 'books'"
        )
    before = _tokens(store)
    assert saved.rotate().failed == ("books",)
    assert _tokens(store)[0] == before[0]
    assert saved.list("ann")[0].config.values["password"].reveal() == "password of books"


def test_a_key_file_that_cannot_be_used_changes_nothing(
    saved: ConnectionRecords, store: Store, keys: KeyFile
) -> None:
    tokens = _tokens(store)
    keys.path.chmod(0o644)
    with pytest.raises(SecretError, match="open to others"):
        saved.rotate()
    keys.path.chmod(0o600)
    assert _tokens(store) == tokens
    assert not keys.load().pending


def test_the_backup_opens_with_the_new_key(saved: ConnectionRecords, store: Store) -> None:
    store.close()
    assert store.state.ok  # the backup, with the old key's tokens
    saved.rotate()
    tokens = _tokens(store)
    with closing(sqlite3.connect(store.backup_path)) as backup:
        assert backup.execute("SELECT name, secrets FROM connections ORDER BY name").fetchall() == tokens
    store.close()
    store.path.write_bytes(b"")
    with pytest.raises(StoreError):
        saved.get("bob", "shop")
    store.restore_backup()
    assert _opened(saved, "bob") == {"shop"}


def test_the_old_key_stays_while_the_backup_needs_it(
    saved: ConnectionRecords, store: Store, keys: KeyFile
) -> None:
    store.close()
    store.backup_path.unlink(missing_ok=True)
    store.backup_path.mkdir()  # no backup can take its place
    done = saved.rotate()
    assert (done.resealed, done.failed, done.finished) == (2, (), False)
    assert keys.load().pending
    store.backup_path.rmdir()
    assert saved.rotate() == Rotation(0, 2, (), done.key, finished=True)
    assert not keys.load().pending


class Watched(KeyFile):
    """A key file that notes how safely the store writes whenever the ring is read."""

    def __init__(self, path: Path, store: Store) -> None:
        super().__init__(path)
        self._store = store
        self.seen: list[int] = []

    def load(self) -> Ring:
        self.seen.append(self._store.read("PRAGMA synchronous")[0][0])
        return super().load()


def test_new_tokens_are_on_the_disk_before_the_old_key_goes(
    saved: ConnectionRecords, store: Store, keys: KeyFile
) -> None:
    watched = Watched(keys.path, store)
    assert ConnectionRecords(store, watched).rotate().finished
    normal, full = 1, 2
    assert watched.seen == [normal, full, normal]  # to begin, to seal again, to end
    saved.reseal()
    assert store.read("PRAGMA synchronous") == [(normal,)]


def test_left_over_temporary_key_files_are_removed(saved: ConnectionRecords, keys: KeyFile) -> None:
    left = keys.path.with_name("key.0123456789abcdef.tmp")
    left.write_text("half")
    saved.rotate()
    assert not left.exists()


def test_rotations_and_saves_of_several_processes_lose_nothing(
    records: ConnectionRecords,
    store: Store,
    keys: KeyFile,
    folder: Path,
    python: Callable[..., subprocess.Popen[str]],
) -> None:
    names = {f"c{number}" for number in range(10)}
    for name in names:
        _save(records, name)
    rotators = [python(ROTATOR, folder, 4) for _ in range(2)]
    added = 0
    while any(rotator.poll() is None for rotator in rotators) or not added:
        _save(records, f"late{added}", "bob")
        added += 1
    for rotator in rotators:
        rotator.communicate()
    assert [rotator.returncode for rotator in rotators] == [0, 0]
    records.rotate()
    assert _opened(records) == names | {f"late{number}" for number in range(added)}
    assert len(keys.load().keys) == 1


def _kills(folder: Path, connections: int, kills: int) -> None:
    program = Path(__file__).with_name("killed_rotations.py")
    command = [sys.executable, "-W", "error", str(program), str(folder), str(connections), str(kills), "7"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout
    pending, current = map(int, printed.split())
    assert pending > 0  # some were hit in the middle
    assert current > 1  # and some got to the end
    store, keys = Store(folder), KeyFile(folder / "key")
    records = ConnectionRecords(store, keys)
    done = records.rotate()
    assert (done.resealed + done.already, done.failed, done.finished) == (connections, (), True)
    assert keys.load().keys.keys() == {done.key}
    assert len(_opened(records)) == connections
    assert store.read("PRAGMA integrity_check") == [("ok",)]
    assert [path.name for path in folder.iterdir() if ".tmp" in path.name or ".broken" in path.name] == []
    store.close()


def test_a_killed_rotation_leaves_every_secret_readable(folder: Path) -> None:
    _kills(folder, connections=30, kills=12)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_hundred_killed_rotations_leave_every_secret_readable(folder: Path) -> None:
    _kills(folder, connections=100, kills=200)


def test_a_ring_that_was_replaced_in_between_is_not_cut(
    saved: ConnectionRecords, store: Store, keys: KeyFile
) -> None:
    """What another process began after our tokens were sealed keeps the key that they need."""
    done = saved.rotate()
    keys.save(keys.load().with_new_key())
    saved._drop_older_keys()
    assert done.key in keys.load().keys
    assert _opened(saved, "bob") == {"shop"}


def test_a_ring_shows_nothing() -> None:
    ring = Ring.new()
    assert ring.keys[ring.current].reveal() not in repr(ring)
