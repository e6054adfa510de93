"""Which hosts a connection may lead to at all: the administrator's list (``AiserConnections.allowed_hosts``).

A name is looked at before it is resolved, so that what is not allowed is not even asked for. A network counts
for the addresses that a name resolved to, and those are connected to: a name cannot mean one address here and
another one there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..config import AiserConnections

__all__ = [
    "allow_hosts",
    "allow_vendor_hosts",
    "check_host",
    "keep_to_public",
    "names_this_machine",
    "require_allowed",
    "require_vendor",
]

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Where a network of IPv6 alone reaches those of IPv4, the private ones too."""
_UNICAST = ipaddress.ip_network("2000::/3")
"""All public addresses of IPv6; others lead into IPv4 by ways of their own."""
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_names: tuple[str, ...] = ()
_networks: tuple[_Network, ...] = ()
_vendor_hosts: tuple[str, ...] = ()
_public_only = False


def allow_hosts(settings: AiserConnections) -> None:
    """Take over the administrator's list: names with ``*``, addresses, and networks such as ``10.0.0.0/8``.

    Raises
    ------
    ConfigError
        An entry with a slash is no network.
    """
    global _names, _networks
    entries = [entry.strip().casefold() for entry in settings.allowed_hosts]
    try:
        networks = tuple(ipaddress.ip_network(entry) for entry in entries if "/" in entry)
    except ValueError as exc:
        raise ConfigError(f"AiserConnections.allowed_hosts has an entry that is no network: {exc}.") from exc
    _names, _networks = tuple(entry for entry in entries if "/" not in entry), networks


def require_allowed(host: str, addresses: Sequence[str] | None = None) -> None:
    """Refuse a host that the list does not have; an empty list has all, or all public ones.

    Parameters
    ----------
    host : str
        As the connection names it.
    addresses : sequence of str, optional
        What it resolved to; None before it was, and then it passes if its addresses might. An empty one says
        that it is resolved elsewhere: then it passes by its name alone.

    Raises
    ------
    ConfigError
    """
    folded = host.strip().casefold().rstrip(".")
    if any(fnmatchcase(folded, name) for name in _names):
        return
    if not (_names or _networks):
        if _public_only and addresses is not None and not all(map(_is_public, addresses)):
            raise _not_public(host)
        return
    if _networks and (addresses is None or (addresses and all(map(_within, addresses)))):
        return
    raise ConfigError(
        f"Connections to {host[:255]!r} are not allowed here.",
        hint="The administrator lists the hosts that are, in AiserConnections.allowed_hosts.",
    )


def keep_to_public(*, several: bool) -> None:
    """Say whether several persons use this process; then a list that is empty has public addresses only.

    What answers at a private address may trust this machine, which none of them is.
    """
    global _public_only
    _public_only = several


def _not_public(host: str) -> ConfigError:
    return ConfigError(
        f"{host[:255]!r} is at an address of this machine or of its own network.",
        hint="Several persons share this server: its administrator lists such hosts in "
        "AiserConnections.allowed_hosts, by name or as a network (10.0.0.0/8).",
    )


def allow_vendor_hosts(settings: AiserConnections) -> None:
    """Take over the administrator's list of hosts, besides the vendors' own, that a warehouse may be at."""
    global _vendor_hosts
    _vendor_hosts = tuple(host.strip().casefold() for host in settings.vendor_hosts)


def require_vendor(host: str, addresses: Sequence[str], domains: Sequence[str]) -> None:
    """Refuse a host that is neither the vendor's, nor this machine, nor on the administrator's list.

    A warehouse's driver sends the credential to whatever host it is given, and resolves the name by itself:
    the name is what can be held to. So this machine has to be named as such, too; a name that only resolves
    to it may mean another one when the driver asks.

    Parameters
    ----------
    addresses : sequence of str
        What the name resolved to.
    domains : sequence of str
        The vendor's, each with its leading dot, or a whole name.

    Raises
    ------
    ConfigError
    """
    folded = host.strip().casefold().rstrip(".")
    if any(folded.endswith(domain) if domain[0] == "." else folded == domain for domain in domains):
        return
    if any(fnmatchcase(folded, name) for name in _vendor_hosts):
        return
    if names_this_machine(folded) and addresses and all(map(_is_loopback, addresses)):
        return
    raise ConfigError(
        f"{host[:255]!r} is not one of the vendor's hosts ({', '.join('*' + d for d in domains)}).",
        hint="Where it is right, as behind a private link, the administrator adds it to "
        "AiserConnections.vendor_hosts.",
    )


def check_host(host: str) -> None:
    """Refuse what is not exactly one host name or address.

    Raises
    ------
    ConfigError
        A list, a socket, an IPv6 zone, a name with other characters.
    """
    if "," in host:
        raise ConfigError("A connection goes to one host, not to a list of them.", hint="Name one host.")
    if host.startswith(("/", "@", "\\")):
        raise ConfigError("Unix sockets and pipes are not supported.", hint="Name a host, such as localhost.")
    if _HOST.fullmatch(host):
        return
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        host = "%"
    if "%" in host:
        raise ConfigError(
            "The host is neither a host name nor an address.",
            hint="Letters, digits, dots, - and _ only; write an international name in its xn-- form.",
        )


def names_this_machine(host: str) -> bool:
    """Say whether ``host`` is this machine's own name or address, whatever it may resolve to."""
    host = host.strip().casefold().rstrip(".")
    try:
        return _is_loopback(host)
    except ValueError:
        return host == "localhost"


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _within(address: str) -> bool:
    found = _unmapped(address)
    return any(found in network for network in _networks)


def _is_public(address: str) -> bool:
    found = _unmapped(address)
    if isinstance(found, ipaddress.IPv6Address) and (found not in _UNICAST or found.sixtofour):
        return False
    return found.is_global and not found.is_multicast


def _unmapped(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address, or the one of IPv4 that it is another writing of."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return getattr(found, "ipv4_mapped", None) or found
