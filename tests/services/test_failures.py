"""The failure log: one line a failed run, which tells no secret and cannot be forged."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import AiserError, DataError, DeadlineExceeded, QueryCancelled, QueryFailed
from aiser_jupyter.models import HistoryEntry, Query, RunState
from aiser_jupyter.services import build
from aiser_jupyter.services.failures import BYTES, FILES, MESSAGE, FailureLog, failure
from aiser_jupyter.sql import redact

CANARY = "hunter2canary"
ENDLESS = "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000_000) b"
ENTRY = HistoryEntry(
    id="1",
    started_at=datetime(2026, 3, 1, tzinfo=UTC),
    user="ann",
    connection="local",
    state=RunState.FAILED,
    sql="",
)


@pytest.fixture
def services(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built = build()
    yield built
    built.close()


def records(log: FailureLog) -> list[dict]:
    paths = sorted(log.path.parent.glob("failures.jsonl*"))
    return [json.loads(line) for path in paths for line in path.read_text("ascii").splitlines()]


def test_every_failed_run_has_one_record_and_no_other_run_has_one(services):
    assert services.queries.run(Query("SELECT 1")).row_count == 1
    submission = services.queries.submit(Query(ENDLESS))
    submission.cancel()
    with pytest.raises(QueryCancelled):
        submission.wait()
    failing = [
        "SELEC 1",
        "SELECT * FROM nowhere",
        "SELECT {{ x }}",
        "SELECT 'x'::INT",
        "SELECT error('stop')",
    ]
    for text in failing:
        with pytest.raises(AiserError):
            services.queries.run(Query(text))
    with pytest.raises(AiserError):
        services.queries.run(Query("SELECT 1", connection="nowhere"))
    with pytest.raises(DeadlineExceeded):
        services.queries.run(Query(ENDLESS, timeout=0.2))
    history = {entry.id: entry for entry in services.queries.history()}
    failed = {id for id, entry in history.items() if entry.state is RunState.FAILED}
    found = records(services.failures)
    assert len(failed) == len(failing) + 2
    assert sorted(each["id"] for each in found) == sorted(failed)
    assert {each["id"]: each["code"] for each in found} == {id: history[id].error_code for id in failed}
    assert services.failures.problem is None


def test_a_record_says_what_is_needed_to_find_the_run(services):
    with pytest.raises(AiserError) as failed:
        services.queries.run(Query("SELECT * FROM nowhere"))
    (entry,) = services.queries.history()
    found = services.failures.find(entry.id, entry.user)
    assert found is not None
    assert (found.id, found.user, found.connection_id, found.engine) == (
        entry.id,
        entry.user,
        entry.connection_id,
        entry.engine,
    )
    assert (found.error, found.code, found.pid) == (type(failed.value).__name__, failed.value.code, entry.pid)
    assert found.retryable is failed.value.retryable
    assert found.seconds == pytest.approx(entry.seconds, abs=1e-5)
    ended = datetime.fromisoformat(found.time)
    assert (ended - entry.started_at).total_seconds() >= 0
    assert ended.utcoffset().total_seconds() == 0
    assert services.failures.find(entry.id, "somebody else") is None
    assert services.failures.find("nothing", entry.user) is None
    assert stat.S_IMODE(services.failures.path.stat().st_mode) == 0o600


def test_a_retryable_error_is_told_from_one_that_is_not():
    class Busy(AiserError):
        retryable = True

    assert failure(ENTRY, Busy("x")).retryable is True
    assert failure(ENTRY, DataError("x")).retryable is False
    assert failure(ENTRY, ValueError("x")).retryable is False
    assert failure(ENTRY, SystemExit("x")).code == "internal"


@pytest.mark.parametrize(
    "text",
    [
        f"CREATE SECRET s (TYPE nothing, KEY_ID '{CANARY}', SECRET '{CANARY}')",
        f"CREATE SECRET s (TYPE s3, KEY_ID {CANARY} SECRET x)",
        f"CREATE USER u IDENTIFIED BY '{CANARY}'",
        f"ALTER ROLE r WITH PASSWORD '{CANARY}'",
        f"SET s3_secret_access_keys = '{CANARY}'",
        f"ATTACH 'postgresql://ann:{CANARY}@127.0.0.1:1/x' AS p (TYPE nothing)",
        f"SELECT '{CANARY}'::INT",
        f"SELECT CAST('{CANARY}' AS DATE)",
        f"SELECT error('failed with {CANARY} inside')",
        f"SELECT * FROM read_csv('/nowhere/{CANARY}.csv')",
        f"SELEC '{CANARY}'",
        f"SELECT * FROM t WHERE x = $${CANARY}$$ AND",
        f'SELECT * FROM "{CANARY}"',
    ],
)
def test_no_value_of_a_statement_is_in_the_log(services, text):
    with pytest.raises(AiserError):
        services.queries.run(Query(text))
    written = services.failures.path.read_text()
    assert len(written.splitlines()) == 1
    assert CANARY not in written


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT 1", f'invalid input for type integer: "{CANARY}"'),
        ("SELECT 1", f"Duplicate entry '{CANARY}' for key 'x'"),
        ("SELECT 1", f"near '{CANARY}"),
        ("SELECT 1", f"It failed.\nLINE 1: SELECT {CANARY}"),
        (f"SELECT 'https://host/{CANARY}/x'", f"cannot connect to https://host/{CANARY}/x now"),
        (f"SELECT 'about {CANARY}', 2", f"about {CANARY} nothing is known"),
        (f"CREATE SECRET s (TYPE s3, KEY_ID '{CANARY}')", f"the key {CANARY} is refused"),
        (f"ALTER USER u IDENTIFIED BY '{CANARY}'", f"{CANARY} is too weak"),
    ],
)
def test_what_a_driver_repeats_of_a_statement_is_left_out(sql, error):
    entry = replace(ENTRY, sql=redact(sql), error=redact(error))
    assert CANARY not in failure(entry, QueryFailed(error)).message


def test_the_rest_of_a_message_stays():
    entry = replace(
        ENTRY, sql="SELECT * FROM orders", error="It doesn't fit: 3 columns, 'amount' is not there."
    )
    assert failure(entry, QueryFailed("")).message == "It doesn't fit: 3 columns, … is not there."
    assert len(failure(replace(entry, error="x " * 1000), QueryFailed("")).message) == MESSAGE


HOSTILE = st.text(st.characters() | st.sampled_from('\r\n\x1b\x85\u2028\u2029\x00"\\\ud800{}'), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_no_text_forges_a_record(store_directory, id, user, connection, engine, message, code):
    log = FailureLog(store_directory)
    before = len(records(log))

    class Failed(AiserError):
        pass

    Failed.code, Failed.__name__ = (
        code,
        "Failed" + message.replace("\0", "").encode("utf-8", "ignore").decode(),
    )
    entry = replace(
        ENTRY, id=id, user=user, connection_id=connection, engine=engine, error=message, sql=message
    )
    log.write(entry, Failed(message))
    found = records(log)
    assert log.problem is None
    assert len(found) == before + 1
    assert list(found[-1]) == [*HistoryFields]
    assert all(value.isprintable() for value in found[-1].values() if isinstance(value, str))
    assert len(log.path.read_bytes().splitlines()[-1]) < 16 * 1024


HistoryFields = (
    *("id", "time", "user", "connection_id", "engine", "error", "code", "seconds", "retryable", "pid"),
    "message",
)

WRITER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from aiser_jupyter.errors import QueryFailed
from aiser_jupyter.services.failures import FailureLog
from tests.services.test_failures import ENTRY
log = FailureLog(Path(sys.argv[1]))
def write(number):
    log.write(replace(ENTRY, id=f"{sys.argv[2]}-{number}", error="é" * 300), QueryFailed(""))
with ThreadPoolExecutor(4) as pool:
    list(pool.map(write, range(600)))
assert log.problem is None, log.problem
"""


