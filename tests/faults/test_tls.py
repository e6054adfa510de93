"""Encryption is there and verified, or there is no login; and what to do about it is said."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aiser_jupyter.config import AiserConnections
from aiser_jupyter.connectors.sockets import resolve
from aiser_jupyter.connectors.tls import allow_insecure, authority_file, require_tls
from aiser_jupyter.errors import ConfigError, TLSFailed
from aiser_jupyter.models import ConnectionConfig
from tests.faults.target import Target
from tests.servers.certificates import Authority, Certificate
from tests.servers.leaks import eventually
from tests.servers.proxy import Proxy

Present = Callable[[Certificate], None]


def refused(target: Target, config: ConnectionConfig) -> TLSFailed:
    """Neither the test of a connection nor a session gets through, and both say the same."""
    last = target.graded(config)[-1]
    assert (last.name, last.ok) == ("tls", False)
    with pytest.raises(TLSFailed) as caught:
        target.kind.open(config)
    assert caught.value.hint
    assert last.hint
    return caught.value


@pytest.fixture
def present(target: Target) -> Iterator[Present]:
    """Have the running server present another certificate; its own comes back afterwards."""
    own = target.server.certificate
    kept = own.certificate.read_bytes(), own.key.read_bytes()

    def swap(made: Certificate) -> None:
        shutil.copyfile(made.certificate, own.certificate)
        shutil.copyfile(made.key, own.key)
        target.read_certificates()

    yield swap
    own.certificate.write_bytes(kept[0])
    own.key.write_bytes(kept[1])
    target.read_certificates()
    assert eventually(lambda: target.graded(target.config())[-1].ok)


@pytest.fixture
def ours(target: Target, tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def test_a_good_certificate_is_accepted_and_the_server_says_that_it_encrypts(target: Target) -> None:
    checks = {check.name: check for check in target.graded(target.config())}
    assert checks["tls"].message.startswith("TLSv1.")
    assert checks["login"].ok
    table = target.ask(target.words.encrypted, target.config())
    assert table.num_rows == 1
    assert "_" in str(table.to_pylist()[0])  # the name of a cipher, as TLS_AES_256_GCM_SHA384


def test_the_systems_authorities_do_not_know_it(target: Target) -> None:
    error = refused(target, target.config(ssl_ca=None))
    assert "not signed by an authority that is trusted" in error.message
    assert "ssl_ca" in error.hint


@pytest.mark.parametrize("name", ["Another CA", "Throw-away CA"])
def test_another_authority_is_not_this_one(target: Target, tmp_path: Path, name: str) -> None:
    error = refused(target, target.config(ssl_ca=Authority(tmp_path / "ca", name).pem))
    assert "not signed by an authority that is trusted" in error.message


def test_a_self_signed_certificate_is_refused(target: Target, present: Present, ours: Authority) -> None:
    key = ours._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (made := Certificate(ours.path, ours.path.with_suffix(".key"))).key.write_bytes(key)
    present(made)
    error = refused(target, target.config())
    assert "self-signed" in error.message
    assert "not signed by an authority that is trusted" in error.message


def test_an_expired_certificate_is_refused(target: Target, present: Present) -> None:
    present(target.server.authority.issue("expired", expired=True))
    error = refused(target, target.config())
    assert "has expired" in error.message
    assert "renew" in error.hint


def test_a_certificate_of_another_name_is_refused(target: Target, present: Present) -> None:
    present(target.server.authority.issue("other", ("db.example",)))
    error = refused(target, target.config())
    assert "not for 127.0.0.1" in error.message
    assert "ssl_server_name" in error.hint
    good = target.config(ssl_server_name="db.example")
    assert target.graded(good)[-1].ok


def test_a_name_that_the_server_does_not_have_is_refused(target: Target) -> None:
    error = refused(target, target.config(ssl_server_name="db.example"))
    assert "db.example" in error.message


def test_a_proxy_that_declines_tls_gets_no_login(target: Target, proxy: Proxy) -> None:
    proxy.set(f"strip_{target.words.type}")
    error = refused(target, target.config(port=proxy.port))
    assert "no encryption" in error.message


def test_the_strip_is_a_strip(target: Target, proxy: Proxy) -> None:
    """Where encryption is off on purpose, the same proxy lets the login through."""
    proxy.set(f"strip_{target.words.type}")
    config = target.config(port=proxy.port, ssl_enabled=False)
    assert target.ask("SELECT 1 AS one", config).num_rows == 1
    table = target.ask(target.words.encrypted, config)
    assert not table.num_rows or table.to_pylist()[0]["Value"] == ""


def test_without_tls_this_machine_may_be_reached_and_it_is_said(target: Target) -> None:
    checks = target.graded(target.config(ssl_enabled=False))
    assert all(check.ok for check in checks)
    assert "nothing is encrypted" in next(check.message for check in checks if check.name == "tls")


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "fd00::1"])
def test_without_tls_no_other_machine_is_reached(target: Target, address: str) -> None:
    config = target.config(host=address, ssl_enabled=False, ssl_ca=None)
    with pytest.raises(ConfigError, match="another machine") as caught:
        target.kind.open(config)
    assert "ssl_enabled" in caught.value.hint


def test_the_administrator_names_hosts_that_may_be_reached_without_tls() -> None:
    other = {"host": " DB.example ", "ssl_enabled": False}
    addresses: list[Any] = resolve("10.0.0.1", 1, 5)
    allow_insecure(AiserConnections(insecure_hosts=["db.EXAMPLE"]))
    try:
        require_tls(other, addresses)
        with pytest.raises(ConfigError):
            require_tls(other | {"host": "db2.example"}, addresses)
    finally:
        allow_insecure(AiserConnections())
    with pytest.raises(ConfigError):
        require_tls(other, addresses)


def test_an_authority_that_becomes_a_file_is_private(tmp_path: Path) -> None:
    path = authority_file(Authority(tmp_path / "ca").pem)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_address_elsewhere_is_enough_to_refuse() -> None:
    both = resolve("127.0.0.1", 1, 5) + resolve("10.0.0.1", 1, 5)
    with pytest.raises(ConfigError):
        require_tls({"host": "both", "ssl_enabled": False}, both)


def test_what_is_no_certificate_is_refused_before_a_word_is_said(target: Target, proxy: Proxy) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"
    with pytest.raises(ConfigError, match="ssl_ca"):
        target.kind.open(target.config(port=proxy.port, ssl_ca=pem))
    assert proxy.answered == 0
