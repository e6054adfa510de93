"""Every test has a store of its own, and Jupyter's test server is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]  # tests talk to this machine alone

pytest_plugins = (
    "pytest_jupyter.jupyter_server",
    "tests.servers.fixtures",
    "tests.endpoints.bigquery",
    "tests.endpoints.databricks",
    "tests.endpoints.redshift",
    "tests.endpoints.snowflake",
)


@pytest.fixture(autouse=True)
def store_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of this test's store: no test reads or writes the developer's own."""
    directory = tmp_path / "aiser-store"
    monkeypatch.setenv("AISER_STORE", str(directory))
    return directory
