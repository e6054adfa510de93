"""What Snowflake's numbers and words mean, as errors of ours with a hint.

A number is Snowflake's own where its service answered; the driver's own are few, and stand for whatever
happened on the way there, so that its words have to say which.
"""

from __future__ import annotations

import re
from http.client import HTTPException

from ...errors import (
    AiserError,
    AuthenticationFailed,
    ConnectError,
    ConnectionLost,
    DataError,
    DeadlineExceeded,
    HostUnreachable,
    MultipleStatements,
    NotPermitted,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    ResourceError,
    StatementError,
    TLSFailed,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
)

__all__ = ["translate"]

_PREFIX = re.compile(r"\A(?:Failed to login: |Login error: |[0-9a-f-]{36}: |\d{6} \(\w{5}\): )+")
_CODE = re.compile(r",? code: \d+\s*\Z")
_PLACE = re.compile(r"line (\d+) at position (\d+)")
_NO_LOGIN = "The user's administrator can say more: the service's login history has the reason."
_LOGIN: dict[int, str] = {
    390100: "Check user and password, and the account: they are not told apart.",
    390101: "Wait, or have the user unlocked by an administrator.",
    390102: "The user is disabled: ask an administrator.",
    390106: "Change the password in Snowflake's own console first.",
    390127: "Choose another sign-in: a key pair or a token needs no second factor.",
    390144: "The private key has to belong to the public key of this user, and the clock has to be right.",
    390186: "The role is not granted to the user: leave it out, or have it granted.",
    390189: "The role is not granted to the user: leave it out, or have it granted.",
    390191: "The sign-in that was chosen is not allowed for this user: choose another one.",
    390303: "Fetch a new OAuth token for this user, and paste it.",
    390318: "Fetch a new OAuth token, and paste it: they hold for minutes.",
    394400: "Make a new programmatic access token for this user in Snowflake, and paste it.",
    394401: "Make a new programmatic access token for this user in Snowflake, and paste it.",
    394507: "Choose another sign-in: a key pair or a token needs no second factor.",
}
_POLICY = frozenset({390420, 390422, 390432})
_SESSION_GONE = frozenset({390104, 390105, 390110, 390111, 390112, 390113, 390114, 390115, 390195, 250002})
_MISSING_DATABASE = frozenset({390201})
_TABLE = frozenset({2003, 2043, 1997})
_DATA = frozenset({1065, 2007, 22000, 100034, 100035, 100037, 100038, 100039, 100040, 100041, 100046, 100051})
_DATA |= frozenset({100063, 100065, 100066, 100067, 100068, 100069, 100071, 100072, 100076, 100078, 100090})
_DATA |= frozenset({100096, 100100, 100132, 100183, 100194})
_RESOURCE = frozenset({390088, 300005, 100165, 90072, 90073})
_ON_THE_WAY = frozenset({250001, 4, 2, 6})


def translate(exc: Exception, sql: str = "") -> AiserError:
    """Return the error to raise ``from exc``; ``sql`` is the statement, "" where it is a login."""
    number = getattr(exc, "errno", None)
    text = _text(exc)
    if isinstance(exc, OSError | HTTPException) and not sql:
        return ConnectError(
            "The host broke off before the login.",
            hint="Check the account: another kind of server may be there.",
        )
    if isinstance(exc, OSError) or not isinstance(number, int):
        return _of_the_stream(exc, text)
    if found := _login(number, text):
        return found
    if number in _ON_THE_WAY or number < 0:
        return _on_the_way(text, lost=bool(sql)) or QueryFailed(text)
    return _statement(number, text)


def _text(exc: Exception) -> str:
    raw = str(getattr(exc, "raw_msg", "") or exc)
    return _CODE.sub("", _PREFIX.sub("", raw)).strip() or type(exc).__name__


def _of_the_stream(exc: Exception, text: str) -> AiserError:
    """What Arrow's reader raises where the driver under it failed."""
    if isinstance(exc, MemoryError):
        return ResourceError("The result does not fit into memory.", hint="Read less.")
    return _on_the_way(text, lost=True) or ConnectionLost(
        "A part of the result could not be read.", hint="Run it again."
    )


