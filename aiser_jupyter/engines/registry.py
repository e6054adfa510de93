"""Engines by name. Each is one file and one entry point of the group ``aiser_jupyter.engines``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..plugins import Plugins
from .base import Engine

if TYPE_CHECKING:
    from ..config import Settings

__all__ = ["broken", "engines"]

_plugins: Plugins[Engine] = Plugins("aiser_jupyter.engines", Engine)  # type: ignore[type-abstract]


def engines(settings: Settings) -> dict[str, Engine]:
    """Construct every engine, by name; an engine takes ``settings`` and nothing else.

    Examples
    --------
    >>> from aiser_jupyter.config import Settings
    >>> engines(Settings())["duckdb"].label
    'DuckDB'
    """
    parts: dict[str, Any] = _plugins.classes()
    return {name: part(settings) for name, part in parts.items()}


def broken() -> dict[str, str]:
    """Return the engines that could not be loaded, each with the reason."""
    return _plugins.broken()
