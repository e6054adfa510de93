"""``aiser doctor`` says what works, and what to do about what does not; its exit code is honest."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import aiser_jupyter

Aiser = Callable[..., tuple[int, str, str]]


def test_doctor_finds_nothing_broken_here(aiser: Aiser, tmp_path: Path) -> None:
    aiser("query", "SELECT 1")
    code, out, _ = aiser("doctor")
    assert (code, "FAIL" in out) == (0, False)
    for words in (
        "python",
        "duckdb",
        "direct_sql",
        "memory_limit",
        "temp_directory",
        str(tmp_path / "store"),
    ):
        assert words in out


def test_doctor_names_a_store_that_others_can_read() -> None:
    from aiser_jupyter.cli.doctor import examine
    from aiser_jupyter.services import build

    services = build()
    assert services.store.state.ok  # opened, and made private
    services.store.path.chmod(0o644)
    found = {finding.name: finding for finding in dict(examine(services))["Store"]}
    services.close()
    assert (found["folder"].mark, found["file"].mark) == ("ok", "FAIL")
    assert "others can read it" in found["file"].text


def findings(title: str) -> dict[str, tuple[str, str]]:
    """What doctor finds in one part: mark and text by name."""
    from aiser_jupyter.cli.doctor import examine
    from aiser_jupyter.services import build

    services = build()
    try:
        return {found.name: (found.mark, found.text) for found in dict(examine(services))[title]}
    finally:
        services.close()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("", "none: HTTPS_PROXY names no proxy, or NO_PROXY every host")),
        ({"HTTPS_PROXY": "http://p.example:3128", "NO_PROXY": "*"}, ("", "none: HTTPS_PROXY names no")),
        (
            {"HTTPS_PROXY": "http://ann:LEAK@p.example:3128", "NO_PROXY": ".corp"},
            ("", "p.example:3128 leads to warehouses, as HTTPS_PROXY says; not to .corp"),
        ),
        (
            {"HTTPS_PROXY": "socks5://ann:LEAK@p.example:1080"},
            ("FAIL", "HTTPS_PROXY names a proxy of the kind"),
        ),
    ],
)
def test_doctor_says_which_proxy_applies(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: tuple[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = findings("Network")
    ((mark, text),) = found.values()
    assert (mark, text[: len(expected[1])]) == expected
    assert "LEAK" not in str(found)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The key file of a store in which a password is saved."""
    from aiser_jupyter.config import AiserStore
    from aiser_jupyter.models import ConnectionConfig
    from aiser_jupyter.secret import Secret
    from aiser_jupyter.services import os_identity
    from aiser_jupyter.store.connections import ConnectionRecords
    from aiser_jupyter.store.database import Store
    from aiser_jupyter.store.keys import keys_of

    store = Store(tmp_path / "store")
    config = ConnectionConfig("mysql", "shop", {"host": "127.0.0.1", "password": Secret("hunter2")})
    records = ConnectionRecords(store, keys_of(AiserStore()))
    records.add(os_identity().name, config, "127.0.0.1:3306", {"password"}, datetime.now(UTC))
    store.close()
    return tmp_path / "store" / "key"


def test_doctor_says_that_a_key_is_made_when_it_is_needed(tmp_path: Path) -> None:
    mark, text = findings("Key")["key"]
    assert (mark, str(tmp_path / "store" / "key") in text) == ("", True)
    assert "when the first secret is saved" in text
    assert not (tmp_path / "store" / "key").exists()  # looking makes none


def test_doctor_says_where_the_key_is_and_what_it_opens(key: Path) -> None:
    found = findings("Key")
    assert found["key"] == ("ok", f"loads from {key}")
    assert found["secrets"] == ("ok", "of 1 connection, sealed with it")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda key: key.unlink(), "put the file back"),
        (lambda key: key.chmod(0o644), "open to others (mode 0644)"),
        (lambda key: key.write_text("{}"), "is not a key ring"),
    ],
)
def test_doctor_fails_where_the_key_does_not_load(
    aiser: Aiser, key: Path, harm: Callable[[Path], object], said: str
) -> None:
    harm(key)
    code, out, _ = aiser("doctor")
    (line,) = [line for line in out.splitlines() if said in line]
    assert (code, line.split()[:2]) == (1, ["FAIL", "key"])


def test_doctor_names_the_connections_that_another_key_sealed(key: Path) -> None:
    from aiser_jupyter.store.keys import KeyFile

    key.unlink()
    KeyFile(key).make()
    found = findings("Key")
    assert (found["key"][0], found["secrets"][0]) == ("ok", "FAIL")
    assert found["secrets"][1].startswith("shop: sealed with another key.")


def test_doctor_says_that_a_rotation_has_not_ended(key: Path) -> None:
    from aiser_jupyter.store.keys import KeyFile

    keys = KeyFile(key)
    keys.save(keys.load().with_new_key())
    found = findings("Key")
    assert (found["secrets"][0], found["rotation"][0]) == ("ok", "no")
    assert "aiser rotate-key" in found["rotation"][1]


