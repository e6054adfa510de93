"""JupySQL's ``connections.ini``: a section a connection, with the parts of a SQLAlchemy URL.

::

    [shop]
    drivername = postgresql+psycopg2
    host = db.example.com
    database = shop

JupySQL reads it with Python's ``configparser``: ``%%`` is one ``%``. A single one would refer to another
option; JupySQL never writes that, and it is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from ..errors import ConfigError, nearest
from ..secret import Secret
from .draft import Draft
from .ini import sections_of

__all__ = ["drafts"]

PARTS = ("drivername", "username", "password", "host", "port", "database", "query")


def drafts(text: str) -> Iterator[Draft]:
    """Yield the sections of the file.

    Raises
    ------
    ConfigError
        It is not an INI file.
    """
    parser = sections_of(text)
    for section in parser.sections():
        try:
            yield _draft(section, dict(parser.items(section)))
        except ConfigError as exc:
            yield Draft(section, parser.get(section, "drivername", fallback=""), problem=exc)


def _draft(section: str, parts: Mapping[str, str]) -> Draft:
    for name in parts:
        if name not in PARTS:
            raise ConfigError(f"A section has no {name[:40]!r}.", hint=nearest(name, PARTS, noun="parts"))
    given = {name: _unescaped(name, value) for name, value in parts.items() if value}
    if not given.get("drivername"):
        raise ConfigError("It has no drivername.", hint="For example drivername = postgresql.")
    values: dict[str, Any] = {
        name: given[name] for name in ("username", "host", "port", "database") if name in given
    }
    if "password" in given:
        values["password"] = Secret(given["password"])
    options = parse_qsl(given.get("query", "").removeprefix("?"), keep_blank_values=True)
    return Draft(section, given["drivername"], values, tuple(options))


def _unescaped(name: str, value: str) -> str:
    if "%" in value.replace("%%", ""):
        raise ConfigError(f"{name!r} refers to another option with a %.", hint="Write % as %%.")
    return value.replace("%%", "%")
