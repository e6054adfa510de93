"""A server that speaks MySQL's protocol and says whatever a test has it say.

It takes every password, and keeps what the client announced and what it sent. By default it answers each
statement by asking for a file of the client's machine, as a hostile server would.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any

OK = b"\0\0\0\2\0\0\0"
LOCAL_FILE = b"\xfb/etc/hostname"
CAPABILITIES = 0x81FFFFFF & ~0x0800 & ~0x01000000
"""Everything but TLS and DEPRECATE_EOF, local files among it."""
CLEAR_PASSWORD = b"\xfemysql_clear_password\0"

Answer = Callable[[bytes], Sequence[bytes]]
"""Payloads of the packets that answer a command."""


def packet(number: int, payload: bytes) -> bytes:
    """Return one packet as it goes over the wire."""
    return struct.pack("<I", len(payload))[:3] + bytes([number & 0xFF]) + payload


class RogueMySQL(socketserver.ThreadingTCPServer):
    """Listens on loopback while it is used in a ``with`` statement.

    Parameters
    ----------
    answer : callable, optional
        Payloads for a statement of the client; for all but the driver's own ``SET`` and the like.
    capabilities : int
        What the greeting offers.
    login : sequence of bytes
        Payloads sent after the client's answer to the greeting, each after a packet of the client.

    Attributes
    ----------
    announced : list of int
        Capabilities that each client asked for.
    received : list of bytes
        Payloads that clients sent after a request for a file, or for a password.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        answer: Answer = lambda statement: [LOCAL_FILE],
        *,
        capabilities: int = CAPABILITIES,
        login: Sequence[bytes] = (OK,),
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port: int = self.server_address[1]
        self.answer = answer
        self.capabilities = capabilities
        self.login = login
        self.announced: list[int] = []
        self.received: list[bytes] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> RogueMySQL:
        self._thread.start()
        return self

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def greeting(self) -> bytes:
        low, high = self.capabilities & 0xFFFF, self.capabilities >> 16
        return b"".join(
            (
                b"\x0a8.0.99\0",
                struct.pack("<I", 1) + b"A" * 8 + b"\0",
                struct.pack("<HBHH", low, 45, 2, high),
                bytes([21]) + bytes(10) + b"B" * 12 + b"\0mysql_native_password\0",
            )
        )


class _Handler(socketserver.BaseRequestHandler):
    server: RogueMySQL
    request: socket.socket

    def handle(self) -> None:
        try:
            self.request.sendall(packet(0, self.server.greeting()))
            number, payload = self.read()
            self.server.announced.append(struct.unpack("<I", payload[:4])[0])
            for step, answer in enumerate(self.server.login):
                if step:
                    number, payload = self.read()
                    self.server.received.append(payload)
                self.request.sendall(packet(number + 1, answer))
            while True:
                self.command(self.read()[1])
        except (ConnectionError, EOFError):
            return  # the client has seen enough

    def command(self, payload: bytes) -> None:
        answers = _usual(payload) or self.server.answer(payload[1:])
        for number, answer in enumerate(answers, 1):
            self.request.sendall(packet(number, answer))
        if answers[-1][:1] == b"\xfb":
            while content := self.read()[1]:
                self.server.received.append(content)
            self.request.sendall(packet(3, OK))

    def read(self) -> tuple[int, bytes]:
        head = self.exactly(4)
        return head[3], self.exactly(int.from_bytes(head[:3], "little"))

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.request.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


def _usual(payload: bytes) -> Sequence[bytes]:
    """What every login asks, answered as any server would."""
    if payload[:1] != b"\3" or payload[1:4] == b"SET":
        return [OK]
    if payload.startswith(b"\3SHOW GLOBAL STATUS"):
        return table(["Variable_name", "Value"], [[b"Uptime", b"1"]])
    if b"CURRENT_ROLE" in payload:
        return table(["role"], [[None]])
    if b"@@session.time_zone" in payload:
        return table(["a", "b", "c", "d", "e"], [[b"UTC", b"UTC", b"1000", b"shop", b"ann@%"]])
    return ()


def length_of(size: int) -> bytes:
    """Return a length as the protocol writes it."""
    if size < 0xFB:
        return bytes([size])
    for mark, octets in ((0xFC, 2), (0xFD, 3), (0xFE, 8)):
        if size < 1 << 8 * octets:
            return bytes([mark]) + size.to_bytes(octets, "little")
    raise ValueError(size)


def row(values: Sequence[bytes | None]) -> bytes:
    """Return the payload of a row."""
    return b"".join(b"\xfb" if value is None else length_of(len(value)) + value for value in values)


def definition(name: str, code: int = 253, charset: int = 45, length: int = 1020, flags: int = 0) -> bytes:
    """Return the payload that describes a column."""
    texts = [b"def", b"", b"", b"", name.encode(), b""]
    fixed = struct.pack("<BHIBHBxx", 12, charset, length, code, flags, 0)
    return b"".join(length_of(len(text)) + text for text in texts) + fixed


def eof(status: int = 2, warnings: int = 0) -> bytes:
    """Return the payload that ends descriptions, and rows."""
    return b"\xfe" + struct.pack("<HH", warnings, status)


def error(code: int, message: str) -> bytes:
    """Return the payload of an error."""
    return b"\xff" + struct.pack("<H", code) + b"#HY000" + message.encode()


def table(names: Sequence[str], rows: Sequence[Sequence[bytes | None]], end: bytes = b"") -> list[bytes]:
    """Return the payloads of a whole result."""
    described = [definition(name) for name in names]
    return [length_of(len(names)), *described, eof(), *map(row, rows), end or eof()]
