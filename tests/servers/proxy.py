"""A loopback proxy that misbehaves on demand: what a bad network, or a bad server, does to a connection.

One asyncio loop in one thread: in a threaded proxy, closing a socket that another thread reads sends
nothing, and a test of a reset would hang for the wrong reason. The fault is changed at any time with
`Proxy.set`, and holds for the connections that there are and for those to come. A connection held back by a
fault goes on where it stopped when the fault is over.

What is encrypted stays so: the proxy counts connections, and cannot tell a login from a request to cancel.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

MODES = {
    "pass": "everything goes through",
    "mute": "a new connection is accepted and nothing is ever answered; an old one falls silent",
    "rst": "after so many bytes from the server, the client's connection is reset",
    "fin": "after so many bytes from the server, the client's connection is ended in good order",
    "blackhole": "after so many bytes from the server, nothing passes in either direction",
    "drip": "one byte from the server every so many seconds",
    "latency": "every piece, in both directions, is late by so many seconds",
    "bandwidth": "so many bytes from the server a second",
    "refuse": "nothing listens any more; the connections that there are go on",
    "strip_postgresql": "PostgreSQL's offer of TLS is declined in the server's name",
    "strip_mysql": "MySQL's greeting loses the word that it speaks TLS",
}
SSL_REQUEST = struct.pack("!II", 8, 80877103)
CLIENT_SSL = 0x0800
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, eq=False)
class Fault:
    """What the proxy does. ``after`` counts from the moment the fault is set, for each connection.

    ``seconds`` is for ``drip`` (a byte) and ``latency``, ``rate`` (bytes a second) for ``bandwidth``. With
    ``new`` false, connections made after the fault was set pass.
    """

    mode: str = "pass"
    after: int = 0
    seconds: float = 0.5
    rate: int = 100_000
    new: bool = True
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Proxy:
    """Stands before ``upstream`` on a port of its own. Start it, or use it in a ``with`` statement.

    Attributes
    ----------
    port : int
    connections : int
        Accepted so far.
    answered : int
        Bytes that the server has sent, on all connections.
    heard : bytearray, optional
        Where what passes is kept too, of both directions; None, as it is at first, keeps nothing.
    """

    def __init__(self, upstream: tuple[str, int], mode: str = "pass", **options: Any) -> None:
        self._upstream = upstream
        self._fault = _fault(mode, options)
        self._links: set[_Link] = set()
        self._listener: asyncio.Server | None = None
        self.port = 0
        self.connections = 0
        self.answered = 0
        self.heard: bytearray | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        self._do(self._listen())

    @property
    def open(self) -> int:
        """Connections that are held, on either side."""
        return len(self._links)

    def set(self, mode: str, **options: Any) -> None:
        """Change the fault, for old and new connections; ``options`` are those of `Fault`."""
        self._do(self._set(_fault(mode, options)))

    def reset(self) -> None:
        """Reset every connection now, on both sides."""
        self._do(self._reset())

    def stop(self) -> None:
        """Reset what is open, and end the thread."""
        if self._thread.is_alive():
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- in the proxy's own thread --------------------------------------------------------------------

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._listener is None and self._fault.mode != "refuse":
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=200)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _set(self, fault: Fault) -> None:
        old, self._fault = self._fault, fault
        for link in self._links:
            link.fault, link.passed, link.silent = fault, 0, False
        old.changed.set()
        if fault.mode == "refuse":
            await self._stop_listening()
        await self._listen()

    async def _reset(self) -> None:
        for link in list(self._links):
            link.reset()

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            for sock in listener.sockets:
                self._loop.remove_reader(sock.fileno())
            await _settle()  # asyncio loses, still open, what was accepted last where its listener is closed
            listener.close()

    async def _close(self) -> None:
        await self._stop_listening()
        await self._reset()
        tasks = [link.task for link in self._links]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _settle()  # sockets are closed in the turn after

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        fault = self._fault if self._fault.new else Fault(changed=self._fault.changed)
        task = asyncio.current_task()
        assert task is not None
        link = _Link(self, self._upstream, reader, writer, fault, task)
        self._links.add(link)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await link.run()
        finally:
            link.reset()
            self._links.discard(link)


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _fault(mode: str, options: dict[str, Any]) -> Fault:
    if mode not in MODES:
        raise ValueError(f"no such mode: {mode}")
    return Fault(mode, **options)


class _Link:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: Proxy,
        upstream: tuple[str, int],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault,
        task: asyncio.Task[Any],
    ) -> None:
        self._proxy = proxy
        self._upstream = upstream
        self._from_client, self._to_client = reader, writer
        self._to_server: asyncio.StreamWriter | None = None
        self.silent = False
        self._ended = False
        self.fault, self.passed, self.task = fault, 0, task

    async def run(self) -> None:
        await self._while("mute")
        try:
            from_server, self._to_server = await asyncio.open_connection(*self._upstream)
        except OSError:
            return  # the client sees a reset, as from a machine whose database is down
        await self._strip(from_server, self._to_server)
        up = self._pump(self._from_client, self._to_server, self._up)
        down = self._pump(from_server, self._to_client, self._down)
        await asyncio.gather(up, down)

    def reset(self) -> None:
        """Abort both sides; the peers see a reset."""
        for writer in (self._to_client, self._to_server):
            if writer is not None and not writer.transport.is_closing():
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()

    async def _while(self, *modes: str) -> None:
        while self.fault.mode in modes:
            await self.fault.changed.wait()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        deliver: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
    ) -> None:
        try:
            while data := await reader.read(65536):
                await deliver(data, writer)
            await self._while("mute", "blackhole")  # an end does not pass either
            if not self._ended:
                writer.write_eof()
        except OSError:
            self.reset()

    def _overhear(self, data: bytes) -> None:
        if self._proxy.heard is not None:
            self._proxy.heard += data

    async def _up(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        self._overhear(data)
        while self.fault.mode == "mute" or self.silent:
            await self.fault.changed.wait()
        if self.fault.mode == "latency":
            await asyncio.sleep(self.fault.seconds)
        if not self._ended:
            writer.write(data)
            await writer.drain()

    async def _down(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        self._proxy.answered += len(data)
        self._overhear(data)
        while data and not self._ended:
            fault = self.fault
            if fault.mode in ("rst", "fin", "blackhole", "mute"):
                room = 0 if fault.mode == "mute" else max(0, fault.after - self.passed)
                data = await self._send(data[:room], data[room:], writer)
                if data and self.fault is fault:
                    await self._break(fault)
            elif fault.mode == "drip":
                data = await self._send(data[:1], data[1:], writer)
                await asyncio.sleep(fault.seconds)
            elif fault.mode == "bandwidth":
                size = max(1, fault.rate // 10)
                data = await self._send(data[:size], data[size:], writer)
                await asyncio.sleep(size / fault.rate)
            else:
                if fault.mode == "latency":
                    await asyncio.sleep(fault.seconds)
                data = await self._send(data, b"", writer)

    async def _send(self, now: bytes, later: bytes, writer: asyncio.StreamWriter) -> bytes:
        writer.write(now)
        await writer.drain()
        self.passed += len(now)
        return later

    async def _break(self, fault: Fault) -> None:
        if fault.mode == "rst":
            self._ended = True
            self.reset()
        elif fault.mode == "fin":
            self._ended = True
            self._to_client.write_eof()
            if self._to_server is not None:
                self._to_server.transport.abort()
        else:
            self.silent = True
            await fault.changed.wait()

    async def _strip(self, from_server: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        """Take the offer of TLS out of the first message."""
        if self.fault.mode == "strip_postgresql":
            first = await self._from_client.read(8)
            if first == SSL_REQUEST:
                self._to_client.write(b"N")
            else:
                to_server.write(first)
        elif self.fault.mode == "strip_mysql":
            head = await from_server.readexactly(4)
            greeting = bytearray(await from_server.readexactly(int.from_bytes(head[:3], "little")))
            # protocol, version and its zero, thread, 8 bytes of scramble, a filler; then what it can do
            place = greeting.index(0, 1) + 1 + 4 + 8 + 1
            (able,) = struct.unpack_from("<H", greeting, place)
            struct.pack_into("<H", greeting, place, able & ~CLIENT_SSL)
            self._to_client.write(head + bytes(greeting))
