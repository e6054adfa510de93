"""Reaching Redshift: what may be set, where it may lead, and the login with a password."""

from __future__ import annotations

import contextlib
import inspect
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redshift_connector
from redshift_connector.core import Connection

from aiser_jupyter.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    HostUnreachable,
    TLSFailed,
    UnknownDatabase,
)
from aiser_jupyter.run import Run
from tests.connectors.postgresql_kit import value
from tests.connectors.redshift_kit import KIND, config, session, signed
from tests.servers.certificates import Authority, Certificate
from tests.servers.proxy import Proxy

CLUSTER_HOST = "shop.abc123.eu-central-1.redshift.amazonaws.com"

# -- what may be set -----------------------------------------------------------------------------------

SET = {
    "user", "database", "password", "host", "ssl", "tcp_keepalive", "application_name",
    "client_protocol_version",
}  # fmt: skip
BY_THE_SIGN_IN = {
    "port", "iam", "db_user", "cluster_identifier", "access_key_id", "secret_access_key", "session_token",
    "region", "is_serverless", "serverless_work_group", "endpoint_url", "iam_disable_cache",
}  # fmt: skip
LOOKED_AT_AND_NOT_OFFERED = {
    "source_address",
    "unix_sock",  # another way to the machine
    "timeout",  # counts from byte to byte; a deadline is kept outside
    "tcp_keepalive_idle", "tcp_keepalive_interval", "tcp_keepalive_count",  # the socket is ours
    "sslmode", "sslmode_defaulted", "ssl_insecure",  # ways to verify less
    "max_prepared_statements", "numeric_to_float", "database_metadata_current_db_only",
    "enable_table_types",  # of the driver's own reading, which is not used
    "profile", "auth_profile",  # files of the machine, and settings that nobody here sees
    "credentials_provider",  # names code to import; its options follow
    "idp_host", "app_id", "app_name", "preferred_role", "principal_arn", "client_id", "idp_tenant",
    "client_secret", "partner_sp_id", "idp_response_timeout", "idp_partition", "listen_port", "login_to_rp",
    "login_url", "allow_db_user_override", "force_lowercase", "web_identity_token", "role_session_name",
    "role_arn", "provider_name", "scope", "identity_namespace", "idc_client_display_name", "idc_region",
    "issuer_url", "token", "token_type",
    "auto_create", "db_groups",  # they change users and rights at the login
    "group_federation",  # another call of AWS
    "serverless_acct_id",  # not sent to AWS
}  # fmt: skip


def test_every_argument_of_the_driver_was_looked_at() -> None:
    known = set(inspect.signature(redshift_connector.connect).parameters)
    known |= set(inspect.signature(Connection.__init__).parameters) - {"self"}
    assert known == SET | BY_THE_SIGN_IN | LOOKED_AT_AND_NOT_OFFERED


def test_only_fields_of_ours_are_taken() -> None:
    assert {field.name for field in KIND.fields} == {
        "host", "port", "database", "sign_in", "username", "password", "db_user", "cluster_identifier",
        "workgroup", "access_key_id", "secret_access_key", "session_token", "region", "endpoint_url",
        "schema", "timeout", "max_connections", "ssl_enabled", "ssl_ca", "ssl_server_name",
    }  # fmt: skip
    for name in (*LOOKED_AT_AND_NOT_OFFERED - {"timeout"}, "options", "iam", "ssl"):
        with pytest.raises(ConfigError, match="has no field"):
            KIND.validate({"host": "h", "username": "u", name: "x"})


def test_a_field_is_there_for_its_sign_in_only() -> None:
    with pytest.raises(ConfigError, match="only for sign_in = iam or serverless"):
        KIND.validate({"host": CLUSTER_HOST, "username": "ann", "access_key_id": "x"})
    with pytest.raises(ConfigError, match="only for sign_in = password"):
        KIND.validate({"host": CLUSTER_HOST, "sign_in": "iam", "username": "ann"})
    with pytest.raises(ConfigError, match="needs 'workgroup'"):
        KIND.validate({"host": CLUSTER_HOST, "sign_in": "serverless"})


