"""Messages that arrive in pieces: rows are found by their lengths alone, wherever the pieces end."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aiser_jupyter.connectors.postgresql.rows import Numbers, Texts, cells
from aiser_jupyter.connectors.postgresql.wire import Wire
from aiser_jupyter.errors import ConnectionLost
from tests.connectors.postgresql_kit import session


def message(code: bytes, body: bytes = b"") -> bytes:
    return struct.pack("!ci", code, len(body) + 4) + body


def row(*values: bytes | None) -> bytes:
    parts = [struct.pack("!H", len(values))]
    for value in values:
        parts.append(b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value)
    return message(b"D", b"".join(parts))


END = message(b"C", b"SELECT 1\0") + message(b"Z", b"I")


class Pieces:
    """A socket that gives its bytes in the pieces it was made with, and then ends."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def recv_into(self, room: memoryview) -> int:
        if not self._pieces:
            return 0
        piece = self._pieces.pop(0)
        taken = min(len(piece), len(room))
        room[:taken] = piece[:taken]
        if piece[taken:]:
            self._pieces.insert(0, piece[taken:])
        return taken


def read(wire: Wire, columns: int) -> tuple[list[list[str | None]], list[bytes]]:
    """Every row as text, and the codes of the other messages, up to the end."""
    found: list[list[str | None]] = []
    codes: list[bytes] = []
    while codes[-1:] != [b"Z"]:
        block = wire.rows(columns)
        if block is None:
            codes.append(wire.message()[0])
            continue
        at, arrays = block.starts, []
        for _ in range(columns):
            cell, at = cells(block.octets, at)
            arrays.append(Texts(pa.string()).read(cell))
        found += [list(each) for each in zip(*(array.to_pylist() for array in arrays), strict=True)]
    return found, codes


@pytest.fixture(scope="module")
def recorded(postgresql: Any) -> bytes:
    """What a real server sends for rows of texts, NULLs and empty texts, a notice among them."""
    with session(postgresql) as opened:
        opened.texts(
            "CREATE FUNCTION pg_temp.said(i int) RETURNS text LANGUAGE plpgsql AS"
            " $$ BEGIN IF i = 3 THEN RAISE NOTICE 'three'; END IF; RETURN repeat('D', i); END $$"
        )
        opened._wire.send(
            message(b"Q", b"SELECT i::text, NULLIF(pg_temp.said(i), 'D') FROM generate_series(0, 6) i\0")
        )
        got = b""
        while not got.endswith(b"Z\0\0\0\5I"):
            got += opened._core._usock.recv(4096)
        opened._cut.cut()  # its own reader has seen nothing of it
    return got


EXPECTED = [
    ["0", ""],
    ["1", None],
    ["2", "DD"],
    ["3", "DDD"],
    ["4", "DDDD"],
    ["5", "DDDDD"],
    ["6", "DDDDDD"],
]


def test_an_answer_cut_anywhere_is_the_same_answer(recorded: bytes) -> None:
    for place in range(len(recorded) + 1):
        pieces = Pieces(recorded[:place] or recorded[:1], recorded[place or 1 :] or recorded[:0])
        found, codes = read(Wire(pieces, 1 << 16), 2)
        assert found == EXPECTED, place
        assert codes == [b"T", b"N", b"C", b"Z"], place


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_an_answer_byte_by_byte_in_blocks_of_any_size(recorded: bytes, size: int) -> None:
    found, codes = read(Wire(Pieces(*(bytes([each]) for each in recorded)), size), 2)
    assert found == EXPECTED
    assert codes == [b"T", b"N", b"C", b"Z"]


def test_rows_inside_a_value_are_no_rows() -> None:
    decoy = row(b"evil", b"evil")
    rows = [(b"1", decoy), (b"2", decoy * 3), (decoy, b"Z\0\0\0\5I"), (b"D" * 40, b"D\0\0\0"), (b"5", None)]
    sent = b"".join(row(*each) for each in rows) * 50 + END
    found, _ = read(Wire(Pieces(sent), 1 << 10), 2)
    expected = [[None if cell is None else cell.decode("latin-1") for cell in each] for each in rows] * 50
    text = [[None if cell is None else cell.encode().decode() for cell in each] for each in found]
    assert text == expected


def test_a_row_of_more_than_16_mb_and_what_follows_it() -> None:
    large = b"x" * (17 << 20)
    sent = row(b"before") + row(large) + row(b"after") + END
    found, _ = read(Wire(Pieces(sent), 1 << 12), 1)
    assert [len(cell or "") for (cell,) in found] == [6, 17 << 20, 5]


def test_the_buffer_is_small_again_after_a_large_row() -> None:
    wire = Wire(Pieces(row(b"x" * (1 << 20)) + row(b"y") * 5000 + END), 1 << 12)
    read(wire, 1)
    assert len(wire._buffer) < 1 << 14


@pytest.mark.parametrize("columns", [0, 1, 1664])
def test_any_number_of_columns(columns: int) -> None:
    sent = row(*[b"v"] * columns) * 3 + END
    wire = Wire(Pieces(sent), 1 << 12)
    count = 0
    while (block := wire.rows(columns)) is not None:
        count += len(block.starts)
    assert count == 3


def test_numbers_are_read_where_they_stand() -> None:
    values = [0, -1, 2**31 - 1, None, -(2**31)]
    sent = b"".join(row(None if each is None else struct.pack("!i", each)) for each in values) + END
    block = Wire(Pieces(sent), 1 << 12).rows(1)
    assert block is not None
    found, _ = cells(block.octets, block.starts)
    assert Numbers(pa.int32(), ">i4").read(found).to_pylist() == values
    assert found.words(">i4")[np.array([0, 1, 2, 4])].tolist() == [0, -1, 2**31 - 1, -(2**31)]


@pytest.mark.parametrize("sent", [b"", b"D\0\0", row(b"x")[:-1], row(b"x"), b"HTTP/1.1 400"])
def test_an_end_in_the_middle_is_a_lost_connection(sent: bytes) -> None:
    wire = Wire(Pieces(sent), 1 << 12)
    with pytest.raises(ConnectionLost):
        read(wire, 1)


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(ConnectionLost, match="does not send"):
        Wire(Pieces(b"D\0\0\0\1" + bytes(20)), 1 << 12).message()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_a_reader_that_stops_makes_the_sender_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    sent = []

    def send() -> None:
        for _ in range(200):
            theirs.sendall(row(b"x" * 100_000))
            sent.append(1)
        theirs.sendall(END)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    wire = Wire(ours, 1 << 20)
    block = wire.rows(1)
    assert block is not None
    first = len(block.starts)
    assert first < 20
    sender.join(0.3)
    assert len(sent) < 100  # what a socket holds, and not all of it
    total = first
    while (block := wire.rows(1)) is not None:
        total += len(block.starts)
    assert total == 200
    sender.join(5)
