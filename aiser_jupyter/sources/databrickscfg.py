"""Databricks' ``.databrickscfg``: every profile, as its command line reads it.

A profile says where the workspace is and who signs in. Which warehouse answers is often not in it: such a
profile is listed with the word that says so. Who signed in with the browser there does so once more: those
tokens are the command line's own, and not in this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from ..secret import Secret
from .draft import Draft
from .ini import sections_of

__all__ = ["drafts"]

_KNOWN = frozenset({"host", "token", "client_id", "client_secret", "warehouse_id", "http_path", "auth_type"})
_BROWSER = frozenset({"databricks-cli", "external-browser"})
_HOST = re.compile(r"(?:https://)?([^/?#]+)/?", re.IGNORECASE)


def drafts(text: str) -> Iterator[Draft]:
    """Yield the profiles of the file.

    Raises
    ------
    ConfigError
        It is not an INI file.
    """
    parser = sections_of(text, default_section="")
    for profile in parser.sections():
        keys = {name: value for name, value in parser.items(profile) if value}
        if "host" in keys:  # else a section of the command line's own settings
            yield _draft(profile, keys)


def _draft(profile: str, keys: Mapping[str, str]) -> Draft:
    try:
        values = _values(keys)
    except ConfigError as exc:
        return Draft(profile, "databricks", problem=exc)
    notices = []
    if unused := sorted(keys.keys() - _KNOWN):
        notices.append(f"Not used: {', '.join(unused)}.")
    if values["auth_type"] == "oauth_u2m":
        notices.append("Sign in with the browser once, in the panel: that of the command line stays its own.")
    return Draft(profile, "databricks", values, notices=tuple(notices))


def _values(keys: Mapping[str, str]) -> dict[str, Any]:
    host = _HOST.fullmatch(keys["host"].strip())
    if host is None:
        raise ConfigError("Its host is no address of a workspace.")
    path = keys.get("http_path") or (
        f"/sql/1.0/warehouses/{keys['warehouse_id']}" if "warehouse_id" in keys else ""
    )
    if not path:
        raise ConfigError(
            "It names no warehouse.",
            hint="Add warehouse_id to the profile, or make the connection in the form: the HTTP path stands "
            "under Connection details of the warehouse.",
        )
    values: dict[str, Any] = {"server_hostname": host[1], "http_path": path}
    if keys.get("auth_type", "").strip().lower() in _BROWSER:
        return {**values, "auth_type": "oauth_u2m"}
    if "token" in keys:
        return {**values, "auth_type": "pat", "access_token": Secret(keys["token"])}
    if "client_id" in keys and "client_secret" in keys:
        login = {"client_id": keys["client_id"], "client_secret": Secret(keys["client_secret"])}
        return {**values, "auth_type": "oauth_m2m", **login}
    raise ConfigError(
        "It signs in in a way that is not supported here.",
        hint="A token, client_id and client_secret, or auth_type = databricks-cli, is needed.",
    )
