"""What a certificate must have to be taken: the same with every Python."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.connectors.tls import context_of, translate_tls
from aiser_jupyter.errors import ConfigError, TLSFailed
from tests.servers.certificates import Authority, Certificate


def shaken(context: ssl.SSLContext, shown: Certificate) -> str:
    """Do a handshake with a server that shows a certificate, and return the version."""
    answering = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    answering.load_cert_chain(shown.certificate, shown.key)
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            answering.wrap_socket(theirs, server_side=True).close()
        except OSError:  # the client did not like what it saw
            theirs.close()

    thread = threading.Thread(target=answer)
    thread.start()
    ours.settimeout(20)
    try:
        with context.wrap_socket(ours, server_hostname="localhost") as encrypted:
            return str(encrypted.version())
    finally:
        ours.close()
        thread.join()


def client(authority: str) -> ssl.SSLContext:
    context = context_of({"ssl_ca": authority})
    assert context is not None
    return context


def test_an_authority_that_lacks_what_rfc_5280_asks_for_is_taken(tmp_path: Path) -> None:
    authority = Authority(tmp_path, identified=False)
    assert shaken(client(authority.pem), authority.issue("server")) == "TLSv1.3"


def test_the_servers_own_certificate_may_be_given(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server")
    assert shaken(client(server.certificate.read_text()), server) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):  # it stands for itself alone
        shaken(client(server.certificate.read_text()), authority.issue("other"))


@pytest.mark.parametrize("fault", ["foreign", "expired", "name"])
def test_what_does_not_hold_is_refused(tmp_path: Path, fault: str) -> None:
    authority = Authority(tmp_path / "own")
    trusted = Authority(tmp_path / "other").pem if fault == "foreign" else authority.pem
    names = ("elsewhere",) if fault == "name" else ("localhost",)
    shown = authority.issue("server", names, expired=fault == "expired")
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(client(trusted), shown)


def test_a_driver_that_asks_for_more_is_explained(tmp_path: Path) -> None:
    authority = Authority(tmp_path, identified=False)
    strict = client(authority.pem)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            shaken(strict, authority.issue("server"))
    finally:
        strict.verify_flags &= ~ssl.VERIFY_X509_STRICT
    error = translate_tls(caught.value, "db.example.com")
    assert isinstance(error, TLSFailed)
    assert "incomplete" in error.message
    assert "issued anew" in error.hint


@pytest.mark.parametrize("name", ["a..b", ".", "x" * 64])
def test_a_name_that_no_certificate_can_carry_is_refused_before_anything_is_opened(name: str) -> None:
    values = {"host": "localhost", "database": "shop", "username": "ann", "password": "x"}
    with pytest.raises(ConfigError, match="ssl_server_name"):
        connector("postgresql").validate({**values, "ssl_server_name": name})
    assert connector("postgresql").validate({**values, "ssl_server_name": "db.example.org"})
