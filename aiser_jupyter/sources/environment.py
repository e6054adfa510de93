"""Connections that the environment names: ``AISER_CONNECTION_SHOP=/run/config/shop.toml`` is ``shop``.

The variable holds the path of a TOML file, of the shape of one of the administrator's tables, and never the
connection itself: kernels, their children and whoever may list the process see its environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from ..connectors.base import Connector
from ..errors import ConfigError
from ..models import Connection
from .entries import entry, refused
from .files import Content, absolute, read
from .names import check_name, free_name

__all__ = ["PREFIX", "environment_connections"]

PREFIX = "AISER_CONNECTION_"
SOURCE = "environment"
_HINT = "The variable names a TOML file; the file names, in password_file, the one that holds the password."


def environment_connections(
    environ: Mapping[str, str] | None = None, kinds: Mapping[str, Connector] | None = None
) -> list[Connection]:
    """Return the environment's connections by name; one that cannot be used has a ``problem``.

    The name is what follows ``AISER_CONNECTION_``, in small letters. No value of a variable is shown.

    Parameters
    ----------
    environ : mapping, optional
        The process's own environment by default.
    kinds : mapping, optional
        Connectors by type; the installed ones by default.
    """
    environ = os.environ if environ is None else environ
    found: dict[str, Connection] = {}
    for variable in sorted(variable for variable in environ if variable.startswith(PREFIX)):
        name = variable.removeprefix(PREFIX).lower()
        try:
            check_name(name)
            if name in found:
                raise ConfigError(f"{variable} names {name!r} a second time.")
            content = _content(variable, environ[variable])
            found[name] = entry(name, _table(variable, content.text), SOURCE, content.changed, kinds)
        except ConfigError as exc:
            shown = free_name(name, found)
            found[shown.casefold()] = refused(shown, SOURCE, exc)
    return sorted(found.values(), key=lambda connection: connection.name)


def _content(variable: str, value: str) -> Content:
    if re.match(r"[A-Za-z][A-Za-z0-9+._-]*:", value):
        raise ConfigError(f"{variable} looks like a URL, which would show its password.", hint=_HINT)
    try:
        return read(absolute(value, variable))
    except FileNotFoundError as exc:
        raise ConfigError(f"{variable} names a file that is not there.", hint=_HINT) from exc


def _table(variable: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"The file of {variable} is not TOML: {exc}.") from None  # it may hold the text
