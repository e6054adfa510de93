"""The key: made once, private whatever the umask, and refused where it is weak or others could have it."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiser_jupyter.config import AiserStore
from aiser_jupyter.errors import SecretError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile, keys_of
from aiser_jupyter.store.ring import PUBLISHED, Ring

ID = "0123456789abcdef"
RANDOM = random.Random(7).randbytes(64)
GOOD = b64encode(RANDOM[:32]).decode()
CONFIG = ConnectionConfig("mysql", "shop", {"password": Secret("correct horse")})
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

MAKER = """
import sys
from pathlib import Path
from aiser_jupyter.store.keys import KeyFile
keys = KeyFile(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(keys.make().current)
"""


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def written(keys: KeyFile, text: str) -> KeyFile:
    keys.path.parent.mkdir(mode=0o700, exist_ok=True)
    keys.path.write_text(text)
    keys.path.chmod(0o600)
    return keys


def ring(key: str, id: str = ID) -> str:
    return json.dumps({"current": id, "keys": {id: key}})


def unread(path: Path) -> tuple[int, ...] | None:
    """What of a file changes when it is written, and not when it is read."""
    if not os.path.lexists(path):
        return None
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns


def refused(keys: KeyFile, words: str) -> SecretError:
    """Neither opened nor replaced, and nothing can be saved with it."""
    before = unread(keys.path)
    with pytest.raises(SecretError, match=words) as caught:
        keys.load()
    with pytest.raises(SecretError, match=words):
        keys.make()
    assert caught.value.hint
    assert unread(keys.path) == before
    return caught.value


@pytest.mark.parametrize("mask", [0, 0o022, 0o277])
def test_it_is_made_once_and_private_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], int], mask: int
) -> None:
    umask(mask)
    keys = KeyFile(tmp_path / "config" / "jupyter" / "aiser" / "key")
    made = keys.make()
    assert keys.make() == keys.load() == made
    assert len(made.keys) == 1
    folder = keys.path.parent
    assert [path.name for path in folder.iterdir()] == ["key"]
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for parent in (folder.parent, folder.parent.parent):
        assert stat.S_IMODE(parent.stat().st_mode) & 0o077 == 0


def test_two_keys_are_not_the_same() -> None:
    rings = [Ring.new() for _ in range(50)]
    assert len({ring.current for ring in rings}) == 50
    assert len({ring.keys[ring.current].reveal() for ring in rings}) == 50


def test_processes_that_make_it_at_once_use_one_key(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    for attempt in range(3):
        path = tmp_path / f"aiser{attempt}" / "key"
        makers = [python(MAKER, path) for _ in range(4)]
        for maker in makers:
            assert maker.stdout is not None
            assert maker.stdout.readline() == "ready\n"
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.write("\n")
            maker.stdin.flush()
        made = {maker.communicate()[0].strip() for maker in makers}
        assert made == {KeyFile(path).load().current}
        assert [found.name for found in path.parent.iterdir()] == ["key"]


def test_no_repr_and_no_error_shows_a_key(keys: KeyFile) -> None:
    made = keys.make()
    key = made.keys[made.current].reveal()
    assert key not in repr(made)
    assert key not in f"{made} {made.text()}"
    text = keys.path.read_text()
    for broken in (text[:-1], text.replace("current", "first"), f"[{text}]", ring(key[:-4]), ring(key, "x")):
        error = refused(written(keys, broken), "key ring|key")
        seen: BaseException | None = error
        while seen is not None:  # a traceback would show the chain as well
            assert key[:8] not in f"{seen!s} {seen!r} {vars(seen)}"
            seen = seen.__cause__ or seen.__context__


def test_it_is_replaced_at_once_and_whole(keys: KeyFile) -> None:
    keys.make()
    before = keys.path.read_bytes()
    with keys.path.open("rb") as reading:  # as another process does while this one saves
        keys.save(Ring.new())
        assert reading.read() == before
    assert keys.path.read_bytes() != before
    assert [path.name for path in keys.path.parent.iterdir()] == ["key"]


def test_a_full_disk_leaves_the_key_that_is_there(small_disk: Path, fill: Callable[[Path], Path]) -> None:
    keys, later = KeyFile(small_disk / "aiser" / "key"), KeyFile(small_disk / "other" / "key")
    made = keys.make()
    filler = fill(small_disk)
    for act in (lambda: keys.save(made.with_new_key()), later.make):
        with pytest.raises(SecretError, match=r"cannot be (written|made)") as caught:
            act()
        assert "full" in caught.value.hint
    assert keys.load() == made
    assert [path.name for path in keys.path.parent.iterdir()] == ["key"]
    filler.unlink()
    keys.save(made.with_new_key())
    assert later.make().current != made.current


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o666, 0o777])
def test_a_file_open_to_others_is_refused_and_left(keys: KeyFile, mode: int) -> None:
    keys.make()
    keys.path.chmod(mode)
    assert "0600" in refused(keys, "open to others").hint


def test_a_symbolic_link_is_refused(keys: KeyFile, tmp_path: Path) -> None:
    elsewhere = KeyFile(tmp_path / "other" / "key")
    elsewhere.make()
    keys.path.parent.mkdir(mode=0o700)
    keys.path.symlink_to(elsewhere.path)
    refused(keys, "symbolic link")
    keys.path.unlink()
    keys.path.symlink_to(tmp_path / "nowhere")
    refused(keys, "symbolic link")
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_is_a_symbolic_link_gets_no_key(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "aiser").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretError, match="symbolic link"):
        KeyFile(tmp_path / "aiser" / "key").make()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_another_users_file_is_refused(keys: KeyFile) -> None:
    keys.make()
    os.chown(keys.path, 65534, 65534)
    refused(keys, "another user")


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_refused_without_waiting_for_it(keys: KeyFile, kind: str) -> None:
    keys.path.parent.mkdir(mode=0o700)
    if kind == "pipe":
        os.mkfifo(keys.path, 0o600)
    else:
        keys.path.mkdir(0o700)
    refused(keys, "is not a file")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        GOOD,
        f'"{GOOD}"',
        "[" * 50_000,
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        json.dumps({"current": ID, "keys": [GOOD]}),
        json.dumps({"current": ID, "keys": {}}),
        json.dumps({"current": [ID], "keys": {ID: GOOD}}),
        json.dumps({"current": "fedcba9876543210", "keys": {ID: GOOD}}),
        json.dumps({"current": ID, "keys": {ID: GOOD}, "key": GOOD}),
        ring(GOOD, "1"),
        ring(GOOD, ID.upper()),
        ring(GOOD, "../etc/password0"),
    ],
)
def test_what_is_no_ring_is_refused(keys: KeyFile, text: str) -> None:
    refused(written(keys, text), "key")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (b"", "shorter"),
        (RANDOM[:16], "shorter"),
        (RANDOM[:31], "shorter"),
        (RANDOM[:33], "longer"),
        (bytes(32), "pattern"),
        (b"\xff" * 32, "pattern"),
        (b"ab" * 16, "pattern"),
        (RANDOM[:16] * 2, "pattern"),
        (bytes(range(32)), "pattern"),
        (bytes(range(255, 223, -1)), "pattern"),
        (b"x8Kq2mZp0RtVb5NwYc7JhLd3FgSaTe9U", "written text"),
        (bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"), "published"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.hex()[:8],
)
def test_a_weak_key_is_refused_also_as_an_old_one(keys: KeyFile, key: bytes, words: str) -> None:
    weak = b64encode(key).decode()
    refused(written(keys, ring(weak)), words)
    both = {"current": ID, "keys": {ID: GOOD, "fedcba9876543210": weak}}
    error = refused(written(keys, json.dumps(both)), words)
    assert not weak or weak not in str(error)


def test_what_is_no_base64_is_refused(keys: KeyFile) -> None:
    dashed = urlsafe_b64encode(b"\xff" * 8 + RANDOM[:24]).decode()
    for text in (GOOD[:-1], GOOD + "!", dashed, 7, None, [GOOD]):
        refused(written(keys, json.dumps({"current": ID, "keys": {ID: text}})), "not base64")


def test_published_keys_are_digests() -> None:
    assert len(PUBLISHED) == 4
    assert all(len(bytes.fromhex(digest)) == 32 for digest in PUBLISHED)


class TestSettings:
    """Which file it is."""

    def test_beside_jupyters_configuration(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("AISER_STORE")
        monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "configuration"))
        monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
        settings = AiserStore()
        records = ConnectionRecords(Store(settings.path()), keys_of(settings))
        records.add("ann", CONFIG, "db", {"password"}, NOW)
        assert settings.key_path() == tmp_path / "configuration" / "aiser" / "key"
        assert settings.key_path().is_file()
        assert not list((tmp_path / "data").rglob("key"))
        records._store.close()

    def test_in_a_named_store_and_no_other(self, store_directory: Path, tmp_path: Path) -> None:
        assert AiserStore().key_path() == store_directory / "key"
        assert AiserStore(directory=str(tmp_path / "a")).key_path() == tmp_path / "a" / "key"

    def test_policy_goes_before_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AISER_KEY_FILE", str(tmp_path / "mine"))
        assert AiserStore().key_path() == tmp_path / "mine"
        assert AiserStore(key_file=str(tmp_path / "theirs")).key_path() == tmp_path / "theirs"
        monkeypatch.setenv("AISER_KEY_FILE", "")
        assert AiserStore().key_path().name == "key"

    @pytest.mark.parametrize("how", ["environment", "key_file", "key_required"])
    def test_a_named_or_required_key_that_is_missing_is_not_made(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Store, how: str
    ) -> None:
        settings = AiserStore()
        if how == "environment":
            monkeypatch.setenv("AISER_KEY_FILE", str(tmp_path / "named"))
        elif how == "key_file":
            settings.key_file = str(tmp_path / "named")
        else:
            settings.key_required = True
        keys = keys_of(settings)
        assert isinstance(keys, KeyFile)
        refused(keys, "is not there")
        records = ConnectionRecords(store, keys)
        with pytest.raises(SecretError, match="is not there"):
            records.add("ann", CONFIG, "db", {"password"}, NOW)
        assert records.list("ann") == []
        keys.create()
        records.add("ann", CONFIG, "db", {"password"}, NOW)
        assert records.list("ann")[0].config.values["password"].reveal() == "correct horse"

    def test_a_named_files_folder_is_left_as_it_is(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        KeyFile(tmp_path / "key", named=True).create()
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
        assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600

    @pytest.mark.parametrize("value", [GOOD.replace("/", "+"), f"/{GOOD}"])
    def test_a_key_in_the_place_of_its_files_name_is_not_shown(
        self, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("AISER_KEY_FILE", value)
        keys = keys_of(AiserStore())
        assert isinstance(keys, KeyFile)
        assert value not in str(refused(keys, "AISER_KEY_FILE"))
