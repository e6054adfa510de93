"""Who may read the store, and what it stands on."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiser_jupyter.errors import StoreError
from aiser_jupyter.store import files
from aiser_jupyter.store.database import Store

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
tmpfs /home/ann/fast tmpfs rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
/dev/sdb1 /mnt/twice ext4 rw 0 0
user@host: /mnt/twice fuse.sshfs rw 0 0
"""


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/aiser", "ext4"),
        ("/home/ann/aiser", "nfs4"),
        ("/homes/ann/aiser", "ext4"),
        ("/home/ann/fast/aiser", "tmpfs"),
        ("/mnt/my share/aiser", "cifs"),
        ("/mnt/twice/aiser", "fuse.sshfs"),
    ],
)
def test_file_system_is_that_of_the_deepest_and_latest_mount(path: str, kind: str) -> None:
    assert files.file_system(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "gpfs", "afs", "9p", ""]
)
def test_shared_or_unknown_file_systems_count_as_network(kind: str) -> None:
    assert files.is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs"])
def test_local_file_systems_do_not(kind: str) -> None:
    assert not files.is_network(kind)


def test_write_ahead_log_on_a_local_file_system(store: Store) -> None:
    assert store.read("PRAGMA journal_mode") == [("wal",)]
    assert store.read("PRAGMA synchronous") == [(1,)]


def test_rollback_journal_on_a_network_file_system(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.state.ok
    store.close()
    monkeypatch.setattr(files, "NETWORK", frozenset({files.file_system_of(folder)}))
    assert store.read("PRAGMA journal_mode") == [("delete",)]
    assert store.read("PRAGMA synchronous") == [(2,)]
    with store.write() as connection:
        connection.execute("DELETE FROM history")
    assert not (folder / "aiser.db-wal").exists()


@pytest.mark.usefixtures("no_umask")
def test_nobody_else_can_read_anything_whatever_the_umask(folder: Path, store: Store) -> None:
    with store.write() as connection:
        connection.execute("DELETE FROM history")
        connection.execute(
            "INSERT INTO connections VALUES ('1', 'ann', 'shop', 'duckdb', '{}', '2026-03-01', 1, '', '{}')"
        )
    other = Store(folder)
    assert other.state.ok  # a second start makes the backup
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {"aiser.db", "aiser.db-wal", "aiser.db-shm", "aiser.db.backup", "aiser.lock"} == set(found)
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    other.close()


def test_a_folder_and_a_file_that_others_can_read_are_tightened(folder: Path, store: Store) -> None:
    assert store.state.ok
    store.close()
    folder.chmod(0o755)
    store.path.chmod(0o644)
    assert store.state.ok
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def _refused(store: Store, words: str) -> None:
    assert not store.state.ok
    assert words in store.state.message
    assert "AiserStore.directory" in store.state.hint
    assert store.read("SELECT 1") == []
    with pytest.raises(StoreError, match=words), store.write():
        pytest.fail("a refused store was opened")


def test_a_folder_that_is_a_symbolic_link_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    _refused(Store(folder), "symbolic link")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["aiser.db", "aiser.db-wal", "aiser.lock"])
def test_a_file_that_is_a_symbolic_link_is_refused(tmp_path: Path, store: Store, name: str) -> None:
    assert store.state.ok
    store.close()
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    (store.folder / name).unlink(missing_ok=True)
    (store.folder / name).symlink_to(target)
    _refused(store, "symbolic link")
    assert target.read_bytes() == b"theirs"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize("name", ["", "aiser.db"])
def test_what_belongs_to_another_user_is_refused(store: Store, name: str) -> None:
    assert store.state.ok
    store.close()
    os.chown(store.folder / name, 65534, 65534)
    _refused(store, "another user")


def test_an_existing_file_is_never_created_over(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        files.create(tmp_path / "there")


def test_a_lock_that_is_kept_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    with (
        files.folder_lock(tmp_path),
        pytest.raises(StoreError, match="locked"),
        files.folder_lock(tmp_path, timeout=0.05),
    ):
        pytest.fail("two holders")
