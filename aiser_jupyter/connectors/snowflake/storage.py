"""The storage that the parts of a result are fetched from, at the addresses that Snowflake's answer gives.

The driver's own way there tries what broke off five times, for up to half a minute, whatever it is told, and
cannot be cut off. Here the caller decides about a second try, and everything under way ends on `close`.

An address holds for some hours and needs no login: it is sent nothing but the headers that came with it, and
a redirect is not followed. It is reached under the same rules as a database: by TLS, and only where it is a
cloud's, or the administrator's list of hosts, if there is one, has it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ...errors import ConnectionLost
from ..hosts import require_vendor
from ..https import Line, Request
from ..proxy import dial_https, proxy_for
from ..sockets import reach, resolve
from ..tls import context_of, require_tls, translate_tls

__all__ = ["Broken", "Storage"]

_CONNECT_SECONDS = 10.0
_SILENT_SECONDS = 30.0
"""Until a storage that sends nothing is given up; the deadline of a run comes before."""
_PAUSE = 0.1
"""Seconds before the second try."""
_CLOUDS = (".amazonaws.com", ".amazonaws.com.cn", ".blob.core.windows.net", "storage.googleapis.com")
"""Where Snowflake keeps results; an administrator who allows an account need not list them."""
_PORTS = {"https": 443, "http": 80}
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


class Broken(Exception):
    """A part did not come as it was announced; another try may bring it."""


class Storage:
    """Fetches parts, over connections that are kept for the next one. Safe in any thread.

    Parameters
    ----------
    values : mapping
        Of the connection: ``ssl_ca`` holds for the storage, too.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._context = context_of({**values, "ssl_enabled": True})
        self._lock = threading.Lock()
        self._busy: set[_Line] = set()
        self._idle: list[_Line] = []
        self._over = threading.Event()

    def fetch(self, url: str, headers: Mapping[str, str], *, anew: bool = False) -> bytes:
        """Return what is at ``url``, packed as it is there.

        Parameters
        ----------
        anew : bool
            Whether it is the second try: after a moment, on a connection of its own.

        Raises
        ------
        Broken
            It broke off, or the storage cannot give it now.
        AiserError
            Another try would change nothing.
        """
        if self._over.wait(_PAUSE if anew else 0):
            raise Broken("closed")
        address = urlsplit(url)
        try:
            line = self._taken(address, anew)
            try:
                found = line.get(address, headers)
            finally:
                self._given_back(line)
        except (OSError, HTTPException) as exc:
            if isinstance(exc, ssl.SSLCertVerificationError):
                raise translate_tls(exc, str(address.hostname)) or exc from exc
            raise Broken(type(exc).__name__) from exc
        return found

    def close(self) -> None:
        """End everything under way; nothing is fetched any more."""
        with self._lock:
            self._over.set()
            idle, self._idle = self._idle, []
            for line in self._busy:
                line.cut()
        for line in idle:
            line.close()

    def _taken(self, address: SplitResult, anew: bool) -> _Line:
        place = (address.scheme, str(address.hostname), address.port or _PORTS.get(address.scheme, 0))
        with self._lock:
            found = next((each for each in self._idle if each.place == place), None)
            if found is not None and not anew:
                self._idle.remove(found)
                self._busy.add(found)
                return found
        line = _Line(place, self._context)
        with self._lock:
            self._busy.add(line)
            if self._over.is_set():
                line.cut()
        try:
            line.shake_hands(_SILENT_SECONDS)
        except BaseException:
            self._given_back(line)
            raise
        return line

    def _given_back(self, line: _Line) -> None:
        with self._lock:
            self._busy.discard(line)
            if line.whole and not self._over.is_set():
                self._idle.append(line)
                return
        line.close()


class _Line(Line):
    """One connection to a storage."""

    def __init__(self, place: tuple[str, str, int], context: ssl.SSLContext | None) -> None:
        self.place = place
        scheme, host, port = place
        super().__init__(_connected(scheme, host, port), host, port, context if scheme == "https" else None)

    def get(self, address: SplitResult, headers: Mapping[str, str]) -> bytes:
        """Ask, and read the answer to its end."""
        target = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
        # Without a word on packing, some storages unpack before they send.
        more = {"Accept": "*/*", "Accept-Encoding": "gzip", **headers}
        status, found = self.ask(Request("GET", target, None, more))
        self.whole = self.whole and status == 200
        if status in _AGAIN:
            raise Broken(f"HTTP {status}")
        if status != 200:
            raise ConnectionLost(
                f"The storage of the result refused a part of it (HTTP {status}).",
                hint="Run it again: the address of a part holds for some hours.",
            )
        return found


def _connected(scheme: str, host: str, port: int) -> socket.socket:
    listed = not host.endswith(_CLOUDS)
    if scheme == "https":
        if proxy_for(host) is not None:
            require_vendor(host, (), _CLOUDS)
        return dial_https(host, port, _CONNECT_SECONDS, listed=listed)
    end = time.monotonic() + _CONNECT_SECONDS
    addresses = resolve(host, port, _CONNECT_SECONDS, listed=listed)
    require_tls({"ssl_enabled": False}, addresses, host)
    return reach(addresses, host, max(0.05, end - time.monotonic()))