def test_processes_share_the_file_and_rotate_it_without_a_loss(store_directory):
    """1,200 records of 2 kB are more than two files and less than three."""
    command = [sys.executable, "-c", WRITER, str(store_directory)]
    started = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    assert [process.wait(60) for process in started] == [0, 0]
    paths = sorted(store_directory.glob("failures.jsonl*"))
    assert [path.name for path in paths] == ["failures.jsonl", "failures.jsonl.1", "failures.jsonl.2"]
    assert all(path.stat().st_size <= BYTES for path in paths)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths)
    written = sorted(each["id"] for each in records(FailureLog(store_directory)))
    assert written == sorted(f"{name}-{number}" for name in "ab" for number in range(600))
    assert FailureLog(store_directory).find("a-0", "ann") is not None


def test_the_oldest_file_goes(store_directory):
    log = FailureLog(store_directory)
    store_directory.mkdir(mode=0o700)
    for number in range(FILES + 2):
        log.write(replace(ENTRY, id=str(number)), QueryFailed(""))
        log.path.write_bytes(log.path.read_bytes() + b" " * (BYTES - log.path.stat().st_size - 1) + b"\n")
    assert sorted(path.name for path in store_directory.iterdir()) == [
        "failures.jsonl",
        "failures.jsonl.1",
        "failures.jsonl.2",
    ]
    assert [log.find(str(number), "ann") is not None for number in range(FILES + 2)] == [False] * 2 + [
        True
    ] * 3


