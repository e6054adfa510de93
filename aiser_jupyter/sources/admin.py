"""The administrator's connections: ``aiser_connections.toml`` in Jupyter's config folders, one table each.

The folders are those of the policy (`aiser_jupyter.config`): *system* and *environment* only, so that neither
the person's own folder nor a cloned repository adds a connection that looks like the administrator's. The
connections are read-only and have no owner.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..config import policy_folders
from ..connectors.base import Connector
from ..errors import ConfigError
from ..models import Connection
from .entries import entry, refused
from .files import read
from .names import check_name, free_name, is_name

__all__ = ["FILE", "admin_connections"]

FILE = "aiser_connections.toml"
SOURCE = "admin"


def admin_connections(
    folders: Iterable[Path] | None = None, kinds: Mapping[str, Connector] | None = None
) -> list[Connection]:
    """Return the administrator's connections by name; an entry that cannot be used has a ``problem``.

    Nothing is raised for what stands in a file. A file that cannot be read, or is not TOML, is one entry
    called ``aiser_connections`` with no type and the reason; the other files count all the same.

    Parameters
    ----------
    folders : iterable of Path, optional
        Where to look, the weakest first: an entry replaces one of the same name in a folder before it.
        `policy_folders` by default.
    kinds : mapping, optional
        Connectors by type; the installed ones by default.
    """
    found: dict[str, Connection] = {}
    for folder in policy_folders() if folders is None else folders:
        path = Path(folder) / FILE
        try:
            content = read(path)
            tables = _tables(path, content.text)
        except FileNotFoundError:
            continue
        except ConfigError as exc:
            name = free_name(path.stem, found)
            found[name.casefold()] = refused(name, SOURCE, exc)
            continue
        found.update(_entries(tables, content.changed, found, kinds))
    return sorted(found.values(), key=lambda connection: connection.name)


def _tables(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path} is not TOML: {exc}.") from None  # the exception may hold the whole text


def _entries(
    tables: Mapping[str, Any],
    version: int,
    before: Mapping[str, Connection],
    kinds: Mapping[str, Connector] | None,
) -> dict[str, Connection]:
    """The entries of one file; a name that cannot be used, or is used twice, is shown as the nearest one."""
    found: dict[str, Connection] = {}
    for name in sorted(tables, key=lambda name: not is_name(name)):  # the good ones have the first choice
        if is_name(name) and name.casefold() not in found:
            found[name.casefold()] = entry(name, tables[name], SOURCE, version, kinds)
            continue
        shown = free_name(name, {*found, *before})
        found[shown.casefold()] = refused(shown, SOURCE, _unusable(name))
    return found


def _unusable(name: str) -> ConfigError:
    try:
        check_name(name)
    except ConfigError as exc:
        return exc
    return ConfigError(f"There is {name!r} already, in another case.")
