"""Snowflake's ``connections.toml``, and the ``[connections]`` of its ``config.toml``.

Keys that name a file are not followed: a private key is pasted, or named in the administrator's file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from ..secret import Secret
from .draft import Draft

__all__ = ["drafts"]

_FIELDS = {
    **dict.fromkeys(("account", "accountname"), "account"),
    **dict.fromkeys(("user", "username"), "user"),
    **dict.fromkeys(("database", "dbname", "databasename"), "database"),
    **dict.fromkeys(("schema", "schemaname"), "schema"),
    **dict.fromkeys(("warehouse", "warehousename"), "warehouse"),
    **dict.fromkeys(("role", "rolename"), "role"),
    "authenticator": "authenticator",
    "host": "host",
    "password": "password",
    "token": "token",
}
_SECRETS = frozenset({"password", "token"})
_AUTHENTICATORS = frozenset({"snowflake", "snowflake_jwt", "oauth", "programmatic_access_token"})
_FILES = frozenset({"private_key_file", "private_key_path", "token_file_path"})


def drafts(text: str) -> Iterator[Draft]:
    """Yield the connections of the file.

    Raises
    ------
    ConfigError
        It is not TOML.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # what it says shows the line, and that line may be the password
        raise ConfigError("The file is not TOML.") from None
    tables = content["connections"] if isinstance(content.get("connections"), dict) else content
    for name, table in tables.items():
        if isinstance(table, dict) and name not in ("cli", "log"):  # the tool's own settings
            yield _draft(str(name), table)


def _draft(name: str, table: Mapping[str, Any]) -> Draft:
    values: dict[str, Any] = {}
    unused, notices = [], []
    for key, given in table.items():
        field = _FIELDS.get(key.lower())
        if field is None or not isinstance(given, str):
            unused.append(key)
            continue
        values[field] = Secret(given) if field in _SECRETS else given
    authenticator = str(values.get("authenticator", "snowflake")).lower()
    if authenticator not in _AUTHENTICATORS:
        problem = ConfigError(
            f"The authenticator {authenticator[:60]!r} is not supported.",
            hint=f"These are: {', '.join(sorted(_AUTHENTICATORS))}.",
        )
        return Draft(name, "snowflake", problem=problem)
    values["authenticator"] = authenticator
    if files := sorted(_FILES & set(unused)):
        problem = ConfigError(
            f"{', '.join(files)} names a file of this machine.",
            hint="Make the connection in the form, and paste the content of the file there.",
        )
        return Draft(name, "snowflake", problem=problem)
    if unused:
        notices.append(f"Not used: {', '.join(sorted(unused))}.")
    return Draft(name, "snowflake", values, notices=tuple(notices))
