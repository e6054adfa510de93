"""Logging in with a certificate, at a real PostgreSQL and a real MariaDB that ask for one."""

from __future__ import annotations

import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from aiser_jupyter.connectors.mysql import MySQLConnector
from aiser_jupyter.connectors.postgresql import PostgreSQLConnector
from aiser_jupyter.errors import AiserError, AuthenticationFailed, ConfigError, QueryCancelled, TLSFailed
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from tests.connectors.postgresql_kit import ask, value
from tests.servers.certificates import Authority, Certificate

KINDS = {"postgresql": PostgreSQLConnector(), "mysql": MySQLConnector()}
SLOW = {"postgresql": "SELECT pg_sleep(100)", "mysql": "SELECT sleep(100)"}


class Place:
    """A server and a user of it, ``certain``, who needs a certificate with this name."""

    def __init__(self, type: str, server: Any) -> None:
        self.type, self.server, self.kind = type, server, KINDS[type]
        self.right = server.authority.issue("certain", ("certain",))

    def config(self, certificate: Certificate | None, **changed: Any) -> ConnectionConfig:
        values: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "username": "certain",
            "database": self.server.database,
            "ssl_ca": self.server.authority.pem,
        }
        if certificate is not None:
            values["ssl_certificate"] = certificate.certificate.read_text()
            values["ssl_key"] = certificate.key.read_text()
        return ConnectionConfig(self.type, "shop", self.kind.validate({**values, **changed}))

    def refused(self, made: ConnectionConfig) -> AiserError:
        with pytest.raises(AiserError) as caught:
            self.kind.fresh(made).close()
        assert caught.value.hint
        return caught.value


@pytest.fixture(scope="module", params=list(KINDS))
def place(request: pytest.FixtureRequest, postgresql: Any, mariadb: Any) -> Place:
    if request.param == "mysql":
        for user, proof in (("certain", ""), ("doubly", f"IDENTIFIED BY '{mariadb.password}'")):
            mariadb.admin(f"CREATE OR REPLACE USER {user}@'%' {proof} REQUIRE SUBJECT '/CN={user}'")
            mariadb.admin(f"GRANT ALL ON {mariadb.database}.* TO {user}@'%'")
        return Place("mysql", mariadb)
    for user in ("certain", "doubly"):
        postgresql.admin(f"DROP ROLE IF EXISTS {user}")
        postgresql.admin(f"CREATE ROLE {user} LOGIN PASSWORD '{postgresql.password}'")
    return Place("postgresql", postgresql)


def test_the_right_certificate_logs_in(place: Place) -> None:
    with closing(place.kind.fresh(place.config(place.right))) as opened:
        assert str(value(opened, "SELECT CURRENT_USER")).startswith("certain")
    steps = [stage.run() for stage in place.kind.stages(place.config(place.right), Run("test"))][:6]
    assert "as certain" in steps
    assert "TLSv1.3" in steps


def test_a_password_may_be_asked_for_as_well(place: Place) -> None:
    both = place.server.authority.issue("doubly", ("doubly",))
    made = place.config(both, username="doubly", password=place.server.password)
    with closing(place.kind.fresh(made)) as opened:
        assert value(opened, "SELECT 1") == 1
    wrong = place.config(both, username="doubly", password="wrong")
    assert isinstance(place.refused(wrong), AuthenticationFailed)


def test_a_statement_is_stopped_with_it_too(place: Place) -> None:
    with closing(place.kind.fresh(place.config(place.right))) as opened:
        run = Run("test")
        threading.Timer(0.3, run.cancel).start()
        with run.on_cancel(opened.cancel), pytest.raises(QueryCancelled) as caught:
            ask(opened, SLOW[place.type], run=run)
        assert caught.value.confirmed


def test_who_shows_none_or_another_users_is_refused_by_the_login(place: Place) -> None:
    for shown in (None, place.server.authority.issue("other", ("other",))):
        refused = place.refused(place.config(shown))
        assert isinstance(refused, AuthenticationFailed)
        assert "certificate" in refused.hint


def test_a_certificate_that_the_server_does_not_trust_is_said_to_be_that(
    place: Place, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "Another CA").issue("certain", ("certain",))
    expired = place.server.authority.issue("expired", ("certain",), expired=True)
    for shown in (foreign, expired):
        refused = place.refused(place.config(shown))
        assert isinstance(refused, TLSFailed)
        assert "client's certificate" in refused.message
        assert "ssl_certificate" in refused.hint


def test_a_key_that_cannot_be_used_is_said_to_be_that(place: Place) -> None:
    other = place.server.authority.issue("other", ("certain",))
    key = serialization.load_pem_private_key(place.right.key.read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    ).decode()
    for text, words in (
        (other.key.read_text(), "is no key of ssl_certificate"),
        (locked, "encrypted with a passphrase"),
        ("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----", "no readable key"),
        (place.right.certificate.read_text(), "no readable key"),
    ):
        made = place.config(place.right, ssl_key=text)
        for login in (place.kind.fresh, lambda made: place.kind.start_tls(made, 5)):
            with pytest.raises(ConfigError) as caught:
                login(made)
            assert words in caught.value.message
            assert text not in repr(caught.value) + str(caught.value.__context__)
    with pytest.raises(ConfigError, match=r"no readable key|needs 'ssl_key'"):
        place.kind.fresh(place.config(place.right, ssl_key=None))
    broken = place.right.certificate.read_text().replace("M", "N", 1)
    with pytest.raises(ConfigError, match="cannot be shown"):
        place.kind.fresh(place.config(place.right, ssl_certificate=broken))


def test_the_key_is_a_secret_and_the_certificate_is_not(place: Place) -> None:
    made = place.config(place.right)
    assert isinstance(made.values["ssl_key"], Secret)
    assert "ssl_key" in place.kind.secret_fields
    assert isinstance(made.values["ssl_certificate"], str)
    both = place.right.certificate.read_text() + place.right.key.read_text()
    with pytest.raises(ConfigError, match="no key"):
        place.config(place.right, ssl_certificate=both)
    with pytest.raises(ConfigError, match="only for ssl_certificate"):
        place.config(None, ssl_key=place.right.key.read_text())
    without = place.config(None)
    assert "ssl_key" not in {field.name for field in place.kind.secrets_of(without.values)}
    assert place.kind.destination(made.values) == place.kind.destination(without.values)


def test_no_file_with_the_key_is_left(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place.kind.fresh(place.config(place.right)).close()
    with pytest.raises(ConfigError):
        place.kind.fresh(place.config(place.right, ssl_key=place.server.authority.issue("x").key.read_text()))
    assert list(tmp_path.iterdir()) == []
