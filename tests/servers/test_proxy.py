"""Each fault of the proxy, before a server whose answers are known: bytes come back as they were sent."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers.proxy import Proxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except OSError:
            self.server.broken.set()  # type: ignore[attr-defined]
        self.server.left.set()  # type: ignore[attr-defined]


@pytest.fixture
def echo() -> Iterator[socketserver.ThreadingTCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        server.left, server.broken = threading.Event(), threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: socketserver.ThreadingTCPServer) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", echo.server_address[1])) as made:
        yield made


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connect(proxy) as sock:
        assert say(sock, b"hello") == b"hello"
        yield sock


def connect(proxy: Proxy) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    sock.settimeout(5)
    return sock


def say(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return receive(sock, len(data))


def receive(sock: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (more := sock.recv(size - len(got))):
        got += more
    return got


def silent(sock: socket.socket, seconds: float = 0.3) -> bool:
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(5)
    return False


def test_everything_passes_and_the_end_too(
    proxy: Proxy, client: socket.socket, echo: socketserver.ThreadingTCPServer
) -> None:
    data = bytes(range(256)) * 4000
    thread = threading.Thread(target=client.sendall, args=(data,))
    thread.start()
    assert receive(client, len(data)) == data
    thread.join()
    assert (proxy.connections, proxy.open) == (1, 1)
    client.close()
    assert echo.left.wait(5)  # type: ignore[attr-defined]
    assert not echo.broken.is_set()  # type: ignore[attr-defined]


def test_mute_accepts_and_answers_when_it_is_over(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("mute")
    with connect(proxy) as new:
        for sock in (client, new):
            sock.sendall(b"anyone?")
            assert silent(sock)
        proxy.set("pass")
        for sock in (client, new):
            assert receive(sock, 7) == b"anyone?"


@pytest.mark.parametrize("after", [0, 3])
def test_rst_comes_after_so_many_bytes(proxy: Proxy, client: socket.socket, after: int) -> None:
    proxy.set("rst", after=after)
    client.sendall(b"abcdef")
    with pytest.raises(ConnectionResetError):
        receive(client, 6)  # what was not yet read may be lost


@pytest.mark.parametrize("after", [0, 3])
def test_fin_comes_after_so_many_bytes(
    proxy: Proxy, client: socket.socket, after: int, echo: socketserver.ThreadingTCPServer
) -> None:
    proxy.set("fin", after=after)
    client.sendall(b"abcdef")
    assert receive(client, 6) == b"abc"[:after]
    assert client.recv(1) == b""
    assert echo.left.wait(5)  # type: ignore[attr-defined]


def test_blackhole_holds_both_directions_and_the_end(
    proxy: Proxy, client: socket.socket, echo: socketserver.ThreadingTCPServer
) -> None:
    proxy.set("blackhole", after=2)
    assert say(client, b"ab") == b"ab"
    client.sendall(b"cd")
    assert silent(client)
    client.close()
    assert not echo.left.wait(0.3)  # type: ignore[attr-defined]
    proxy.set("pass")
    assert echo.left.wait(5)  # type: ignore[attr-defined]


def test_a_fault_can_spare_new_connections(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("blackhole", new=False)
    client.sendall(b"x")
    with connect(proxy) as new:
        assert say(new, b"hello") == b"hello"
    assert silent(client)


def test_drip_sends_byte_by_byte(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("drip", seconds=0.1)
    client.sendall(b"abcdefgh")
    began = time.monotonic()
    assert receive(client, 4) == b"abcd"
    assert 0.25 <= time.monotonic() - began < 2
    proxy.set("pass")
    assert receive(client, 4) == b"efgh"


def test_latency_delays_both_directions(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("latency", seconds=0.2)
    began = time.monotonic()
    assert say(client, b"x") == b"x"
    assert 0.4 <= time.monotonic() - began < 3


def test_bandwidth_is_limited(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("bandwidth", rate=100_000)
    began = time.monotonic()
    assert say(client, b"x" * 50_000) == b"x" * 50_000
    assert 0.3 <= time.monotonic() - began < 3


def test_refuse_closes_the_door_and_opens_it_again(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("refuse")
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    assert say(client, b"still here") == b"still here"
    proxy.set("pass")
    with connect(proxy) as new:
        assert say(new, b"hello") == b"hello"


def test_who_comes_as_the_door_closes_is_let_in(proxy: Proxy) -> None:
    proxy._loop.call_soon_threadsafe(time.sleep, 0.3)  # both happen in one turn of the loop
    with connect(proxy) as sock:
        proxy.set("refuse")
        assert say(sock, b"hello") == b"hello"
        assert proxy.connections == 1


def test_reset_breaks_what_there_is(proxy: Proxy, client: socket.socket) -> None:
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with connect(proxy) as new:
        assert say(new, b"hello") == b"hello"


def test_stop_ends_the_thread_and_what_is_held(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("blackhole")
    client.sendall(b"x")
    with connect(proxy):
        proxy.stop()
    assert "proxy" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)


def test_a_server_that_is_down_is_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Proxy(("127.0.0.1", port)) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as sock:
        sock.recv(1)  # or it comes while the client connects
