"""The endpoint of Snowflake as a fixture: its REST protocol on fakesnow, in an environment of its own.

fakesnow needs a connector before 5 and a sqlglot of its own, so it is not installed beside the tests.
`install` makes its environment; where there is none the tests are skipped, with one line, and fail on CI.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .endpoint import Endpoint

ENVIRONMENT = Path(__file__).parents[2] / ".cache" / "endpoints" / "snowflake"
PACKAGES = ("fakesnow[server]==0.12.1", "snowflake-connector-python<5")
PYTHON = ENVIRONMENT / "bin" / "python"
DONE = ENVIRONMENT / "installed.txt"


def installed() -> bool:
    """Say whether the environment is there, with the packages named above."""
    return PYTHON.exists() and DONE.exists() and DONE.read_text() == "\n".join(PACKAGES)


def install() -> None:
    """Make the environment, from PyPI. Raises ``subprocess.CalledProcessError``."""
    if installed():
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)], check=True)
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(PYTHON), *PACKAGES], check=True)
    DONE.write_text("\n".join(PACKAGES))


def new_key() -> rsa.RSAPrivateKey:
    """Return a private key as Snowflake takes it."""
    return rsa.generate_private_key(65537, 2048)


def key_text(key: rsa.RSAPrivateKey, passphrase: str = "") -> str:
    """Return a private key as PEM, sealed where there is a passphrase."""
    sealed: Any = serialization.NoEncryption()
    if passphrase:
        sealed = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()


class Snowflake(Endpoint):
    """An account ``acme`` with the user ``ann``, who has a password, a key pair and tokens.

    Attributes
    ----------
    private_key : str
        Of ann's key pair, as PEM.
    tokens : dict
        By what is the matter with them: ``oauth``, ``oauth_expired``, ``oauth_bob`` (another user's), and the
        same of ``pat``.
    """

    program = "snowflake_server"
    python = str(PYTHON)
    account_name = "acme"
    database = "SHOP"
    schema = "PUBLIC"

    def __init__(self) -> None:
        super().__init__()
        self.key = new_key()
        self.private_key = key_text(self.key)
        self.tokens = {
            f"{kind}{which}": f"{kind}{which}-{base64.urlsafe_b64encode(os.urandom(24)).decode()}"
            for kind in ("oauth", "pat")
            for which in ("", "_expired", "_bob")
        }
        path = self.folder / "accounts.json"
        path.write_text(json.dumps(self._accounts()))
        self.environment = {"SNOWFLAKE_ACCOUNTS": str(path), "HOME": str(self.folder)}

    def _accounts(self) -> dict[str, Any]:
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        hour = 3600
        tokens = {
            text: {
                "kind": name.partition("_")[0],
                "user": "bob" if name.endswith("_bob") else self.user,
                "expires": time.time() + (-hour if name.endswith("_expired") else 24 * hour),
            }
            for name, text in self.tokens.items()
        }
        locked = (
            "390101",
            "User temporarily locked. Try again later, or contact your local system administrator.",
        )
        disabled = ("390102", "User access disabled. Contact your local system administrator.")
        outside = (
            "390422",
            "Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake. Contact your"
            " account administrator. For more information about this error, go to"
            " https://community.snowflake.com/s/ip-xxxxxx-is-not-allowed-to-access.",
        )
        expired = (
            "390106",
            "Specified password has expired.  Password must be changed using the Snowflake web console.",
        )
        users = {
            "ANN": {"password": self.password, "public_key": public.decode()},
            "BOB": {"password": "the password of bob"},
            "LOCKED": {"password": self.password, "trouble": locked},
            "DISABLED": {"password": self.password, "trouble": disabled},
            "OUTSIDE": {"password": self.password, "trouble": outside},
            "EXPIRED": {"password": self.password, "trouble": expired},
        }
        return {"account": self.account_name, "users": users, "tokens": tokens}

    def look(self) -> dict[str, Any]:
        """Return what the endpoint saw since the last look: logins, statements, logouts, other requests."""
        seen: dict[str, Any] = self.ask("/test/look")
        return seen

    def rest(self, state: str = "STARTED", seconds: float = 1.0) -> None:
        """Have the warehouse be in a state from now on; a statement starts one that is SUSPENDED."""
        self.ask("/test/warehouse", {"state": state, "seconds": seconds})

    def lay(self, *answers: dict[str, Any]) -> None:
        """Lay down what the endpoint is to answer from now on, in place of what was laid down before."""
        self.ask("/test/answer", list(answers))


@pytest.fixture(scope="session")
def snowflake() -> Iterator[Snowflake]:
    """The endpoint, shared by all tests; a test that lays answers down takes them away again."""
    if not installed():
        message = "the endpoint of Snowflake is not installed: python -m tests.servers.install"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    server = Snowflake()
    try:
        server.prepare()
        yield server
    finally:
        server.stop()
