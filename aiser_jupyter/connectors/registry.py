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
    made = {name: _made(name) for name in _plugins.classes()}
    return MappingProxyType({name: part for name, part in made.items() if part is not None})


def connector(type: str) -> Connector:
    """Return one connector; the modules of the others are not imported.

    Raises
    ------
    ConfigError
        There is none of this type, or it cannot be imported.
    """
    if (made := _made(type)) is not None:
        return made
    if reason := broken().get(type):
        raise ConfigError(f"The connector {type!r} is installed and broken.", hint=reason)
    raise ConfigError(f"There is no connector {type!r}.", hint=nearest(type, connectors(), noun="connectors"))


@cache
def _made(type: str) -> Connector | None:
    part = _plugins.get(type)
    return None if part is None else part()


def broken() -> dict[str, str]:
    """Return the connectors that could not be loaded, each with the reason."""
    return _plugins.broken()
