"""Connectors by type. Each is one file and one entry point of the group ``aiser_jupyter.connectors``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from ..errors import ConfigError, nearest
from ..plugins import Plugins
from .base import Connector

__all__ = ["broken", "connector", "connectors"]

_plugins: Plugins[Connector] = Plugins("aiser_jupyter.connectors", Connector)  # type: ignore[type-abstract]


@cache
def connectors() -> Mapping[str, Connector]:
    """Return every connector by its type; no driver is imported.

    Examples
    --------
    >>> connectors()["duckdb"].label
    'DuckDB'
    """
    return MappingProxyType({name: part() for name, part in _plugins.classes().items()})


def connector(type: str) -> Connector:
    """Return one connector.

    Raises
    ------
    ConfigError
        There is none of this type, or it cannot be imported.
    """
    known = connectors()
    if type in known:
        return known[type]
    if reason := broken().get(type):
        raise ConfigError(f"The connector {type!r} is installed and broken.", hint=reason)
    raise ConfigError(f"There is no connector {type!r}.", hint=nearest(type, known, noun="connectors"))


def broken() -> dict[str, str]:
    """Return the connectors that could not be loaded, each with the reason."""
    return _plugins.broken()
