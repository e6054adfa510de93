"""One table of a TOML file as a connection: the shape of the administrator's and the environment's files.

::

    type = "postgresql"
    host = "db.example.com"
    database = "shop"
    username = "reader"
    password_file = "/run/secrets/shop"     # a secret field: the file is read when it is needed
    ssl_ca_file = "/etc/ssl/company.pem"    # a certificate field: the file is read now

A secret never stands in such a file: it would be copied, backed up and shown with it. What is wrong with an
entry is its ``problem``; it is listed all the same, without its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..connectors.base import Connector, Field
from ..errors import ConfigError
from ..models import Connection, ConnectionConfig
from .files import read_certificates, secret_in
from .names import check_name
from .values import checked, kind_of, type_of

__all__ = ["entry", "explained", "refused"]


def entry(
    name: str, table: object, source: str, version: int = 1, kinds: Mapping[str, Connector] | None = None
) -> Connection:
    """Return one entry as a connection of ``source``; never raises for what stands in it.

    Parameters
    ----------
    name : str
        Shown, and part of the id: ``<source>-<name>``.
    table : object
        What TOML has under the name.
    source : str
        ``admin`` or ``environment``.
    version : int
        Of the file, so that what is remembered of the connection ends with a change.
    kinds : mapping, optional
        Connectors by type; the installed ones by default.
    """
    type = ""
    try:
        check_name(name)
        if not isinstance(table, dict):
            raise ConfigError(f"{name} is not a table.", hint=f"Write [{name}] and the fields below it.")
        given = table.get("type")
        if not isinstance(given, str) or not given:
            raise ConfigError("It has no type.", hint='For example type = "postgresql".')
        kind = kind_of(type := type_of(given, kinds), kinds)
        values = _values(kind, {key: value for key, value in table.items() if key != "type"})
        config = ConnectionConfig(type, name, checked(kind, values))
    except ConfigError as exc:
        return refused(name, source, exc, type)
    return Connection(f"{source}-{name}", "", config, source=source, version=version)


def refused(name: str, source: str, why: ConfigError, type: str = "") -> Connection:
    """Return an entry that cannot be used, with the reason as its ``problem`` and without its values."""
    config = ConnectionConfig(type, name)
    return Connection(f"{source}-{name}", "", config, source=source, problem=explained(why))


def explained(error: ConfigError) -> str:
    """Return what is wrong and what to do, in one line."""
    return " ".join(f"{error.message} {error.hint}".split())


def _values(kind: Connector, table: Mapping[str, Any]) -> dict[str, Any]:
    fields = {field.name: field for field in kind.fields}
    values: dict[str, Any] = {}
    for key, value in table.items():
        field = fields.get(key.removesuffix("_file"))
        if key in fields and fields[key].secret:
            raise ConfigError(
                f"{key!r} stands in the file in clear.",
                hint=f'Put it into a file of its own and write {key}_file = "/run/secrets/NAME".',
            )
        if key in fields or field is None or not (field.secret or field.kind == "pem"):
            values[key] = value
        elif field.name in table:
            raise ConfigError(f"{field.name!r} and {key!r} say the same thing twice.")
        else:
            values[field.name] = _from_file(field, value)
    return values


def _from_file(field: Field, value: Any) -> Any:
    if field.secret:
        return secret_in(value, field.name)
    return read_certificates(value)
