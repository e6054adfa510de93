"""The fields that connectors have in common, so that they are called and explained the same everywhere."""

from __future__ import annotations

from dataclasses import replace

from .base import Field

__all__ = ["client_certificate", "network_fields", "sign_in_fields", "warehouse_fields"]

_CONNECTIONS = Field(
    "max_connections", "Connections at most", "integer", default=10, help="At the same time."
)
_TIMEOUT = Field("timeout", "Seconds to connect", "integer", default=10, help="Until a login is given up.")
_AUTHORITY = Field(
    "ssl_ca",
    "Certificate authority",
    "pem",
    routing=True,
    help="PEM text; where the server's certificate is signed by an authority of your own.",
)


def network_fields(port: int, *own: Field) -> tuple[Field, ...]:
    """Return the fields of a database behind a network: the common ones, and its ``own``."""
    return (
        Field("host", "Host", required=True, routing=True, help="Name or address of the server."),
        Field("port", "Port", "integer", routing=True, default=port),
        Field("database", "Database", help="Name of the database on that server."),
        Field("username", "User", required=True, help="The database's user, not Jupyter's."),
        Field("password", "Password", secret=True, help="Kept sealed; never shown again."),
        *own,
        _TIMEOUT,
        _CONNECTIONS,
        Field("ssl_enabled", "Encrypt and verify (TLS)", "boolean", routing=True, default=True),
        _AUTHORITY,
        Field(
            "ssl_server_name",
            "Name in the certificate",
            routing=True,
            help="Where it differs from the host, as behind a tunnel.",
        ),
    )


def client_certificate() -> tuple[Field, ...]:
    """Return the fields of a database that may ask its clients for a certificate."""
    return (
        Field(
            "ssl_certificate",
            "Client certificate",
            "pem",
            help="PEM text; where the server asks for one. Those that lead to its authority come after it.",
        ),
        Field(
            "ssl_key",
            "Client key",
            "document",
            required=True,
            secret=True,
            when=("ssl_certificate",),
            help="PEM text, without a passphrase. Kept sealed; never shown again.",
        ),
    )


def warehouse_fields(*own: Field) -> tuple[Field, ...]:
    """Return the fields of a warehouse that is reached by https: its ``own``, and the common ones."""
    return (
        *own,
        replace(_TIMEOUT, default=30),
        _CONNECTIONS,
        Field(
            "ssl_enabled",
            "Encrypt and verify (TLS)",
            "boolean",
            routing=True,
            default=True,
            help="Off only for an endpoint on this machine.",
        ),
        _AUTHORITY,
    )


def sign_in_fields(choice: str, *values: str) -> tuple[Field, ...]:
    """Return the fields of a sign-in with the browser, for these ``values`` of the field ``choice``."""
    when = (choice, *values)
    return (
        Field(
            "oauth_client_id",
            "OAuth client id",
            when=when,
            help="Empty, unless your organisation has registered an application of its own (redirect"
            " …/aiser/sign-in/callback); without it you paste an address once, as the form will say.",
        ),
        Field(
            "oauth_client_secret",
            "OAuth client secret",
            secret=True,
            when=when,
            help="Empty, unless that application has one. Kept sealed; never shown again.",
        ),
        Field("signed_in", "Signed in", "sign_in", required=True, secret=True, when=when),
    )
