"""Signing in with a browser: OAuth 2.0, authorization code with PKCE (RFC 6749, 7636, 8252, 9207).

Nothing here waits for a person: a service sends them to the vendor's page, and comes back with a code.

- The vendor's pages are asked by https, on a socket of our own, at the host that the connection leads to; a
  redirect is an answer like another, and is not followed.
- What a sign-in brings is one secret field of the connection, of the kind ``sign_in``: both tokens, and until
  when the first holds. A refresh token may hold once: whoever refreshes does it alone, and keeps what comes.
- No token, code or verifier is in an error, nor in the frames of one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import unquote, unquote_plus, urlencode

from ..errors import AuthenticationFailed, ConfigError, ConnectError, SignInRequired
from ..models import ConnectionConfig
from ..secret import Secret
from .base import Connector, Field
from .https import Request, ask
from .proxy import vendor_addresses
from .registry import connector
from .tls import context_of

__all__ = [
    "AGAIN",
    "SIGNED_IN",
    "OAuth",
    "SignsIn",
    "Tokens",
    "application_of",
    "current",
    "readable",
    "sign_in_field",
]

SIGNED_IN = "signed_in"
"""Name of the field that holds what a sign-in brought; its kind is ``sign_in``."""
AGAIN = "Sign in again: open the connection in the Aiser panel and press Sign in."
_FIRST = "Add or open the connection in the Aiser panel of JupyterLab, and sign in: a kernel has no browser."
_EARLY_SECONDS = 60.0
"""A token is not used in its last seconds, nor in the last fifth of its time."""
_TOKENS = frozenset({"access_token", "refresh_token", "id_token"})
_TOKEN = re.compile(r"[!-~]+")  # what a header can hold: it becomes part of one


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in brought; ``until`` is when the access token is no longer used, in seconds since 1970."""

    access: Secret
    refresh: Secret | None
    until: float

    @property
    def hold(self) -> bool:
        """Whether the access token can be used now."""
        return time.time() < self.until

    def sealed(self) -> Secret:
        """Return both as one secret, for the field of a connection."""
        refresh = None if self.refresh is None else self.refresh.reveal()
        return Secret(json.dumps({"access": self.access.reveal(), "refresh": refresh, "until": self.until}))

    @staticmethod
    def of(secret: Secret) -> Tokens:
        """Return what `sealed` made one secret of. Raises `SignInRequired` for anything else."""
        found = _parsed(secret)
        if found is None:
            raise SignInRequired("What is kept of the sign-in cannot be read.", hint=AGAIN)
        return found


