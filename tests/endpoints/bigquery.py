"""The endpoint of bigquery as a fixture."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.server import free_port

from .endpoint import Endpoint

AUDIENCE = "https://oauth2.googleapis.com/token"
"""What the driver signs a request for, wherever it sends it."""
SCOPE = "https://www.googleapis.com/auth/bigquery"


def private_key() -> str:
    """Make an RSA key, as the JSON of a service account carries one."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class BigQuery(Endpoint):
    """A project with a dataset ``shop``, and one service account that may use it."""

    program = "bigquery_server"
    project = "acme-test-1"
    dataset = "shop"
    email = "reader@acme-test-1.iam.gserviceaccount.com"
    password = "ya29.a0AfH6SMBx-endpoint_token.0123456789"
    expired = "ya29.a0AfH6SMBx-expired_token.9876543210"
    refresh_token = "1//0gdfghjkl-refresh"
    client = ("764086051850.apps.googleusercontent.com", "d-FL95Q19q7MQmFpd7hHD0Ty")

    def __init__(self) -> None:
        super().__init__()
        self.storage_port = free_port()
        self.key = private_key()
        public = serialization.load_pem_private_key(self.key.encode(), None).public_key()
        path = self.folder / "public.pem"
        path.write_bytes(
            public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        self.token_uri = f"https://127.0.0.1:{self.port}/token"
        self.environment = {
            "STORAGE_PORT": str(self.storage_port),
            "PUBLIC_KEY": str(path),
            "CLIENT_EMAIL": self.email,
            "AUDIENCE": AUDIENCE,
            "ACCESS_TOKEN": self.password,
            "EXPIRED_TOKEN": self.expired,
            "REFRESH_TOKEN": self.refresh_token,
            "CLIENT_ID": self.client[0],
            "CLIENT_SECRET": self.client[1],
            "PROJECTS": self.project,
        }

    def credentials(self, **changed: Any) -> str:
        """Return the JSON of the service account's key, as Google gives it, with some values changed."""
        made = {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "0123456789abcdef",
            "private_key": self.key,
            "client_email": self.email,
            "client_id": "123456789012345678901",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": self.token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/reader",
            "universe_domain": "googleapis.com",
        }
        kept = {key: value for key, value in {**made, **changed}.items() if value is not None}
        return json.dumps(kept)

    def assertion(self, key: str = "", **changed: Any) -> str:
        """Return a signed request for a token, as the driver makes it, with some claims changed."""
        now = int(time.time())
        claims = {"iss": self.email, "aud": AUDIENCE, "iat": now, "exp": now + 3600, "scope": SCOPE}
        kept = {name: value for name, value in {**claims, **changed}.items() if value is not None}
        return jwt.encode(kept, key or self.key, algorithm="RS256")

    def seen(self) -> dict[str, Any]:
        """What the endpoint was asked since `behave` was called last, and every job of it."""
        found: dict[str, Any] = self.ask("/_seen")
        return found

    def behave(self, **how: Any) -> None:
        """Change how it behaves; without arguments it is as it began."""
        self.ask("/_behave", how)


@pytest.fixture(scope="session")
def bigquery() -> Iterator[BigQuery]:
    """The endpoint, started when first asked for."""
    endpoint = BigQuery()
    try:
        endpoint.prepare()
        yield endpoint
    finally:
        endpoint.stop()
