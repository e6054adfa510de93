"""Connections that other tools have: JupySQL, dbt, and the databases' own files.

A file is read once, as the tool would read it, and nothing in it is carried out. Each entry stands for
itself: one that cannot be imported is returned with the reason. Nothing is saved, nothing is contacted.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..connectors.base import Connector
from ..errors import ConfigError, nearest
from ..models import ConnectionConfig
from ..secret import Secret
from . import databrickscfg, dbt, gcloud, jupysql, mycnf, pgpass, snowflake
from .draft import Draft
from .entries import explained
from .files import Content, read
from .names import free_name
from .options import translated
from .values import checked, kind_of, type_of

__all__ = ["FORMATS", "Imported", "format_of", "import_connections"]

ENTRIES = 1000
"""More than these are not read from one file."""

FORMATS: Mapping[str, Callable[[str], Iterator[Draft]]] = {
    "jupysql": jupysql.drafts,
    "dbt": dbt.drafts,
    "pgpass": pgpass.drafts,
    "mysql": mycnf.drafts,
    "snowflake": snowflake.drafts,
    "databricks": databrickscfg.drafts,
    "gcloud": gcloud.drafts,
}
"""Readers by the name of the format: ``connections.ini``, ``profiles.yml``, ``.pgpass``, ``my.cnf``,
``connections.toml``, ``.databrickscfg``, gcloud's ``config_default``."""
_FILES = (
    (r".*\.ini", "jupysql"),
    (r".*profiles\.ya?ml", "dbt"),
    (r"\.?pgpass(\.conf)?", "pgpass"),
    (r".*\.cnf", "mysql"),
    (r"(connections|config)\.toml", "snowflake"),
    (r"\.?databrickscfg", "databricks"),
    (r"config_[\w-]+", "gcloud"),
)


@dataclass(frozen=True, slots=True)
class Imported:
    """One entry of another tool's file.

    ``config`` has a name that is allowed and not used twice in this file. Where ``problem`` is not "", the
    entry cannot be saved: it says why, and ``config`` has no values. ``notices`` are sentences about what was
    left out, changed or read.
    """

    config: ConnectionConfig
    problem: str = ""
    notices: tuple[str, ...] = ()


def import_connections(
    path: str | Path, format: str | None = None, kinds: Mapping[str, Connector] | None = None
) -> list[Imported]:
    """Read the connections of another tool's file.

    Parameters
    ----------
    path : str or Path
        The file. One that anyone may change is refused; a ``.pgpass`` also where others may read it.
    format : str, optional
        One of `FORMATS`; by default the name of the file decides.
    kinds : mapping, optional
        Connectors by type; the installed ones by default.

    Returns
    -------
    list of Imported
        In the order of the file.

    Raises
    ------
    ConfigError
        The format is not known, or the file as a whole cannot be read.
    """
    path = Path(path).expanduser()
    format = format or format_of(path)
    if format not in FORMATS:
        raise ConfigError(f"There is no format {format!r}.", hint=nearest(format, FORMATS, noun="formats"))
    try:
        content = read(path)
    except FileNotFoundError as exc:
        raise ConfigError(f"There is no file {path}.") from exc
    if format == "pgpass" and content.mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"Others may read {path}: PostgreSQL does not use it either.", hint=f"chmod 600 {path}"
        )
    drafts = list(islice(FORMATS[format](content.text), ENTRIES + 1))
    if len(drafts) > ENTRIES:
        raise ConfigError(f"{path} has more than {ENTRIES:,} entries.")
    taken: set[str] = set()
    return [_imported(draft, taken, content, kinds) for draft in drafts]


def format_of(path: Path) -> str:
    """Return the format that the name of a file stands for.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> format_of(Path("~/.dbt/profiles.yml")), format_of(Path(".my.cnf"))
    ('dbt', 'mysql')
    """
    for pattern, format in _FILES:
        if re.fullmatch(pattern, path.name, re.IGNORECASE):
            return format
    raise ConfigError(
        f"The name {path.name!r} does not say what the file is.",
        hint=f"Name the format: {', '.join(FORMATS)}.",
    )


def _imported(
    draft: Draft, taken: set[str], content: Content, kinds: Mapping[str, Connector] | None
) -> Imported:
    name = free_name(draft.name, taken)
    taken.add(name.casefold())
    notices = list(draft.notices)
    if name != draft.name:
        notices.append(f"{draft.name[:63]!r} is called {name} here.")
    type = type_of(draft.type, kinds)
    try:
        if draft.problem is not None:
            raise draft.problem
        kind = kind_of(type, kinds)
        values = {**draft.values, **translated(kind, draft.options, read_files=True)}
        config = ConnectionConfig(type, name, checked(kind, values))
    except ConfigError as exc:
        return Imported(ConnectionConfig(type, name), explained(exc), tuple(notices))
    if content.mode & (stat.S_IRGRP | stat.S_IROTH) and any(
        isinstance(value, Secret) for value in config.values.values()
    ):
        notices.append("The file holds a password and others may read it: chmod 600 is due.")
    return Imported(config, "", tuple(notices))
