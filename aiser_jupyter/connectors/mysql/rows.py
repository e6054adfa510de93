"""Rows of MySQL's text protocol, decoded a column at a time.

The driver logs in, sends the statement and reads the description of the columns; the rows are read here, for
a Python object per cell is what makes drivers slow. A chunk of the connection is cut into packets, one a row;
the place of each column in all of them follows from the one before it; the values of a column are gathered by
Arrow and converted together. Rules:

- memory is bounded by a chunk, or by the one row that is larger;
- no length that the server sends is believed before it is checked against the end of its row;
- the end is a packet of its own, by the protocol that the driver agreed on (without DEPRECATE_EOF): its first
  byte is 0xFE and it is shorter than 9 bytes. A row can begin with 0xFE, for a value of 16 MB or more, and is
  longer then;
- what was read past the end is given back to the driver: another result may follow.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...memory import columns_pool
from .types import Column

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CHUNK", "ResultRows", "Wire"]

CHUNK = 2 << 20
"""Bytes of the connection that become one batch, at most."""
ROWS = 1 << 14
"""Rows of one batch, at most; numbers of a power of two fill the sizes that memory is handed out in."""
FLUSH_SECONDS = 0.5
"""A slow statement's rows wait no longer than this for a chunk to fill."""
_WHOLE = 0xFFFFFF
"""Length of a packet that is continued in the next one."""
_ROOM = 64 << 10
_GONE = (2013, "Lost connection to MySQL server during query")
_MALFORMED = (2027, "Malformed packet")


