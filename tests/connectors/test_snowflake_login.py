"""Signing in to Snowflake: each way, what is refused, where it leads, and what the driver is told."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from aiser_jupyter.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    EngineUnavailable,
    TLSFailed,
)
from aiser_jupyter.models import ConnectionConfig
from tests.connectors.snowflake_kit import KIND, config, opened, read
from tests.endpoints.snowflake import key_text, new_key

KEY, TOKENS = "snowflake_jwt", {"oauth": "oauth", "pat": "programmatic_access_token"}


def by_key(server: Any, **changed: Any) -> ConnectionConfig:
    values = {"password": None, "authenticator": KEY, "private_key": server.private_key}
    return config(server, **{**values, **changed})


def by_token(server: Any, kind: str, token: str) -> ConnectionConfig:
    return config(server, password=None, authenticator=TOKENS[kind], token=token)


def works(config: ConnectionConfig) -> None:
    with closing(KIND.open(config)) as session:
        assert read(session, "SELECT CURRENT_USER()").table.column(0).to_pylist() == ["ANN"]


def refused(config: ConnectionConfig, *words: str) -> AuthenticationFailed:
    with pytest.raises(AuthenticationFailed) as caught:
        KIND.open(config)
    assert caught.value.hint
    for word in words:
        assert word in str(caught.value)
    return caught.value


# -- the ways to sign in ---------------------------------------------------------------------------------


def test_a_password_signs_in(snowflake: Any) -> None:
    works(config(snowflake))


def test_a_key_pair_signs_in(snowflake: Any) -> None:
    works(by_key(snowflake))


def test_a_sealed_key_signs_in_with_its_passphrase(snowflake: Any) -> None:
    sealed = key_text(snowflake.key, "open sesame")
    works(by_key(snowflake, private_key=sealed, private_key_passphrase="open sesame"))
    refused(by_key(snowflake, private_key=sealed, private_key_passphrase="wrong"), "private key")


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_signs_in(snowflake: Any, kind: str) -> None:
    works(by_token(snowflake, kind, snowflake.tokens[kind]))


def test_another_key_is_refused(snowflake: Any) -> None:
    refused(by_key(snowflake, private_key=key_text(new_key())), "JWT token is invalid")


def test_a_key_of_another_user_is_refused(snowflake: Any) -> None:
    refused(by_key(snowflake, user="bob"), "JWT token is invalid")


def test_text_that_is_no_key_is_refused(snowflake: Any) -> None:
    text = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
    assert "c2VjcmV0" not in str(refused(by_key(snowflake, private_key=text), "PEM"))


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("which", ["_expired", "_bob", "_forged"])
def test_a_token_that_does_not_hold_is_refused(snowflake: Any, kind: str, which: str) -> None:
    token = snowflake.tokens.get(f"{kind}{which}", "forged-" + "x" * 32)
    error = refused(by_token(snowflake, kind, token), "new ")
    assert token not in str(error)


def test_a_token_of_the_other_kind_is_refused(snowflake: Any) -> None:
    refused(by_token(snowflake, "oauth", snowflake.tokens["pat"]))


@pytest.mark.parametrize(
    ("user", "error", "hint"),
    [
        ("nobody", AuthenticationFailed, "Check user and password"),
        ("locked", AuthenticationFailed, "unlocked by an administrator"),
        ("disabled", AuthenticationFailed, "disabled"),
        ("expired", AuthenticationFailed, "Change the password"),
        ("outside", ConnectError, "network policy"),
    ],
)
def test_why_a_login_is_refused_is_told(snowflake: Any, user: str, error: type, hint: str) -> None:
    with pytest.raises(error) as caught:
        KIND.open(config(snowflake, user=user))
    assert hint in caught.value.hint


def test_another_account_is_refused(snowflake: Any) -> None:
    refused(config(snowflake, account="other"), "account")


def test_a_failed_login_is_tried_once(snowflake: Any) -> None:
    snowflake.look()
    refused(config(snowflake, password="wrong"))
    assert len(snowflake.look()["logins"]) == 1


@pytest.mark.parametrize("claim", ["exp", "iss", "sub"])
def test_the_endpoint_itself_refuses_a_forged_proof(snowflake: Any, claim: str) -> None:
    """The tests above mean something only where the endpoint tells a good proof from a bad one."""
    now = int(dt.datetime.now(dt.UTC).timestamp())
    good = _claims(snowflake, now)
    assert _login(snowflake, jwt.encode(good, snowflake.key, "RS256")) is None
    forged = {**good, claim: now - 10 if claim == "exp" else "ACME.BOB"}
    assert _login(snowflake, jwt.encode(forged, snowflake.key, "RS256")) == "390144"
    assert _login(snowflake, jwt.encode(good, new_key(), "RS256")) == "390144"


def _claims(server: Any, now: int) -> dict[str, Any]:
    import base64
    import hashlib

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = server.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    print_ = base64.b64encode(hashlib.sha256(der).digest()).decode()
    return {"iss": f"ACME.ANN.SHA256:{print_}", "sub": "ACME.ANN", "iat": now, "exp": now + 60}


def _login(server: Any, token: str) -> str | None:
    data = {"ACCOUNT_NAME": "acme", "LOGIN_NAME": "ann", "AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}
    found: str | None = server.ask("/session/v1/login-request", {"data": data})["code"]
    return found


# -- what it leaves, and what it asks --------------------------------------------------------------------

SCRIPT = """
import os, sys
sys.path[:0] = {path!r}
from pathlib import Path
from tests.connectors.snowflake_kit import KIND, read
from aiser_jupyter.models import ConnectionConfig
from contextlib import closing
values = {values!r}
with closing(KIND.open(ConnectionConfig("snowflake", "shop", KIND.validate(values)))) as session:
    assert read(session, "SELECT 1").table.num_rows == 1
