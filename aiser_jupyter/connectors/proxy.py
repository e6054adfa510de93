"""The HTTPS proxy that the environment names, and the way through it.

``HTTPS_PROXY`` and ``NO_PROXY`` say which one applies, as they do for other programs: a person's own in a
kernel or a shell, the administrator's on a server. Nothing else does, so that every driver goes the same way.

- The way is a CONNECT; TLS begins behind it, with the host itself, and is verified as without a proxy.
- The proxy resolves the host's name. So a host is allowed by its name alone, and has to be a vendor's or on
  the administrator's list; this machine is never reached so, for to the proxy its name means another one.
- The proxy's user and password are in no message, and are sent to nobody else.
"""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from ..errors import AuthenticationFailed, ConfigError, ConnectError, HostUnreachable
from ..secret import Secret
from .causes import bare
from .hosts import check_host, names_this_machine, require_allowed, require_vendor
from .sockets import Address, Cut, dial, reach, resolve

__all__ = ["Proxy", "dial_https", "proxy_for", "vendor_addresses"]

_FORM = "Write it as http://proxy.example.org:3128, or http://user:password@proxy.example.org:3128."


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; as text it is its host and port. ``url`` is for a driver that takes one.

    ``user`` and ``password`` are as they are meant; in the ``url`` they are written with %.
    """

    host: str
    port: int
    url: Secret
    user: str = ""
    password: Secret | None = None

    def __str__(self) -> str:
        return _place(self.host, self.port)


def proxy_for(host: str) -> Proxy | None:
    """Return the proxy that https to ``host`` goes through; None where the way is direct.

    Raises
    ------
    ConfigError
        ``HTTPS_PROXY`` is not the address of a proxy that can be used; the message does not quote it.
    """
    named = _named(host)
    if named is None:
        return None
    try:
        return _read(named)
    except ConfigError as exc:
        problem = exc
    except ValueError:
        problem = ConfigError("HTTPS_PROXY is no address of a proxy.", hint=_FORM)
    raise bare(problem) from None  # the frames hold the password


def _named(host: str) -> Secret | None:
    """Return what the environment says."""
    found = getproxies_environment()
    if names_this_machine(host) or proxy_bypass_environment(host, found):
        return None
    text = found.get("https", "").strip()
    return Secret(text) if text else None


def _read(named: Secret) -> Proxy:
    text = named.reveal()
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme != "http":
        raise ConfigError(
            f"HTTPS_PROXY names a proxy of the kind {parts.scheme[:20]}, which is not supported.",
            hint=f"{_FORM} What goes through it to the database is encrypted all the same.",
        )
    more = parts.path.strip("/") or parts.query or parts.fragment  # a password with one of /?# in it
    if more or not parts.hostname or (parts.username and parts.password is None):
        raise ValueError
    check_host(parts.hostname)
    password = None if parts.password is None else Secret(unquote(parts.password))
    url = Secret(parts._replace(path="", query="", fragment="").geturl())
    return Proxy(parts.hostname, parts.port or 80, url, unquote(parts.username or ""), password)


def vendor_addresses(
    host: str, port: int, seconds: float, domains: Sequence[str], *, https: bool = True
) -> list[Address]:
    """Return what a vendor's host resolves to; nothing where a proxy leads there, which resolves it.

    Raises
    ------
    ConfigError
        It is not one of the vendor's ``domains`` (see `require_vendor`), or not allowed.
    HostUnreachable
        It does not resolve.
    """
    if https and proxy_for(host) is not None:
        require_allowed(host, ())
        require_vendor(host, (), domains)
        return []
    addresses = resolve(host, port, seconds)
    require_vendor(host, [str(address[0]) for _, address in addresses], domains)
    return addresses


def dial_https(host: str, port: int, seconds: float, *, listed: bool = True) -> socket.socket:
    """`dial` a host that TLS begins with next; through the proxy where one applies.

    Raises
    ------
    HostUnreachable, ConfigError
        As `dial`.
    ConnectError
        The proxy does not lead there; `AuthenticationFailed` where it asks for a user.
    """
    proxy = proxy_for(host)
    if proxy is None:
        return dial(host, port, seconds, listed=listed)
    check_host(host)  # it becomes a line of a request
    if listed:
        require_allowed(host, ())
    end = time.monotonic() + seconds
    try:
        addresses = resolve(proxy.host, proxy.port, seconds, listed=False)
        sock = reach(addresses, proxy.host, max(0.05, end - time.monotonic()))
    except HostUnreachable as exc:
        raise _unreachable(proxy, exc.message) from exc
    try:
        _connect(sock, proxy, host, port, end)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(sock: socket.socket, proxy: Proxy, host: str, port: int, end: float) -> None:
    """Ask the proxy to lead to ``host``, until ``end``."""
    left = end - time.monotonic()
    cut = Cut(sock)
    try:
        with cut.after(left):
            sock.sendall(_request(proxy, host, port))
            with closing(HTTPResponse(sock, method="CONNECT")) as answer:
                answer.begin()
    except (OSError, HTTPException) as exc:
        said = f"it did not answer within {left:.1f} s." if cut.done else "it broke off."
        raise _unreachable(proxy, said) from exc
    finally:
        cut.close()
    if answer.status == 407:
        raise AuthenticationFailed(
            f"The proxy {proxy} {'refuses its user' if proxy.user else 'asks for a user and a password'}.",
            hint=f"They stand in HTTPS_PROXY: http://user:password@{proxy}, a special character as %40."
            " A proxy that takes no such password (NTLM, Kerberos) needs a relay on this machine.",
        )
    if not 200 <= answer.status < 300:
        raise ConnectError(
            f"The proxy {proxy} does not lead to {_place(host, port)} (HTTP {answer.status}).",
            hint="Its administrator says where it leads; NO_PROXY names what is reached without it.",
        )


def _request(proxy: Proxy, host: str, port: int) -> bytes:
    """Return the request as it is sent; nobody keeps it."""
    place = _place(host, port)
    words = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if proxy.password is not None:
        pair = f"{proxy.user}:{proxy.password.reveal()}".encode()
        words.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
    return "\r\n".join([*words, "", ""]).encode()


def _unreachable(proxy: Proxy, said: str) -> HostUnreachable:
    return HostUnreachable(
        f"The proxy {proxy} cannot be used: {said}",
        hint="HTTPS_PROXY names it; NO_PROXY names what is reached without it.",
    )


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
