"""Which hosts a connection may lead to at all: the administrator's list (``AiserConnections.allowed_hosts``).

A name is looked at before it is resolved, so that what is not allowed is not even asked for. A network counts
for the addresses that a name resolved to, and those are connected to: a name cannot mean one address here and
another one there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..config import AiserConnections

__all__ = ["allow_hosts", "require_allowed"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_names: tuple[str, ...] = ()
_networks: tuple[_Network, ...] = ()


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
    """Refuse a host that the list does not have; an empty list has all.

    Parameters
    ----------
    host : str
        As the connection names it.
    addresses : sequence of str, optional
        What it resolved to; None before it was, and then it passes if its addresses might.

    Raises
    ------
    ConfigError
    """
    folded = host.strip().casefold().rstrip(".")
    if not (_names or _networks) or any(fnmatchcase(folded, name) for name in _names):
        return
    if _networks and (addresses is None or all(map(_within, addresses))):
        return
    raise ConfigError(
        f"Connections to {host[:255]!r} are not allowed here.",
        hint="The administrator lists the hosts that are, in AiserConnections.allowed_hosts.",
    )


def _within(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in _networks)
