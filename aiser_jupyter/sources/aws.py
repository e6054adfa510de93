"""A profile of AWS (``~/.aws/config``, ``~/.aws/credentials``): region and keys of a connection to Redshift.

A profile names no cluster, so it is no connection; ``redshift://…?profile=work`` takes its region and its
keys over, when the connection is made. The files are not read after that. A profile that has to ask somebody
for its keys (a role, single sign-on, a program) is refused: they would be stale within hours.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..connectors.base import Connector
from ..errors import ConfigError, nearest
from ..secret import Secret
from .files import read
from .ini import sections_of

__all__ = ["profile", "taken_over"]

_FIELDS = {
    "region": "region",
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}
_SECRETS = frozenset({"secret_access_key", "session_token"})
_ASKS = ("role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file")
_SERVERLESS = frozenset({"workgroup", "serverless_work_group"})


def taken_over(
    kind: Connector, options: Iterable[tuple[str, str]], host: str
) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Return the options of a URL without ``profile``, and the fields that the profile gives.

    Both are as they were where the connector has no keys of AWS, or no profile is named. A region that stands
    in the name of the host is the cluster's; that of the profile is left out then.

    Raises
    ------
    ConfigError
    """
    from ..connectors.redshift.iam import region_of

    given = list(options)
    rest = [each for each in given if each[0].lower() != "profile"]
    if len(rest) == len(given) or not any(field.name == "access_key_id" for field in kind.fields):
        return given, {}
    if len(given) - len(rest) > 1:
        raise ConfigError("The option 'profile' stands in it twice.")
    found = profile(next(value for name, value in given if name.lower() == "profile"))
    if region_of(host):
        found.pop("region", None)
    serverless = any(name.lower() in _SERVERLESS for name, _ in rest)
    return rest, {**found, "sign_in": "serverless" if serverless else "iam"}


def profile(name: str) -> dict[str, Any]:
    """Return what a profile has of region and keys, by our names for them; keys may be missing.

    Raises
    ------
    ConfigError
        There is no such profile, it asks somebody else for its keys, or a file cannot be read.
    """
    config = _sections("AWS_CONFIG_FILE", "config")
    keys = _sections("AWS_SHARED_CREDENTIALS_FILE", "credentials")
    named = {each.removeprefix("profile ").strip() for each in config if each == "default" or " " in each}
    header = name if name == "default" else f"profile {name}"
    if header not in config and name not in keys:
        known = sorted({*named, *keys})
        hint = nearest(name, known, noun="profiles")
        raise ConfigError(f"AWS has no profile {name[:60]!r} here.", hint=hint)
    values = {**config.get(header, {}), **keys.get(name, {})}
    if asks := next((each for each in _ASKS if values.get(each)), ""):
        raise ConfigError(
            f"The profile {name[:60]!r} has no keys of its own: {asks} says where to ask for them.",
            hint=f"aws configure export-credentials --profile {name[:60]} prints keys that hold for some "
            "hours: give those in the form.",
        )
    found = {ours: values[theirs] for theirs, ours in _FIELDS.items() if values.get(theirs)}
    return {field: Secret(text) if field in _SECRETS else text for field, text in found.items()}


def _sections(variable: str, file: str) -> Mapping[str, Mapping[str, str]]:
    """Return the sections of one of the two files; none where it is missing."""
    path = Path(os.environ.get(variable) or f"~/.aws/{file}").expanduser()
    try:
        parser = sections_of(read(path).text, default_section="")
    except FileNotFoundError:
        return {}
    except ConfigError as exc:
        raise ConfigError(f"{path} cannot be used. {exc.message}", hint=exc.hint) from None
    return {section: dict(parser.items(section)) for section in parser.sections()}
