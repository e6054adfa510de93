"""dbt's ``profiles.yml``: every target of every profile, called ``profile_target``.

Of Jinja only ``{{ env_var('NAME') }}``, with or without a default, is understood; the variables that were
read are named in a notice. Text of a variable is never looked at for Jinja again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from ..secret import Secret
from .draft import Draft

__all__ = ["drafts"]

_SERVER = {
    "host": "host",
    "server": "host",
    "port": "port",
    "user": "username",
    "username": "username",
    "UID": "username",
    "password": "password",
    "pass": "password",
    "PWD": "password",
}
_POSTGRESQL = {**_SERVER, "dbname": "database", "database": "database", "schema": "schema"}
_MYSQL = {**_SERVER, "schema": "database", "database": "database"}
_SNOWFLAKE = {
    **{name: name for name in ("account", "user", "password", "database", "schema", "warehouse", "role")},
    **{name: name for name in ("authenticator", "token", "private_key", "private_key_passphrase")},
}
_BIGQUERY = {
    **{name: name for name in ("project", "dataset", "location", "maximum_bytes_billed", "token")},
    "database": "project",
    "schema": "dataset",
    "method": "sign_in",
}
_DATABRICKS = {
    **{name: name for name in ("http_path", "catalog", "schema", "client_id", "client_secret")},
    "host": "server_hostname",
    "token": "access_token",
}
_FIELDS: dict[str, tuple[str, dict[str, str]]] = {
    "postgres": ("postgresql", _POSTGRESQL),
    "mysql": ("mysql", _MYSQL),
    "mysql5": ("mysql", _MYSQL),
    "mariadb": ("mysql", _MYSQL),
    "duckdb": ("duckdb", {"path": "database"}),
    "snowflake": ("snowflake", _SNOWFLAKE),
    "bigquery": ("bigquery", _BIGQUERY),
    "redshift": ("redshift", _POSTGRESQL),
    "databricks": ("databricks", _DATABRICKS),
}
"""By the name of dbt's adapter: our type, and our field for each of its keys."""
_SECRETS = frozenset(
    {"password", "token", "access_token", "client_secret", "private_key", "private_key_passphrase"}
)
_METHODS = {"oauth": "application_default", "oauth-secrets": "access_token"}
"""BigQuery's ways to sign in that dbt and we have in common."""
_REFUSED = {
    "private_key_path": "paste the content of the file into the form",
    "keyfile": "paste the content of the file into the form",
    "keyfile_json": "paste the key of the service account into the form",
    "refresh_token": "sign in with a token or a key here",
}
_OPTIONS = frozenset(
    {"sslmode", "sslrootcert", "sslcert", "sslkey", "ssl_disabled", "ssl_ca", "ssl_cert", "ssl_key"}
    | {"search_path", "role", "connect_timeout", "application_name"}
)
_ENV_VAR = re.compile(
    r"""\{\{-?\s*env_var\(\s*(?:'([^'\\{}]+)'|"([^"\\{}]+)")\s*(?:,\s*(?:'([^'\\{}]*)'|"([^"\\{}]*)")\s*)?\)"""
    r"""\s*(?:\|\s*(?:int|as_number|as_bool|as_text|as_native)\s*)?-?\}\}"""
)
_JINJA = re.compile(r"\{\{|\{%|\{#")


def drafts(text: str) -> Iterator[Draft]:
    """Yield the targets of the file.

    Raises
    ------
    ConfigError
        It is not YAML, or not made of profiles.
    """
    for profile, content in _mapping(_yaml(text), "The file").items():
        if profile == "config":  # dbt's own settings
            continue
        try:
            outputs = _mapping(_mapping(content, "The profile").get("outputs"), "Its outputs")
        except ConfigError as exc:
            yield Draft(str(profile), problem=exc)
            continue
        for target, output in outputs.items():
            yield _target(f"{profile}_{target}", output)


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:  # it shows the line, and that line may be the password
        line = exc.problem_mark.line + 1 if exc.problem_mark else "?"
        raise ConfigError(f"The file is not YAML: line {line} cannot be read.") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise ConfigError("The file is not YAML.") from None


