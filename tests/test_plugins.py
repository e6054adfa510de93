"""Parts found by entry point, and the two registries on top."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.connectors import registry
from aiser_jupyter.connectors.base import Connector
from aiser_jupyter.engines.registry import engines
from aiser_jupyter.errors import ConfigError
from aiser_jupyter.plugins import Plugins

GROUP = "aiser_jupyter.connectors"


def test_a_broken_part_disables_only_itself() -> None:
    found = (
        EntryPoint("gone", "no_such_module:Connector", GROUP),
        EntryPoint("half", "aiser_jupyter.connectors.duckdb:NoSuchClass", GROUP),
        EntryPoint("wrong", "pathlib:Path", GROUP),
        EntryPoint("duckdb", "aiser_jupyter.connectors.duckdb:DuckDBConnector", GROUP),
    )
    plugins: Plugins[Connector] = Plugins(GROUP, Connector, found)
    assert list(plugins.classes()) == ["duckdb"]
    broken = plugins.broken()
    assert sorted(broken) == ["gone", "half", "wrong"]
    assert "no_such_module" in broken["gone"]
    assert broken["wrong"] == "pathlib:Path is not a class of Connector."


def test_a_connector_is_one_instance() -> None:
    assert registry.connector("duckdb") is registry.connectors()["duckdb"]
    assert registry.connector("duckdb").type == "duckdb"


def test_an_unknown_connector_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no connector 'ducdb'") as caught:
        registry.connector("ducdb")
    assert caught.value.hint == "Did you mean 'duckdb'?"


def test_an_engine_is_named_as_its_entry_point() -> None:
    found = engines(Settings())
    assert "duckdb" in found
    assert all(engine.name == name for name, engine in found.items())


def test_listing_the_parts_imports_no_driver() -> None:
    script = (
        "import sys; from aiser_jupyter.config import Settings;"
        "from aiser_jupyter.connectors.registry import connectors;"
        "from aiser_jupyter.engines.registry import engines;"
        "connectors()['duckdb'].available(); engines(Settings())['duckdb'].available();"
        "print([n for n in ('duckdb', 'pyarrow', 'pandas', 'polars', 'sqlglot') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_one_connector_imports_no_other() -> None:
    script = (
        "import sys; from aiser_jupyter.connectors.registry import connector; connector('mysql');"
        "print([n for n in sys.modules if n.startswith('aiser_jupyter.connectors.postgresql')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
