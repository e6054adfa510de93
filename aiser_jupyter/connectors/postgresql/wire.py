"""PostgreSQL's messages: written, read one by one, and rows read many at a time.

The driver logs in; statements are run here, for a driver of Python objects makes one for each cell. Rules:

- rows are read in blocks of about 4 MB and only when asked for, so that a result of any size takes the same
  memory, and a reader that stops makes the server wait;
- where a row begins follows from the length of the row before it, never from what its bytes look like. The
  look of the bytes only makes it quicker to find, and every step is checked against the lengths.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ConnectionLost

if TYPE_CHECKING:
    import socket

    import numpy as np

__all__ = [
    "BLOCK_BYTES",
    "COPY_FAIL",
    "SYNC",
    "Block",
    "Column",
    "Wire",
    "bind",
    "columns_of",
    "describe",
    "execute",
    "parse",
    "query",
    "values_of",
]

BLOCK_BYTES = 4 << 20
PADDING = 32
"""Bytes after a block that may be looked at, and are not used."""
MOST_BYTES = 1 << 30
"""Of one message; PostgreSQL makes none that is larger."""
HEADER = struct.Struct("!ci")
_READY = b"Z\0\0\0\5"
_ROW = ord("D")


def _message(code: bytes, body: bytes) -> bytes:
    return HEADER.pack(code, len(body) + 4) + body


SYNC = _message(b"S", b"")
COPY_FAIL = _message(b"f", b"not run here\0")


def query(sql: bytes) -> bytes:
    """A statement of our own, without parameters and rows."""
    return _message(b"Q", sql + b"\0")


def parse(sql: bytes, types: list[int]) -> bytes:
    """Parse ``sql`` as the unnamed statement; type 0 is left to the server to infer."""
    return _message(b"P", b"\0" + sql + struct.pack(f"!xH{len(types)}I", len(types), *types))


def describe() -> bytes:
    """Ask for the columns of the unnamed statement."""
    return _message(b"D", b"S\0")


def bind(values: list[bytes | None], formats: list[int]) -> bytes:
    """Bind values, all as text, to the unnamed statement; ``formats`` of the result, 1 is binary."""
    parts = [b"\0\0", struct.pack("!HH", 0, len(values))]
    for value in values:
        parts.append(b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value)
    parts.append(struct.pack(f"!H{len(formats)}H", len(formats), *formats))
    return _message(b"B", b"".join(parts))


def execute() -> bytes:
    """Run what is bound, to its last row."""
    return _message(b"E", b"\0\0\0\0\0")


class Column(NamedTuple):
    """A column of a result: its type's oid, and what further declares it (digits, length)."""

    name: str
    type: int
    modifier: int


class Block(NamedTuple):
    """Whole rows: the bytes, padded, and where the first column of each row begins (its length word)."""

    octets: np.ndarray[Any, Any]
    starts: np.ndarray[Any, Any]


class Wire:
    """The messages of one connection.

    Parameters
    ----------
    sock : socket.socket
        Logged in, TLS or not; blocking, and ended from outside where it does not answer.
    size : int
        Bytes of a block; a row that is larger makes it grow for as long as it is needed.
    """

    def __init__(self, sock: socket.socket, size: int = BLOCK_BYTES) -> None:
        self._sock = sock
        self._size = size
        self._buffer = bytearray(1 << 14)
        self._at = 0
        self._end = 0

    def send(self, data: bytes) -> None:
        """Send messages. Raises `OSError`."""
        self._sock.sendall(data)

    def message(self) -> tuple[bytes, bytes]:
        """Return the next message: its code and its body. Raises `ConnectionLost`, `OSError`."""
        self._want(5)
        code, length = HEADER.unpack_from(self._buffer, self._at)
        self._want(_checked(length) + 1)
        body = bytes(memoryview(self._buffer)[self._at + 5 : self._at + 1 + length])
        self._at += 1 + length
        return code, body

    def next_is_row(self) -> bool:
        """Wait for the next message, and say whether it is a row."""
        self._want(5)
        return self._buffer[self._at] == _ROW

    @property
    def complete(self) -> bool:
        """Whether what comes after the rows read so far is there already, and is no row."""
        return self._at < self._end and self._buffer[self._at] != _ROW

    def rows(self, columns: int) -> Block | None:
        """Return the rows that come next, as many as there are up to a block; None where none comes next.

        The bytes are good until the next call.

        Parameters
        ----------
        columns : int
            That each row has.
        """
        if not self.next_is_row():
            return None
        (length,) = struct.unpack_from("!i", self._buffer, self._at + 1)
        self._room(max(self._size, _checked(length) + 1))
        seen = self._at  # what was searched for the end of the answer
        while self._end - self._at < self._size and not self._ends(seen):
            seen = max(self._at, self._end - len(_READY) + 1)
            self._fill()
        self._want(length + 1)
        return self._found(columns)

    def _ends(self, seen: int) -> bool:
        """Say whether the answer may end in what was read since ``seen``: then nothing more will come."""
        first = self._buffer.find(b"Z", seen, self._end)  # one byte is looked for much faster than five
        return first >= 0 and self._buffer.find(_READY, first, self._end) >= 0

    def _found(self, columns: int) -> Block:
        import numpy as np

        octets = np.frombuffer(self._buffer, np.uint8)
        begins, self._at = _chain(octets, self._at, self._end, columns)
        return Block(octets, begins + 7)

    def _want(self, count: int) -> None:
        """Read until ``count`` bytes are there."""
        self._room(count)
        while self._end - self._at < count:
            self._fill()

    def _room(self, count: int) -> None:
        """Make room for ``count`` bytes from where we are; what was read before is forgotten."""
        if len(self._buffer) - PADDING - self._at >= count:
            return
        left = bytes(memoryview(self._buffer)[self._at : self._end])
        if len(self._buffer) - PADDING < count or len(self._buffer) > count + self._size:
            self._buffer = bytearray(max(count, self._size) + PADDING)
        self._buffer[: len(left)] = left
        self._at, self._end = 0, len(left)

    def _fill(self) -> None:
        room = memoryview(self._buffer)[self._end : len(self._buffer) - PADDING]
        got = self._sock.recv_into(room)
        if not got:
            raise ConnectionLost("The server closed the connection.", hint="Run it again.")
        self._end += got


