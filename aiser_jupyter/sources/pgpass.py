"""PostgreSQL's ``.pgpass``: a line is ``host:port:database:user:password``, read as libpq does.

A ``:`` or a ``\\`` in a field has a ``\\`` before it. A line in which ``*`` stands for any value is a rule
about passwords and no connection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from ..errors import ConfigError
from ..secret import Secret
from .draft import Draft

__all__ = ["drafts"]

_FIELD = re.compile(r"((?:[^:\\]|\\.)*):")
_FIELDS = ("host", "port", "database", "username")


def drafts(text: str) -> Iterator[Draft]:
    """Yield the lines of the file, named after the host and the database."""
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line or line.startswith("#"):
            continue
        try:
            yield _draft(line)
        except ConfigError as exc:
            problem = ConfigError(f"Line {number}: {exc.message}", hint=exc.hint)
            yield Draft(f"line_{number}", "postgresql", problem=problem)


def _draft(line: str) -> Draft:
    values: dict[str, str] = {}
    for field in _FIELDS:
        match = _FIELD.match(line)
        if match is None:
            raise ConfigError("It has not five fields.", hint="host:port:database:user:password")
        if match[1] == "*":
            raise ConfigError(
                f"* stands for any {field}: it says which password to send, and nothing to connect to.",
                hint="Make the connection by hand; the password can be copied from this line.",
            )
        values[field] = _unescaped(match[1])
        line = line[match.end() :]
    password = _unescaped(line)  # the rest of the line, whatever stands in it
    given = {**values, "password": Secret(password)} if password else values
    return Draft(f"{_short(values['host'])}_{values['database']}", "postgresql", given)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _short(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.partition(".")[0]
    return host
