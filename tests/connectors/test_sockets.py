"""Names and ports that answer, refuse or say nothing; and a connection that is cut from outside."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from aiser_jupyter.connectors.sockets import Address, Cut, dial, is_loopback, reach, resolve
from aiser_jupyter.errors import ConfigError, HostUnreachable
from tests.servers.leaks import nothing_left_behind


def address_of(host: str, port: int) -> Address:
    return socket.AF_INET, (host, port)


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def silent() -> Iterator[int]:
    """A port that neither accepts nor refuses: its queue is full, and the system drops what comes."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def closed_port() -> int:
    with listening() as port:
        return port


def test_a_listening_port_is_reached() -> None:
    with listening() as port, dial("localhost", port, 5) as sock:
        assert sock.getpeername()[:2] == ("127.0.0.1", port)
        assert sock.gettimeout() is None
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(HostUnreachable, match=r"'no-such-host\.invalid' is not known") as caught:
        resolve("no-such-host.invalid", 5432, 20)
    assert "spelling" in caught.value.hint


@pytest.mark.parametrize(
    "host",
    ["a b", "127.0.0.1 x", "127.0.0.1,127.0.0.2", "x@127.0.0.1/", "127.0.0.1:80", "[::1]", "t?host=127.0.0.1",
     "host=127.0.0.1", "/tmp", "a" * 70 + ".b", "..", "\u2028"],
)  # fmt: skip
def test_what_is_no_name_and_no_address_leads_nowhere(host: str) -> None:
    with pytest.raises(HostUnreachable):
        resolve(host, 5432, 20)


@pytest.mark.parametrize("port", [-1, 0, 65536, 65536 + 22, 10**12])
def test_what_is_no_port_leads_nowhere(port: int) -> None:
    with pytest.raises(ConfigError, match="is no port"):
        resolve("127.0.0.1", port, 5)


def test_a_closed_port_says_so_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(HostUnreachable, match="Nothing listens on port") as caught:
        dial("127.0.0.1", closed_port(), 20)
    assert "Check the port" in caught.value.hint
    assert time.monotonic() - began < 5


def test_a_silent_port_ends_at_the_deadline() -> None:
    with silent() as port:
        began = time.monotonic()
        with pytest.raises(HostUnreachable, match=r"did not answer on port \d+ within 0\.5 s") as caught:
            dial("127.0.0.1", port, 0.5)
        assert 0.4 < time.monotonic() - began < 2
    assert "firewall" in caught.value.hint


def test_the_next_address_is_tried_where_the_first_is_closed_or_silent() -> None:
    with listening() as port, silent() as mute:
        for first in (closed_port(), mute):
            with reach([address_of("127.0.0.1", first), address_of("127.0.0.1", port)], "db", 2) as sock:
                assert sock.getpeername()[1] == port


def test_nothing_stays_where_nothing_answers() -> None:
    with nothing_left_behind():
        for _ in range(5):
            with pytest.raises(HostUnreachable):
                dial("127.0.0.1", closed_port(), 5)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.9.10", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("0.0.0.0", False), ("fe80::1%lo", False),
     ("169.254.169.254", False), ("128.0.0.1", False)],
)  # fmt: skip
def test_loopback_is_this_machine_and_nothing_else(host: str, expected: bool) -> None:
    assert is_loopback(address_of(host, 1)) is expected


@pytest.mark.parametrize("spelling", ["127.1", "0x7f000001", "2130706433", "localhost."])
def test_what_is_checked_is_what_the_name_resolves_to(spelling: str) -> None:
    try:
        found = resolve(spelling, 80, 20)
    except HostUnreachable:
        return  # this system does not read the spelling: it leads nowhere
    assert found
    assert all(is_loopback(each) for each in found)


def test_a_cut_ends_a_read_at_once_and_tells_the_peer() -> None:
    mine, peer = socket.socketpair()
    with mine, peer:
        cut = Cut(mine)
        timer = threading.Timer(0.2, cut.cut)
        timer.start()
        began = time.monotonic()
        assert mine.recv(1) == b""
        assert time.monotonic() - began < 5
        assert peer.recv(1) == b""
        timer.join()
        assert cut.done
        cut.cut()
        cut.close()
        cut.cut()


def test_a_block_that_ends_in_time_is_not_cut() -> None:
    mine, peer = socket.socketpair()
    with mine, peer:
        cut = Cut(mine)
        with cut.after(30):
            pass
        peer.sendall(b"x")
        assert (mine.recv(1), cut.done) == (b"x", False)
        cut.close()


def test_a_block_that_waits_too_long_is_cut() -> None:
    mine, peer = socket.socketpair()
    with mine, peer:
        cut = Cut(mine)
        began = time.monotonic()
        with cut.after(0.2):
            assert mine.recv(1) == b""
        assert 0.15 < time.monotonic() - began < 5
        assert cut.done
        cut.close()


def test_closing_the_cut_leaves_the_connection() -> None:
    mine, peer = socket.socketpair()
    with mine, peer:
        cut = Cut(mine)
        cut.close()
        cut.close()
        cut.cut()
        peer.sendall(b"x")
        assert mine.recv(1) == b"x"
        assert not cut.done
