"""The driver's HTTP on sockets of our own: they go where was checked, are verified, and can be cut off.

Rules: nothing of the environment counts (``REQUESTS_CA_BUNDLE``, ``.netrc``) but a proxy; a redirect is
never followed, for it would carry a token, or a signed request for one, to somewhere else; and every read
has an end, because `Wire.cut` shuts the sockets down under whatever code waits for them.
"""

from __future__ import annotations

import ssl
import threading
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from ..proxy import dial_https
from ..sockets import Cut, dial

__all__ = ["Wire", "prepare"]


class Wire(HTTPAdapter):
    """Carries the requests of one session; each connection is dialled, and known, here.

    Parameters
    ----------
    context : ssl.SSLContext, optional
        Verifies every https address; None where TLS is off.
    seconds : float
        To connect.
    """

    def __init__(self, context: ssl.SSLContext | None, seconds: float) -> None:
        self._context = context
        self._seconds = seconds
        self._cuts: set[Cut] = set()
        self._lock = threading.Lock()
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **keywords: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **keywords)
        self.poolmanager.pool_classes_by_scheme = _pools(self)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the context says it all, and requests would add its own authorities to it."""

    def dial(self, host: str, port: int, timeout: Any, *, https: bool) -> tuple[Any, Cut]:
        """Return a new socket, and the means to end it. Raises `ConnectError`."""
        seconds = min(self._seconds, timeout) if isinstance(timeout, int | float) else self._seconds
        sock = (dial_https if https else dial)(host, port, seconds)
        sock.settimeout(seconds)
        cut = Cut(sock)
        with self._lock:
            self._cuts.add(cut)
        return sock, cut

    def forget(self, cut: Cut) -> None:
        """Give back what `dial` made."""
        with self._lock:
            self._cuts.discard(cut)
        cut.close()

    def cut(self) -> None:
        """Shut every connection down."""
        with self._lock:
            cuts = list(self._cuts)
        for cut in cuts:
            cut.cut()

    def close(self) -> None:
        super().close()
        self.cut()
        with self._lock:
            cuts, self._cuts = list(self._cuts), set()
        for cut in cuts:
            cut.close()


def _pools(wire: Wire) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools by scheme, with connections that ``wire`` dials."""

    class Plain(HTTPConnection):
        _cut: Cut | None = None
        _https = False

        def _new_conn(self) -> Any:
            sock, self._cut = wire.dial(self.host, self.port, self.timeout, https=self._https)
            return sock

        def close(self) -> None:
            super().close()
            if self._cut is not None:
                wire.forget(self._cut)
                self._cut = None

    class Secure(Plain, HTTPSConnection):
        _https = True

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def prepare(session: requests.Session, wire: Wire) -> requests.Session:
    """Make ``session`` use ``wire`` for everything, and return it."""
    session.trust_env = False
    session.max_redirects = 0
    session.adapters.clear()
    session.mount("https://", wire)
    session.mount("http://", wire)
    return session