def _login(number: int, text: str) -> AiserError | None:
    if number in _POLICY:
        return ConnectError(
            text, hint="A network policy of the account keeps this machine out: its administrator can add it."
        )
    if number in _MISSING_DATABASE:
        return UnknownDatabase(text, hint="Check database and schema, and that the role may use them.")
    if number in _SESSION_GONE:
        return ConnectionLost("The session at Snowflake has ended.", hint="Run it again: it signs in anew.")
    if number in _LOGIN:
        return AuthenticationFailed(text, hint=_LOGIN[number])
    if 390_000 <= number < 396_000 and number != 390088:
        hint = "Choose another sign-in: a key pair or a token." if "MFA" in text else _NO_LOGIN
        return AuthenticationFailed(text, hint=hint)
    return None


def _on_the_way(text: str, *, lost: bool) -> AiserError | None:
    """What became of a request that the service did not answer; None where the words say nothing of it."""
    folded = text.casefold()
    if "certificate" in folded and not lost:
        return _certificate(text)
    if folded.startswith("authentication failed") or "private key" in folded:
        return AuthenticationFailed(
            "The private key cannot be read.",
            hint="Paste the whole PEM text of an RSA key (-----BEGIN … PRIVATE KEY-----) and its passphrase.",
        )
    if "403" in folded or "404" in folded:
        return ConnectError(
            "Snowflake knows no such account at this host.",
            hint="Check the account: myorg-myaccount, or xy12345.eu-central-1.",
        )
    if lost:
        return ConnectionLost("The connection to Snowflake broke off.", hint="Run it again.")
    if "refused" in folded or "dns" in folded or "connect" in folded:
        return HostUnreachable("Snowflake cannot be reached.", hint="Check the account, and the network.")
    if "timeout" in folded or "timed out" in folded or "retries" in folded:
        return ConnectError("Snowflake did not finish the login.", hint="Try again in a while.")
    return None


def _certificate(text: str) -> TLSFailed:
    reasons = {
        "unknownissuer": "it is not signed by an authority that is trusted here",
        "notvalidforname": "it is for another name",
        "expired": "it has expired",
        "causedasendentity": "it is an authority's own",
    }
    folded = text.casefold().replace(" ", "")
    said = next((words for word, words in reasons.items() if word in folded), "it does not hold")
    return TLSFailed(
        f"The certificate of the host was refused: {said}.",
        hint="Behind a proxy that opens connections, give its authority's certificate as ssl_ca.",
    )


def _statement(number: int, text: str) -> AiserError:
    if number == 1003:
        return _syntax(text)
    if number == 8 or "statement count" in text:
        return MultipleStatements(
            "There are several statements; one runs at a time.", hint="Give each its own cell."
        )
    if number == 904:
        return UnknownColumn(text)
    if number in _TABLE:
        return UnknownTable(text)
    if number in (3001, 3003, 3007, 3011, 3041, 3540):
        return NotPermitted(text, hint="Ask for the right to be granted to the role, or name another role.")
    if number == 606:
        return StatementError(text, hint="Name a warehouse in the connection, one that the role may use.")
    if number in (90105, 90106, 90109, 90232):
        return StatementError(text, hint="Name database and schema in the connection, or in the statement.")
    if number in _RESOURCE:
        return ResourceError(text, hint="The warehouse has reached a limit: its administrator can raise it.")
    return _stopped(number, text)


def _stopped(number: int, text: str) -> AiserError:
    if number in (604, 605, 608):
        return QueryCancelled("The query was stopped at Snowflake.")
    if number in (630, 631, 632):
        return DeadlineExceeded(
            "Snowflake stopped the query: it ran longer than a statement may.",
            hint="Read less, or give it longer: --timeout, or STATEMENT_TIMEOUT_IN_SECONDS of the warehouse.",
        )
    if number in _DATA:
        return DataError(text)
    if number in (625, 627, 666):
        error = QueryFailed(text, hint="The warehouse was suspended or resized meanwhile. Run it again.")
        error.retryable = True
        return error
    if 900 <= number < 3000:
        return StatementError(text)
    return QueryFailed(f"{text} (error {number:06d})")


def _syntax(text: str) -> QuerySyntaxError:
    place = _PLACE.search(text)
    line, column = (int(place[1]), int(place[2]) + 1) if place else (None, None)
    words = text.removeprefix("SQL compilation error:").strip()
    return QuerySyntaxError(words, line=line, column=column)
