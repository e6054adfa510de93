"""What Databricks and its driver say, in our words.

An error of a statement names its class in brackets (``[TABLE_OR_VIEW_NOT_FOUND]``) and its SQLSTATE; these
decide, and the text gives the place and the names. What fails on the way is told by the status of the answer,
or by what the driver's own HTTP library raised.
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
    DeadlineExceeded,
    DiskFull,
    EngineUnavailable,
    HostUnreachable,
    MultipleStatements,
    NotPermitted,
    OutOfMemory,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    ResultTooLarge,
    StatementError,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
    UsageError,
)
from ...sql.scan import survey
from ..tls import translate_tls

__all__ = ["asleep", "refused", "translate", "unknown_tags"]

_CLASS = re.compile(r"\[([A-Z][A-Z0-9_]*)(?:\.[A-Z0-9_.]+)?\]")
_STATE = re.compile(r"SQLSTATE: ([0-9A-Z]{5})")
_PLACE = re.compile(r" ?\(line (\d+), pos (\d+)\)|; line (\d+),? pos (\d+)")
_NEAREST = re.compile(r"Did you mean one of the following\? \[(.+?)\]")
_PLAN = re.compile(r"\s*== SQL(?: .*)?==.*|;\s*'?Project \[.*", re.S)
_KINDS: dict[str, type[AiserError]] = {
    "TABLE_OR_VIEW_NOT_FOUND": UnknownTable,
    "DELTA_TABLE_NOT_FOUND": UnknownTable,
    "DELTA_PATH_DOES_NOT_EXIST": UnknownTable,
    "UNRESOLVED_COLUMN": UnknownColumn,
    "FIELD_NOT_FOUND": UnknownColumn,
    "INSUFFICIENT_PERMISSIONS": NotPermitted,
    "PERMISSION_DENIED": NotPermitted,
    "UC_COMMAND_NOT_SUPPORTED": StatementError,
}
_PLACES = frozenset({"SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION", "CATALOG_NOT_FOUND"})
_STATES: dict[str, type[AiserError]] = {
    "42P01": UnknownTable,
    "42703": UnknownColumn,
    "42501": NotPermitted,
    "21": DataError,
    "22": DataError,
    "23": DataError,
    "07": StatementError,
    "0A": StatementError,
    "2B": StatementError,
    "42": StatementError,
    "46": StatementError,
    "56": StatementError,
}
_HINTS: dict[type[AiserError], str] = {
    NotPermitted: "The owner can GRANT SELECT, with USE SCHEMA and USE CATALOG, to this user or principal.",
    UnknownTable: "",
}
_CANCELLED = re.compile(r"operation (was )?cancell?ed|query (was|has been) cancell?ed|\bHY008\b", re.I)
_TIMED_OUT = re.compile(r"STATEMENT_TIMEOUT|statement timed out|query (execution )?timed out", re.I)
_CLOSED = re.compile(r"invalid (session|operation)handle|has not been initialized or had already", re.I)
_ASLEEP = re.compile(
    r"TEMPORARILY_UNAVAILABLE|try again later|warehouse .*(is starting|stopped)|endpoint .*stopped"
    r"|directory /local_disk0/tmp/\S+_resources",
    re.I,
)
_CLASH = re.compile(r"DELTA_CONCURRENT|ConcurrentAppendException|MetadataChangedException", re.I)
_MEMORY = re.compile(r"OutOfMemory|java heap space|UNABLE_TO_ACQUIRE_MEMORY", re.I)
_TOO_LARGE = re.compile(r"maxResultSize|RESULT_SIZE_LIMIT_EXCEEDED", re.I)
_QUOTA = re.compile(r"QUOTA_EXCEEDED|REQUEST_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED|max.* queued", re.I)
_STAGING = re.compile(r"staging_allowed_local_path", re.I)
_AGAIN = "Run it again."


def translate(exc: Exception, sql: str = "") -> AiserError:
    """Return the error to raise ``from exc``; ``sql`` is the statement as it was sent, "" at a login."""
    from databricks.sql import exc as driver
    from urllib3.exceptions import HTTPError

    if isinstance(exc, HTTPError):
        return _on_the_way(exc)
    if str(exc).startswith("HTTP "):
        return _not_fetched()
    if isinstance(exc, driver.RequestError):
        ours = next((each for each in exc.args if isinstance(each, AiserError)), None)
        return ours or refused(exc.context, sql)
    if isinstance(exc, driver.ReydenThriftUnsupportedError | ImportError):
        return EngineUnavailable(
            "This is a Real-Time warehouse: it does not speak the driver's usual protocol.",
            hint="Name a SQL warehouse of type serverless, pro or classic in http_path.",
        )
    if isinstance(exc, driver.NotSupportedError):
        return UsageError("A parameter's type has no counterpart at Databricks.", hint="Pass it as text.")
    if isinstance(exc, driver.Error):
        return _statement(str(exc.message or type(exc).__name__), sql)
    if isinstance(exc, OSError | EOFError):
        return ConnectionLost("The connection to Databricks broke off.", hint=_AGAIN)
    if isinstance(exc, MemoryError):
        return OutOfMemory("The result does not fit into memory.", hint="Read less.")
    return ConnectionLost("The warehouse's answer could not be read.", hint=_AGAIN)


def asleep(exc: Exception) -> bool:
    """Say whether the warehouse refused a request because it is not up yet: nothing of it ran."""
    from databricks.sql import exc as driver

    if isinstance(exc, driver.RequestError):
        return exc.context.get("http-code") in (429, 503)
    return isinstance(exc, driver.DatabaseError) and bool(_ASLEEP.search(str(exc.message)))


def unknown_tags(exc: Exception) -> bool:
    """Say whether the warehouse refused a statement because it knows no query tags: nothing of it ran."""
    text = str(exc)
    return "CONFIG_NOT_AVAILABLE" in text and "query_tags" in text.lower()


# -- on the way ---------------------------------------------------------------------------------------------


def _on_the_way(exc: Any) -> AiserError:
    """What urllib3 raised: nothing was answered, or not to its end."""
    from urllib3 import exceptions as urllib3

    pool = exc.pool if isinstance(exc, urllib3.PoolError) else None
    host = getattr(pool, "host", None) or "the workspace"
    reason = getattr(exc, "reason", None) or exc
    if isinstance(reason, urllib3.SSLError):
        inner = reason.args[0] if reason.args and isinstance(reason.args[0], BaseException) else reason
        return translate_tls(inner, host) or ConnectError(
            f"The encrypted connection to {host} could not be made.", hint="Check server_hostname and port."
        )
    if isinstance(reason, urllib3.NameResolutionError):
        return HostUnreachable(
            f"The host name {host!r} is not known.", hint="Check server_hostname, and the network or the VPN."
        )
    if isinstance(reason, urllib3.ConnectTimeoutError):
        return HostUnreachable(
            f"{host} did not answer in time.", hint="A firewall may drop the connection, or the VPN is off."
        )
    if isinstance(reason, urllib3.NewConnectionError):
        return HostUnreachable(f"Nothing listens at {host}.", hint="Check server_hostname and port.")
    if isinstance(reason, urllib3.ProxyError):
        return HostUnreachable(f"The proxy did not lead to {host}.", hint="Check HTTPS_PROXY and NO_PROXY.")
    if isinstance(reason, urllib3.ReadTimeoutError):
        return ConnectionLost(f"{host} did not answer in time.", hint=_AGAIN)
    if isinstance(reason, urllib3.ResponseError):
        return _elsewhere()
    return ConnectionLost(f"The connection to {host} broke off.", hint=_AGAIN)


def _not_fetched() -> ConnectionLost:
    """What the driver says, without a class of its own, where a link to cloud storage led nowhere."""
    return ConnectionLost(
        "A part of the result could not be fetched from the workspace's cloud storage.",
        hint="Run it again; where this machine cannot reach the storage, turn cloud_fetch off.",
    )


def _elsewhere() -> ConnectError:
    return ConnectError(
        "The host leads on to another address, which is not followed with a credential.",
        hint="Check server_hostname and http_path: they are under Connection details of the warehouse.",
    )


def refused(context: Mapping[str, Any], sql: str) -> AiserError:
    """What the workspace answered instead of a result, by its HTTP status."""
    status = context.get("http-code")
    said = str(context.get("error-message") or "").lstrip(": ").rstrip(". ")
    tail = f": {said}" if said else ""
    if status in (401, 403) and re.search(r"blocked|IP ACL|network polic", said, re.I):
        return ConnectError(
            f"The workspace takes no requests from this network{tail}.",
            hint="Its IP access list or network policy is the administrator's.",
        )
    if status == 403 and re.search(r"permission|not authorized", said, re.I):
        return NotPermitted(
            f"The warehouse may not be used{tail}.",
            hint="Its owner can give CAN USE on it to this user or principal.",
        )
    if status in (401, 403):
        return AuthenticationFailed(
            f"The workspace refused the credential{tail}.",
            hint="A token expires, and belongs to one workspace: make a new one under Settings, Developer.",
        )
    if status == 404:
        return ConnectError(
            f"There is no such warehouse or cluster{tail}.",
            hint="Check http_path: it is under Connection details of the warehouse.",
        )
    if status in (429, 503):
        error = ConnectError(
            f"The warehouse is starting, or has too much to do{tail}.",
            hint="Starting takes from seconds to minutes: try again, or give timeout more seconds.",
        )
        error.retryable = True
        return error
    if status is not None and 300 <= status < 400:
        return _elsewhere()
    if status == 200 and not sql:
        return ConnectError(
            "The answer is not that of a SQL warehouse.", hint="Check server_hostname and http_path."
        )
    if status is not None and status >= 400:
        return ConnectError(f"The workspace answered with HTTP {status}{tail}.", hint="Try again later.")
    return ConnectionLost("The connection to Databricks broke off.", hint=_AGAIN)


# -- statements ---------------------------------------------------------------------------------------------


def _statement(text: str, sql: str) -> AiserError:
    found = _CLASS.search(text)
    name = found[1] if found else ""
    stated = _STATE.search(text)
    state = stated[1] if stated else ""
    message = _PLACE.sub("", _PLAN.sub("", text)).strip() or text  # the place counts our comment too
    if name in _PLACES:
        kind = UnknownTable if sql else UnknownDatabase
        return kind(message, hint="Check catalog and schema.")
    if name == "PARSE_SYNTAX_ERROR" or state == "42601":
        return _syntax(message, text, sql)
    if (ended := _ended(text, message)) is not None:
        return ended
    kind_ = _KINDS.get(name) or _STATES.get(state) or _STATES.get(state[:2])
    if kind_ is None:
        return QueryFailed(message)
    return kind_(message, hint=_suggested(text) or _HINTS.get(kind_, ""))


def _ended(text: str, message: str) -> AiserError | None:
    """What stopped a statement that was right."""
    if _CLOSED.search(text):
        return ConnectionLost("The warehouse has closed the session.", hint=_AGAIN)
    if _TIMED_OUT.search(text):
        return DeadlineExceeded(
            "The warehouse stopped the query: it ran longer than a statement may.",
            hint="Read less, or give it longer: --timeout, or the warehouse's STATEMENT_TIMEOUT.",
        )
    if _CANCELLED.search(text):
        return QueryCancelled("The query was stopped at the warehouse.")
    if _STAGING.search(text):
        return NotPermitted(
            "PUT and GET move files of this machine, and are not available here.",
            hint="Upload to a volume with Databricks' own client.",
        )
    if _TOO_LARGE.search(text):
        return ResultTooLarge(message, hint="The warehouse does not give so large a result: read less.")
    if _MEMORY.search(text):
        return OutOfMemory(message, hint="Read less, or use a larger warehouse.")
    if "No space left on device" in text:
        return DiskFull(message, hint="The warehouse has no room to spill: use a larger one.")
    for pattern, hint in (
        (_CLASH, "Another statement changed the table at the same time. Run it again."),
        (_QUOTA, "A quota of the workspace is used up for now. Try again later."),
        (_ASLEEP, "The warehouse is not up yet. Try again in a minute."),
    ):
        if pattern.search(text):
            error = QueryFailed(message, hint=hint)
            error.retryable = True
            return error
    return None


def _suggested(text: str) -> str:
    """Return the warehouse's own suggestion as a hint."""
    found = _NEAREST.search(text)
    if not found:
        return ""
    names = [name.strip().replace("`", "") for name in found[1].split(", ")]
    return f"Did you mean {names[0]!r}?" if len(names) == 1 else f"There is: {', '.join(names[:12])}."


def _syntax(message: str, text: str, sql: str) -> AiserError:
    parts = survey(sql, "databricks").parts
    if sql and not parts:
        return QuerySyntaxError("There is no statement to run.")
    if len(parts) > 1:
        return MultipleStatements(
            f"There are {len(parts)} statements; one runs at a time.", hint="Give each its own cell."
        )
    if not (found := _PLACE.search(text)):
        return QuerySyntaxError(message)
    line, position = (int(each) for each in found.groups() if each is not None)
    return QuerySyntaxError(message, line=line, column=position + 1)