class ResultRows:
    """The rows of the result that the driver has just read the description of.

    Parameters
    ----------
    connection : pymysql.Connection
        Its unbuffered result is active; from here on it is read by this object alone, to its end.

    Attributes
    ----------
    warnings : int
        Number of the server's warnings, known at the end.
    status : int
        The server's status flags, known at the end.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._wire: Wire = connection._rfile
        self._sequence = connection._next_seq_id
        self._buffer = bytearray(2 * _ROOM)  # most results are small
        self._filled = 0
        self._at = 0  # how far the packets are cut
        self._starts: list[int] = []
        self.warnings = self.status = 0
        # The driver would otherwise read the rest by itself, when its result is collected.
        connection._result.unbuffered_active = False
        connection._result.connection = None

    def batches(self, columns: Sequence[Column], counts: list[int]) -> Iterator[pa.RecordBatch]:
        """Yield the rows; ``counts`` grows by the values of each column that are no dates.

        Raises
        ------
        pymysql.Error
            The server's error in mid-result, or a connection that broke off.
        DataError
        """
        import pyarrow as pa

        schema = pa.schema([column.field for column in columns])
        for chunk, starts in self._chunks():
            arrays = []
            for position, (column, texts) in enumerate(
                zip(columns, _texts(chunk, starts, len(columns)), strict=True)
            ):
                array, zeros = column.array(texts)
                counts[position] += zeros
                arrays.append(array)
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def skip(self) -> None:
        """Read to the end and keep nothing."""
        for _ in self._chunks():
            pass

    def _chunks(self) -> Iterator[tuple[Any, Any]]:
        """Yield buffers, and where in them the rows begin; each is valid until the next is asked for."""
        began = time.monotonic()
        while True:
            last = self._cut()
            full = len(self._starts) == ROWS or CHUNK - self._filled < _ROOM
            if self._starts and (last or full or time.monotonic() - began > FLUSH_SECONDS):
                yield self._buffer, self._rows()
                self._forget()
                began = time.monotonic()
                if not last:
                    continue  # more rows may have come with these
            if last == _WHOLE:
                row = self._long_row()
                yield row, self._starts_of([0], [len(row)])
            elif last:
                self._end(bytes(self._buffer[self._at + 4 : self._at + 4 + last]))
                return
            else:
                self._fill()

    def _cut(self) -> int:
        """Find where the rows begin; return the length of a packet that is no row, or of a long one, or 0."""
        buffer, filled, at, starts = self._buffer, self._filled, self._at, self._starts
        try:
            while at + 4 < filled and len(starts) < ROWS:
                length = buffer[at] | buffer[at + 1] << 8 | buffer[at + 2] << 16
                first = buffer[at + 4]
                if first == 0xFF or length == _WHOLE or (first == 0xFE and length < 9):
                    return length if length == _WHOLE or at + 4 + length <= filled else 0
                if at + 4 + length > filled:
                    return 0
                starts.append(at + 4)
                at += 4 + length
            return 0
        finally:
            self._at = at

    def _rows(self) -> Any:
        """Return begin and end of the rows that were cut, and check that none is missing."""
        import numpy as np

        octets = np.frombuffer(self._buffer, np.uint8)
        starts = np.array(self._starts, np.int64)
        ends = np.append(starts[1:] - 4, self._at)
        numbers = (np.arange(len(starts)) + self._sequence) & 0xFF
        if (octets[starts - 1] != numbers).any():
            raise _error(_MALFORMED)
        self._sequence = (self._sequence + len(starts)) & 0xFF
        return starts, ends

    def _starts_of(self, starts: list[int], ends: list[int]) -> Any:
        import numpy as np

        return np.array(starts, np.int64), np.array(ends, np.int64)

    def _forget(self) -> None:
        """Move what is not cut yet to the front."""
        rest = self._filled - self._at
        self._buffer[:rest] = self._buffer[self._at : self._filled]
        self._filled, self._at, self._starts = rest, 0, []

    def _fill(self) -> None:
        if len(self._buffer) - self._filled < _ROOM:
            larger = bytearray(4 * len(self._buffer))
            larger[: self._filled] = self._buffer
            self._buffer = larger
        with memoryview(self._buffer) as view:
            self._filled += self._read_into(view[self._filled :])

    def _read_into(self, view: memoryview) -> int:
        try:
            count: int = self._wire.read_into(view)
        except OSError as exc:
            raise _error(_GONE) from exc
        if not count:
            raise _error(_GONE)
        return count

    def _long_row(self) -> bytearray:
        """Read a row of 16 MB or more: packets that are full, and one that is not."""
        row, rest = bytearray(), bytearray(self._buffer[self._at : self._filled])
        self._filled = self._at = 0
        while True:
            _fill_to(self, rest, 4)
            length, number = int.from_bytes(rest[:3], "little"), rest[3]
            if number != self._sequence:
                raise _error(_MALFORMED)
            self._sequence = (self._sequence + 1) & 0xFF
            _fill_to(self, rest, 4 + length)
            row += memoryview(rest)[4 : 4 + length]
            rest = rest[4 + length :]
            if length < _WHOLE:
                break
        if len(rest) > len(self._buffer):
            self._buffer = bytearray(len(rest))
        self._buffer[: len(rest)] = rest
        self._filled = len(rest)
        return row

    def _end(self, packet: bytes) -> None:
        """Take in the packet that ends the rows, and leave the driver where it can go on."""
        connection = self._connection
        rest = bytes(self._buffer[self._at + 4 + len(packet) : self._filled])
        self._wire.give_back(rest)
        connection._next_seq_id = (self._sequence + 1) & 0xFF
        self._buffer = bytearray()
        if packet[0] == 0xFF:
            from pymysql.err import raise_mysql_exception

            raise_mysql_exception(packet)
        self.warnings, self.status = struct.unpack("<HH", packet[1:5])
        connection.server_status = self.status
        connection._result.has_next = False  # what follows is asked for by us


class Wire:
    """The connection's reading end, for the driver and for `ResultRows`; in place of the driver's own file.

    ``io.BufferedReader.readinto1`` waits for the network although it holds what was asked for; and what
    `ResultRows` has read too far must be read again.

    Parameters
    ----------
    sock : socket.socket
        Connected, TLS and all.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._ahead = b""

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes; fewer where the connection ends."""
        taken = bytearray(self._ahead[:size])
        self._ahead = self._ahead[size:]
        while len(taken) < size:
            piece = self._sock.recv(_ROOM)
            if not piece:
                break
            wanted = size - len(taken)
            taken += piece[:wanted]
            self._ahead = piece[wanted:]
        return bytes(taken)

    def read_into(self, view: memoryview) -> int:
        """Read what there is, waiting where there is nothing; 0 where the connection has ended."""
        if not self._ahead:
            return int(self._sock.recv_into(view))
        size = min(len(view), len(self._ahead))
        view[:size], self._ahead = self._ahead[:size], self._ahead[size:]
        return size

    def give_back(self, data: bytes) -> None:
        """Have ``data`` be read again."""
        self._ahead = data + self._ahead

    def close(self) -> None:
        """Nothing to do: the socket is the driver's."""


