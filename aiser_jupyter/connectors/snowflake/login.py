"""Where an account of Snowflake is, and what its driver is told to log in there.

The driver looks for much by itself: profiles and tokens in files, proxies in the environment, caches of
credentials and of revocation lists, telemetry, the cloud that it runs in. Each of these is switched off by a
value here, or because what would ask for it is never given; a test holds this to every option it has. A proxy
is given to it, for the one connection.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError, ConnectError
from ...secret import Secret
from ..https import Request, ask
from ..oauth import SIGNED_IN, OAuth, Tokens
from ..proxy import proxy_for
from ..tls import authority_file, context_of

__all__ = [
    "BROWSER",
    "DOMAINS",
    "account_of",
    "application",
    "connect",
    "host_of",
    "loaded",
    "require_answer",
]

BROWSER = "oauth_authorization_code"
"""Signed in with the browser; to the driver it is an OAuth token."""

DOMAINS = (".snowflakecomputing.com", ".snowflakecomputing.cn")
_ACCOUNT = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?){0,4}")
_LOGIN_PATH = "/session/v1/login-request"
_REQUEST_SECONDS = 60
"""For what is asked once the login is done: Snowflake holds its answer back for up to 45 s."""
_ATTEMPT_SECONDS = 60
"""For one request: a part of a result is up to 16 MB, and has to come within it."""
_loading = threading.Lock()


def account_of(written: str) -> str:
    """Return the account in its normal form, of an account, or of the whole name of its host.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> account_of("XY12345.eu-central-1.snowflakecomputing.com")
    'xy12345.eu-central-1'
    >>> account_of("myorg-my_account")
    'myorg-my_account'
    """
    account = written.strip().casefold().rstrip(".")
    for domain in DOMAINS:
        account = account.removesuffix(domain)
    if not _ACCOUNT.fullmatch(account):
        raise ConfigError(
            f"{written[:255]!r} is no account of Snowflake.",
            hint="Write it as myorg-myaccount, or xy12345.eu-central-1, or as the whole name of its host.",
        )
    return account


def host_of(account: str) -> str:
    """Return the host of an account: certificates know no underscore, and China has a domain of its own.

    Examples
    --------
    >>> host_of("myorg-my_account")
    'myorg-my-account.snowflakecomputing.com'
    """
    region = account.partition(".")[2]
    return account.replace("_", "-") + DOMAINS[region.startswith("cn-")]


def require_answer(values: Mapping[str, Any], host: str, port: int, seconds: float) -> None:
    """Look at what is there before the driver does, which brings the credential with its first request.

    The driver follows a redirect, credential and all, wherever it leads; and it does not tell a closed port
    from a silent one.

    Raises
    ------
    ConnectError
        Nothing answers, or it sends us on to somewhere else.
    """
    look = Request("HEAD", _LOGIN_PATH, None, {"Connection": "close"})
    answer = ask(host, port, context_of(values), lambda: look, seconds)
    if 300 <= answer.status < 400:
        raise ConnectError(
            f"{host} sends its visitors on to another address, and is not followed there.",
            hint="Give the account, or the host, that it sends to, where that is right.",
        )


def connect(values: Mapping[str, Any], host: str, port: int, seconds: float) -> Any:
    """Return the driver's connection, logged in. Raises what the driver raises."""
    return loaded().connect(
        **_options(values, host, port, seconds), **_secrets(values), **_proxied(values, host)
    )


def loaded() -> Any:
    """Import the driver, told not to ask the cloud's own addresses where this machine runs."""
    with _loading:
        os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
        import snowflake.connector

        return snowflake.connector


def _options(values: Mapping[str, Any], host: str, port: int, seconds: float) -> dict[str, Any]:
    whole = max(1, round(seconds))
    options = {
        "account": values["account"],
        "host": host,
        "port": port,
        "protocol": "https" if values.get("ssl_enabled", True) else "http",
        "user": values["user"],
        "authenticator": "oauth" if values["authenticator"] == BROWSER else values["authenticator"],
        **{name: values[name] for name in ("warehouse", "database", "schema", "role") if values.get(name)},
        "application": "aiser_jupyter",
        "paramstyle": "qmark",
        "autocommit": True,
        # limits: the driver's own are minutes
        "login_timeout": whole,
        "connect_timeout": max(whole, _REQUEST_SECONDS),
        "request_timeout": max(whole, _REQUEST_SECONDS),
        "retry_timeout": _ATTEMPT_SECONDS,
        "retry_max_attempts": 2,
        "retry_backoff_base_ms": 100,
        "retry_backoff_cap_ms": 500,
        "logout_max_attempts": 1,
        "logout_request_timeout_seconds": 3,
        "logout_total_timeout_seconds": 3,
        "logout_error_strategy": "best_effort",
        # nothing is kept, told or asked besides
        "client_store_temporary_credential": False,
        "client_session_keep_alive": False,
        "server_session_keep_alive": False,
        "enable_server_session_keep_alive_auto_detection": False,
        "crl_enable_disk_caching": False,
        "use_proxy_env": False,
        "auto_cleanup": False,
        "session_parameters": {"CLIENT_TELEMETRY_ENABLED": False, "ABORT_DETACHED_QUERY": True},
    }
    if values.get("ssl_ca"):
        options["custom_root_store_path"] = str(authority_file(values["ssl_ca"]))
    return options


def _proxied(values: Mapping[str, Any], host: str) -> dict[str, Any]:
    """Return the way through a proxy, for this connection alone."""
    proxy = proxy_for(host) if values.get("ssl_enabled", True) else None
    if proxy is None:
        return {}
    found: dict[str, Any] = {"proxy_host": proxy.host, "proxy_port": proxy.port}
    if proxy.password is not None:
        found |= {"proxy_user": proxy.user, "proxy_password": proxy.password.reveal()}
    return found


def _secrets(values: Mapping[str, Any]) -> dict[str, str]:
    if values["authenticator"] == BROWSER:
        return {"token": Tokens.of(values[SIGNED_IN]).access.reveal()}
    found = {name: value.reveal() for name, value in values.items() if isinstance(value, Secret)}
    if "private_key_passphrase" in found:
        found["private_key_password"] = found.pop("private_key_passphrase")  # its name at the driver
    return found


def application(values: Mapping[str, Any], host: str, port: int) -> OAuth:
    """Return where a person signs in: as the application that accounts have for programs on a machine of
    one's own, whose id and secret are public, or as one of a security integration of the account.

    Held to Snowflake's documents and to what its driver sends; no real account has seen it yet.
    """
    own, role = values.get("oauth_client_id"), values.get("role")
    return OAuth(
        label="Snowflake",
        host=host,
        port=port,
        domains=DOMAINS,
        authorize="/oauth/authorize",
        tokens="/oauth/token-request",
        client_id=own or "LOCAL_APPLICATION",
        client_secret=values.get("oauth_client_secret") if own else Secret("LOCAL_APPLICATION"),
        scope=" ".join(["refresh_token", *([f"session:role:{role}"] if role else [])]),
        loopback="" if own else "http://127.0.0.1:8020",
        values=values,
    )
