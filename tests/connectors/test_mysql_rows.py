"""Rows of the text protocol, cut out of whatever the connection brings, and in whatever pieces."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pymysql
import pytest
from pymysql.constants import CLIENT

from aiser_jupyter.connectors.mysql.rows import CHUNK, ROWS, ResultRows, Wire
from aiser_jupyter.connectors.mysql.types import Column, Zone, column_of
from aiser_jupyter.errors import DataError
from tests.servers.rogue_mysql import definition, eof, error, packet, row, table

Values = Sequence[Sequence[bytes | None]]


def wire_bytes(payloads: Sequence[bytes], number: int = 1) -> bytes:
    """Payloads as packets, those of 16 MB and more continued."""
    out = bytearray()
    for payload in payloads:
        start = 0
        while True:
            piece = payload[start : start + 0xFFFFFF]
            out += packet(number, piece)
            number, start = number + 1, start + 0xFFFFFF
            if len(piece) < 0xFFFFFF:
                break
    return bytes(out)


class Line:
    """A driver's connection on one end of a pair of sockets; a test sends on the other.

    Each piece arrives by itself: the sockets keep the limits of messages.
    """

    def __init__(self, *, messages: bool = True) -> None:
        kind = socket.SOCK_SEQPACKET if messages else socket.SOCK_STREAM
        here, self.there = socket.socketpair(socket.AF_UNIX, kind)
        self.connection = pymysql.Connection(defer_connect=True, ssl_disabled=True)
        self.connection._sock, self.connection._rfile = here, Wire(here)
        self.connection._next_seq_id = 1
        self.connection._current_timeout = None

    def send(self, pieces: Sequence[bytes]) -> threading.Thread:
        def send() -> None:
            for piece in pieces:
                self.there.sendall(piece)

        thread = threading.Thread(target=send)
        thread.start()
        return thread

    def read(self) -> tuple[pa.Table, ResultRows]:
        self.connection._read_query_result(unbuffered=True)
        columns = [column_of(field, Zone("UTC")) for field in self.connection._result.fields]
        rows = ResultRows(self.connection)
        return self.table(rows, columns), rows

    def table(self, rows: ResultRows, columns: list[Column]) -> pa.Table:
        schema = pa.schema([column.field for column in columns])
        found = pa.Table.from_batches(rows.batches(columns, [0] * len(columns)), schema)
        found.validate(full=True)
        return found

    def close(self) -> None:
        self.there.close()
        self.connection._force_close()


@pytest.fixture
def line() -> Iterator[Callable[..., Line]]:
    made: list[Line] = []

    def make(**how: Any) -> Line:
        made.append(Line(**how))
        return made[-1]

    yield make
    for each in made:
        each.close()


def rows_of(found: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


def read(line: Callable[..., Line], payloads: Sequence[bytes], *, messages: bool = False) -> pa.Table:
    made = line(messages=messages)
    thread = made.send([wire_bytes(payloads)])
    try:
        return made.read()[0]
    finally:
        thread.join()


def test_it_agrees_on_the_end_that_it_looks_for() -> None:
    flags = pymysql.Connection(defer_connect=True, ssl_disabled=True).client_flag
    assert not flags & CLIENT.DEPRECATE_EOF
    assert not flags & CLIENT.MULTI_STATEMENTS
    assert not flags & CLIENT.LOCAL_FILES


def test_rows_may_be_split_at_any_byte(line: Callable[..., Line]) -> None:
    values = [[b"one", None, b""], [b"x" * 300, b"", None], [b"\xc3\xa9", b"a", b"b"]]
    payloads = table(["a", "b", "c"], values)
    data = wire_bytes(payloads)
    described = len(wire_bytes(payloads[:5]))
    for split in range(described - 3, len(data)):
        made = line()
        made.send([data[:split], data[split:]]).join()
        found, rows = made.read()
        assert rows_of(found) == [("one", None, ""), ("x" * 300, "", None), ("é", "a", "b")], split
        assert (rows.status, rows.warnings) == (2, 0)


def test_rows_may_come_byte_by_byte(line: Callable[..., Line]) -> None:
    made = line()
    data = wire_bytes(table(["a", "b"], [[b"1", b"22"], [None, b"333"]]))
    thread = made.send([data[at : at + 1] for at in range(len(data))])
    assert rows_of(made.read()[0]) == [("1", "22"), (None, "333")]
    thread.join()


@pytest.mark.parametrize("size", [0, 1, 250, 251, 252, 65_535, 65_536, 70_000, CHUNK, 2 * CHUNK + 1])
def test_values_of_any_length(line: Callable[..., Line], size: int) -> None:
    long = b"x" * size
    found = read(line, table(["a", "b"], [[b"1", long], [long, b"2"], [long, None]]))
    assert rows_of(found) == [("1", long.decode()), (long.decode(), "2"), (long.decode(), None)]


@pytest.mark.parametrize("size", [0xFFFFFF - 5, 0xFFFFFF - 4, 2 * 0xFFFFFF - 9, 33 << 20])
def test_rows_of_sixteen_megabytes_are_put_together(line: Callable[..., Line], size: int) -> None:
    long = bytes(range(65, 91)) * (size // 26 + 1)
    values = [[b"before"], [long[:size]], [b"between"], [long[:size]], [b"after"]]
    found = read(line, table(["a"], values)).column(0).cast(pa.large_string())
    texts = found.to_pylist()
    assert [len(text) for text in texts] == [6, size, 7, size, 5]
    assert [texts[0], texts[2], texts[4]] == ["before", "between", "after"]
    assert texts[1].encode() == texts[3].encode() == long[:size]


def test_a_batch_has_so_many_rows_at_most(line: Callable[..., Line]) -> None:
    values = [[b"%d" % number] for number in range(2 * ROWS + 5)]
    found = read(line, table(["a"], values))
    assert [len(chunk) for chunk in found.column(0).chunks] == [ROWS, ROWS, 5]
    assert found.column(0).to_pylist() == [str(number) for number in range(2 * ROWS + 5)]


def test_many_rows_keep_their_order(line: Callable[..., Line]) -> None:
    values = [[str(number).encode(), b"y" * (number % 97)] for number in range(110_000)]
    found = read(line, table(["a", "b"], values))
    assert found.column(0).to_pylist() == [str(number) for number in range(110_000)]
    assert found.column(1).to_pylist() == ["y" * (number % 97) for number in range(110_000)]
    assert found.column(0).num_chunks > 1


@pytest.mark.parametrize(
    "value",
    [b"\xfe\0\0\2\0", b"\x05\0\0\x01\xfe\0\0\2\0", b"\xff\x10\x04", b"\0\0\0\2\0\0\0"],
)
def test_a_row_that_looks_like_the_end_is_a_row(line: Callable[..., Line], value: bytes) -> None:
    payloads = table(["a"], [])
    described = [payloads[0], definition("a", charset=63), payloads[2]]
    made = line(messages=True)
    data = wire_bytes([*described, row([value]), row([value]), eof()])
    made.send([data[:-9], data[-9:]]).join()  # what looks like the end is the end of what has come
    assert made.read()[0].column(0).to_pylist() == [value, value]


def test_an_error_in_mid_result_is_the_servers_own(line: Callable[..., Line]) -> None:
    payloads = table(["a"], [[b"1"]] * 1000, end=error(1317, "Query execution was interrupted"))
    with pytest.raises(pymysql.err.OperationalError) as caught:
        read(line, payloads)
    assert caught.value.args == (1317, "Query execution was interrupted")


def test_the_driver_goes_on_after_the_end(line: Callable[..., Line]) -> None:
    made = line(messages=False)
    first = table(["a"], [[b"1"]], end=eof(status=2 | 8))
    second = table(["b"], [[b"2"], [b"3"]], end=eof(warnings=7))
    made.send([wire_bytes([*first, *second])]).join()
    found, rows = made.read()
    assert (rows_of(found), rows.status & 8) == ([("1",)], 8)
    found, rows = made.read()
    assert (found.column_names, rows_of(found), rows.warnings) == (["b"], [("2",), ("3",)], 7)


def test_a_connection_that_ends_is_not_a_result_that_ends(line: Callable[..., Line]) -> None:
    made = line(messages=False)
    made.send([wire_bytes(table(["a"], [[b"1"]] * 10)[:-1])]).join()
    made.there.shutdown(socket.SHUT_WR)
    with pytest.raises(pymysql.err.OperationalError) as caught:
        made.read()
    assert caught.value.args[0] == 2013


def test_a_row_that_is_missing_is_an_error(line: Callable[..., Line]) -> None:
    made = line(messages=False)
    payloads = table(["a"], [[b"1"]] * 10)
    made.send([wire_bytes(payloads[:5]) + wire_bytes(payloads[6:], 7)]).join()
    with pytest.raises(pymysql.err.OperationalError) as caught:
        made.read()
    assert caught.value.args[0] == 2027


@pytest.mark.parametrize(
    "payload",
    [
        b"\x05abc",  # longer than its row
        b"\x03abcd",  # shorter
        b"\xfc\xff\xff",
        b"\xfc\x01",
        b"\xfd\x01\x00",
        b"\xfe" + struct.pack("<q", 2**62) + b"x" * 9,
        b"\xfe" + struct.pack("<Q", 2**64 - 1) + b"x" * 9,
        b"\xfe" + struct.pack("<Q", 2**63) + b"x" * 9,
    ],
)
def test_no_length_is_believed(line: Callable[..., Line], payload: bytes) -> None:
    payloads = table(["a"], [[b"1"]])
    with pytest.raises(pymysql.err.OperationalError) as caught:
        read(line, [*payloads[:4], payload, payload, *payloads[4:]])
    assert caught.value.args[0] == 2027


def test_text_that_is_no_text_is_an_error(line: Callable[..., Line]) -> None:
    with pytest.raises(DataError, match=r"'a' was declared as VARCHAR\(255\)"):
        read(line, table(["a"], [[b"fine"], [b"\xff\xfe"]]))


def test_numbers_and_nulls_of_a_chunk(line: Callable[..., Line]) -> None:
    described = [b"\2", definition("n", 3, 63, 11), definition("u", 8, 63, 20, 0x20), eof()]
    values: Values = [[b"-2147483648", b"18446744073709551615"], [None, b"0"], [b"00042", None]]
    found = read(line, [*described, *map(row, values), eof()])
    assert [str(type_) for type_ in found.schema.types] == ["int32", "uint64"]
    assert rows_of(found) == [(-(2**31), 2**64 - 1), (None, 0), (42, None)]