@pytest.mark.parametrize("named", ["c2VjcmV0LWtleQ==", "/c2VjcmV0LWtleQ=="])
def test_doctor_prints_no_key_that_stands_where_its_file_is_named(
    aiser: Aiser, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("AISER_KEY_FILE", named)
    code, out, _ = aiser("doctor")
    assert (code, "c2VjcmV0" in out) == (1, False)
    assert "FAIL  key" in out


def test_doctor_says_where_failed_runs_are_kept(aiser: Aiser, tmp_path: Path) -> None:
    log = tmp_path / "store" / "failures.jsonl"
    assert findings("Failures")["log"] == ("ok", f"{log}, 0 failed runs")
    assert not log.exists()
    aiser("query", "SELEC 1")
    assert findings("Failures")["log"] == ("ok", f"{log}, 1 failed run")
    log.unlink()
    log.mkdir()
    code, out, _ = aiser("doctor")
    assert code == 1
    assert f"{log} cannot be written: Is a directory." in out


def test_doctor_gives_the_pip_line_of_a_missing_driver_and_imports_none(tmp_path: Path) -> None:
    """In an environment that has all of ours but one driver."""
    drivers = ("pymysql", "pg8000")
    site = tmp_path / "site"
    site.mkdir()
    for place in {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}:
        for entry in place.iterdir():
            if not entry.name.lower().startswith("pymysql"):
                (site / entry.name).symlink_to(entry)
    root = Path(aiser_jupyter.__file__).parent.parent
    code = (
        f"import sys; sys.path[:0] = [{str(root)!r}, {str(site)!r}]; from aiser_jupyter.cli import main;"
        f"main(['doctor']); print([name for name in {drivers} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, check=True, text=True)
    lines = {
        line.split()[1]: line.split(maxsplit=2) for line in done.stdout.splitlines() if line.count(" ") > 2
    }
    assert lines["mysql"] == ["no", "mysql", "pymysql is not installed pip install 'aiser-jupyter[mysql]'"]
    assert lines["postgresql"][0] == "ok"
    assert done.stdout.splitlines()[-1] == "[]"


def test_doctor_names_a_broken_setting_and_goes_on(aiser: Aiser, project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.aiser]\nrow_limits = 3")
    code, out, _ = aiser("doctor")
    assert code == 1
    assert "'row_limits', which is not a preference" in out
    assert "Versions" in out
    assert "Jupyter" in out
    assert aiser("query", "SELECT 1")[0] == 1


@pytest.fixture
def broken_store(aiser: Aiser, tmp_path: Path) -> Path:
    """The folder of a store that was broken after its backup was made."""
    aiser("query", "SELECT 1 AS one")
    aiser("history")  # opens the store again, and backs it up
    folder = tmp_path / "store"
    assert (folder / "aiser.db.backup").exists()
    (folder / "aiser.db").write_bytes(b"\0" * 20_000)
    return folder


def test_doctor_says_what_can_be_done_about_a_broken_store(aiser: Aiser, broken_store: Path) -> None:
    for _ in range(2):  # looking changes nothing
        code, out, _error = aiser("doctor")
        (state,) = [line for line in out.splitlines() if "The store was broken" in line]
        assert code == 1
        assert state.split()[:2] == ["FAIL", "state"]
        assert "`aiser doctor --restore-backup`" in state
        assert "`aiser doctor --new-store`" in state
    assert aiser("query", "SELECT 2 AS two", "--as", "csv")[:2] == (0, "two\n2\n")


@pytest.mark.parametrize(("option", "runs"), [("--restore-backup", 1), ("--new-store", 0)])
def test_doctor_replaces_a_broken_store_and_keeps_it(
    aiser: Aiser, broken_store: Path, option: str, runs: int
) -> None:
    aiser("doctor")
    code, out, _ = aiser("doctor", option)
    assert (code, "FAIL" in out) == (0, False)
    assert aiser("history")[1].count("SELECT 1 AS one") == runs
    (kept,) = broken_store.glob("aiser.db.broken-*")
    assert kept.read_bytes() == b"\0" * 20_000
    aiser("query", "SELECT 2 AS two")
    assert "SELECT 2 AS two" in aiser("history")[1]


@pytest.mark.parametrize("option", ["--restore-backup", "--new-store"])
def test_doctor_replaces_no_store_that_works(aiser: Aiser, option: str) -> None:
    aiser("query", "SELECT 1 AS one")
    code, _, error = aiser("doctor", option)
    assert code == 1
    assert "is not replaced" in error
    assert "SELECT 1 AS one" in aiser("history")[1]


def test_doctor_says_that_there_is_no_backup(aiser: Aiser, broken_store: Path) -> None:
    (broken_store / "aiser.db.backup").unlink()
    out = aiser("doctor")[1]
    assert "There is no backup. `aiser doctor --new-store`" in out
    code, _, error = aiser("doctor", "--restore-backup")
    assert code == 1
    assert "There is no backup to restore." in error