assert os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] == "true"  # it asks 169.254.169.254 otherwise
try:
    KIND.open(ConnectionConfig("snowflake", "shop", KIND.validate({{**values, "password": "wrong"}})))
except Exception as exc:
    print(type(exc).__name__)
"""


def test_no_file_is_left_and_none_of_the_drivers_own_is_followed(snowflake: Any, tmp_path: Path) -> None:
    """Profiles, caches and logs of the driver are in the home of its user, and in the environment."""
    home = tmp_path / "home"
    (home / ".snowflake").mkdir(parents=True)
    for name in ("connections.toml", "config.toml"):
        text = '[default]\naccount = "evil"\nhost = "192.0.2.1"\nrole = "EVIL"\n'
        (home / ".snowflake" / name).write_text(text)
        (home / ".snowflake" / name).chmod(0o600)
    before = sorted(home.rglob("*"))
    values = {
        "account": "acme",
        "host": "127.0.0.1",
        "port": snowflake.port,
        "user": "ann",
        "password": snowflake.password,
        "ssl_ca": snowflake.authority.pem,
    }
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "XDG_CACHE_HOME": str(home / "cache"),
        "HTTPS_PROXY": "http://192.0.2.1:9",
        "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "default",
        "TMPDIR": str(tmp_path),
    }
    snowflake.look()
    script = SCRIPT.format(path=[os.getcwd()], values=values)
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100
    )
    assert (done.stdout.split(), done.returncode) == (["AuthenticationFailed"], 0), done.stderr
    assert sorted(home.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    seen = snowflake.look()
    assert seen["requests"] == []  # no telemetry
    assert [login["query"].get("roleName") for login in seen["logins"]] == ["", ""]


def test_a_login_does_not_follow_to_another_host(snowflake: Any) -> None:
    """The driver would, and take the password with it."""
    sent: list[str] = []

    class Canary(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server's own

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Canary) as canary:
        thread = threading.Thread(target=canary.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        where = f"http://127.0.0.1:{canary.server_address[1]}/session/v1/login-request"
        try:
            for status in (302, 307, 308):
                away = {"what": "login", "status": status, "headers": {"location": where}, "times": 9}
                snowflake.lay(away)
                with pytest.raises(ConnectError, match="sends its visitors on"):
                    KIND.fresh(config(snowflake))
        finally:
            snowflake.lay()
            canary.shutdown()
            thread.join()
    assert sent == []


def test_a_wrong_authority_is_told_as_such(snowflake: Any) -> None:
    with pytest.raises(TLSFailed) as caught:
        KIND.open(config(snowflake, ssl_ca=None))
    assert "ssl_ca" in caught.value.hint


def test_a_missing_driver_has_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(KIND), "module", "snowflake.no_such_driver")
    assert KIND.available().hint == "pip install 'aiser-jupyter[snowflake]'"
    with pytest.raises(EngineUnavailable):
        KIND.open(ConnectionConfig("snowflake", "shop", {}))


def test_the_driver_is_imported_when_it_is_used() -> None:
    code = (
        "import sys; from aiser_jupyter.connectors.registry import connector;"
        " connector('snowflake').available(); sys.exit('snowflake.connector' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_secret_that_is_missing_is_asked_for_before_anything_is_sent(snowflake: Any) -> None:
    snowflake.look()
    with pytest.raises(ConfigError, match="needs 'password'"):
        KIND.open(config(snowflake, password=None))
    assert snowflake.look()["logins"] == []


def test_the_graded_test_says_where_it_ends(snowflake: Any) -> None:
    with opened(snowflake) as session:
        assert "SYSADMIN" in KIND.rights(session)
