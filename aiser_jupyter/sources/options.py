"""What other tools call the fields of a connection: libpq, PyMySQL, SQLAlchemy and MySQL's own files.

An option is translated where it means the same here, dropped where it changes nothing, and refused by name in
every other case. Encryption is on and verified here, or off; the modes between are refused, not rounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..connectors.base import Connector, Field
from ..errors import ConfigError, nearest
from .files import read_certificates

__all__ = ["SECRET_NAME", "translated"]

SECRET_NAME = re.compile(r"pass|pwd|secret|token|credential|private|key$", re.IGNORECASE)
"""Names of options whose values are not for a notebook."""

_RENAMED = {
    "connect_timeout": "timeout",
    "connection_timeout": "timeout",
    "connecttimeout": "timeout",
    "search_path": "schema",
    "currentschema": "schema",
}
_MODES = {
    **dict.fromkeys(("disable", "disabled"), False),
    **dict.fromkeys(("require", "required", "verify_ca", "verify_full", "verify_identity"), True),
}
_WEAK = ("allow", "prefer", "preferred")
_DROPPED: dict[str, frozenset[str]] = {
    # An empty set takes any value: it is a label only.
    "application_name": frozenset(),
    "fallback_application_name": frozenset(),
    "program_name": frozenset(),
    "charset": frozenset({"utf8mb4", "utf8", "utf8mb3", "utf_8"}),
    "client_encoding": frozenset({"utf8", "utf_8", "unicode", "auto"}),
    "use_unicode": frozenset({"1", "true"}),
    "autocommit": frozenset({"1", "true"}),
    "channel_binding": frozenset({"disable", "prefer"}),
    "gssencmode": frozenset({"disable", "prefer"}),
    "target_session_attrs": frozenset({"any"}),
}
_VERIFY = frozenset(
    {"ssl_verify_cert", "ssl_verify_identity", "ssl_verify_server_cert", "ssl_check_hostname"}
)
_CERTIFICATES = frozenset({"sslrootcert", "ssl_ca"})
_PLACE = "a connection goes to the one host, port, user and database that stand before the options"
_FILES = "it would read files of this machine"
_SETTINGS = "it would take settings from somewhere else"
_COMMANDS = "it would run or set something that the statement does not show"
_CLIENT = "a client's certificate and key are given as text, in ssl_certificate and ssl_key"
_LOGIN = "how the login works is decided here"
_NEVER = {
    **dict.fromkeys(
        ("host", "hostaddr", "hostname", "server", "port", "user", "username", "uid", "dbname", "db"), _PLACE
    ),
    **dict.fromkeys(("database", "unix_socket", "socket", "named_pipe", "bind_address", "proxy"), _PLACE),
    **dict.fromkeys(("load_balance_hosts", "loadbalancehosts", "requirepeer"), _PLACE),
    **dict.fromkeys(("local_infile", "allow_local_infile", "allowloadlocalinfile"), _FILES),
    **dict.fromkeys(("allow_local_infile_in_path", "load_data_local_dir", "server_public_key"), _FILES),
    **dict.fromkeys(("read_default_file", "read_default_group", "defaults_file", "option_files"), _SETTINGS),
    **dict.fromkeys(("defaults_extra_file", "service", "servicefile", "passfile", "dsn"), _SETTINGS),
    "profile": _SETTINGS,
    **dict.fromkeys(("init_command", "init_connect", "options", "sql_mode", "session_variables"), _COMMANDS),
    **dict.fromkeys(("multi_statements", "allow_multi_queries", "client_flag", "client_flags"), _COMMANDS),
    **dict.fromkeys(("sslkey", "sslcert", "sslcrl", "sslcrldir", "sslpassword", "ssl_key"), _CLIENT),
    **dict.fromkeys(("ssl_cert", "ssl_key_password", "sslcertmode"), _CLIENT),
    **dict.fromkeys(("auth_plugin", "auth_plugin_map", "default_auth", "plugin_dir", "krbsrvname"), _LOGIN),
    **dict.fromkeys(("gsslib", "require_auth", "authenticator"), _LOGIN),
}


def translated(
    kind: Connector, options: Iterable[tuple[str, str]], *, read_files: bool = False
) -> dict[str, Any]:
    """Return the fields that ``options`` mean; the connector checks the values.

    Parameters
    ----------
    kind : Connector
    options : iterable of (name, value)
        As they stand in the URL or the file; ``-`` and ``_`` are the same, and so are both cases.
    read_files : bool
        True where a certificate may be given by the name of its file, which is then read.

    Raises
    ------
    ConfigError
        An option that is never allowed, not known, given twice with two meanings, or without a meaning here.

    Examples
    --------
    >>> from aiser_jupyter.connectors.registry import connectors
    >>> translated(connectors()["duckdb"], [("init_command", "DROP TABLE t")])
    Traceback (most recent call last):
    aiser_jupyter.errors.ConfigError: The option 'init_command' is not allowed: it would run ...
    """
    found: dict[str, Any] = {}
    for name, value in options:
        for field, meant in _one(kind, name, value, read_files).items():
            if found.setdefault(field, meant) != meant:
                raise ConfigError(f"The option {name[:40]!r} says something else than one before it.")
    return found


def _one(kind: Connector, name: str, value: str, read_files: bool) -> dict[str, Any]:
    """The fields that one option means; none where it is dropped."""
    key = name.lower().replace("-", "_")
    fields = {field.name: field for field in kind.fields if not field.secret}
    reason = _PLACE if key == kind.url_parts[0] else _NEVER.get(key)
    if reason and not _is_field(kind, key, reason):
        raise ConfigError(f"The option {key!r} is not allowed: {reason}.")
    at_host = kind.url_parts[0] in fields
    if at_host:
        if key in _DROPPED:
            return _dropped(key, value)
        if key in _CERTIFICATES and "ssl_ca" in fields:
            return _certificates(key, value, read_files)
        if "ssl_enabled" in fields and (enabled := _encryption(key, value)) is not None:
            return {"ssl_enabled": enabled}
    field = fields.get(_RENAMED.get(key, key))
    if field is not None:
        return {field.name: _value(field, key, value)}
    if SECRET_NAME.search(key):
        raise ConfigError(
            f"The option {key[:40]!r} is not allowed: a secret does not belong among the options.",
            hint="Give the password its own field, or write it as user:password@host.",
        )
    known = {*fields, *_DROPPED, *_RENAMED} if at_host else set(fields)
    raise ConfigError(
        f"{kind.label} takes no option {name[:40]!r} here.", hint=nearest(key, known - set(_NEVER))
    )


def _is_field(kind: Connector, key: str, reason: str) -> bool:
    """Say whether an option that others must not have is a field of this connector, and not told before."""
    if key not in {field.name for field in kind.fields if not field.secret}:
        return False
    if reason == _PLACE:  # of a URL that begins with an account, the host is not told yet
        return kind.url_parts[0] != "host" and key not in kind.url_parts
    return reason == _LOGIN


def _dropped(key: str, value: str) -> dict[str, Any]:
    allowed = _DROPPED[key]
    if not allowed or value.lower().replace("-", "_") in allowed:
        return {}
    if key in ("charset", "client_encoding"):
        raise ConfigError(
            f"The option {key!r} is not allowed: text is always UTF-8 here.", hint="Leave it out."
        )
    if key == "channel_binding":
        reason = "the certificate is verified instead"
        raise ConfigError(f"The option {key!r} cannot be required: {reason}.", hint="Leave it out.")
    raise ConfigError(f"The option {key!r} cannot have this value here.", hint="Leave it out.")


def _certificates(key: str, value: str, read_files: bool) -> dict[str, Any]:
    if value == "system":  # the machine's own are the default
        return {}
    if read_files:
        return {"ssl_ca": read_certificates(value)}
    if key == "ssl_ca" and "-----BEGIN CERTIFICATE-----" in value:
        return {"ssl_ca": value}
    raise ConfigError(
        f"The option {key!r} names a file, and a URL reads none.",
        hint="Give the certificate's text in the field ssl_ca of the form, or import a file that names it.",
    )


def _encryption(key: str, value: str) -> bool | None:
    """Whether an option turns encryption on; None where it says nothing of it."""
    word = value.lower().replace("-", "_")
    if key in ("sslmode", "ssl_mode"):
        if word in _WEAK:
            raise ConfigError(
                f"{key}={value} is not supported: it would go on without encryption, or without a check.",
                hint="Write require, which also verifies the certificate here, or disable.",
            )
        if word not in _MODES:
            raise ConfigError(f"{key!r} cannot be {value[:40]!r}.", hint=nearest(word, _MODES, noun="modes"))
        return _MODES[word]
    if key in ("ssl", "usessl", "tls", "use_ssl"):
        return _boolean(key, value)
    if key == "ssl_disabled":
        return not _boolean(key, value)
    if key in _VERIFY:
        if not _boolean(key, value):
            raise ConfigError(
                f"The option {key!r} cannot be off: a certificate is always verified.",
                hint="Give the authority's certificate in ssl_ca, or the name it carries in ssl_server_name.",
            )
        return True
    return None


def _value(field: Field, key: str, value: str) -> Any:
    if field.kind == "boolean":
        return _boolean(key, value)
    if field.kind == "integer" and not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        raise ConfigError(f"The option {key!r} takes a whole number above 0.")
    return value


def _boolean(key: str, value: str) -> bool:
    word = value.lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ConfigError(f"The option {key!r} takes true or false.")
