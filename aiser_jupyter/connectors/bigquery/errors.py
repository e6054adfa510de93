"""What BigQuery and its driver say, in our words.

The reason that BigQuery gives decides (``invalidQuery``, ``accessDenied``), and where it has one for very
different things, the beginning of its message.
"""

from __future__ import annotations

import re
import ssl
from typing import Any

from ...errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DataError,
    DeadlineExceeded,
    MultipleStatements,
    NotPermitted,
    OutOfMemory,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    QueueFull,
    ResourceError,
    ResultTooLarge,
    StatementError,
    TLSFailed,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
)
from ..causes import causes
from ..tls import translate_tls

__all__ = ["translate"]

_PLACE = re.compile(r"\s*at \[(\d+):(\d+)\]")
_URL = re.compile(r"\A(?:GET|POST|PUT|PATCH|DELETE) https?://\S+: ")
_JOB = re.compile(r"; reason: [\s\S]*\Z|\n+Location: [\s\S]*\Z")
_COLUMN = re.compile(r"\A(Unrecognized name: |Name .+ not found inside |Field name .+ does not exist in )")
_TABLE = re.compile(r'\ATable (name )?".+" (must be qualified|missing dataset)')
_DATA = re.compile(
    r"\A(Bad |Could not cast |Could not parse |Invalid (?:date|datetime|timestamp|time|interval|JSON|NUMERIC"
    r"|BIGNUMERIC|value|UTF-8|cast)|Failed to parse |division by zero|Scalar subquery produced more than"
    r"|Array index|Field value of .* cannot be empty|.*\boverflow\b|Casting |Error while reading )",
    re.IGNORECASE,
)
_SIGN_IN = {"authError", "required", "UNAUTHENTICATED", "invalid_grant"}
_DENIED = {"accessDenied", "forbidden", "PERMISSION_DENIED", "policyViolation", "insufficientPermissions"}
_OFF = {"accessNotConfigured", "SERVICE_DISABLED"}
_AGAIN = {"backendError", "internalError", "jobBackendError", "jobInternalError", "tableUnavailable"}
_AGAIN |= {"badGateway", "UNAVAILABLE", "INTERNAL", "ABORTED", "jobRateLimitExceeded"}
_BUSY = {"rateLimitExceeded", "RESOURCE_EXHAUSTED", "userRateLimitExceeded"}


def translate(exc: Exception, sql: str = "") -> AiserError:
    """Return the error to raise ``from exc``."""
    for each in causes(exc):
        if isinstance(each, AiserError):
            return each
    if found := _sign_in(exc):
        return found
    reason, text, code = _read(exc)
    if reason or code:
        return _api(reason, text, code)
    module = type(exc).__module__.partition(".")[0]
    if module in ("requests", "urllib3", "google", "grpc") or isinstance(exc, OSError):
        untrusted = any(isinstance(each, ssl.SSLCertVerificationError) for each in causes(exc))
        found = translate_tls(exc, "BigQuery") if untrusted else None
        return found or ConnectionLost("The connection to BigQuery broke off.", hint="Run it again.")
    if isinstance(exc, MemoryError):
        return OutOfMemory("The result does not fit into memory.", hint="Read less.")
    return ConnectionLost("BigQuery's answer could not be read.", hint="Run it again.")


def _read(exc: Exception) -> tuple[str, str, int]:
    """Return reason, message and HTTP status; of the last try, where the driver tried several times."""
    from google.api_core.exceptions import GoogleAPICallError

    called = next((each for each in causes(exc) if isinstance(each, GoogleAPICallError)), None)
    if called is None:
        return "", str(exc), 0
    errors: Any = called.errors or ()
    first = errors[0] if errors and isinstance(errors[0], dict) else {}
    text = str(first.get("message") or _URL.sub("", str(called.message)))
    status = getattr(called.grpc_status_code, "name", "")
    return str(first.get("reason") or status), _JOB.sub("", text), int(called.code or 0)


def _sign_in(exc: Exception) -> AiserError | None:
    from google.auth.exceptions import GoogleAuthError, TransportError

    found = next((each for each in causes(exc) if isinstance(each, GoogleAuthError)), None)
    if found is None or isinstance(found, TransportError):
        return None
    said = str(found.args[0]) if found.args else ""
    if "account not found" in said or "not a valid email" in said:
        why = "Google does not know this service account."
    elif "JWT Signature" in said:
        why = "The key of the service account is not valid any more."
    elif "reasonable timeframe" in said or "too early" in said:
        why = "Google refused the sign-in: the clock of this machine is wrong."
    elif "expired or revoked" in said or "reauth" in said.casefold():
        why = "The sign-in has expired or was withdrawn."
    else:
        why = "Google refused the sign-in."
    return AuthenticationFailed(
        why, hint="Give the connection a new key or token, or sign in with gcloud again."
    )


def _api(reason: str, text: str, code: int) -> AiserError:
    place = _PLACE.search(text)
    if reason == "invalid" and "location" in text.casefold():
        return ConfigError(text, hint="The location of the connection has to be that of the data.")
    return (
        _channel(reason, text)
        or _access(reason, text, code)
        or (_query(text, place) if reason in ("invalidQuery", "invalid", "INVALID_ARGUMENT") else None)
        or (_missing(text) if reason in ("notFound", "NOT_FOUND") or code == 404 else None)
        or _limits(reason, text)
        or _rest(reason, text, code)
    )


