"""TLS for connectors whose driver takes a context: on, and verified, unless the connection says otherwise.

Without TLS only this machine may be reached, and the hosts that the administrator names
(``AiserConnections.insecure_hosts``).
"""

from __future__ import annotations

import atexit
import os
import re
import secrets
import socket
import ssl
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, ConfigError, TLSFailed
from .causes import bare, causes
from .sockets import Address, is_loopback

if TYPE_CHECKING:
    from ..config import AiserConnections
    from ..secret import Secret

__all__ = ["allow_insecure", "authority_file", "context_of", "require_tls", "translate_tls", "wrap"]

_INCOMPLETE = range(80, 95)
"""OpenSSL's numbers for what strict verification alone refuses, as a key without an identifier."""
_OF_CLIENT = re.compile("ALERT_.*(CERTIFICATE|UNKNOWN_CA)")
"""OpenSSL's words for what a server says of its client's certificate."""
_BROKE_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError)
_insecure_hosts: frozenset[str] = frozenset()


def allow_insecure(settings: AiserConnections) -> None:
    """Take over the administrator's list of hosts that may be reached without TLS."""
    global _insecure_hosts
    _insecure_hosts = frozenset(host.casefold() for host in settings.insecure_hosts)


def context_of(values: Mapping[str, Any]) -> ssl.SSLContext | None:
    """Return the context of a connection: certificate and name are verified; None where TLS is off.

    ``ssl_ca`` replaces the system's authorities, it does not add to them. ``ssl_certificate`` and ``ssl_key``
    are shown to a server that asks who its client is.

    Raises
    ------
    ConfigError
        One of them cannot be read, or the key is not the certificate's.
    """
    if not values.get("ssl_enabled", True):
        return None
    try:
        if certificate := values.get("ssl_certificate"):
            context = _context.__wrapped__(values.get("ssl_ca") or None)
            _present(context, str(certificate), values.get("ssl_key"))
            return context
        return _context(values.get("ssl_ca") or None)
    except ssl.SSLError as exc:
        raise ConfigError("ssl_ca holds no readable certificate.", hint="Paste the PEM text again.") from exc


def _present(context: ssl.SSLContext, certificate: str, key: Secret | None) -> None:
    """Have ``context`` prove that its client has ``certificate``. Raises `ConfigError`.

    The key goes through a file, for there is no other way; it is encrypted there, and gone at once.
    """
    once = secrets.token_hex(32)
    try:
        pem = _encrypted(key.reveal() if key is not None else "", once)
    except TypeError as exc:
        raise ConfigError(
            "ssl_key is encrypted with a passphrase.",
            hint="Paste it decrypted, it is sealed here: openssl pkey -in client.key",
        ) from bare(exc)
    except ValueError as exc:  # nor an algorithm that is not known
        raise ConfigError(
            "ssl_key holds no readable key.", hint="It begins with -----BEGIN PRIVATE KEY-----."
        ) from bare(exc)
    with tempfile.NamedTemporaryFile("w", prefix="aiser-client-", suffix=".pem") as file:  # 0600
        file.write(f"{certificate}\n{pem}")
        file.flush()
        try:
            context.load_cert_chain(file.name, password=once)
        except ssl.SSLError as exc:
            reason = "is no key of" if "MISMATCH" in str(exc.reason) else "cannot be shown with"
            raise ConfigError(
                f"ssl_key {reason} ssl_certificate.",
                hint="Give the user's own certificate first, then those that lead to its authority.",
            ) from bare(exc)


def _encrypted(key: str, passphrase: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        return (
            serialization.load_pem_private_key(key.encode(), None)
            .private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(passphrase.encode()),
            )
            .decode()
        )
    except UnsupportedAlgorithm as exc:
        raise ValueError("no algorithm of ours") from exc


@lru_cache(maxsize=32)
def _context(authority: str | None) -> ssl.SSLContext:
    # Reading the system's authorities takes longer than a login.
    context = ssl.create_default_context(cadata=authority)
    # The same with every Python: 3.13 alone would refuse certificates that lack what RFC 5280 asks for, as
    # many of a company's own do; and would trust a certificate that was given and is no root.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


