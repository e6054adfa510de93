"""Who may sign in: passwords, key pairs, OAuth and programmatic access tokens, checked as Snowflake does.

The codes and the words are the service's own; the tests look at what becomes of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

DAY = 86_400


class Refused(Exception):
    """A login that is not let in, with Snowflake's code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Accounts:
    """The users of one account, from the file that the test wrote.

    ``password``, ``public_key`` (PEM) and ``tokens``, each with its ``kind`` (``oauth`` or ``pat``), its
    ``user`` and when it ``expires`` in seconds since 1970.
    """

    def __init__(self, path: Path) -> None:
        self._known = json.loads(path.read_text())

    def check(self, data: dict[str, Any]) -> str:
        """Return the user who signs in with ``data`` of a login request. Raises `Refused`."""
        account = str(data.get("ACCOUNT_NAME", "")).upper()
        if account != self._known["account"].upper():
            raise Refused("390100", "Incorrect username or password was specified.")
        user = str(data.get("LOGIN_NAME", ""))
        found = self._known["users"].get(user.upper())
        ways = {
            "SNOWFLAKE": self._password,
            "SNOWFLAKE_JWT": self._key_pair,
            "OAUTH": self._oauth,
            "PROGRAMMATIC_ACCESS_TOKEN": self._access_token,
        }
        way = ways.get(str(data.get("AUTHENTICATOR") or "SNOWFLAKE").upper())
        if way is None:
            raise Refused("390190", "The authenticator is not known here.")
        way(found or {}, user, data)
        trouble = (found or {}).get("trouble")
        if trouble:
            raise Refused(*trouble)
        return user

    def issue(self, seconds: float) -> str:
        """Return an OAuth token of ann's that holds for so long."""
        token = f"oauth-{secrets.token_urlsafe(24)}"
        self._known["tokens"][token] = {"kind": "oauth", "user": "ann", "expires": time.time() + seconds}
        return token

    def _password(self, found: dict[str, Any], user: str, data: dict[str, Any]) -> None:
        if not found or data.get("PASSWORD") != found["password"]:
            raise Refused("390100", "Incorrect username or password was specified.")

    def _key_pair(self, found: dict[str, Any], user: str, data: dict[str, Any]) -> None:
        invalid = Refused("390144", "JWT token is invalid. [0f3c2c3e-7b1f-4a51-8d0e-1c2b3a495867]")
        if "public_key" not in found:
            raise invalid
        subject = f"{self._known['account']}.{user}".upper()
        key = load_pem_public_key(found["public_key"].encode())
        digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        issuer = f"{subject}.SHA256:{base64.b64encode(digest).decode()}"
        required = {"require": ["iss", "sub", "iat", "exp"]}
        try:
            claims = jwt.decode(data.get("TOKEN", ""), found["public_key"], ["RS256"], options=required)
        except jwt.PyJWTError as exc:
            raise invalid from exc
        if claims["iss"] != issuer or claims["sub"] != subject or claims["exp"] - claims["iat"] > DAY:
            raise invalid

    def _oauth(self, found: dict[str, Any], user: str, data: dict[str, Any]) -> None:
        token = self._token(data, "oauth")
        if token is None or token["user"].upper() != user.upper():
            raise Refused("390303", "Invalid OAuth access token. [5d2c8f1a-93b4-4f0e-a6a7-2b1c0d9e8f7a]")
        if token["expires"] < time.time():
            raise Refused("390318", "OAuth access token expired. [5d2c8f1a-93b4-4f0e-a6a7-2b1c0d9e8f7a]")

    def _access_token(self, found: dict[str, Any], user: str, data: dict[str, Any]) -> None:
        token = self._token(data, "pat")
        if token is None or token["user"].upper() != user.upper() or token["expires"] < time.time():
            raise Refused("394400", "Programmatic access token is invalid.")

    def _token(self, data: dict[str, Any], kind: str) -> dict[str, Any] | None:
        token: dict[str, Any] | None = self._known["tokens"].get(data.get("TOKEN", ""))
        return token if token is not None and token["kind"] == kind else None
