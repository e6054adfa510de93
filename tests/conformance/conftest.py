"""One line a connector, one line an engine; what each has to show is in the test files beside this one."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.engines.registry import engines
from aiser_jupyter.models import LOCAL, Connection, ConnectionConfig
from aiser_jupyter.sources.entries import entry
from tests.conformance import bigquery, databricks, redshift, snowflake
from tests.conformance.database import DUCKDB, MYSQL, POSTGRESQL, Database, duckdb_file, duckdb_memory
from tests.conformance.network import Network
from tests.servers.proxy import Proxy

DATABASES = {
    "duckdb-memory": replace(DUCKDB, config=duckdb_memory),
    "duckdb-file": DUCKDB,
    "postgresql": POSTGRESQL,
    "mysql": MYSQL,
    "snowflake": snowflake.DATABASE,
    "bigquery": bigquery.DATABASE,
    "redshift": redshift.DATABASE,
    "databricks": databricks.DATABASE,
}
DATABASES = {name: each for name, each in DATABASES.items() if each is not None}


def live(path: Path) -> dict[str, Database]:
    """Return the databases of a TOML file, in the shape of the administrator's: see CONTRIBUTING.md.

    They are the real services, asked the same questions; what only an endpoint of ours can do is left out.
    """
    found = {}
    for name, table in tomllib.loads(path.read_text()).items():
        known = entry(name, table, "admin")
        assert not known.problem, f"{name}: {known.problem}"
        found[name] = replace(
            DATABASES[known.type], server="", live=True, notyet={}, config=partial(_changed, known.config)
        )
    return found


def _changed(config: ConnectionConfig, folder: Path, server: Any = None, **changed: Any) -> ConnectionConfig:
    values = connector(config.type).validate({**config.values, **changed})
    return ConnectionConfig(config.type, "shop", values)


if named := os.environ.get("AISER_LIVE"):
    DATABASES = live(Path(named))

ENGINES: dict[str, tuple[str, Callable[[Path], ConnectionConfig]]] = {
    "duckdb-local": ("duckdb", duckdb_memory),
    "duckdb-file": ("duckdb", duckdb_file),
    "direct_sql-duckdb-file": ("direct_sql", duckdb_file),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test every database, and a test of literals each database with each of its own."""
    if "literal" in metafunc.fixturenames:
        cases = [(name, literal) for name, each in DATABASES.items() for literal in each.literals]
        ids = [f"{name}-{sql}" for name, (sql, *_) in cases]
        metafunc.parametrize(("database", "literal"), cases, ids=ids, indirect=["database"])
    elif "network" in metafunc.fixturenames:
        ours = {"presenting", "proxy"} & set(metafunc.fixturenames)
        served = [
            name
            for name, each in DATABASES.items()
            if (each.server and (each.https or "presenting" not in ours)) or (each.live and not ours)
        ]
        metafunc.parametrize("database", served, ids=str, indirect=True)
    elif "database" in metafunc.fixturenames:
        metafunc.parametrize("database", DATABASES, ids=str, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Database:
    found = DATABASES[request.param]
    test = request.node.originalname
    if reason := found.notyet.get(test):
        pytest.skip(f"not shown by this endpoint: {reason}")
    return found


@pytest.fixture
def server(database: Database, request: pytest.FixtureRequest) -> Any:
    """The database's real server; None where it has none."""
    return request.getfixturevalue(database.server) if database.server else None


@pytest.fixture
def config(database: Database, server: Any, tmp_path: Path) -> ConnectionConfig:
    """A connection that works."""
    return database.config(tmp_path, server)


@pytest.fixture
def bad_config(database: Database, server: Any, tmp_path: Path) -> ConnectionConfig:
    """A connection that cannot be opened."""
    return database.config(tmp_path, server, **database.bad)


@pytest.fixture
def opened(config: ConnectionConfig) -> Iterator[Any]:
    """A session of the database, closed at the end."""
    session = connector(config.type).open(config)
    yield session
    session.close()


@pytest.fixture
def network(database: Database, server: Any, tmp_path: Path) -> Network:
    """A database behind a network, and what leads there."""
    return Network(database, server, tmp_path)


@pytest.fixture
def proxy(network: Network) -> Iterator[Proxy]:
    """A proxy before its server."""
    with Proxy(("127.0.0.1", network.server.port)) as proxy:
        yield proxy


@pytest.fixture(params=ENGINES, ids=str)
def engine_case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Connection]:
    """An engine, and a connection that it can read."""
    name, make = ENGINES[request.param]
    found = engines(Settings()).get(name)
    if found is None:
        pytest.skip(f"the engine {name} is not registered")
    config = make(tmp_path)
    if config.values:
        connector(config.type).open(config).close()  # makes the database file
    return found, Connection(LOCAL if config.name == LOCAL else "c1", "tester", config)