@lru_cache(maxsize=32)
def authority_file(pem: str) -> Path:
    """Return a private file with the certificates ``pem``, for a driver that takes only the name of one.

    It belongs to this process, and is removed at its end.

    Raises
    ------
    ConfigError
        ``pem`` holds no certificate.
    """
    context_of({"ssl_ca": pem})  # it says so where there is none
    descriptor, name = tempfile.mkstemp(prefix="aiser-ca-", suffix=".pem")  # 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(pem)
    path = Path(name)
    atexit.register(_remove, path, os.getpid())
    return path


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child must not take it away
        path.unlink(missing_ok=True)


def require_tls(values: Mapping[str, Any], addresses: Sequence[Address], host: str = "") -> None:
    """Refuse to go on without TLS to another machine.

    Parameters
    ----------
    addresses : sequence
        What the host's name resolved to, and what will be connected to: they are the same, so that a name
        cannot mean this machine here and another one there.
    host : str
        Its name; the field ``host`` by default.

    Raises
    ------
    ConfigError
    """
    host = (host or str(values.get("host", ""))).strip().casefold()
    if values.get("ssl_enabled", True) or host in _insecure_hosts:
        return
    if not all(is_loopback(address) for address in addresses):
        raise ConfigError(
            f"{host} is another machine, and TLS is off: password and data would travel in the open.",
            hint="Turn TLS on (ssl_enabled), or have the administrator add the host to "
            "AiserConnections.insecure_hosts.",
        )


def translate_tls(exc: BaseException, host: str, *, shown: bool = False) -> AiserError | None:
    """Return what a failed handshake means; None where ``exc`` is no failure of TLS.

    ``shown`` says that the server was shown a certificate of ours: what it says of that comes after the
    handshake, and may be lost where it breaks off.
    """
    refused = next(
        (each for each in causes(exc) if _OF_CLIENT.search(str(getattr(each, "reason", "")))), None
    )
    if refused or (shown and any(isinstance(each, _BROKE_OFF) for each in causes(exc))):
        said = getattr(refused, "reason", "it broke off")
        return TLSFailed(
            f"{host} does not take the client's certificate ({said}).",
            hint="Give ssl_certificate and ssl_key as the database's administrator issued them.",
        )
    found = next((each for each in causes(exc) if isinstance(each, ssl.SSLError)), None)
    if found is None or (isinstance(found, ssl.SSLEOFError) and not _in_handshake(found)):
        return None
    if not isinstance(found, ssl.SSLCertVerificationError):
        return TLSFailed(
            f"The encrypted connection to {host} failed: {found.reason or 'the server broke off'}.",
            hint="The server may not speak TLS on this port, or only versions that are no longer safe.",
        )
    code, reason = found.verify_code, found.verify_message
    if code == 10:
        return TLSFailed(
            f"The certificate of {host} has expired.",
            hint="Its owner has to renew it; verification stays on.",
        )
    if code in (62, 64):  # host name, IP address
        return TLSFailed(
            f"The certificate is not for {host}: {reason}",
            hint="Use the name that the certificate carries, as host or as ssl_server_name.",
        )
    if code in (7, 18, 19, 20, 21):  # self-signed, an authority that is not known, or one of the same name
        return TLSFailed(
            f"The certificate of {host} is not signed by an authority that is trusted here ({reason}).",
            hint="Give the authority's certificate as ssl_ca; the database's administrator has it.",
        )
    if code in _INCOMPLETE:
        return TLSFailed(
            f"The certificate of {host}, or of its authority, is incomplete ({reason}).",
            hint="Python 3.13's drivers ask for all that RFC 5280 does: have it issued anew, or use 3.12.",
        )
    return TLSFailed(f"The certificate of {host} does not hold: {reason}.", hint="Ask its administrator.")


def _in_handshake(exc: BaseException) -> bool:
    frames = traceback.walk_tb(exc.__traceback__)
    return any(frame.f_code.co_name == "do_handshake" for frame, _ in frames)


def wrap(sock: socket.socket, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    """Do the handshake on ``sock``, for a step of a connection test."""
    return context.wrap_socket(sock, server_hostname=name)