def _fill_to(source: ResultRows, data: bytearray, size: int) -> None:
    """Read until ``data`` holds ``size`` bytes."""
    while len(data) < size:
        piece = bytearray(min(max(size - len(data), _ROOM), CHUNK))
        with memoryview(piece) as view:
            count = source._read_into(view)
        data += memoryview(piece)[:count]


def _error(what: tuple[int, str]) -> Exception:
    from pymysql.err import OperationalError

    return OperationalError(*what)


def _texts(chunk: bytearray, rows: Any, columns: int) -> Iterator[pa.Array[Any]]:
    """Yield each column of the rows as binary values; their places are checked before they are read."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    pool = columns_pool()
    at, ends = rows
    octets, buffer, count = np.frombuffer(chunk, np.uint8), pa.py_buffer(chunk), len(at)
    # Values and the gaps between them in turn are the parts of one long array: the even ones are the column.
    offsets: Any = np.zeros(2 * count + 1, np.int32)
    even: Any = pa.array(np.arange(0, 2 * count, 2, dtype=np.int32))
    for _ in range(columns):
        begin, length, null = _places(octets, at, ends)
        at = begin + length
        if (at > ends).any():
            raise _error(_MALFORMED)
        offsets[0:-1:2], offsets[1::2] = begin, at
        offsets[-1] = at[-1]
        parts = pa.Array.from_buffers(pa.binary(), 2 * count, [None, pa.py_buffer(offsets), buffer])
        found: Any = pc.take(parts, even, memory_pool=pool)
        if null is not None:
            bits: Any = np.packbits(~null, bitorder="little")
            valid = pa.py_buffer(bits)
            found = pa.Array.from_buffers(pa.binary(), count, [valid, *found.buffers()[1:]])
        yield found
    if (at != ends).any():
        raise _error(_MALFORMED)


def _places(octets: Any, at: Any, ends: Any) -> tuple[Any, Any, Any]:
    """Read the lengths at ``at``; return where the values begin, how long they are, and which are NULL."""
    import numpy as np

    if (at >= ends).any():
        raise _error(_MALFORMED)
    first = octets[at]
    begin, length = at + 1, first.astype(np.int64)
    if first.max() < 0xFB:
        return begin, length, None
    null = first == 0xFB
    length[null] = 0
    for mark, size in ((0xFC, 2), (0xFD, 3), (0xFE, 8)):
        wide = np.flatnonzero(first == mark)
        if wide.size:
            where = begin[wide]
            if (where + size > ends[wide]).any():
                raise _error(_MALFORMED)
            powers = np.int64(1) << (8 * np.arange(size, dtype=np.int64))
            length[wide] = (octets[where[:, None] + np.arange(size)].astype(np.int64) * powers).sum(axis=1)
            begin[wide] = where + size
    if first.max() == 0xFF or (length < 0).any():
        raise _error(_MALFORMED)
    return begin, length, null if null.any() else None
