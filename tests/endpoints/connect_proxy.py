"""An HTTP proxy on loopback, as companies have one: it takes CONNECT and nothing else, and knows no secret.

It resolves names by a list of its own, which leads the vendors' names to the endpoints of the tests: those
names mean nothing on this machine, so that whoever arrives came through here. One asyncio loop in one thread.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from types import TracebackType
from typing import Self
from urllib.parse import quote


class ConnectProxy:
    """Start it with a ``with`` statement.

    Parameters
    ----------
    places : dict
        The port of this machine that a host with its port, ``name:443``, is led to; others get 502.
    user : str
        ``name:password`` that is asked for; "" asks for none.

    Attributes
    ----------
    asked : list of str
        What was asked for, in order: ``name:port``, also what was refused.
    status : int
        Answered instead of leading anywhere; 0 for none.
    mute : bool
        Accept, and answer nothing.
    """

    def __init__(self, places: dict[str, int], user: str = "") -> None:
        self.places, self.user = places, user
        self.asked: list[str] = []
        self.status = 0
        self.mute = False
        self.port = 0
        self._links: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="connect-proxy", daemon=True)

    @property
    def url(self) -> str:
        """As an environment names it."""
        user, _, password = self.user.partition(":")
        said = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        return f"http://{said}127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- in the thread ----------------------------------------------------------------------------------

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        for each in self._links:
            each.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        await asyncio.sleep(0)  # sockets are closed in the turn after

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._links.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, place, _ = first.split(" ")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        self.asked.append(place)
        if self.mute:
            await reader.read()
            return
        status = self.status or self._refusal(method, place, headers.get("proxy-authorization", ""))
        if status:
            more = 'Proxy-Authenticate: Basic realm="acme"\r\n' if status == 407 else ""
            writer.write(f"HTTP/1.1 {status} No\r\n{more}Content-Length: 5\r\n\r\nsorry".encode())
            await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.places[place])
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        finally:
            back.transport.abort()

    def _refusal(self, method: str, place: str, said: str) -> int:
        if method != "CONNECT":
            return 405
        if self.user and said != f"Basic {base64.b64encode(self.user.encode()).decode()}":
            return 407
        return 0 if place in self.places else 502


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
