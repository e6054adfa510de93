"""What is asked of a Databricks workspace beside its driver: a token for a principal, a warehouse's state.

Both go by https with the connection's own authorities, follow no redirect, and end in time. A token is kept
in memory alone, by whoever asked for it, until shortly before it expires.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

from ...errors import AiserError, AuthenticationFailed, ConfigError, ConnectError
from ...secret import Secret
from .. import https
from ..causes import forget_locals
from ..proxy import proxy_for
from ..tls import context_of
from .sign_in import Person

__all__ = [
    "ServicePrincipal",
    "ask",
    "credential",
    "origin",
    "require_same_way",
    "said",
    "warehouse_id",
]

_EARLY_SECONDS = 40.0
"""A token is not used in its last seconds: the workspace refuses it before its time."""


# At the level below it writes the address of a proxy, with the password in it.
logging.getLogger("databricks.sql.common.unified_http_client").setLevel(logging.INFO)


class ServicePrincipal:
    """Signs in with a client id and its secret, as the driver's ``CredentialsProvider``.

    Parameters
    ----------
    values : mapping
        Of the connection.
    seconds : float
        For one exchange.
    """

    def __init__(self, values: Mapping[str, Any], seconds: float) -> None:
        self._values, self._seconds = values, seconds
        self._lock = threading.Lock()
        self._token = Secret("")
        self._until = 0.0

    def auth_type(self) -> str:
        return "oauth-m2m"

    def __call__(self) -> Any:
        return self.headers

    def headers(self) -> dict[str, str]:
        """Return the header of a request; the token in it is exchanged anew before it expires."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._exchange()
            return {"Authorization": f"Bearer {self._token.reveal()}"}

    def _exchange(self) -> None:
        body = urlencode({"grant_type": "client_credentials", "scope": "all-apis"}).encode()
        began = time.monotonic()
        try:
            status, answer = ask(self._values, "/oidc/v1/token", _basic(self._values), self._seconds, body)
        except AiserError as exc:
            forget_locals(exc)
            raise
        token, seconds = answer.pop("access_token", None), answer.get("expires_in", 3600)
        if status in (400, 401, 403):
            raise AuthenticationFailed(
                f"The workspace refused the service principal: {said(answer)}.",
                hint="Check client_id and client_secret; an OAuth secret expires, and is made anew in the"
                " account console. The principal must belong to this workspace.",
            )
        if status != 200 or not isinstance(token, str) or not isinstance(seconds, int | float):
            raise ConnectError(
                f"The workspace gave no token (HTTP {status}): {said(answer)}.",
                hint="Check server_hostname: it is the workspace's own, not the account's.",
            )
        self._token, self._until = Secret(token), began + max(0.0, float(seconds) - _EARLY_SECONDS)


def _basic(values: Mapping[str, Any]) -> dict[str, str]:
    pair = f"{values['client_id']}:{values['client_secret'].reveal()}".encode()
    return {
        "Authorization": f"Basic {base64.b64encode(pair).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }


def credential(values: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return the driver's keywords that sign in as ``values`` say. Raises `ConfigError`."""
    if values.get("auth_type", "pat") == "oauth_m2m":
        return {"credentials_provider": ServicePrincipal(values, seconds)}
    if values.get("auth_type") == "oauth_u2m":
        return {"credentials_provider": Person(values)}
    if not re.fullmatch(r"[!-~]+", values["access_token"].reveal()):
        raise ConfigError(
            "Databricks: 'access_token' has characters that no token has.", hint="Paste it again."
        )
    return {"access_token": values["access_token"].reveal()}


def origin(values: Mapping[str, Any]) -> str:
    """Return where the workspace is, as a browser writes it."""
    scheme = "https" if values.get("ssl_enabled", True) else "http"
    port = int(values.get("port", 443))
    return f"{scheme}://{values['server_hostname']}" + ("" if port == 443 else f":{port}")


def require_same_way(values: Mapping[str, Any]) -> None:
    """Refuse where the driver, which reads the environment by itself, would go another way than we do.

    Raises
    ------
    ConfigError
    """
    host, https_on = str(values["server_hostname"]), bool(values.get("ssl_enabled", True))
    theirs = None if proxy_bypass(host) else getproxies().get("https" if https_on else "http")
    ours = proxy_for(host) if https_on else None
    if (ours is None) != (theirs is None):
        raise ConfigError(
            f"The environment has Databricks' driver reach {host} through a proxy; the way is direct.",
            hint=f"Add it to NO_PROXY: NO_PROXY={host}",
        )
    if theirs is not None and "://" not in theirs:
        raise ConfigError("HTTPS_PROXY begins with http:// for Databricks' driver.", hint="Write it so.")


def warehouse_id(values: Mapping[str, Any]) -> str:
    """Return the id of the SQL warehouse; "" where ``http_path`` leads to a cluster."""
    parts = str(values["http_path"]).partition("?")[0].split("/")
    return parts[-1] if parts[-2] in ("warehouses", "endpoints") else ""


def ask(
    values: Mapping[str, Any],
    path: str,
    headers: Mapping[str, str],
    seconds: float,
    body: bytes | None = None,
) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of an answer; {} where it is none. Raises `ConnectError`."""
    method = "GET" if body is None else "POST"
    request = https.Request(method, path, body, {"User-Agent": "aiser-jupyter", **headers})
    host, port = str(values["server_hostname"]), int(values.get("port", 443))
    status, said = https.ask(host, port, context_of(values), lambda: request, seconds)
    return status, _json(said)


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def said(answer: Mapping[str, Any]) -> str:
    """Return the reason that an answer gives."""
    for name in ("error_description", "message", "error"):
        if isinstance(said := answer.get(name), str) and said:
            return said[:300].rstrip(".")
    return "no reason given"
