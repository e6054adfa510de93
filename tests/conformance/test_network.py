"""What every connector to a server has to show when the way to it, or the server, misbehaves."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    HostUnreachable,
    TLSFailed,
)
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from tests.conformance.network import BUSY, Network
from tests.faults.test_secrets import PASSWORDS, shown, spellings
from tests.servers.certificates import Authority, Certificate
from tests.servers.proxy import Proxy


@pytest.fixture
def presenting() -> Iterator[Callable[[Certificate | None], int]]:
    """Listen on a port that presents a certificate, or speaks no TLS at all, and nothing else."""
    with contextlib.ExitStack() as open_now:

        def listen(certificate: Certificate | None) -> int:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            if certificate is not None:
                context.load_cert_chain(certificate.certificate, certificate.key)
            server = open_now.enter_context(socket.create_server(("127.0.0.1", 0)))
            chosen = context if certificate is not None else None
            thread = threading.Thread(target=_present, args=(server, chosen))
            thread.start()
            open_now.callback(thread.join)
            open_now.callback(server.shutdown, socket.SHUT_RDWR)
            return int(server.getsockname()[1])

        yield listen


def _present(server: socket.socket, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError):  # shut down
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                if context is None:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                else:
                    context.wrap_socket(connection, server_side=True).close()


def refused(network: Network, config: ConnectionConfig) -> None:
    """Neither the test of a connection nor a session gets through, and both say what to do."""
    last = network.graded(config)
    assert (last.name, last.ok) == ("tls", False), last
    assert last.hint
    began = time.monotonic()
    with pytest.raises(TLSFailed) as caught:
        connector(config.type).open(config)
    assert caught.value.hint
    assert time.monotonic() - began < config.values["timeout"] + BUSY


def test_every_step_of_the_graded_test_passes(network: Network) -> None:
    last = network.graded(network.config())
    assert (last.name, last.ok) == ("sample", True), last


def test_a_wrong_secret_is_refused_at_the_login(network: Network) -> None:
    config = network.config(**network.database.bad)
    last = network.graded(config)
    assert (last.name, last.ok) == ("login", False), last
    with pytest.raises(AuthenticationFailed) as caught:
        connector(config.type).open(config)
    assert caught.value.hint


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_wrong_secret_is_in_no_error(network: Network, name: str) -> None:
    try:
        config = network.config(**{**network.database.bad, network.database.secret: PASSWORDS[name]})
        connector(config.type).open(config).close()
    except AiserError as exc:
        text = shown(exc) + "".join(traceback.format_exception(exc))
    else:
        raise AssertionError("it was let in")
    assert not [each for each in spellings(PASSWORDS[name]) if each in text]


def test_nothing_listens(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = network.config(port)
    began = time.monotonic()
    with pytest.raises(HostUnreachable) as caught:
        connector(config.type).open(config)
    assert caught.value.hint
    assert time.monotonic() - began < BUSY


def test_a_self_signed_certificate_is_refused(
    network: Network, presenting: Callable[..., int], tmp_path: Path
) -> None:
    ours = Authority(tmp_path / "ca")
    key = ours._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (made := Certificate(ours.path, ours.path.with_suffix(".key"))).key.write_bytes(key)
    refused(network, network.config(presenting(made)))


def test_another_authority_is_refused(
    network: Network, presenting: Callable[..., int], tmp_path: Path
) -> None:
    refused(network, network.config(presenting(Authority(tmp_path / "ca", "Another CA").issue("server"))))


def test_another_name_is_refused(network: Network, presenting: Callable[..., int]) -> None:
    made = network.server.authority.issue("other-name", ("db.example",))
    refused(network, network.config(presenting(made)))


def test_an_expired_certificate_is_refused(network: Network, presenting: Callable[..., int]) -> None:
    refused(network, network.config(presenting(network.server.authority.issue("old", expired=True))))


def test_a_server_without_encryption_is_refused(network: Network, presenting: Callable[..., int]) -> None:
    config = network.config(presenting(None), timeout=2)
    last = network.graded(config)
    assert (last.name, last.ok) == ("tls", False), last
    with pytest.raises(ConnectError):
        connector(config.type).open(config)


def test_a_silent_server_ends_the_login_in_time(network: Network, proxy: Proxy) -> None:
    proxy.set("mute")
    config = network.config(proxy.port, timeout=1)
    began = time.monotonic()
    with pytest.raises(ConnectError, match=r"within 1 s|did not") as caught:
        connector(config.type).open(config)
    assert caught.value.hint
    assert time.monotonic() - began < 1 + BUSY
    proxy.set("pass")
    assert network.ask(network.config(proxy.port)).num_rows == 1


@pytest.mark.parametrize("mode", ["rst", "fin"])
def test_a_reset_in_mid_result_is_no_result(network: Network, proxy: Proxy, mode: str) -> None:
    config, lost = network.config(proxy.port), network.database.lost
    with closing(connector(config.type).open(config)) as session:
        reader = session.execute(network.database.endless, (), Run("test", timeout=20))
        reader.read_next_batch()
        proxy.set(mode, after=0)
        began = time.monotonic()
        with pytest.raises(ConnectionLost if lost < 20 else (ConnectionLost, DeadlineExceeded)):
            reader.read_all()
        assert time.monotonic() - began < lost + BUSY
    proxy.set("pass")
    assert network.ask(config).num_rows == 1


@pytest.mark.parametrize(("mode", "seconds"), [("blackhole", 2), ("drip", 1)])
def test_a_silent_or_dripping_result_ends_at_the_deadline(
    network: Network, proxy: Proxy, mode: str, seconds: int
) -> None:
    config = network.config(proxy.port)
    run = Run("test", timeout=seconds)
    began = time.monotonic()
    with closing(connector(config.type).open(config)) as session, run.on_cancel(session.cancel):
        reader = session.execute(network.database.endless, (), run)
        reader.read_next_batch()
        proxy.set(mode)
        with pytest.raises(DeadlineExceeded):
            reader.read_all()
    assert time.monotonic() - began < seconds + BUSY
    proxy.set("pass")
    assert network.ask(config).num_rows == 1


def test_a_secret_in_another_field_leads_nowhere_else(network: Network) -> None:
    """A host is one host: what another program could read two from is refused before anything is sent."""
    for written in ("127.0.0.1,127.0.0.2", "127.0.0.1@127.0.0.2", "127.0.0.1/x", "127.0.0.1?host=127.0.0.2"):
        with pytest.raises((ConfigError, HostUnreachable)):
            connector(network.config().type).open(network.config(**{network.database.host: written}))