FULL = """
import resource
from aiser_jupyter.errors import UnknownTable
from aiser_jupyter.models import Query
from aiser_jupyter.services import build
services = build()
def fail():
    try:
        services.queries.run(Query("SELECT * FROM nowhere"))
    except UnknownTable:
        return services.failures.problem
    raise AssertionError("it did not fail as it should")
assert fail() is None
size = services.failures.path.stat().st_size
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, hard))
assert "misses run" in fail().message
services.failures.problem = None
assert "misses run" in fail().message
services.failures.problem = None
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert fail() is None
services.close()
"""


def test_a_full_disk_fails_no_query_and_spoils_no_later_record(store_directory, tmp_path):
    """No file of the process may grow: the first record is cut short, the second has no room at all."""
    done = subprocess.run(
        [sys.executable, "-c", FULL], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    first, torn, last = (store_directory / "failures.jsonl").read_text().splitlines()
    with pytest.raises(ValueError, match="char"):
        json.loads(torn)
    assert FailureLog(store_directory).find(json.loads(first)["id"], json.loads(first)["user"]) is not None
    assert FailureLog(store_directory).find(json.loads(last)["id"], json.loads(last)["user"]) is not None


def test_who_waited_while_the_file_was_moved_writes_to_the_new_one(store_directory):
    log = FailureLog(store_directory)
    log.write(replace(ENTRY, id="first"), QueryFailed(""))
    moved = log.path.with_name("failures.jsonl.1")
    with log.path.open("rb") as file, ThreadPoolExecutor(1) as pool:
        fcntl.flock(file, fcntl.LOCK_EX)
        writing = pool.submit(log.write, replace(ENTRY, id="second"), QueryFailed(""))
        end = time.monotonic() + 30
        while sum(os.path.realpath(link) == str(log.path) for link in descriptors()) < 2:
            assert time.monotonic() < end
        log.path.rename(moved)
        fcntl.flock(file, fcntl.LOCK_UN)
        writing.result()
    assert [json.loads(line)["id"] for line in moved.read_text().splitlines()] == ["first"]
    assert [json.loads(line)["id"] for line in log.path.read_text().splitlines()] == ["second"]


def descriptors() -> list[Path]:
    return list(Path("/proc/self/fd").iterdir())


def test_a_file_that_others_may_read_is_tightened(store_directory):
    log = FailureLog(store_directory)
    log.write(ENTRY, QueryFailed(""))
    log.path.chmod(0o644)
    log.write(ENTRY, QueryFailed(""))
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_a_link_is_not_followed(services, tmp_path):
    other = tmp_path / "other"
    other.write_text("")
    services.failures.path.parent.mkdir(mode=0o700, exist_ok=True)
    services.failures.path.symlink_to(other)
    with pytest.raises(AiserError, match="nowhere"):
        services.queries.run(Query("SELECT * FROM nowhere"))
    assert other.read_text() == ""
    assert "symbolic link" in services.failures.problem.message


def test_failures_at_the_same_time_are_all_there(services):
    def fail(number: int) -> None:
        with pytest.raises(AiserError):
            services.queries.run(Query(f"SELECT * FROM nowhere{number}"))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(fail, range(64)))
    assert len({each["id"] for each in records(services.failures)}) == len(records(services.failures)) == 64
