"""From words to the checked values of one connector: the one door that every source goes through.

A connector checks its own fields. What is checked here beyond it holds for all of them: a host is one host,
and no field carries a control character, so that no value changes what another one means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from ..connectors.base import Connector
from ..connectors.hosts import check_host
from ..connectors.registry import connector, connectors
from ..errors import ConfigError, nearest

__all__ = ["checked", "kind_of", "type_of"]

ALIASES = {"postgres": "postgresql", "pgsql": "postgresql", "mariadb": "mysql"}


def type_of(word: str, kinds: Mapping[str, Connector] | None = None) -> str:
    """Return the connector's name for ``word``: a SQLAlchemy driver is dropped, a connector's own name wins.

    Examples
    --------
    >>> type_of("postgresql+psycopg2", {}), type_of("mariadb", {})
    ('postgresql', 'mysql')
    """
    name = word.partition("+")[0].lower()
    known = connectors() if kinds is None else kinds
    return name if name in known else ALIASES.get(name, name)


def kind_of(type: str, kinds: Mapping[str, Connector] | None = None) -> Connector:
    """Return the connector of this type, if a connection to it can be written down.

    Raises
    ------
    ConfigError
        There is none, it is broken, or it takes a Python object.
    """
    known = connectors() if kinds is None else kinds
    offered = {name: kind for name, kind in known.items() if not _takes_object(kind)}
    if type in offered:
        return offered[type]
    if kinds is None and type not in known:
        try:
            connector(type)  # it says so where the connector is installed and broken
        except ConfigError as exc:
            if "broken" in exc.message:
                raise
    hint = nearest(type, offered, noun="types")
    raise ConfigError(f"There is no connector {type[:40]!r} in this version.", hint=hint)


def checked(kind: Connector, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` as the connector takes them, defaults filled in.

    Raises
    ------
    ConfigError
        For a field that the connector does not have, is missing, or cannot have this value.
    """
    values = kind.renamed(values)
    fields = {field.name: field for field in kind.fields}
    for name, value in values.items():
        field = fields.get(name)
        if isinstance(value, int) and abs(value) >= 10**18:
            raise ConfigError(f"{kind.label}: {name[:40]!r} is too large.")
        if field is None or field.secret or not isinstance(value, str):
            continue
        if name == "host" and value:
            check_host(value)
        if field.kind == "path" and value == ":memory:":
            raise ConfigError(
                "':memory:' is not a file.", hint="The connection local is an in-memory database already."
            )
        if field.kind not in ("pem", "document") and any(
            unicodedata.category(char) == "Cc" for char in value
        ):
            raise ConfigError(f"{kind.label}: {name!r} holds a control character.")
        if field.kind == "integer" and value and not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise ConfigError(f"{kind.label}: {name!r} takes a whole number.")
    return kind.validate(values)


def _takes_object(kind: Connector) -> bool:
    return any(field.kind == "object" for field in kind.fields)
