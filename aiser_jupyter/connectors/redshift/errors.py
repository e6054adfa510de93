"""What Redshift, its driver and AWS say, as our errors.

Redshift's leader speaks with PostgreSQL's SQLSTATEs. What comes from its compute nodes has the SQLSTATE of an
internal error, and a number of its own in the details, by which it is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import (
    AiserError,
    AuthenticationFailed,
    ConnectError,
    ConnectionLost,
    DataError,
    DiskFull,
    HostUnreachable,
    NotPermitted,
    QueryFailed,
    UnknownDatabase,
)
from ..postgresql import errors as postgresql_errors

__all__ = ["translate", "translated"]

_DETAIL = re.compile(r"^\s*(error|code|context):\s*(.+?)\s*$", re.MULTILINE)
_AGAIN = "Run it again."
_VALUE = "A value does not have the form, or the size, that the statement asks for: look at the casts."
_SPECTRUM = "A file of the external table cannot be read: check its format, its columns and the role."
_CODES: dict[int, tuple[type[AiserError], str]] = {
    1016: (DiskFull, "The cluster has no room left for what the statement writes, sorts or joins."),
    1023: (QueryFailed, "Another transaction was in the way: run it again."),
    1058: (DataError, "Cast to a numeric with more digits before the point."),
    1204: (DataError, _VALUE),
    1205: (DataError, _VALUE),
    1206: (DataError, _VALUE),
    1207: (DataError, _VALUE),
    1216: (DataError, _VALUE),
    8001: (
        QueryFailed,
        "A file in S3 cannot be read, or a text in it is no UTF-8: check path, role and encoding.",
    ),
    15001: (QueryFailed, _SPECTRUM),
    15007: (QueryFailed, _SPECTRUM),
}
"""What the compute nodes say, by the ``code`` of the details."""
_RETRY = frozenset({1023})
_LOGIN = "Check user and password; capitals count in the password alone."
_KEYS = "Check access_key_id and secret_access_key; temporary keys need their session_token."
_AWS: dict[str, tuple[type[AiserError], str]] = {
    "SignatureDoesNotMatch": (AuthenticationFailed, _KEYS),
    "InvalidSignatureException": (AuthenticationFailed, _KEYS),
    "InvalidClientTokenId": (AuthenticationFailed, _KEYS),
    "UnrecognizedClientException": (AuthenticationFailed, _KEYS),
    "MissingAuthenticationToken": (AuthenticationFailed, _KEYS),
    "ExpiredToken": (AuthenticationFailed, "The session_token has expired: get new temporary keys."),
    "ExpiredTokenException": (AuthenticationFailed, "The session_token has expired: get new temporary keys."),
    "RequestExpired": (AuthenticationFailed, "The clock of this machine is wrong."),
    "AccessDenied": (NotPermitted, ""),
    "AccessDeniedException": (NotPermitted, ""),
    "ClusterNotFound": (UnknownDatabase, "Check cluster_identifier and region."),
    "ResourceNotFoundException": (UnknownDatabase, "Check workgroup and region."),
}
"""What AWS says to its own keys."""


def translated(fields: Mapping[str, str], sql: str, position: int | None = None) -> AiserError:
    """Return our error for the fields of the server's; see `postgresql.errors.translated`."""
    state, message = fields.get("C", ""), fields.get("M", "")
    details = dict(_DETAIL.findall(fields.get("D", "")))
    number = int(details["code"]) if details.get("code", "").isdecimal() else _number(message)
    if state != "XX000" or number not in _CODES:
        return postgresql_errors.translated(fields, sql, position)
    kind, hint = _CODES[number]
    said = [message] if message != str(number) else []  # the details of that one are a sentence
    said += [details[part] for part in ("error", "context") if details.get(part, message) != message]
    said += [] if details else [fields.get("D", "")]
    error = kind("\n".join(filter(None, said)) or "The cluster gave up.", hint=hint)
    error.retryable = number in _RETRY or error.retryable
    return error


def _number(message: str) -> int:
    """Of a serialization failure the number is the whole message."""
    return int(message) if message.isdecimal() and len(message) < 10 else 0


def translate(exc: Exception, sql: str = "") -> AiserError:
    """Return our error for an exception of the driver, of AWS's library, or of the socket."""
    if isinstance(exc, AiserError):
        return exc
    fields: Any = exc.args[0] if exc.args else ""
    if isinstance(fields, dict):
        return _at_login(fields) or translated(fields, sql)
    module = type(exc).__module__
    if module.startswith(("botocore", "boto3")):
        return _of_aws(exc)
    if module.startswith("redshift_connector") and "BrokenPipe" in str(exc):
        return ConnectionLost("The server closed the connection before the login was over.", hint=_AGAIN)
    return postgresql_errors.translate(exc, sql)


def _at_login(fields: Mapping[str, str]) -> AiserError | None:
    """What only a login is told."""
    state, message = fields.get("C", ""), fields.get("M", "")
    if state in ("28000", "28P01"):
        hint = "Turn TLS on (ssl_enabled): the cluster wants encryption." if "SSL off" in message else _LOGIN
        return AuthenticationFailed(message, hint=hint)
    if state == "53300" or "connection limit" in message:
        error = ConnectError(message, hint="The cluster takes no more connections now: wait, or close some.")
        error.retryable = True
        return error
    return None


def _of_aws(exc: Exception) -> AiserError:
    """What AWS answered to its own keys, or why it did not."""
    answer = getattr(exc, "response", None)
    if answer is None:
        return HostUnreachable(
            f"AWS could not be asked for a login ({type(exc).__name__}).",
            hint="Check the region, and that this machine reaches amazonaws.com (or endpoint_url).",
        )
    said = answer.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    kind, hint = _AWS.get(code, (ConnectError, ""))
    if code.startswith("Throttl"):
        hint = "AWS limits the number of logins: wait a little."
    error = kind(f"AWS refused the login: {message or code} ({code})", hint=hint)
    if kind is ConnectError:
        error.retryable = code.startswith("Throttl") or code in ("ServiceUnavailable", "InternalFailure")
    elif kind is NotPermitted:
        error.hint = "The keys need the right redshift:GetClusterCredentials (or GetCredentials, serverless)."
    return error
