"""Signing in to Databricks with the browser: as the person, not as a principal ("OAuth U2M").

Held to what Databricks documents (``/oidc/v1/authorize``, ``/oidc/v1/token``) and to what its driver sends:
the application ``databricks-sql-python``, its redirect and its scopes. No real workspace has seen it yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError
from ...secret import Secret
from ..oauth import SIGNED_IN, OAuth, Tokens

__all__ = ["Person", "application"]


class Person:
    """Who is signed in with the browser, as the driver's ``CredentialsProvider``.

    The connection's secret has a new token whenever the last one runs out.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._tokens: Secret = values[SIGNED_IN]

    def auth_type(self) -> str:
        return "oauth-u2m"

    def __call__(self) -> Any:
        return self.headers

    def headers(self) -> dict[str, str]:
        """Return the header of a request. Raises `SignInRequired`, `ConnectError`."""
        return {"Authorization": f"Bearer {Tokens.of(self._tokens).access.reveal()}"}


def application(values: Mapping[str, Any], host: str, port: int, domains: tuple[str, ...]) -> OAuth:
    """Return where a person signs in: as the driver's own application, which is everywhere, or as another.

    Raises
    ------
    ConfigError
        The workspace has no sign-in of its own.
    """
    if host.endswith((".databricks.azure.us", ".databricks.azure.cn")):
        raise ConfigError(
            "In this cloud a workspace's people sign in at Microsoft Entra, which is not supported here.",
            hint="Use a personal access token, or a service principal.",
        )
    own = values.get("oauth_client_id")
    return OAuth(
        label="Databricks",
        host=host,
        port=port,
        domains=domains,
        authorize="/oidc/v1/authorize",
        tokens="/oidc/v1/token",
        client_id=own or "databricks-sql-python",
        client_secret=values.get("oauth_client_secret"),
        scope="sql offline_access",
        loopback="" if own else "http://localhost:8020",
        issuer="/oidc",
        values=values,
    )
