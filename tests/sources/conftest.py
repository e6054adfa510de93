"""The installed connectors, and PostgreSQL as declared where its connector is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from aiser_jupyter.connectors.base import Capabilities, Connector, Field
from aiser_jupyter.connectors.fields import network_fields
from aiser_jupyter.connectors.registry import connectors
from aiser_jupyter.models import Availability

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


class Declared(Connector):
    """Fields without a driver: nothing here opens a connection."""

    capabilities = Capabilities()

    def available(self):
        return Availability(False, "declared only")

    def open(self, config, *, read_only=False):
        raise AssertionError("a source opened a connection")

    def tables(self, session, schema=None):
        raise AssertionError("a source listed tables")

    def columns(self, session, table):
        raise AssertionError("a source read columns")


class DeclaredPostgreSQL(Declared):
    type, label, dialect = "postgresql", "PostgreSQL", "postgres"
    fields = network_fields(5432, Field("schema", "Search path"), Field("role", "Role"))


@pytest.fixture(scope="session")
def kinds() -> Mapping[str, Connector]:
    return {"postgresql": DeclaredPostgreSQL(), **connectors()}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A PEM file in which a private key stands as well."""
    path = tmp_path / "company.pem"
    path.write_text(f"-----BEGIN PRIVATE KEY-----\nk3y\n-----END PRIVATE KEY-----\n{CERTIFICATE}")
    return path
