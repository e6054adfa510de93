"""How a session of BigQuery signs in: what a credential may say, and the clients that are made with it.

A credential's JSON names the address that it is sent to, and in other types than a service account's also
files to read and programs to run. So it is read here and not by the driver: one type, known fields, Google's
own token endpoint (or this machine's, or one that the administrator lists). The driver is handed the four
values that are left. Nothing is taken from the environment but a proxy, and for ``application_default`` the
name of a file, which is held to the same rules.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from ...errors import AiserError, AuthenticationFailed, ConfigError
from ...secret import Secret
from ..hosts import require_vendor
from ..proxy import proxy_for
from ..tls import context_of

if TYPE_CHECKING:
    from .wire import Wire

__all__ = ["API", "DATASET", "PROJECT", "STORAGE", "Clients", "clients", "endpoint", "read_key"]

T = TypeVar("T")

API, STORAGE = "bigquery.googleapis.com", "bigquerystorage.googleapis.com"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{0,62}")
DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")
_SCOPES = ("https://www.googleapis.com/auth/bigquery",)
_MOST = 64 * 1024
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_FIELDS = {
    "service_account": {
        "auth_provider_x509_cert_url",
        "auth_uri",
        "client_email",
        "client_id",
        "client_x509_cert_url",
        "private_key",
        "private_key_id",
        "project_id",
        "token_uri",
        "type",
        "universe_domain",
    },
    "authorized_user": {
        "account",
        "client_id",
        "client_secret",
        "quota_project_id",
        "refresh_token",
        "token_uri",
        "type",
        "universe_domain",
    },
}
_NEEDED = {
    "service_account": ("client_email", "private_key", "token_uri"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
}


@dataclass(frozen=True, slots=True)
class Clients:
    """The driver's clients of one session. ``storage`` is None where rows come by REST alone."""

    rest: Any
    storage: Any
    credentials: Any
    request: Any
    wire: Wire

    def headers(self) -> list[tuple[str, str]]:
        """Return what a call of the storage API is signed with; the token is renewed where it is old."""
        found: dict[str, str] = {}
        self.credentials.before_request(self.request, "POST", f"https://{STORAGE}/", found)
        return [(name.lower(), value) for name, value in found.items()]

    def close(self) -> None:
        """Give every connection back."""
        if self.storage is not None:
            with suppress(Exception):  # the channel was closed by a cut
                self.storage.transport.close()
        self.rest.close()
        self.wire.close()


def endpoint(values: Mapping[str, Any], name: str, default: str) -> tuple[str, str, int]:
    """Return scheme, host and port of the field ``name``.

    Raises
    ------
    ConfigError
        It is more than an address, or not https.
    """
    scheme = "https" if values.get("ssl_enabled", True) else "http"
    text = str(values.get(name) or f"https://{default}")
    try:
        parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        raise ConfigError(f"BigQuery: {name!r} is no address.", hint="For example https://host:443.") from exc
    more = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if not _HOST.fullmatch(host) or more or "\\" in text:
        raise ConfigError(f"BigQuery: {name!r} is no address.", hint="For example https://host:443.")
    if parts.scheme != scheme:
        raise ConfigError(
            f"BigQuery: {name!r} begins with {parts.scheme}://, and TLS is {'on' if scheme[4:] else 'off'}.",
            hint=f"Write {scheme}://{host}, or change ssl_enabled.",
        )
    return scheme, host, port


def read_key(secret: Secret, values: Mapping[str, Any], *types: str) -> dict[str, str]:
    """Read the JSON of a credential.

    Parameters
    ----------
    types : str
        Those that are allowed.

    Returns
    -------
    dict
        ``type``, and the values that the driver is given.

    Raises
    ------
    ConfigError
        Another type, an unknown field, another address; the message quotes no value of it.
    """
    return _quietly(lambda: _read(secret.reveal(), values, types))


def _quietly(work: Callable[[], T]) -> T:
    """Return what ``work`` does, or raise its error without the frames of it: they hold the secret."""
    try:
        return work()
    except AiserError as exc:
        problem = exc
    problem.__traceback__ = problem.__cause__ = problem.__context__ = None
    raise problem


def _read(text: str, values: Mapping[str, Any], types: Sequence[str]) -> dict[str, str]:
    try:
        found = json.loads(text, object_pairs_hook=_unique) if len(text) <= _MOST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(
            "The credential is not readable as JSON.",
            hint="Paste the whole text of the file that Google gave.",
        )
    kind = found.get("type")
    if not isinstance(kind, str) or kind not in types:
        raise ConfigError(
            f"A credential of type {_word(kind)} is not allowed here.",
            hint=f"Only {' and '.join(types)}: other types name files, programs and addresses of their own.",
        )
    for name, value in found.items():
        if name not in _FIELDS[kind] or not isinstance(value, str):
            raise ConfigError(
                f"The credential has a field {_word(name)} that a {kind} has not.",
                hint="Paste the file as Google gave it.",
            )
    for name in _NEEDED[kind]:
        if not found.get(name):
            raise ConfigError(f"The credential has no {name}.", hint="Paste the file as Google gave it.")
    if found.get("universe_domain", "googleapis.com") != "googleapis.com":
        raise ConfigError("The credential is for another cloud than Google's.")
    found.setdefault("token_uri", TOKEN_URI)
    _require_token_uri(found["token_uri"], values)
    kept = ("type", "token_uri", "quota_project_id", *_NEEDED[kind])
    return {name: found[name] for name in kept if name in found}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _word(value: Any) -> str:
    return repr(value[:40]) if isinstance(value, str) else "no name"


