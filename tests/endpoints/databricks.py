"""The endpoint of databricks as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .endpoint import Endpoint


class Databricks(Endpoint):
    """A workspace with one SQL warehouse."""

    program = "databricks_server.py"
    password = "dapi0123456789abcdef0123456789abcdef"
    http_path = "/sql/1.0/warehouses/a1b234c567d8e9fa"
    client = ("11111111-2222-3333-4444-555555555555", "dose0123456789abcdef")

    def seen(self) -> dict[str, Any]:
        """What the workspace was asked."""
        found: dict[str, Any] = self.ask("/_seen")
        return found

    def behave(self, **how: Any) -> None:
        """Change how it behaves, and forget what it saw; without arguments it is as it began."""
        self.ask("/_behave", how)


@pytest.fixture
def workspace(databricks: Databricks) -> Iterator[Databricks]:
    """The endpoint as it began, and put back to that."""
    databricks.behave()
    yield databricks
    databricks.behave()


@pytest.fixture(scope="session")
def databricks() -> Iterator[Databricks]:
    """The endpoint, started when first asked for."""
    endpoint = Databricks()
    try:
        endpoint.prepare()
        yield endpoint
    finally:
        endpoint.stop()