def columns_of(body: bytes) -> Iterable[Column]:
    """Read the message that describes a result."""
    (count,) = struct.unpack_from("!H", body)
    at = 2
    for _ in range(count):
        end = body.index(b"\0", at)
        _, _, type_, _, modifier, _ = struct.unpack_from("!IhIhih", body, end + 1)
        yield Column(body[at:end].decode(errors="replace"), type_, modifier)
        at = end + 19


def values_of(body: bytes) -> Iterable[str | None]:
    """Read a row of which each value was sent as text."""
    (count,) = struct.unpack_from("!H", body)
    at = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        yield None if length < 0 else body[at : at + length].decode()
        at += max(length, 0)


def _checked(length: int) -> int:
    if not 4 <= length <= MOST_BYTES:
        raise ConnectionLost("The server sent what PostgreSQL does not send.", hint="Check host and port.")
    return length


def _chain(octets: Any, at: int, end: int, columns: int) -> tuple[Any, int]:
    """Return where the rows begin that stand whole between ``at`` and ``end``, and where the last one ends.

    Wherever bytes look like the head of a row (``D``, a length below 16 MB, the number of columns) one may
    begin. The rows are those that are reached from the first one by lengths alone.
    """
    import numpy as np

    looks = np.flatnonzero(octets[at : max(at, end - 6)] == _ROW) + at
    high, low = divmod(columns, 256)
    looks = looks[(octets[looks + 1] == 0) & (octets[looks + 5] == high) & (octets[looks + 6] == low)]
    words = np.ndarray((len(octets) - 3,), ">i4", octets, strides=(1,))
    following = looks + words[looks + 1] + 1
    whole = following <= end
    looks, following = looks[whole], following[whole]
    if len(looks) and looks[0] == at and (following[:-1] == looks[1:]).all():
        begins = looks
    else:
        begins = _reached(looks, following, at)
    at = int(begins[-1] + words[begins[-1] + 1] + 1) if len(begins) else at
    if len(begins):
        return begins, at
    # A row of 16 MB or more has not the look of the others.
    if octets[at] == _ROW and end - at >= 5 and at + 1 + int(words[at + 1]) <= end:
        return np.array([at]), at + 1 + int(words[at + 1])
    return begins, at


def _reached(looks: Any, following: Any, at: int) -> Any:
    """Follow the lengths from ``at``; runs of heads that follow each other are taken at once."""
    import numpy as np

    if not len(looks):
        return looks
    index = np.searchsorted(looks, following)
    breaks = np.append(np.flatnonzero(following[:-1] != looks[1:]), len(looks) - 1)
    parts = []
    place = int(np.searchsorted(looks, at))
    known = place < len(looks) and looks[place] == at
    while known:
        last = int(breaks[np.searchsorted(breaks, place)])
        parts.append(looks[place : last + 1])
        place = int(index[last])
        known = place < len(looks) and looks[place] == following[last]
    return np.concatenate(parts) if parts else looks[:0]
