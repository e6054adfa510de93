"""Everything that can go wrong, as one tree.

::

    AiserError                      code, hint, http_status, retryable
    ├── UsageError                  the words of a call are wrong
    │   ├── UnknownOption
    │   ├── UndefinedParameter
    │   └── ConfigError             a setting or a field is not allowed, or malformed
    ├── NotFound
    │   ├── UnknownConnection
    │   ├── UnknownEngine
    │   ├── UnknownTable
    │   └── UnknownColumn
    ├── StatementError              the database read the statement and refused it
    │   ├── QuerySyntaxError
    │   ├── MultipleStatements
    │   └── NotPermitted            the user lacks a right, or the session only reads
    ├── DataError                   the statement is right, the data is not
    ├── EngineUnavailable           an engine that is missing, or cannot run this
    ├── ConnectError                no session could be opened, or it was lost
    │   ├── HostUnreachable         the name does not resolve, or nothing answers there
    │   ├── TLSFailed               no encryption, or a certificate that does not hold
    │   ├── AuthenticationFailed    the database refused the user
    │   │   └── SignInRequired      nobody is signed in with the browser, or no longer
    │   ├── UnknownDatabase         the login is right, the database is not there
    │   └── ConnectionLost          an open session broke off
    ├── RunError                    the run did not finish
    │   ├── QueryFailed
    │   ├── QueryCancelled
    │   ├── DeadlineExceeded
    │   ├── QueueFull
    │   └── ResourceError
    │       ├── ResultTooLarge
    │       ├── OutOfMemory
    │       └── DiskFull
    └── StoreError                  the store file cannot be read or written
        └── SecretError             a sealed value, or the key, cannot be used

A third-party exception is translated once, where it is raised, with ``from exc``. ``hint`` says what the
reader can do next; it is a sentence, or empty. ``retryable`` is true where the same call may succeed later
with nothing changed. ``run_id`` is the id of the run that failed with it, under which the history and the
failure log have it; empty where no run did.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AiserError",
    "AuthenticationFailed",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "DataError",
    "DeadlineExceeded",
    "DiskFull",
    "EngineUnavailable",
    "HostUnreachable",
    "MultipleStatements",
    "NotFound",
    "NotPermitted",
    "OutOfMemory",
    "QueryCancelled",
    "QueryFailed",
    "QuerySyntaxError",
    "QueueFull",
    "ResourceError",
    "ResultTooLarge",
    "RunError",
    "SecretError",
    "SignInRequired",
    "StatementError",
    "StoreError",
    "TLSFailed",
    "UndefinedParameter",
    "UnknownColumn",
    "UnknownConnection",
    "UnknownDatabase",
    "UnknownEngine",
    "UnknownOption",
    "UnknownTable",
    "UsageError",
    "nearest",
]


class AiserError(Exception):
    """Root of the tree.

    Parameters
    ----------
    message : str
        One or more lines that say what happened. Never a secret.
    hint : str
        What the reader can do about it; empty where nothing useful is known.
    """

    code = "error"
    http_status = 500
    retryable = False
    run_id = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message


class UsageError(AiserError):
    """The words of a call are wrong."""

    code = "usage"
    http_status = 400


class UnknownOption(UsageError):
    """An option that the magic does not have."""

    code = "unknown_option"


class UndefinedParameter(UsageError):
    """A parameter of the statement has no value in the notebook or in ``--param``."""

    code = "undefined_parameter"


class ConfigError(UsageError):
    """A setting or a connection field is not allowed here, or malformed."""

    code = "config"


class NotFound(AiserError):
    """A name that means nothing here."""

    code = "not_found"
    http_status = 404


class UnknownConnection(NotFound):
    """No connection has this name."""

    code = "unknown_connection"


class UnknownEngine(NotFound):
    """No engine has this name."""

    code = "unknown_engine"
    http_status = 400


class UnknownTable(NotFound):
    """No table, file or DataFrame has this name.

    Where nothing is near, or more is known than the hint names, the hint says where to look.
    """

    code = "unknown_table"
    http_status = 400

    def __init__(self, message: str, *, hint: str = "") -> None:
        if not hint or hint.endswith(", …."):
            hint = f"{hint} In a notebook, %aiser tables lists what there is.".lstrip()
        super().__init__(message, hint=hint)


class UnknownColumn(NotFound):
    """No column of the tables named has this name."""

    code = "unknown_column"
    http_status = 400


class StatementError(AiserError):
    """The database read the statement and refused it."""

    code = "statement"
    http_status = 400


class QuerySyntaxError(StatementError):
    """The statement does not parse. ``line`` and ``column`` count from 1; None where unknown."""

    code = "syntax"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column


class MultipleStatements(StatementError):
    """More than one statement in one run."""

    code = "multiple_statements"


class NotPermitted(StatementError):
    """The user lacks a right, or the statement writes in a session that only reads."""

    code = "not_permitted"
    http_status = 403


class DataError(AiserError):
    """A file or a value cannot be read as the statement asks."""

    code = "data"
    http_status = 422


class EngineUnavailable(AiserError):
    """An engine is not installed, not reachable, or cannot run this statement."""

    code = "engine_unavailable"
    http_status = 400


class ConnectError(AiserError):
    """No session could be opened, or it was lost."""

    code = "connect"
    http_status = 502


class HostUnreachable(ConnectError):
    """The name does not resolve, or nothing answers at that address."""

    code = "host_unreachable"
    retryable = True


class TLSFailed(ConnectError):
    """The server offers no encryption, or its certificate does not hold."""

    code = "tls"


class AuthenticationFailed(ConnectError):
    """The database refused the user. Not retried by itself: too many tries lock an account."""

    code = "authentication"
    http_status = 401


class SignInRequired(AuthenticationFailed):
    """Nobody is signed in with the browser, or no longer."""

    code = "sign_in"
    http_status = 409


class UnknownDatabase(ConnectError):
    """The login is right, the database is not there."""

    code = "unknown_database"
    http_status = 404


class ConnectionLost(ConnectError):
    """An open session broke off. A statement that may have run is not sent again."""

    code = "connection_lost"
    http_status = 502
    retryable = True


class RunError(AiserError):
    """The run did not finish."""

    code = "run"


class QueryFailed(RunError):
    """The database gave up for a reason that has no class of its own."""

    code = "query_failed"
    http_status = 422


class QueryCancelled(RunError):
    """The run was cancelled. ``confirmed`` says whether the database is known to have stopped."""

    code = "cancelled"
    http_status = 409
    retryable = True

    def __init__(self, message: str, *, hint: str = "", confirmed: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.confirmed = confirmed


class DeadlineExceeded(RunError):
    """The run did not end within its timeout, and was stopped. ``confirmed`` as for `QueryCancelled`."""

    code = "deadline_exceeded"
    http_status = 504
    retryable = True

    def __init__(self, message: str, *, hint: str = "", confirmed: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.confirmed = confirmed


class QueueFull(RunError):
    """As many queries run and wait as may."""

    code = "queue_full"
    http_status = 429
    retryable = True


class ResourceError(RunError):
    """The machine, or a cap, could not hold what was asked for."""

    code = "resource"
    http_status = 507


class ResultTooLarge(ResourceError):
    """The result passed a byte cap. ``rows`` and ``bytes`` say how far it got."""

    code = "result_too_large"
    http_status = 413

    def __init__(self, message: str, *, hint: str = "", rows: int = 0, bytes: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.rows = rows
        self.bytes = bytes


class OutOfMemory(ResourceError):
    """The engine's memory limit was reached."""

    code = "out_of_memory"


class DiskFull(ResourceError):
    """There is no room to spill or to write."""

    code = "disk_full"
    retryable = True


class StoreError(AiserError):
    """The store of connections and history cannot be read or written."""

    code = "store"
    http_status = 503


class SecretError(StoreError):
    """A sealed value cannot be opened, or the key is missing, weak or readable by others."""

    code = "secret"


def nearest(word: str, known: Iterable[str], *, noun: str = "") -> str:
    """Return a hint that names what ``word`` may have meant, or what there is.

    ``known`` is what would have been right. ``noun`` is the plural of what is named, for the case that
    nothing is close: "connections".

    Returns
    -------
    str
        ``Did you mean 'orders'?``, or ``Known connections: local, shop.``, or "" for nothing known.

    Examples
    --------
    >>> nearest("ordres", ["orders", "customers"])
    "Did you mean 'orders'?"
    >>> nearest("zzz", ["local", "shop"], noun="connections")
    'Known connections: local, shop.'
    """
    names = sorted(set(known))
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {folded[close[0]]!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"Known {noun or 'names'}: {shown}."