KEY = {"access_key_id": "AKIAX", "secret_access_key": "s"}


def test_the_region_is_read_from_the_host_or_asked_for() -> None:
    given = {"sign_in": "iam", "db_user": "ann", "cluster_identifier": "shop", **KEY}
    assert KIND.validate({"host": CLUSTER_HOST, **given})["region"] == "eu-central-1"
    china = "shop.abc.cn-north-1.redshift.amazonaws.com.cn"
    assert KIND.validate({"host": china, **given})["region"] == "cn-north-1"
    with pytest.raises(ConfigError, match="needs the region"):
        KIND.validate({"host": "127.0.0.1", **given})
    for wrong in ("eu-central-1.evil.example", "x/", "eu-central-1@evil", "EU"):
        with pytest.raises(ConfigError, match="needs the region"):
            KIND.validate({"host": "127.0.0.1", **given, "region": wrong})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "https://",
        "https://u@x",
        "https://x?y",
        "https://x#y",
        "ftp://x",
        "x",
        "https://x:y",
    ],
)
def test_the_api_is_reached_by_https_alone(url: str) -> None:
    with pytest.raises(ConfigError, match="endpoint_url takes"):
        KIND.validate(
            {"host": CLUSTER_HOST, "sign_in": "serverless", "workgroup": "w", "endpoint_url": url, **KEY}
        )


def test_a_secret_is_sealed_for_all_that_leads_it() -> None:
    base = {"host": CLUSTER_HOST, "sign_in": "iam", "db_user": "a", "cluster_identifier": "c", **KEY}
    first = KIND.destination(KIND.validate(base))
    for changed in (
        {"host": "other.abc123.eu-central-1.redshift.amazonaws.com"}, {"port": 5440}, {"region": "eu-west-1"},
        {"cluster_identifier": "d"}, {"endpoint_url": "https://vpce.redshift.eu-central-1.vpce.amazonaws.com"},
        {"ssl_server_name": "x"},
    ):  # fmt: skip
        assert KIND.destination(KIND.validate({**base, **changed})) != first


# -- where it may lead ---------------------------------------------------------------------------------


