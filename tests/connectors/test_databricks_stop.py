"""How a statement at Databricks is stopped: from here, from another process, and by nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.errors import AuthenticationFailed, QueryCancelled
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Event, Handle, Run
from tests.conformance.databricks import config as config_of
from tests.connectors.databricks_kit import ENDLESS, KIND, SLOW, fetch, until
from tests.endpoints.databricks import Databricks


@pytest.fixture
def config(workspace: Databricks) -> ConnectionConfig:
    return config_of(Path(), workspace)


@pytest.fixture
def session(config: ConnectionConfig) -> Iterator[Any]:
    """A session of its own, past the pool."""
    with closing(KIND.fresh(config)) as session:
        yield session


@pytest.mark.parametrize(
    ("poll_seconds", "forgets"),
    [(5.0, False), (0.0, True)],
    ids=["its own client is busy with a question", "the warehouse forgets it"],
)
def test_a_stop_is_confirmed(workspace: Databricks, session: Any, poll_seconds: float, forgets: bool) -> None:
    workspace.behave(poll_seconds=poll_seconds, forgets_cancelled=forgets)
    run = Run("r")
    began: list[float] = []

    def cancel() -> None:
        until(lambda: workspace.seen()["statements"])
        time.sleep(0.3)
        began.append(time.monotonic())
        run.cancel()

    cancelling = threading.Thread(target=cancel)
    cancelling.start()
    with run.on_cancel(session.cancel), pytest.raises(QueryCancelled) as caught:
        fetch(session, SLOW, run=run)
    cancelling.join()
    assert caught.value.confirmed
    assert time.monotonic() - began[0] < 4
    assert len(workspace.seen()["cancelled"]) == 1


def test_a_run_cancelled_before_it_began_is_not_sent(workspace: Databricks, session: Any) -> None:
    run = Run("r")
    run.cancel()
    with pytest.raises(QueryCancelled):
        fetch(session, "SELECT 1", run=run)
    assert workspace.seen()["statements"] == []


OTHER = """
import sys
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import ConnectionConfig
port, ca, token, handle = sys.argv[1:]
kind = connector("databricks")
values = kind.validate({"server_hostname": "127.0.0.1", "port": int(port), "ssl_ca": open(ca).read(),
    "http_path": "/sql/1.0/warehouses/a1b234c567d8e9fa", "access_token": token})
print(kind.stop(ConnectionConfig("databricks", "shop", values), handle))
"""


def test_another_process_stops_it_by_its_handle(workspace: Databricks, session: Any) -> None:
    events: list[Event] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            fetch(session, SLOW, run=Run("r", emit=events.append))
        except BaseException as exc:
            failures.append(exc)

    running = threading.Thread(target=run)
    running.start()
    until(lambda: any(isinstance(event, Handle) for event in events))
    handle = next(event.value for event in events if isinstance(event, Handle))
    words = [sys.executable, "-c", textwrap.dedent(OTHER), str(workspace.port), str(workspace.authority.path)]
    done = subprocess.run(
        [*words, workspace.password, handle], capture_output=True, text=True, env={**os.environ}, timeout=60
    )
    assert done.stdout.strip() == "True", done.stderr
    running.join(20)
    assert not running.is_alive()
    assert isinstance(failures[0], QueryCancelled)


def test_a_handle_of_nothing_and_one_with_another_secret(
    workspace: Databricks, config: ConnectionConfig, session: Any
) -> None:
    events: list[Event] = []
    reader = session.execute(ENDLESS, (), Run("r", emit=events.append))
    reader.read_next_batch()
    id, _, _ = next(event.value for event in events if isinstance(event, Handle)).partition(".")
    assert KIND.stop(config, f"{id}.{'0' * 32}")  # what the warehouse does not know has ended
    assert workspace.seen()["cancelled"] == []
    assert KIND.stop(config, f"00000000-0000-0000-0000-000000000000.{'0' * 32}")


def test_a_stop_needs_the_credential(workspace: Databricks, session: Any) -> None:
    events: list[Event] = []
    session.execute(ENDLESS, (), Run("r", emit=events.append)).read_next_batch()
    handle = next(event.value for event in events if isinstance(event, Handle))
    with pytest.raises(AuthenticationFailed):
        KIND.stop(config_of(Path(), workspace, access_token="dapiwrong"), handle)
    assert workspace.seen()["cancelled"] == []
