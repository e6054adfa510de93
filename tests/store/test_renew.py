"""A secret that changes by itself: replaced by one process at a time, and never over what somebody saved."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen

import pytest

from aiser_jupyter.errors import StoreError, UnknownConnection
from aiser_jupyter.models import Connection, ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = frozenset({"password", "count"})


@pytest.fixture
def saved(records: ConnectionRecords) -> Connection:
    values = {"host": "db", "count": Secret("0"), "password": Secret("correct horse")}
    return records.add("ann", ConnectionConfig("mysql", "shop", values), "db", SECRETS, NOW)


def values(records: ConnectionRecords) -> dict[str, object]:
    found = records.get("ann", "shop")
    assert found is not None
    shown = {
        name: each.reveal() if isinstance(each, Secret) else each
        for name, each in found.config.values.items()
    }
    return {**shown, "version": found.version}


def more(secret: Secret) -> Secret:
    return Secret(str(int(secret.reveal()) + 1))


def anything(config: ConnectionConfig) -> bool:
    return True


def test_one_secret_is_replaced_and_nothing_else(records: ConnectionRecords, saved: Connection) -> None:
    before = values(records)
    assert records.renew(saved.id, "count", more, meant=anything, timeout=1.0).reveal() == "1"
    assert values(records) == {**before, "count": "1"}
    assert records.renew(saved.id, "count", lambda secret: None, meant=anything, timeout=1.0).reveal() == "1"


def test_whoever_fails_leaves_it_as_it_was_and_holds_up_nobody(
    records: ConnectionRecords, saved: Connection
) -> None:
    def fail(secret: Secret) -> Secret:
        raise StoreError("no")

    with pytest.raises(StoreError, match="no"):
        records.renew(saved.id, "count", fail, meant=anything, timeout=1.0)
    assert records.renew(saved.id, "count", more, meant=anything, timeout=1.0).reveal() == "1"


COUNTS = """
import sys
from pathlib import Path
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile

folder, id = Path(sys.argv[1]), sys.argv[2]
store = Store(folder)
records = ConnectionRecords(store, KeyFile(folder / "key"))
more = lambda secret: Secret(str(int(secret.reveal()) + 1))
for _ in range(15):
    records.renew(id, "count", more, meant=lambda config: True, timeout=60.0)
store.close()
"""


def test_of_many_at_once_none_is_lost(
    folder: Path, records: ConnectionRecords, saved: Connection, python: Callable[..., Popen[str]]
) -> None:
    processes = [python(COUNTS, folder, saved.id) for _ in range(3)]
    threads = [
        threading.Thread(
            target=lambda: [
                records.renew(saved.id, "count", more, meant=anything, timeout=60.0) for _ in range(15)
            ]
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for process in processes:
        assert (process.communicate(timeout=60)[0], process.returncode) == ("", 0)
    for thread in threads:
        thread.join(60)
    assert values(records)["count"] == "75"


def test_what_somebody_saved_meanwhile_stays(records: ConnectionRecords, saved: Connection) -> None:
    def make(secret: Secret) -> Secret:
        fresh = {"host": "db", "count": Secret("100")}
        records.change("ann", "shop", ConnectionConfig("mysql", "shop", fresh), "db", SECRETS)
        return more(secret)

    assert records.renew(saved.id, "count", make, meant=anything, timeout=1.0).reveal() == "100"
    assert values(records)["count"] == "100"


def test_other_values_and_another_key_meanwhile_are_kept(
    records: ConnectionRecords, saved: Connection
) -> None:
    def make(secret: Secret) -> Secret:
        records.change(
            "ann", "shop", ConnectionConfig("mysql", "sea", {"host": "db", "ssl": True}), "db", SECRETS
        )
        records.change(
            "ann", "sea", ConnectionConfig("mysql", "shop", {"host": "db", "ssl": True}), "db", SECRETS
        )
        assert records.rotate().finished
        return more(secret)

    records.renew(saved.id, "count", make, meant=anything, timeout=1.0)
    assert values(records) == {
        "host": "db",
        "ssl": True,
        "count": "1",
        "password": "correct horse",
        "version": 3,
    }


def test_what_leads_elsewhere_by_now_is_neither_given_nor_replaced(
    records: ConnectionRecords, saved: Connection
) -> None:
    """Who holds on to what it was would send the new secret to the old place."""
    asked: list[str] = []

    def at_db(config: ConnectionConfig) -> bool:
        return config.type == "mysql" and config.values["host"] == "db"

    def move() -> None:
        fresh = {"host": "sea", "count": Secret("100"), "password": Secret("another")}
        records.change("ann", "shop", ConnectionConfig("mysql", "shop", fresh), "sea", SECRETS)

    def make(secret: Secret) -> Secret:
        asked.append(secret.reveal())
        move()
        return more(secret)

    for _ in range(2):  # it moves meanwhile, and was moved before
        with pytest.raises(UnknownConnection, match="leads somewhere else"):
            records.renew(saved.id, "count", make, meant=at_db, timeout=1.0)
    assert asked == ["0"]
    assert (values(records)["count"], values(records)["host"]) == ("100", "sea")


def test_a_connection_that_is_gone_is_not_made_again(records: ConnectionRecords, saved: Connection) -> None:
    def make(secret: Secret) -> Secret:
        records.delete("ann", "shop")
        return more(secret)

    with pytest.raises(UnknownConnection):
        records.renew(saved.id, "count", make, meant=anything, timeout=1.0)
    with pytest.raises(UnknownConnection):
        records.renew(saved.id, "count", more, meant=anything, timeout=1.0)
    assert records.list("ann") == []


def test_who_waits_too_long_says_so(
    folder: Path, records: ConnectionRecords, saved: Connection, keys: KeyFile
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def make(secret: Secret) -> Secret:
        inside.set()
        assert leave.wait(30)
        return more(secret)

    other = Store(folder)
    slow = threading.Thread(
        target=lambda: records.renew(saved.id, "count", make, meant=anything, timeout=1.0)
    )
    slow.start()
    try:
        assert inside.wait(30)
        with pytest.raises(StoreError, match="locked"):
            ConnectionRecords(other, keys).renew(saved.id, "count", more, meant=anything, timeout=0.1)
    finally:
        leave.set()
        slow.join(30)
        other.close()
    assert values(records)["count"] == "1"
