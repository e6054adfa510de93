"""TLS for connectors whose driver takes a context: on, and verified, unless the connection says otherwise.

Without TLS only this machine may be reached, and the hosts that the administrator names
(``AiserConnections.insecure_hosts``).
"""

from __future__ import annotations

import atexit
import os
import socket
import ssl
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, ConfigError, TLSFailed
from .causes import causes
from .sockets import Address, is_loopback

if TYPE_CHECKING:
    from ..config import AiserConnections

__all__ = ["allow_insecure", "authority_file", "context_of", "require_tls", "translate_tls", "wrap"]

_insecure_hosts: frozenset[str] = frozenset()


def allow_insecure(settings: AiserConnections) -> None:
    """Take over the administrator's list of hosts that may be reached without TLS."""
    global _insecure_hosts
    _insecure_hosts = frozenset(host.casefold() for host in settings.insecure_hosts)


def context_of(values: Mapping[str, Any]) -> ssl.SSLContext | None:
    """Return the context of a connection: certificate and name are verified; None where TLS is off.

    ``ssl_ca`` replaces the system's authorities, it does not add to them.

    Raises
    ------
    ConfigError
        ``ssl_ca`` holds no certificate.
    """
    if not values.get("ssl_enabled", True):
        return None
    try:
        return _context(values.get("ssl_ca") or None)
    except ssl.SSLError as exc:
        raise ConfigError("ssl_ca holds no readable certificate.", hint="Paste the PEM text again.") from exc


@lru_cache(maxsize=32)
def _context(authority: str | None) -> ssl.SSLContext:
    # Reading the system's authorities takes longer than a login.
    return ssl.create_default_context(cadata=authority)


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


def translate_tls(exc: BaseException, host: str) -> AiserError | None:
    """Return what a failed handshake means; None where ``exc`` is no failure of TLS."""
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
    return TLSFailed(f"The certificate of {host} does not hold: {reason}.", hint="Ask its administrator.")


def _in_handshake(exc: BaseException) -> bool:
    frames = traceback.walk_tb(exc.__traceback__)
    return any(frame.f_code.co_name == "do_handshake" for frame, _ in frames)


def wrap(sock: socket.socket, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    """Do the handshake on ``sock``, for a step of a connection test."""
    return context.wrap_socket(sock, server_hostname=name)
