"""Nobody else reads anything that the store writes, at any moment and whatever the umask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiser_jupyter.errors import AiserError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile
from aiser_jupyter.store.ring import Ring

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOBODY = 65534

LIFE = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
os.umask(0)
seen = set()
def audit(event, arguments):
    # Just before anything is opened, renamed or given a mode: what there is now, temporary files included.
    if event in ("open", "os.chmod", "os.rename", "os.link", "os.remove", "sqlite3.connect"):
        for at, folders, files in os.walk(sys.argv[1]):
            for name in files + ["."]:
                try:
                    mode = os.stat(os.path.join(at, name)).st_mode & 0o777
                except FileNotFoundError:
                    continue
                seen.add((name.split(".")[0] + "." + name.rpartition(".")[2], mode))
sys.addaudithook(audit)
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile
root = Path(sys.argv[1])
store = Store(root / "data" / "aiser")
records = ConnectionRecords(store, KeyFile(root / "config" / "aiser" / "key"))
config = ConnectionConfig("mysql", "shop", {"host": "db", "password": Secret("correct horse")})
records.add("ann", config, "db", {"password"}, datetime.now(UTC))
records.change("ann", "shop", ConnectionConfig("mysql", "shop", {"host": "db", "n": 1}), "db", {"password"})
assert records.rotate().finished
store.close()
store.path.write_bytes(b"")
assert not store.state.ok
store.restore_backup()
assert records.get("ann", "shop").config.values["password"].reveal() == "correct horse"
for name, mode in sorted(seen):
    print(name, oct(mode))
"""


def test_every_file_is_private_at_every_moment(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(mode=0o700)
    command = [sys.executable, "-W", "error", "-c", LIFE, str(root)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    seen = [line.rsplit(" ", 1) for line in printed.splitlines()]
    names = {name for name, _ in seen}
    assert {"aiser.db", "aiser.tmp", "aiser.db-wal", "aiser.backup", "key.key", "key.tmp"} <= names
    assert {(name == ".", int(mode, 8)) for name, mode in seen} == {(True, 0o700), (False, 0o600)}


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody reaches, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="aiser-privacy-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _reads(path: Path) -> bool:
    command = ["/bin/ls" if path.is_dir() else "/bin/cat", str(path)]
    done = subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True, timeout=60
    )
    return done.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as another user")
def test_another_user_reads_none_of_it(public: Path) -> None:
    store = Store(public / "aiser")
    records = ConnectionRecords(store, KeyFile(public / "config" / "key"))
    config = ConnectionConfig("mysql", "shop", {"password": Secret("correct horse")})
    records.add("ann", config, "db", {"password"}, NOW)
    records.rotate()
    records.change("ann", "shop", config, "db", {"password"})
    folders = [store.folder, public / "config"]
    files = [path for folder in folders for path in folder.iterdir()]
    names = {path.name for path in files}
    assert {"aiser.db", "aiser.db-wal", "aiser.db-shm", "aiser.db.backup", "aiser.lock", "key"} == names
    (public / "open").write_text("for everybody")
    (public / "open").chmod(0o644)
    assert _reads(public / "open")  # else the refusals below would say nothing
    assert [path for path in (*folders, *files) if _reads(path)] == []
    for folder in folders:
        folder.chmod(0o755)  # each file by itself
    assert all(_reads(folder) for folder in folders)
    assert [path for path in files if _reads(path)] == []
    store.close()


def _broken_key(records: ConnectionRecords, keys: KeyFile) -> None:
    keys.path.write_text(keys.path.read_text()[:-2])


def _weak_key(records: ConnectionRecords, keys: KeyFile) -> None:
    ring = keys.path.read_text()
    keys.path.write_text(ring.replace('"keys": {', '"keys": {"0123456789abcdef": "QUFB", '))


def _open_key(records: ConnectionRecords, keys: KeyFile) -> None:
    keys.path.chmod(0o644)


def _other_key(records: ConnectionRecords, keys: KeyFile) -> None:
    keys.save(Ring.new())


def _altered(records: ConnectionRecords, keys: KeyFile) -> None:
    with records._store.write() as connection:
        connection.execute("UPDATE connections SET destination = 'evil'")


def _shows(text: str, hidden: Secret) -> bool:
    words = hidden.reveal()
    forms = {words, words.removesuffix("="), b64encode(words.encode()).decode()}
    if words.endswith("="):
        forms.add(repr(b64decode(words))[2:-1])
    return any(form in text for form in forms)


@pytest.mark.parametrize("fault", [_broken_key, _weak_key, _open_key, _other_key, _altered])
def test_no_traceback_shows_a_secret_or_a_key_not_even_one_with_local_variables(
    records: ConnectionRecords, keys: KeyFile, fault: Callable[[ConnectionRecords, KeyFile], None]
) -> None:
    secret = Secret("correct horse")
    values = {"host": "db", "password": secret, "token": Secret("battery staple")}
    records.add("ann", ConnectionConfig("mysql", "shop", values), "db", {"password", "token"}, NOW)
    key = next(iter(keys.load().keys.values()))
    fault(records, keys)
    kept = ConnectionConfig("mysql", "shop", {"host": "db", "port": 1, "token": values["token"]})
    attempts = (
        lambda: records.list("ann")[0].config.values["password"].reveal(),
        lambda: records.change("ann", "shop", kept, "db", {"password"}),
        lambda: records.change("ann", "shop", kept, "evil", {"password"}),
    )
    for attempt in attempts:
        with pytest.raises(AiserError) as caught:
            attempt()
        shown = "".join(
            traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        )
        assert "records = " in shown  # local variables are there
        assert [hidden for hidden in (secret, values["token"], key) if _shows(shown, hidden)] == []
