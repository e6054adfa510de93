"""A Jupyter server with our extension, and a store with runs in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from aiser_jupyter.models import HistoryEntry, RunState, StatementKind, Timings
from aiser_jupyter.services import os_identity


@pytest.fixture
def jp_server_config(jp_server_config):
    return {
        "ServerApp": {
            "jpserver_extensions": {"aiser_jupyter": True},
            "allow_unauthenticated_access": False,
            "reraise_server_extension_failures": True,
            "terminals_enabled": False,  # its socket has no decorator, and the warning is an error here
        }
    }


@pytest.fixture
def remember(store_directory) -> Callable[..., HistoryEntry]:
    """Write a run into this test's store, as a kernel would; each is a minute younger than the one before."""
    from aiser_jupyter.store.database import Store
    from aiser_jupyter.store.history import History

    store = Store(store_directory)
    history = History(store)
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)
    written = []

    def write(sql: str, **values: object) -> HistoryEntry:
        entry = HistoryEntry(
            id=f"run-{len(written)}",
            started_at=began + timedelta(minutes=len(written)),
            sql=sql,
            **{
                "user": os_identity().name,
                "connection": "local",
                "state": RunState.DONE,
                "kind": StatementKind.READ,
                "engine": "duckdb",
                "timings": Timings(plan=0.25, execute=0.5),
                "seconds": 0.75,
                "rows": 3,
                **values,
            },
        )
        written.append(entry)
        history.finish(entry)
        history.flush()
        return entry

    yield write
    history.close()
    store.close()
