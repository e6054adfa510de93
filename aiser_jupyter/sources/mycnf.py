"""MySQL's option files (``my.cnf``): the groups ``[client]`` and ``[client-NAME]``, read as its clients do.

``[client-NAME]`` is what ``--defaults-group-suffix`` reads after ``[client]``, so it takes over what it does
not say itself; the password only where it leads to the same server. Other files are not included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from ..secret import Secret
from .draft import Draft

__all__ = ["drafts"]

Options = dict[str, str | None]

CLIENT = "client"
_FIELDS = {"host": "host", "port": "port", "user": "username", "database": "database", "password": "password"}
_OPTIONS = frozenset(
    {"connect_timeout", "ssl", "ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_server_cert"}
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "s": " ", '"': '"', "'": "'", "\\": "\\"}
# Up to a # that stands outside of quotes; inside of them a quote may be escaped.
_BEFORE_COMMENT = re.compile(r"""(?:[^#'"]|'(?:\\.|[^'\\])*(?:'|\\?\Z)|"(?:\\.|[^"\\])*(?:"|\\?\Z))*""")


def drafts(text: str) -> Iterator[Draft]:
    """Yield the groups of clients in the file; ``[client-NAME]`` is called ``NAME``."""
    groups: dict[str, Options] = {}
    group: str | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            group = line[1:].partition("]")[0].strip() if "]" in line else ""
            if _is_client(group):
                groups.setdefault(group, {})
            elif not group:
                yield _wrong(number, "The name of a group does not end with ].")
        elif line[0] == "!":
            what = line[1:].split()[:1]
            yield _wrong(number, f"!{''.join(what)[:20]} is not followed: import that file by itself.")
        elif group is None:
            yield _wrong(number, "An option stands before the first group.")
        elif group in groups:
            name, value = _option(line)
            if re.fullmatch(r"\w{1,64}", name, re.ASCII):
                groups[group][name] = value
            else:  # not shown: it may be a password in the wrong place
                yield _wrong(number, "It is not an option.")
    for group, own in groups.items():
        yield _draft(group, own, groups.get(CLIENT, {}))


def _is_client(group: str) -> bool:
    return group == CLIENT or re.fullmatch(r"client[-_].+", group) is not None


def _wrong(number: int, reason: str) -> Draft:
    return Draft(f"line_{number}", "mysql", problem=ConfigError(f"Line {number}: {reason}"))


def _option(line: str) -> tuple[str, str | None]:
    """Name and value of an option; None where it has no value."""
    match = _BEFORE_COMMENT.match(line)
    name, equals, value = (match[0] if match else line).partition("=")
    name = name.strip().replace("-", "_").removeprefix("loose_")
    value = value.strip()
    if len(value) > 1 and value[0] in "\"'" and value[0] == value[-1]:
        value = value[1:-1]
    value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value)
    for prefix, meant in (("skip_", "0"), ("disable_", "0"), ("enable_", "1")):
        if name.startswith(prefix) and not equals:
            return name.removeprefix(prefix), meant
    return name, value if equals else None


def _draft(group: str, own: Options, shared: Options) -> Draft:
    name = group if group == CLIENT else group[len(CLIENT) + 1 :]
    merged = {**shared, **own}
    notices: list[str] = []
    elsewhere = any(own.get(key, shared.get(key)) != shared.get(key) for key in ("host", "port", "socket"))
    if elsewhere and "password" not in own and merged.get("password"):
        merged["password"] = None
        notices.append("The password of [client] was not taken over: it is for another server.")
    try:
        values = _values(merged, notices)
    except ConfigError as exc:
        return Draft(name, "mysql", problem=exc)
    options = tuple(
        (key, "1" if merged[key] is None else str(merged[key])) for key in merged if key in _OPTIONS
    )
    if ignored := sorted(key for key in merged if key not in {*_OPTIONS, *_FIELDS, "protocol"}):
        notices.append(f"Not used: {', '.join(ignored)}.")
    return Draft(name, "mysql", values, options, tuple(notices))


def _values(merged: Mapping[str, str | None], notices: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {field: merged[key] for key, field in _FIELDS.items() if merged.get(key)}
    protocol = (merged.get("protocol") or "tcp").lower()
    if protocol != "tcp" or ("host" not in values and merged.get("socket")):
        raise ConfigError(
            "It is reached through a Unix socket, which is not supported.", hint="Give it a host in the file."
        )
    if "host" not in values:
        values["host"] = "localhost"
        notices.append("No host is given: localhost is asked, over TCP.")
    if "password" in values:
        values["password"] = Secret(values["password"])
    return values
