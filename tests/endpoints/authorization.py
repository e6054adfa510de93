"""OAuth pages of a warehouse's endpoint: one for people, which consents at once, and one for tokens.

What a vendor checks is checked: the application and its secret, the redirect it was registered with, the
code (once, and for a time), PKCE by S256 alone, and a refresh token, which holds once where it rotates: who
brings a used one loses everything that came of it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response


@dataclass
class Behaviour:
    """How the pages behave; a test changes it."""

    token_seconds: float = 3600.0
    """An access token holds so long,"""
    told_seconds: float = 0.0
    """and is said to hold so long, where that is not the same."""
    rotate: bool = True
    refuse: str = ""
    """Answer the person with this error."""
    refresh_seconds: float = 0.0
    """Take so long for a refresh."""
    down: bool = False
    """Answer who asks for tokens with 503."""
    repeat: bool = False
    """Refuse who asks for tokens, in words that have all that was sent."""
    access: str = ""
    """Give this as the access token."""
    issuer: str = ""
    """Send the browser back with this as ``iss``."""
    redirect: str = ""
    """The redirect that the organisation's own application is registered with."""


@dataclass
class Grant:
    """What a person consented to."""

    client: str
    redirect: str
    challenge: str
    scope: str
    until: float
    refresh: set[str] = field(default_factory=set)
    used: bool = False


class Authorization:
    """The pages.

    Parameters
    ----------
    issue : callable
        Returns an access token that holds for so many seconds.
    clients : dict
        Secret of each application, None for a public one, and its redirect.
    """

    def __init__(self, issue: Callable[[float], str], clients: dict[str, tuple[str | None, str]]) -> None:
        self.issue, self.clients = issue, clients
        self.grants: dict[str, Grant] = {}
        self.refresh: dict[str, Grant] = {}
        self.spent: dict[str, Grant] = {}
        self.given: dict[str, list[str]] = {"access": [], "refresh": []}
        self.behave()

    def behave(self, **how: Any) -> None:
        """Behave in a way from now on, and forget what was seen."""
        self.behaviour = Behaviour(**how)
        self.seen: dict[str, Any] = {"asked": [], "codes": 0, "refreshed": 0, "reused": 0, "refused": []}

    def forget(self) -> None:
        """End every sign-in, as an administrator does."""
        self.grants.clear()
        self.refresh.clear()

    async def authorize(self, request: Request) -> Response:
        """Consent at once, for the person whose browser this is."""
        asked = dict(request.query_params)
        self.seen["asked"].append(asked)
        _, redirect = self._client(asked.get("client_id", ""))
        if not redirect or asked.get("redirect_uri") != redirect:
            return Response("invalid redirect_uri", 400)  # and nobody is sent there
        back = {"state": asked.get("state", "")}
        if self.behaviour.issuer:
            back["iss"] = self.behaviour.issuer
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return RedirectResponse(f"{redirect}?{urlencode({**back, 'error': 'invalid_request'})}", 302)
        if self.behaviour.refuse:
            said = {"error": "access_denied", "error_description": self.behaviour.refuse}
            return RedirectResponse(f"{redirect}?{urlencode({**back, **said})}", 302)
        code = f"code{secrets.token_hex(16)}"
        self.grants[code] = Grant(
            asked["client_id"], redirect, asked["code_challenge"], asked.get("scope", ""), time.time() + 300
        )
        return RedirectResponse(f"{redirect}?{urlencode({**back, 'code': code})}", 302)

    async def token(self, request: Request) -> Response:
        """Give tokens for a code, or for a refresh token."""
        sent = (await request.body()).decode()
        form = {name: found[0] for name, found in parse_qs(sent).items()}
        if self.behaviour.down:
            return Response("down", 503)
        if self.behaviour.repeat:
            return self._refused("invalid_request", f"Malformed: {sent}")
        client = self._authenticated(request, form)
        if client is None:
            return self._refused("invalid_client", "Client authentication failed", 401)
        if form.get("grant_type") == "refresh_token":
            await asyncio.sleep(self.behaviour.refresh_seconds)
            return self._refreshed(client, form)
        return self._exchanged(client, form)

    def _exchanged(self, client: str, form: dict[str, str]) -> Response:
        grant = self.grants.get(form.get("code", ""))
        if grant is None or grant.client != client or grant.until < time.time():
            return self._refused("invalid_grant", f"The code {form.get('code')} is invalid.")
        if grant.used:
            self._end(grant)
            return self._refused("invalid_grant", "The code was used.")
        grant.used = True
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge:
            return self._refused("invalid_grant", "The code verifier does not match.")
        if form.get("redirect_uri") != grant.redirect:
            return self._refused("invalid_grant", "The redirect does not match.")
        self.seen["codes"] += 1
        return self._given(grant)

    def _refreshed(self, client: str, form: dict[str, str]) -> Response:
        given = form.get("refresh_token", "")
        if given in self.spent:
            self.seen["reused"] += 1
            self._end(self.spent[given])
        grant = self.refresh.get(given)
        if grant is None or grant.client != client:
            return self._refused("invalid_grant", f"The refresh token {given} is invalid or expired.")
        self.seen["refreshed"] += 1
        if not self.behaviour.rotate:
            return self._given(grant, refresh=False)
        self.spent[given] = self.refresh.pop(given)
        return self._given(grant)

    def _given(self, grant: Grant, *, refresh: bool = True) -> Response:
        seconds = self.behaviour.token_seconds
        made = self.behaviour.access or self.issue(seconds)
        self.given["access"].append(made)
        answer = {
            "access_token": made,
            "token_type": "Bearer",
            "expires_in": self.behaviour.told_seconds or seconds,
        }
        words = grant.scope.split()
        if refresh and ("offline_access" in words or "refresh_token" in words):
            made = f"refresh{secrets.token_hex(16)}"
            self.refresh[made] = grant
            self.given["refresh"].append(made)
            grant.refresh.add(made)
            answer["refresh_token"] = made
        return JSONResponse({**answer, "scope": grant.scope})

    def _end(self, grant: Grant) -> None:
        for each in grant.refresh:
            self.refresh.pop(each, None)

    def _client(self, id: str) -> tuple[str | None, str]:
        secret, redirect = self.clients.get(id, (None, ""))
        return secret, redirect or (self.behaviour.redirect if id in self.clients else "")

    def _authenticated(self, request: Request, form: dict[str, str]) -> str | None:
        """Return the application; one with a secret has to know it."""
        kind, _, basic = request.headers.get("authorization", "").partition(" ")
        id, secret = form.get("client_id", ""), None
        if kind == "Basic":
            id, _, secret = base64.b64decode(basic).decode().partition(":")
        return id if id in self.clients and self.clients[id][0] == secret else None

    def _refused(self, error: str, said: str, status: int = 400) -> Response:
        self.seen["refused"].append(error)
        return JSONResponse({"error": error, "error_description": said}, status)
