"""Sockets that end in time: resolve, connect, and cut off whatever does not answer.

A driver's own timeout counts from byte to byte, so a peer that sends one byte now and then holds it for ever;
and a name that does not resolve holds it as long as the system likes. So the socket is made here, handed to
the driver, and shut down from outside when the time is over: that ends a read in whatever code it waits.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Sequence

from ..errors import ConfigError, HostUnreachable
from .hosts import require_allowed

__all__ = ["Address", "Cut", "dial", "is_loopback", "reach", "resolve"]

Address = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""Address family, and what ``socket.connect`` takes."""


def resolve(host: str, port: int, seconds: float, *, listed: bool = True) -> list[Address]:
    """Return the addresses of ``host``, in the order the system prefers.

    Parameters
    ----------
    listed : bool
        Whether the host has to be on the administrator's list, if there is one.

    Raises
    ------
    HostUnreachable
        The name does not resolve, or not within ``seconds``.
    ConfigError
        ``port`` is none; the system would quietly take another one for it. Or the host is not allowed.
    """
    if listed:
        require_allowed(host)
    if not 0 < port < 65536:
        raise ConfigError(f"{port} is no port.", hint="Ports go from 1 to 65535.")
    answer: queue.SimpleQueue[list[Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put([(family, address) for family, _, _, _, address in found])  # type: ignore[misc]
        except (OSError, UnicodeError) as exc:
            answer.put(exc)

    # The system's resolver cannot be interrupted; a thread that is still at it is left behind.
    threading.Thread(target=ask, name="aiser-resolve", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise HostUnreachable(
            f"The name {host!r} was not resolved within {seconds:g} s.",
            hint="The name server does not answer: check the network or the VPN.",
        ) from None
    if isinstance(found, Exception):
        raise HostUnreachable(
            f"The host name {host!r} is not known.",
            hint="Check its spelling, and the network or the VPN.",
        ) from found
    if listed:
        require_allowed(host, [str(address[0]) for _, address in found])
    return list(dict.fromkeys(found))


def is_loopback(address: Address) -> bool:
    """Say whether ``address`` is this machine."""
    ip = ipaddress.ip_address(address[1][0].partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)


def reach(addresses: Sequence[Address], host: str, seconds: float) -> socket.socket:
    """Connect to the first of ``addresses`` that answers; each has its share of the time.

    Raises
    ------
    HostUnreachable
        None did within ``seconds``; the hint tells a closed port from a silent one.
    """
    end = time.monotonic() + seconds
    failure: OSError = TimeoutError()
    port = addresses[0][1][1]
    for tried, (family, address) in enumerate(addresses):
        # A silent address (IPv6 where it leads nowhere) leaves time for those after it.
        share = max(0.05, end - time.monotonic()) / (len(addresses) - tried)
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            found.settimeout(share)
            found.connect(address)
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            found.settimeout(None)
        except OSError as exc:
            found.close()
            failure = exc
        else:
            return found
    if isinstance(failure, TimeoutError):
        raise HostUnreachable(
            f"{host} did not answer on port {port} within {round(seconds, 1):g} s.",
            hint="A firewall may drop the connection, or the VPN is off.",
        ) from failure
    if isinstance(failure, ConnectionRefusedError):
        raise HostUnreachable(
            f"Nothing listens on port {port} of {host}.",
            hint="Check the port, and that the database runs.",
        ) from failure
    reason = os.strerror(failure.errno) if failure.errno else str(failure)
    raise HostUnreachable(f"{host} cannot be reached: {reason}.", hint="Check the network.") from failure


def dial(host: str, port: int, seconds: float, *, listed: bool = True) -> socket.socket:
    """`resolve` and `reach` within ``seconds`` together."""
    end = time.monotonic() + seconds
    addresses = resolve(host, port, seconds, listed=listed)
    return reach(addresses, host, max(0.05, end - time.monotonic()))


class Cut:
    """The means to end a connection from any thread, whatever the driver wrapped around its socket.

    Parameters
    ----------
    sock : socket.socket
        A connected TCP socket, before it is handed to a driver or wrapped for TLS.
    """

    def __init__(self, sock: socket.socket) -> None:
        # A second descriptor of the same connection: wrapping for TLS takes the first one away.
        self._twin = sock.dup()
        self._lock = threading.Lock()
        self.done = False

    def cut(self) -> None:
        """Shut the connection down: every read and write of it ends at once. Safe to call twice."""
        with self._lock:
            if self._twin.fileno() >= 0:
                self.done = True
                with contextlib.suppress(OSError):  # the peer was faster
                    self._twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back; the connection itself stays as it is."""
        with self._lock:
            self._twin.close()

    @contextlib.contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        """Cut the connection unless the block ends within ``seconds``; `done` then says so."""
        timer = threading.Timer(max(0.001, seconds), self.cut)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # the interpreter ends, and from 3.12 on starts no thread: nobody would watch
            self.cut()
        try:
            yield
        finally:
            timer.cancel()