def _mapping(value: object, what: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{what} is not what dbt expects: names with values below them.")
    return value


def _target(name: str, output: object) -> Draft:
    adapter, notices = "", []
    try:
        keys = _mapping(output, "The target")
        adapter = str(keys.get("type", ""))
        if adapter not in _FIELDS:
            raise ConfigError(
                f"The adapter {adapter[:40]!r} is not supported yet.",
                hint=f"These are: {', '.join(_FIELDS)}.",
            )
        type, fields = _FIELDS[adapter]
        if refused := next((key for key in _REFUSED if keys.get(key) is not None), ""):
            raise ConfigError(f"{refused!r} is not followed.", hint=f"{_REFUSED[refused].capitalize()}.")
        values, options, variables = _read(keys, fields)
    except ConfigError as exc:
        return Draft(name, _FIELDS.get(adapter, (adapter,))[0], problem=exc)
    if variables:
        notices.append(f"Read from the environment: {', '.join(variables)}.")
    known = {"type", *fields, *_OPTIONS}
    if ignored := sorted(str(key) for key in keys if key not in known):
        notices.append(f"Not used: {', '.join(ignored)}.")
    return Draft(name, type, values, options, tuple(notices))


def _read(
    keys: Mapping[Any, Any], fields: Mapping[str, str]
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...], list[str]]:
    """Values and options of a target, and the variables that were read for them."""
    variables: dict[str, None] = {}
    values: dict[str, Any] = {}
    options: list[tuple[str, str]] = []
    if "path" in fields:
        values["database"] = ":memory:"  # what dbt takes where there is no path
    for key, given in keys.items():
        if given is None or not (key in fields or ("host" in fields and key in _OPTIONS)):
            continue
        text = _text(key, given, variables)
        if key not in fields:
            options.append((key, text))
        else:
            values[fields[key]] = Secret(text) if fields[key] in _SECRETS else text
    _sign_in(values, fields)
    if "path" in fields and re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", values["database"]):
        raise ConfigError(
            "Its path is not a file of this machine.", hint="Only local DuckDB files are supported."
        )
    return values, tuple(options), list(variables)


def _sign_in(values: dict[str, Any], fields: Mapping[str, str]) -> None:
    """Say how to sign in, where the connector has to be told."""
    if fields is _BIGQUERY:
        method = values.get("sign_in", "oauth")
        if method not in _METHODS:
            hint = "Make the connection in the form, and paste the key of the service account there."
            raise ConfigError(f"The method {str(method)[:40]!r} is not supported here.", hint=hint)
        values["sign_in"] = _METHODS[method]
    if fields is _DATABRICKS:
        values["auth_type"] = "oauth_m2m" if "client_id" in values else "pat"
    if fields is _SNOWFLAKE and "authenticator" not in values:
        values["authenticator"] = "snowflake_jwt" if "private_key" in values else "snowflake"


def _text(key: str, given: object, variables: dict[str, None]) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, int) and abs(given) < 10**18 and key not in ("password", "pass", "PWD", "token"):
        return str(given)
    if not isinstance(given, str):
        raise ConfigError(f"{key!r} is not text.", hint="Write it in quotes.")
    if _JINJA.search(_ENV_VAR.sub("", given)):
        raise ConfigError(
            f"{key!r} is a template that is not understood.",
            hint="Only {{ env_var('NAME') }} is, with or without a default.",
        )

    def variable(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        default = match[3] if match[3] is not None else match[4]
        variables[name] = None
        value = os.environ.get(name, default)
        if value is None:
            raise ConfigError(
                f"The variable {name!r} of {key!r} is not set.", hint="Set it, or give a default."
            )
        return value

    return _ENV_VAR.sub(variable, given)
