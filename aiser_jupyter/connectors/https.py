"""HTTP on a socket of our own: what is asked beside a driver goes where was checked, and ends in time.

A redirect is an answer like another: nothing is carried elsewhere. What was sent is in no frame of an error.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple

from ..errors import AiserError, ConnectError
from .causes import bare
from .proxy import dial_https
from .sockets import Cut, dial
from .tls import translate_tls, wrap

__all__ = ["Answer", "Line", "Request", "ask"]

_MOST_BYTES = 1 << 20


class Request(NamedTuple):
    """What is sent."""

    method: str
    target: str
    body: bytes | None
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What came."""

    status: int
    body: bytes


class Line(Cut):
    """One connection; `cut` ends whatever waits for it.

    Parameters
    ----------
    sock : socket.socket
        Connected; it belongs to the line from here on.
    context : ssl.SSLContext, optional
        None where nothing is encrypted.

    Attributes
    ----------
    whole : bool
        Whether the last answer was read to its end, so that another one may follow.
    """

    def __init__(self, sock: socket.socket, host: str, port: int, context: ssl.SSLContext | None) -> None:
        super().__init__(sock)
        self.whole = False
        self._sock, self._host, self._context = sock, host, context
        if context is None:
            self._http = HTTPConnection(host, port)
        else:
            self._http = HTTPSConnection(host, port, context=context)
        self._http.auto_open = 0  # a line that broke off must not come back by itself

    def shake_hands(self, seconds: float | None = None) -> None:
        """Begin. From here on each read waits so long at most; None where somebody cuts it."""
        self._sock.settimeout(seconds)
        if self._context is not None:
            self._sock = wrap(self._sock, self._context, self._host)
        self._http.sock = self._sock

    def ask(self, request: Request, most: int | None = None) -> Answer:
        """Ask, and read the answer: to its end, or so many bytes of it. Raises what the library raises."""
        self.whole = False
        self._http.request(*request)
        with self._http.getresponse() as answer:
            found = Answer(answer.status, answer.read(most if answer.status == 200 else _MOST_BYTES))
            self.whole = self._http.sock is not None and answer.isclosed()
        return found

    def close(self) -> None:
        super().close()
        self._sock.close()


def ask(
    host: str, port: int, context: ssl.SSLContext | None, request: Callable[[], Request], seconds: float
) -> Answer:
    """Ask once, on a line of its own, within ``seconds``; of a long answer the beginning is read.

    Parameters
    ----------
    request : callable
        Returns what to send; called when it is sent, so that nobody keeps what it reveals.

    Raises
    ------
    ConnectError
        There was no answer; the message says why.
    """
    end = time.monotonic() + seconds
    sock = (dial if context is None else dial_https)(host, port, seconds)
    line = Line(sock, host, port, context)
    try:
        with line.after(end - time.monotonic()):
            line.shake_hands()
            return line.ask(request(), _MOST_BYTES)
    except (OSError, HTTPException) as exc:
        raise _failed(exc, host, seconds, late=line.done) from bare(exc)
    finally:
        line.close()


def _failed(exc: Exception, host: str, seconds: float, *, late: bool) -> AiserError:
    if late:
        return ConnectError(
            f"{host} did not answer within {seconds:g} s.", hint="Check the network, or try again later."
        )
    return translate_tls(exc, host) or ConnectError(
        f"{host} broke off before it answered.", hint="Try again."
    )