def _require_token_uri(uri: str, values: Mapping[str, Any]) -> None:
    """Refuse any address for the signed request but Google's, this machine's, and the administrator's."""
    if uri == TOKEN_URI:
        return
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    plain = "" if values.get("ssl_enabled", True) else "http"
    if not host or parts.username or parts.password or parts.query or parts.fragment or "\\" in uri:
        raise ConfigError("The credential's token_uri is no address.")
    if parts.scheme not in ("https", plain):
        raise ConfigError("The credential's token_uri is not https.")
    try:
        addresses = [str(ipaddress.ip_address(host))]
    except ValueError:
        addresses = []
    try:
        require_vendor(host, addresses, (".invalid",))
    except ConfigError as exc:
        raise ConfigError(
            f"The credential's token_uri leads to {host[:255]!r}, and not to Google.",
            hint=f"It has to be {TOKEN_URI}, or a host in AiserConnections.vendor_hosts.",
        ) from exc


def clients(values: Mapping[str, Any], seconds: float) -> Clients:
    """Make the clients for ``values``; nothing is sent yet.

    Raises
    ------
    ConfigError, AuthenticationFailed
        What the credential says is not allowed, or there is none.
    """
    from google.auth.transport.requests import AuthorizedSession, Request
    from google.cloud import bigquery
    from requests import Session

    from .wire import Wire, prepare

    credentials = _credentials(values)
    wire = Wire(context_of(values), seconds)
    renewed = values.get("sign_in") != "access_token"
    request = Request(prepare(Session(), wire))
    session = AuthorizedSession(
        credentials, auth_request=request, max_refresh_attempts=1 if renewed else 0, refresh_timeout=seconds
    )
    scheme, host, port = endpoint(values, "api_endpoint", API)
    rest = bigquery.Client(
        project=str(values["project"]),
        credentials=credentials,
        _http=prepare(session, wire),
        location=values.get("location") or None,
        client_options={"api_endpoint": f"{scheme}://{_bracketed(host)}:{port}"},
    )
    return Clients(rest, _storage(values), credentials, request, wire)


def _credentials(values: Mapping[str, Any]) -> Any:
    from google.oauth2.credentials import Credentials

    sign_in = values.get("sign_in", "service_account")
    if sign_in == "access_token":
        return Credentials(_require_token(values["token"]).reveal().strip())
    if sign_in == "application_default":
        types: tuple[str, ...] = ("authorized_user", "service_account")
        secret = Secret(_default_file())
    else:
        types, secret = ("service_account",), values["credentials_json"]
    return _quietly(lambda: _made(_read(secret.reveal(), values, types)))


def _require_token(token: Secret) -> Secret:
    """Refuse what cannot be an access token, or stand in a header. Raises `ConfigError`."""
    if not _TOKEN.fullmatch(token.reveal().strip()):
        raise ConfigError(
            "BigQuery: 'token' is no access token.", hint="gcloud auth print-access-token prints one."
        )
    return token


def _made(key: dict[str, str]) -> Any:
    """Return the driver's credential of a key that was read here."""
    from google.oauth2 import credentials, service_account

    if key["type"] == "authorized_user":
        return credentials.Credentials(
            None,
            refresh_token=key["refresh_token"],
            token_uri=key["token_uri"],
            client_id=key["client_id"],
            client_secret=key["client_secret"],
            quota_project_id=key.get("quota_project_id"),
        )
    try:
        return service_account.Credentials.from_service_account_info(
            {name: key[name] for name in _NEEDED["service_account"]}, scopes=_SCOPES
        )
    except Exception as exc:  # ValueError, and whatever the library for keys raises
        raise ConfigError(
            "The private key of the service account cannot be read.",
            hint="Paste the file as Google gave it, with its \\n.",
        ) from exc


def _default_file() -> str:
    """Return the text of the file that gcloud wrote, or that GOOGLE_APPLICATION_CREDENTIALS names."""
    from google.auth._cloud_sdk import get_application_default_credentials_path

    name = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or get_application_default_credentials_path()
    try:
        with Path(name).open(encoding="utf-8") as file:
            return file.read(_MOST + 1)
    except (OSError, ValueError) as exc:
        raise AuthenticationFailed(
            "There are no application default credentials here.",
            hint="Run gcloud auth application-default login; the metadata server of a machine is not asked.",
        ) from exc


def _storage(values: Mapping[str, Any]) -> Any:
    """Return the client of the storage API; None for an API of one's own without one."""
    import grpc
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    if values.get("api_endpoint") and not values.get("storage_endpoint"):
        return None
    scheme, host, port = endpoint(values, "storage_endpoint", STORAGE)
    target = f"{_bracketed(host)}:{port}"
    proxy = proxy_for(host) if scheme == "https" else None
    options: list[tuple[str, Any]] = [
        ("grpc.enable_http_proxy", 0) if proxy is None else ("grpc.http_proxy", proxy.url.reveal()),
        ("grpc.max_receive_message_length", -1),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.enable_retries", 0),
        ("grpc.keepalive_time_ms", 30_000),  # a peer that is gone in the middle of a stream
    ]
    if scheme == "http":
        channel = grpc.insecure_channel(target, options)
    else:
        pem = values.get("ssl_ca")
        roots = grpc.ssl_channel_credentials(str(pem).encode() if pem else None)
        channel = grpc.secure_channel(target, roots, options)
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
