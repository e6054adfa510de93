"""What PostgreSQL and its driver say, as our errors: by SQLSTATE, never by the words of a message, which are
written in the server's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DataError,
    DiskFull,
    MultipleStatements,
    NotPermitted,
    OutOfMemory,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    StatementError,
    TLSFailed,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
)
from ..causes import causes

__all__ = ["fields_of", "no_copy", "translate", "translated"]

_AGAIN = "Run it again."
_CLASSES: dict[str, tuple[type[AiserError], str]] = {
    "28P01": (AuthenticationFailed, "Check user and password."),
    "28000": (
        AuthenticationFailed,
        "The server has no rule for this user, host, database and encryption, or asks for the user's"
        " certificate (ssl_certificate).",
    ),
    "3D000": (UnknownDatabase, "Check the name of the database; capitals count."),
    "42501": (NotPermitted, "The database's administrator can grant the right."),
    "25001": (
        StatementError,
        "Through a pooler each statement is a transaction: run this one on a connection past the pooler.",
    ),
    "25006": (NotPermitted, "What can be read as one SELECT runs in a session that only reads."),
    "42P01": (UnknownTable, ""),
    "42703": (UnknownColumn, ""),
    "42601": (QuerySyntaxError, ""),
    "22021": (
        DataError,
        "PostgreSQL's text has no NUL. In a database without an encoding (SQL_ASCII), read text that is no"
        " UTF-8 as bytea.",
    ),
    "3F000": (StatementError, "%aiser tables lists what there is, with its schema."),
    "53100": (DiskFull, "The server has no room left for what the statement writes or sorts."),
    "53200": (OutOfMemory, "The server has no memory left for the statement."),
    "53300": (ConnectError, "The server takes no more connections now: wait, or close some elsewhere."),
    "57P03": (ConnectError, "The server is starting or stopping: try again soon."),
    "57014": (QueryCancelled, ""),
    "57P01": (ConnectionLost, _AGAIN),
    "57P02": (ConnectionLost, _AGAIN),
    "57P04": (ConnectionLost, "The database was dropped."),
    "57P05": (ConnectionLost, _AGAIN),
    "42704": (StatementError, ""),
    "0A000": (StatementError, ""),
}
_GROUPS: dict[str, type[AiserError]] = {
    "08": ConnectionLost,
    "22": DataError,
    "23": DataError,
    "25": StatementError,
    "28": AuthenticationFailed,
    "42": StatementError,
    "53": QueryFailed,
    "54": StatementError,
}
# What a pooler says of itself, always in English: it has one SQLSTATE for all of it.
_POOLER = "08P01"
_OF_POOLER: dict[str, tuple[type[AiserError], str]] = {
    "authentication failed": (AuthenticationFailed, _CLASSES["28P01"][1]),
    "no such database": (UnknownDatabase, "The pooler before the server has a list of databases of its own."),
    "startup parameter": (ConnectError, "Have its administrator let it pass (ignore_startup_parameters)."),
    "statement pooling mode": (
        ConnectError,
        "Have its administrator set pool_mode to transaction or session.",
    ),
    "no more connections": (ConnectError, _CLASSES["53300"][1]),
    "query_wait_timeout": (ConnectError, "The pooler has no connection to the server free: try again soon."),
}
_AGAIN_STATES = frozenset({"40001", "40P01", "55P03"})


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of an error or a notice: ``C`` the SQLSTATE, ``M`` the message, ``P`` the place."""
    parts = (part.decode(errors="replace") for part in body.split(b"\0") if part)
    return {part[0]: part[1:] for part in parts}


def translated(fields: Mapping[str, str], sql: str, position: int | None = None) -> AiserError:
    """Return our error for the fields of the server's.

    Parameters
    ----------
    sql : str
        The statement as written.
    position : int, optional
        Where in it the error is, from 0.
    """
    state = fields.get("C", "")
    message = fields.get("M", "The database gave no reason.")
    if detail := fields.get("D"):
        message = f"{message}\n{detail}"
    if state == "42601" and fields.get("R") == "exec_parse_message":
        return MultipleStatements(
            "PostgreSQL runs one statement at a time.", hint="Put each statement in a cell of its own."
        )
    kind, hint = _CLASSES.get(state, (_GROUPS.get(state[:2], QueryFailed), ""))
    if state == _POOLER:
        kind, hint = next((_OF_POOLER[words] for words in _OF_POOLER if words in message), (kind, hint))
    hint = fields.get("H") or hint
    if kind is QuerySyntaxError:
        return QuerySyntaxError(message, hint=hint, **_line(sql, position))
    if kind is QueryFailed:
        message = f"{message} (SQLSTATE {state})"
    error = kind(message, hint=hint)
    if state in _AGAIN_STATES:
        error.retryable = True
        error.hint = hint or "Another transaction was in the way: run it again."
    if state in ("53300", "57P03"):
        error.retryable = True
    return error


def no_copy() -> StatementError:
    """Return what a COPY to or from the client is told."""
    return StatementError(
        "COPY between PostgreSQL and its client is not run here.",
        hint="SELECT what you want to read. To load a file, use psql.",
    )


def _line(sql: str, position: int | None) -> dict[str, int]:
    if position is None:
        return {}
    before = sql[:position]
    return {"line": before.count("\n") + 1, "column": position - before.rfind("\n")}


def translate(exc: Exception, sql: str = "") -> AiserError:
    """Return our error for an exception of the driver, or of the socket under it."""
    if isinstance(exc, AiserError):
        return exc
    said = (each.args[0] for each in causes(exc) if each.args)
    fields: Any = next((first for first in said if isinstance(first, dict)), exc.args[0] if exc.args else "")
    if isinstance(fields, dict):
        return _at_login(fields) or translated(fields, sql)
    text = str(fields)
    if "refuses SSL" in text:
        return TLSFailed(
            "The server offers no encryption.",
            hint="Its administrator can turn it on (ssl = on). Only on this machine ssl_enabled may be off.",
        )
    if "code points" in text:
        return AuthenticationFailed(
            "The password has a character that pg8000 cannot prove to the server.",
            hint="Characters that Unicode has since 2002, as emoji, cannot be used: choose another password.",
        )
    if "password" in text or "Authentication method" in text or type(exc).__module__.startswith("scramp"):
        return AuthenticationFailed(
            "The login did not succeed: the server asks for a proof that was not given.",
            hint="Check the password; what is neither a password nor a certificate (GSS) is not supported.",
        )
    reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "it closed the connection"
    return ConnectionLost(f"The connection to the server was lost: {reason}.", hint=_AGAIN)


def _at_login(fields: Mapping[str, str]) -> AiserError | None:
    """What only a login is told."""
    message = fields.get("M", "")
    if fields.get("C") == "28000" and "no encryption" in message:
        return AuthenticationFailed(message, hint="The server wants encryption: turn TLS on (ssl_enabled).")
    if fields.get("V") == "FATAL" and fields.get("C", "").startswith("22"):
        return ConfigError(message, hint="Check schema and role of the connection.")
    return None