def _parsed(secret: Secret) -> Tokens | None:
    try:
        found = json.loads(secret.reveal())
        access, refresh, until = found["access"], found["refresh"], float(found["until"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(access, str) or not isinstance(refresh, str | None):
        return None
    return Tokens(Secret(access), None if refresh is None else Secret(refresh), until)


@dataclass(frozen=True, slots=True)
class OAuth:
    """Where people sign in, and as which application.

    Parameters
    ----------
    label : str
        The vendor, for people to read.
    host, port, domains
        Where its pages are, and the domains that the host must be of.
    authorize, tokens : str
        Paths of the page for people, and of the one that gives tokens.
    client_id, client_secret : str, Secret
        Of the application; one without a secret is public.
    scope : str
    loopback : str
        Where the vendor sends the browser, if that is a place of the person's own machine: the application is
        the vendor's. "" where it is our server's callback.
    issuer : str
        Path of who the vendor says that it is, where it says so; "" where nothing is known of it.
    values : mapping
        Of the connection: its authorities.
    """

    label: str
    host: str
    port: int
    domains: tuple[str, ...]
    authorize: str
    tokens: str
    client_id: str
    client_secret: Secret | None
    scope: str
    loopback: str = ""
    issuer: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def origin(self) -> str:
        """The vendor's, as a browser writes it."""
        return f"https://{self.host}" + ("" if self.port == 443 else f":{self.port}")

    def url(self, redirect: str, state: str, verifier: Secret) -> str:
        """Return the page to open for the person."""
        digest = hashlib.sha256(verifier.reveal().encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect,
            "scope": self.scope,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{self.origin}{self.authorize}?{urlencode(asked)}"

    def require_vendor(self, seconds: float) -> None:
        """Refuse a host that is not the vendor's, and a way that is not encrypted.

        Raises
        ------
        ConfigError, HostUnreachable
        """
        if context_of(self.values) is None:
            raise ConfigError("To sign in with the browser needs TLS.", hint="Turn ssl_enabled on.")
        vendor_addresses(self.host, self.port, seconds, self.domains)

    def exchange(self, code: Secret, redirect: str, verifier: Secret, seconds: float) -> Tokens:
        """Return what the vendor gives for ``code``.

        Raises
        ------
        AuthenticationFailed
            It refused: the code was used, or is too old.
        ConnectError
        """
        asked = {"code": code, "redirect_uri": redirect, "code_verifier": verifier}
        status, answer = self._ask("authorization_code", asked, seconds)
        if status in (400, 401, 403):
            raise AuthenticationFailed(
                f"{self.label} did not accept the sign-in: {_said(answer)}.",
                hint=self._client_hint(answer) or "Begin again: a code holds once, and for a few minutes.",
            )
        return self._tokens(status, answer)

    def refresh(self, tokens: Tokens, seconds: float) -> Tokens:
        """Return new tokens for the refresh token; it may be a new one as well.

        Raises
        ------
        SignInRequired
            There is none, or it is refused: the person has to sign in again.
        AuthenticationFailed
            The application is refused.
        ConnectError
        """
        if tokens.refresh is None:
            raise SignInRequired(f"The sign-in at {self.label} has ended.", hint=AGAIN)
        status, answer = self._ask("refresh_token", {"refresh_token": tokens.refresh}, seconds)
        if status in (400, 401, 403):
            said = _said(answer)
            if hint := self._client_hint(answer):
                raise AuthenticationFailed(f"{self.label} refused the application: {said}.", hint=hint)
            raise SignInRequired(f"The sign-in at {self.label} has ended: {said}.", hint=AGAIN)
        fresh = self._tokens(status, answer)
        return fresh if fresh.refresh is not None else replace(fresh, refresh=tokens.refresh)

    # -- inside ---------------------------------------------------------------------------------------

    def _tokens(self, status: int, answer: Mapping[str, Any]) -> Tokens:
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        seconds = answer.get("expires_in", 600)
        if status != 200 or not isinstance(access, Secret) or not _is_number(seconds):
            raise ConnectError(
                f"{self.label} gave no token (HTTP {status}): {_said(answer)}.",
                hint="Try again later; the vendor's own pages say whether it works.",
            )
        until = time.time() + float(seconds) - min(_EARLY_SECONDS, float(seconds) / 5)
        return Tokens(access, refresh if isinstance(refresh, Secret) else None, until)

    def _client_hint(self, answer: Mapping[str, Any]) -> str:
        if answer.get("error") not in ("invalid_client", "unauthorized_client"):
            return ""
        return "Check oauth_client_id and oauth_client_secret; the vendor's administrator has them."

    def _ask(self, grant: str, asked: Mapping[str, Any], seconds: float) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of an answer; {} where it is none. Raises `ConnectError`."""
        end = time.monotonic() + seconds
        self.require_vendor(seconds)
        left = max(0.05, end - time.monotonic())
        request = partial(self._request, grant, asked)
        status, body = ask(self.host, self.port, context_of(self.values), request, left)
        sent = [each for each in (*asked.values(), self.client_secret) if isinstance(each, Secret)]
        return status, _safe(body, sent)

    def _request(self, grant: str, asked: Mapping[str, Any]) -> Request:
        """Return the request as it is sent; nobody keeps it."""
        form = {"grant_type": grant}
        form |= {name: each.reveal() if isinstance(each, Secret) else each for name, each in asked.items()}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "User-Agent": "aiser-jupyter",
            "Connection": "close",
        }
        if self.client_secret is None:
            form["client_id"] = self.client_id
        else:
            pair = f"{self.client_id}:{self.client_secret.reveal()}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return Request("POST", self.tokens, urlencode(form).encode(), headers)


class SignsIn(Connector):
    """A connector with a field of the kind ``sign_in``, whose ``when`` says what needs a browser."""

    @abstractmethod
    def sign_in(self, values: Mapping[str, Any]) -> OAuth:
        """Return where ``values`` are signed in. Raises `ConfigError` where that is nowhere."""

    def secrets_of(self, values: Mapping[str, Any]) -> list[Field]:
        """`Connector.secrets_of`; none where the browser is needed: a person is asked for nothing else."""
        needed = sign_in_field(self)
        return [] if needed is not None and needed.applies(values) else super().secrets_of(values)

    def require_secrets(self, values: Mapping[str, Any]) -> None:
        super().require_secrets(values)
        needed = sign_in_field(self)
        if needed is not None and needed.applies(values) and needed.name not in values:
            raise SignInRequired(f"{self.label} has to be signed in to with the browser.", hint=_FIRST)

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if isinstance(values.get(SIGNED_IN), str):
            raise ConfigError(f"{self.label}: {SIGNED_IN!r} comes from a sign-in; it is not for giving.")
        return super().validate(values)


def application_of(config: ConnectionConfig) -> OAuth:
    """Return where a connection is signed in to. Raises `ConfigError` for one that is not signed in to."""
    kind = connector(config.type)
    needed = sign_in_field(kind)
    if not isinstance(kind, SignsIn) or needed is None or not needed.applies(config.values):
        raise ConfigError(
            f"{config.name} is not signed in to with the browser.",
            hint="Choose that as the way to sign in, where the form of the connection offers it.",
        )
    return kind.sign_in(config.values)


def sign_in_field(kind: Connector) -> Field | None:
    """Return the field that a sign-in with the browser fills; None where the connector has none."""
    return next((each for each in kind.fields if each.kind == "sign_in"), None)


def current(
    stored: Secret,
    renew: Callable[[Callable[[Secret], Secret | None]], Secret],
    refreshed: Callable[[Tokens], Tokens],
) -> Secret:
    """Return a secret that is ``stored`` as long as its access token holds, and what comes after it then.

    Parameters
    ----------
    stored : Secret
        As the store has it.
    renew : callable
        Calls what it is given with the stored secret, alone among all processes; that returns what is to be
        stored instead, or None. Returns what is stored then.
    refreshed : callable
        `OAuth.refresh` of the connection.
    """
    newest: list[Tokens] = []

    def replaced(found: Secret) -> Secret | None:
        tokens = Tokens.of(found)
        return None if tokens.hold else refreshed(tokens).sealed()  # another one may have been faster

    def text() -> str:
        tokens = newest[-1] if newest else Tokens.of(stored)
        if not tokens.hold:
            tokens = Tokens.of(renew(replaced))
        newest[:] = [tokens]
        return tokens.sealed().reveal()

    return Secret(text)


def readable(said: str) -> str:
    """Return words of a vendor for a person: one line, not long, nothing that a terminal would act on."""
    return "".join(char if char.isprintable() else " " for char in said[:300]).strip().rstrip(".")


def _is_number(value: Any) -> bool:
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**12


def _safe(data: bytes, sent: Sequence[Secret]) -> dict[str, Any]:
    """Return the JSON of an answer, {} where it is none; its tokens as secrets, and without what was sent."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    tokens = {name: Secret(each) for name, each in found.items() if _is_token(name, each)}
    said = {name: each for name, each in found.items() if name not in _TOKENS}
    return {name: each for name, each in said.items() if not _repeats(each, sent)} | tokens


def _is_token(name: str, value: Any) -> bool:
    return name in _TOKENS and isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _repeats(said: Any, sent: Sequence[Secret]) -> bool:
    text = str(said)
    forms = (text, unquote(text), unquote_plus(text))  # it may be repeated as it was sent
    return any(each.reveal() in form for each in sent for form in forms)


def _said(answer: Mapping[str, Any]) -> str:
    """Return the vendor's words."""
    for name in ("error_description", "message", "error"):
        if isinstance(said := answer.get(name), str) and said:
            return readable(said)
    return "no reason given"
