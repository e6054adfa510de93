"""A cell that waits for a warehouse which starts says so, in a real kernel."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from aiser_jupyter.services import build
from tests.conformance.databricks import config
from tests.endpoints.databricks import Databricks
from tests.magics.front import Front


@pytest.fixture
def front(workspace: Databricks, store_directory: Path, tmp_path: Path) -> Iterator[Front]:
    services = build()
    services.connections.create(config(tmp_path, workspace), tested=False)
    services.close()
    manager = KernelManager(kernel_name="python3")
    environment = {**os.environ, "AISER_STORE": str(store_directory), "IPYTHONDIR": str(tmp_path)}
    manager.start_kernel(cwd=str(tmp_path), env=environment)
    front = Front(manager)
    front.run("%load_ext aiser_jupyter")
    yield front
    front.client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def test_the_live_line_says_that_the_warehouse_starts(front: Front, workspace: Databricks) -> None:
    workspace.behave(state="STOPPED", start_seconds=9)
    reply, published = front.run("%aiser shop SELECT 1 AS n")
    assert reply["status"] == "ok"
    lines = [
        message["content"]["data"]["text/plain"]
        for message in published
        if message["msg_type"] in ("display_data", "update_display_data")
    ]
    told = re.compile(r"direct_sql · [\d.]+ s · Databricks: the warehouse Shop is starting, \d+ s — ")
    assert [line for line in lines if told.match(line)], lines
