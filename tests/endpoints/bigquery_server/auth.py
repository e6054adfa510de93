"""Google's token endpoint for one service account and one user, and the check of the tokens it gave."""

from __future__ import annotations

import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any

import jwt

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/bigquery"
WHEN = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
    " Check your iat and exp values in the JWT claim."
)


class Issuer:
    """Gives tokens for what it can verify, and knows which of them are still good."""

    def __init__(self) -> None:
        self.email = os.environ["CLIENT_EMAIL"]
        self.audience = os.environ["AUDIENCE"]
        self.key = Path(os.environ["PUBLIC_KEY"]).read_text()
        self.refresh_token = os.environ["REFRESH_TOKEN"]
        self.client = (os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
        self.lifetime = 3600.0
        self.issued = 0
        self._lock = threading.Lock()
        self._expires = {os.environ["ACCESS_TOKEN"]: time.time() + 86_400}
        self._expires[os.environ["EXPIRED_TOKEN"]] = 0.0

    def accepts(self, header: str | None) -> bool:
        """Say whether an Authorization header carries a token that was given here and has not expired."""
        word, _, token = (header or "").partition(" ")
        with self._lock:
            return word == "Bearer" and self._expires.get(token, 0.0) > time.time()

    def revoke(self) -> None:
        """Forget every token that was asked for."""
        with self._lock:
            keep = os.environ["ACCESS_TOKEN"]
            self._expires = {keep: self._expires[keep]}

    def grant(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer a request for a token: status and body."""
        if form.get("grant_type") == GRANT:
            problem = self._assertion(form.get("assertion", ""))
        elif form.get("grant_type") == "refresh_token":
            problem = self._refresh(form)
        else:
            return 400, {"error": "unsupported_grant_type"}
        if problem is not None:
            return problem
        token = secrets.token_urlsafe(30)
        with self._lock:
            self.issued += 1
            self._expires[token] = time.time() + self.lifetime
        return 200, {"access_token": token, "expires_in": int(self.lifetime), "token_type": "Bearer"}

    def _assertion(self, assertion: str) -> tuple[int, dict[str, Any]] | None:
        """Verify the signed request: key, who, for whom, when, what for."""
        try:
            claims = jwt.decode(
                assertion,
                self.key,
                algorithms=["RS256"],
                audience=self.audience,
                options={"require": ["iss", "aud", "iat", "exp"]},
            )
        except jwt.InvalidSignatureError:
            return _invalid("Invalid JWT Signature.")
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            return _invalid(WHEN)
        except jwt.InvalidAudienceError:
            return _invalid("Invalid JWT: Failed audience check.")
        except jwt.PyJWTError as exc:
            return _invalid(f"Invalid JWT: {exc}")
        if claims["iss"] != self.email:
            return _invalid("Invalid grant: account not found")
        if claims["exp"] - claims["iat"] > 3600:
            return _invalid(WHEN)
        if SCOPE not in claims.get("scope", "").split():
            return 400, {"error": "invalid_scope", "error_description": "Invalid OAuth scope."}
        return None

    def _refresh(self, form: dict[str, str]) -> tuple[int, dict[str, Any]] | None:
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return 401, {"error": "invalid_client", "error_description": "The OAuth client was not found."}
        if form.get("refresh_token") != self.refresh_token:
            return _invalid("Token has been expired or revoked.")
        return None


def _invalid(description: str) -> tuple[int, dict[str, Any]]:
    return 400, {"error": "invalid_grant", "error_description": description}