def _channel(reason: str, text: str) -> AiserError | None:
    """Return what went wrong on the way to the Storage API, whose socket is gRPC's own."""
    if reason != "UNAVAILABLE":
        return None
    if "CERTIFICATE_VERIFY_FAILED" in text or "peer certificate" in text.casefold():
        return TLSFailed(
            "The certificate of the Storage API is not one that is trusted here.",
            hint="Give the authority's certificate as ssl_ca; it holds for both addresses.",
        )
    return ConnectionLost("The connection to BigQuery broke off.", hint="Run it again.")


def _access(reason: str, text: str, code: int) -> AiserError | None:
    if reason in _SIGN_IN or code == 401:
        return AuthenticationFailed(
            "Google does not accept the sign-in: it is not valid, or it has expired.",
            hint="Give the connection a new key or token; an access token holds for an hour.",
        )
    if reason in _OFF:
        return NotPermitted(text, hint="The project's owner turns the BigQuery API on.")
    if reason == "billingNotEnabled":
        return NotPermitted(text, hint="The project needs a billing account for this.")
    if reason == "policyViolation" or "VPC Service Controls" in text:
        return NotPermitted(text, hint="A rule of the organisation forbids it: ask its administrator.")
    if reason not in _DENIED and not (code == 403 and not reason):
        return None
    if "bigquery.jobs.create" in text:
        hint = "Running queries needs the role BigQuery Job User in the project."
    elif "bigquery.readsessions" in text:
        hint = "Reading by the Storage API needs the role BigQuery Read Session User in the project."
    else:
        hint = "Reading needs the role BigQuery Data Viewer; the table may also not be there at all."
    return NotPermitted(text, hint=hint)


def _query(text: str, place: re.Match[str] | None) -> AiserError | None:
    line, column = (int(place[1]), int(place[2])) if place else (None, None)
    said = _PLACE.sub("", text)
    if text.startswith("Syntax error") or "Unclosed" in text or "Illegal input character" in text:
        return QuerySyntaxError(said, line=line, column=column)
    if _COLUMN.match(text):
        return UnknownColumn(text)
    if _TABLE.match(text):
        return UnknownTable(text, hint="Write `dataset.table`, or name a dataset in the connection.")
    if text.startswith(("Function not found", "Table-valued function not found")):
        return StatementError(text, hint="A function of your own is named with its dataset.")
    if "statements" in text and "script" in text.casefold():
        return MultipleStatements(text, hint="Give each statement its own cell.")
    if _DATA.match(text):
        return DataError(text, hint="SAFE_CAST and SAFE_DIVIDE give NULL in place of the error.")
    if "parameter" in text.casefold():
        return StatementError(text, hint="Set the parameter's value in the notebook.")
    return StatementError(text)


def _missing(text: str) -> AiserError:
    if "Not found: Project" in text or ("not exist" in text and "project" in text):
        return UnknownDatabase(text, hint="Check the project's id: it is not its name, nor its number.")
    if "Not found: Dataset" in text:
        return UnknownTable(
            text, hint="Check the dataset, and that the location of the connection is its own."
        )
    if "Not found: Table" in text:
        return UnknownTable(text)
    return StatementError(text)


def _limits(reason: str, text: str) -> AiserError | None:
    if reason == "bytesBilledLimitExceeded":
        return ResourceError(
            text, hint="Select fewer columns or partitions, or raise maximum_bytes_billed of the connection."
        )
    if reason in ("quotaExceeded", "resourceQuotaExceeded"):
        return ResourceError(text, hint="The quota is filled up with time; the project's owner can raise it.")
    if reason == "resourcesExceeded":
        return OutOfMemory(text, hint="Leave out ORDER BY, or aggregate in steps; it is one worker's memory.")
    if reason == "responseTooLarge":
        return ResultTooLarge(text, hint="Read less, or write it to a table: CREATE TABLE … AS SELECT.")
    if reason in _BUSY:
        return QueueFull(text, hint="Too many requests at once: run it again in a moment.")
    return None


def _rest(reason: str, text: str, code: int) -> AiserError:
    if reason in ("stopped", "timeout", "DEADLINE_EXCEEDED", "CANCELLED"):
        if reason in ("timeout", "DEADLINE_EXCEEDED") or "timed out" in text:
            return DeadlineExceeded(
                "BigQuery stopped the query: it ran longer than it may.",
                hint="Read less, or give it longer: --timeout.",
            )
        return QueryCancelled("The query was stopped at BigQuery.")
    if reason in _AGAIN or code >= 500:
        error = QueryFailed(text, hint="BigQuery has a problem of its own: run it again.")
        error.retryable = True
        return error
    if reason == "duplicate":
        return StatementError(text, hint="CREATE OR REPLACE, or IF NOT EXISTS, goes on.")
    if not code:
        return ConnectError(text)
    return QueryFailed(f"{text} ({reason or code})")