def test_a_password_goes_to_the_vendors_hosts_alone(redshift: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are made to mean an address that is no loopback; nothing is sent there."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 5439))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    for host in ("db.example", "redshift.amazonaws.com.evil.example", "xredshift.amazonaws.com"):
        with pytest.raises(ConfigError, match="not one of the vendor's hosts"):
            KIND.fresh(config(redshift, host=host))
    with pytest.raises(HostUnreachable) as caught:
        KIND.fresh(config(redshift, host=CLUSTER_HOST), seconds=0.2)
    assert "paused" in caught.value.hint


def test_keys_go_to_amazon_alone(redshift: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = signed(redshift, endpoint_url="https://api.example")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(ConfigError, match="not one of the vendor's hosts"):
        KIND.fresh(given)


def test_the_drivers_own_socket_is_never_connected(redshift: Any) -> None:
    """Nothing of the driver's resolves or connects: it would go past the checks and the deadlines."""
    with Proxy(("127.0.0.1", redshift.port)) as proxy, session(redshift, port=proxy.port) as opened:
        assert proxy.connections == 1
        assert value(opened, "SELECT 1") == 1
        assert opened._core._usock is opened._core._ours
        assert opened._core.password == b""


# -- the password of a database ------------------------------------------------------------------------


def test_the_password_is_proved_by_md5_and_sent_in_the_open_inside_tls_where_asked(redshift: Any) -> None:
    with session(redshift) as opened:
        assert value(opened, "SELECT current_user::varchar") == "ann"
    with session(redshift, username="plain") as opened:
        assert value(opened, "SELECT current_user::varchar") == "plain"


@pytest.mark.parametrize("user", ["ann", "plain", "nobody"])
def test_a_wrong_password_is_refused(redshift: Any, user: str) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        KIND.fresh(config(redshift, username=user, password="wrong"))
    assert "Check user and password" in caught.value.hint


def test_a_database_that_is_not_there(redshift: Any) -> None:
    with pytest.raises(UnknownDatabase, match="nowhere"):
        KIND.fresh(config(redshift, database="nowhere"))


def test_the_start_up_says_who_we_are_and_nothing_of_the_machine(redshift: Any) -> None:
    with session(redshift, schema="public"):
        found = redshift.seen()[-1]
    assert found.pop("driver_version").startswith("Redshift Python Driver")
    assert found == {
        "user": "ann",
        "database": "shop",
        "application_name": "aiser",
        "client_protocol_version": "0",
        "os_version": "unknown",
        "driver_discovery_version": "1",
    }


def test_a_schema_is_where_names_are_looked_up(redshift: Any) -> None:
    redshift.behind.admin('CREATE SCHEMA IF NOT EXISTS "odd ""one" AUTHORIZATION ann', database="shop")
    with session(redshift, schema='odd "one') as opened:
        assert value(opened, "SELECT current_schema()::varchar") == 'odd "one'
        opened.reset()
        assert value(opened, "SELECT current_schema()::varchar") == 'odd "one'


def test_tls_may_be_off_on_this_machine_only(redshift: Any) -> None:
    with session(redshift, ssl_enabled=False) as opened:
        assert value(opened, "SELECT 1") == 1
    with pytest.raises(ConfigError, match="TLS alone"):
        signed(redshift, ssl_enabled=False)


@contextlib.contextmanager
def presenting(certificate: Certificate) -> Iterator[int]:
    """A port that accepts the offer of TLS, presents a certificate, and is silent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)

    def work() -> None:
        with contextlib.suppress(OSError):  # shut down
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    connection.recv(8)
                    connection.sendall(b"S")
                    context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=work)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_certificate_that_does_not_hold_is_refused(redshift: Any, tmp_path: Path) -> None:
    authority = redshift.authority
    for certificate, said in (
        (authority.issue("other-name", ("db.example",)), "is not for 127.0.0.1"),
        (authority.issue("old", expired=True), "has expired"),
        (Authority(tmp_path / "ca", "Another CA").issue("server"), "not signed by an authority"),
    ):
        with presenting(certificate) as port:
            with pytest.raises(TLSFailed, match=said) as caught:
                KIND.fresh(config(redshift, port=port))
            assert caught.value.hint
            if "not for" in said:  # the name it carries may be given; the login then fails later
                with pytest.raises(ConnectError) as later:
                    KIND.fresh(config(redshift, port=port, ssl_server_name="db.example"))
                assert not isinstance(later.value, TLSFailed)


def test_a_server_whose_offer_of_tls_is_taken_away_is_refused(redshift: Any) -> None:
    proxy = Proxy(("127.0.0.1", redshift.port), "strip_postgresql")
    with proxy, pytest.raises(TLSFailed, match="offers no encryption"):
        KIND.fresh(config(redshift, port=proxy.port))


def test_an_authority_belongs_to_its_connection(redshift: Any) -> None:
    with session(redshift), pytest.raises(TLSFailed, match="not signed by an authority"):
        KIND.fresh(config(redshift, ssl_ca=None))


def test_every_stage_of_a_test_passes(redshift: Any) -> None:
    said = {}
    for given in (config(redshift), signed(redshift, serverless=True)):
        for stage in KIND.stages(given, Run("test")):
            said[stage.name] = stage.run()
    assert list(said) == ["driver", "name", "tcp", "tls", "login", "database", "rights", "sample"]
    assert said["login"] == "as shop-workgroup"
    assert said["tls"].startswith("TLSv1")
