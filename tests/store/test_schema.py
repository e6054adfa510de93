"""An older store becomes one of this version: with everything that it held, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from aiser_jupyter.models import ConnectionConfig, RunState
from aiser_jupyter.secret import Secret
from aiser_jupyter.store import schema
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.history import History


@pytest.fixture
def cached_shapes() -> Iterator[None]:
    schema.expected_shape.cache_clear()
    yield
    schema.expected_shape.cache_clear()


@pytest.fixture
def first(store: Store) -> Store:
    """A store as the first version left it: a connection and a run."""
    store.folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        for statement in schema.MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(history)")]
        run = dict.fromkeys(columns, "") | {"id": "run-1", "started_at": "2026-03-01T12:00:00.000000"}
        run |= {"state": "done", "kind": "read", "timings": "{}", "heartbeat": 0.0, "rows": 1}
        run |= dict.fromkeys(["pinned", "cached", "truncated"], 0)
        marks = ", ".join("?" * len(columns))
        connection.execute(f"INSERT INTO history VALUES ({marks})", [run[name] for name in columns])
        row = ("0" * 32, "ann", "shop", "duckdb", '{"path": "shop.duckdb"}', "2026-03-01T12:00:00+00:00")
        connection.execute("INSERT INTO connections VALUES (?, ?, ?, ?, ?, ?)", row)
    store.path.chmod(0o600)
    return store


def test_a_store_of_the_first_version_keeps_what_it_held(first: Store, records: ConnectionRecords) -> None:
    assert first.state.ok, first.state
    assert first.read("PRAGMA user_version") == [(schema.VERSION,)]
    found = records.get("ann", "shop")
    assert found is not None
    assert (found.config.values, found.version) == ({"path": "shop.duckdb"}, 1)
    history = History(first)
    assert [(run.id, run.state) for run in history.list()] == [("run-1", RunState.DONE)]
    assert first.read("SELECT handle, connection_id FROM history") == [("", "")]
    history.close()


def test_and_its_connections_can_be_given_secrets(first: Store, records: ConnectionRecords) -> None:
    config = ConnectionConfig("mysql", "shop", {"password": Secret("correct horse")})
    records.change("ann", "shop", config, "db:3306", {"password"})
    found = records.get("ann", "shop")
    assert found is not None
    assert found.version == 2
    assert found.config.values["password"].reveal() == "correct horse"


@pytest.mark.usefixtures("cached_shapes")
def test_a_migration_happens_in_one_step_or_not_at_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before, released = schema.VERSION, schema.MIGRATIONS
    assert store.state.ok
    store.close()
    added = ("ALTER TABLE connections ADD COLUMN note TEXT", "CREATE TABLE broken (")
    monkeypatch.setattr(schema, "MIGRATIONS", (*released, added))
    monkeypatch.setattr(schema, "VERSION", before + 1)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(connection)
        assert schema.user_version(connection) == before
        assert "note" not in repr(connection.execute("SELECT sql FROM sqlite_schema").fetchall())
    monkeypatch.setattr(schema, "MIGRATIONS", (*released, added[:1]))
    assert store.state.ok
    assert store.read("PRAGMA user_version") == [(before + 1,)]
    assert store.read("SELECT note FROM connections") == []
