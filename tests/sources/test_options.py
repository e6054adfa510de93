from __future__ import annotations

from urllib.parse import quote

import pytest

from aiser_jupyter.errors import ConfigError
from aiser_jupyter.sources.options import translated
from aiser_jupyter.sources.url import parse_url

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("sslmode=require", {"ssl_enabled": True}),
        ("sslmode=verify-ca", {"ssl_enabled": True}),
        ("sslmode=verify-full", {"ssl_enabled": True}),
        ("sslmode=disable", {"ssl_enabled": False}),
        ("ssl-mode=VERIFY_IDENTITY", {"ssl_enabled": True}),
        ("ssl_mode=DISABLED", {"ssl_enabled": False}),
        ("ssl=true", {"ssl_enabled": True}),
        ("ssl=0", {"ssl_enabled": False}),
        ("ssl_disabled=true", {"ssl_enabled": False}),
        ("ssl_verify_cert=true", {"ssl_enabled": True}),
        ("ssl_enabled=false", {"ssl_enabled": False}),
        ("sslmode=require&ssl=true", {"ssl_enabled": True}),
        ("sslrootcert=system", {"ssl_enabled": True}),
        ("charset=utf8mb4&application_name=notebook&use_unicode=1", {}),
        ("client_encoding=UTF-8", {}),
        ("connect_timeout=7", {"timeout": 7}),
        ("timeout=7&max_connections=2", {"timeout": 7, "max_connections": 2}),
        ("currentSchema=sales", {"schema": "sales"}),
        ("schema=sales&role=reader", {"schema": "sales", "role": "reader"}),
        ("ssl_server_name=db.example.com", {"ssl_server_name": "db.example.com"}),
        (f"ssl_ca={quote(CERTIFICATE)}", {"ssl_ca": CERTIFICATE}),
        ("", {}),
    ],
)
def test_what_means_the_same_here_is_translated(kinds, query, wanted):
    plain = parse_url("postgresql://ann@db/shop", "shop", kinds).values
    assert parse_url(f"postgresql://ann@db/shop?{query}", "shop", kinds).values == {**plain, **wanted}


@pytest.mark.parametrize("mode", ["prefer", "allow", "PREFERRED"])
def test_encryption_is_not_a_matter_of_luck(kinds, mode):
    with pytest.raises(ConfigError) as caught:
        parse_url(f"postgresql://ann@db/shop?sslmode={mode}", "shop", kinds)
    assert "not supported" in caught.value.message
    assert "require" in caught.value.hint
    assert "disable" in caught.value.hint


FILES = ["local_infile", "allow_local_infile", "LOCAL-INFILE", "sslkey", "sslcert", "server_public_key"]
SETTINGS = ["read_default_file", "read_default_group", "service", "passfile", "options", "plugin_dir"]
COMMANDS = ["init_command", "Init_Command", "multi_statements", "client_flag", "auth_plugin_map"]
PLACES = ["unix_socket", "socket", "bind_address", "hostaddr", "host", "port", "load_balance_hosts"]
LOGIN = ["user", "dbname", "database", "password", "passwd", "token", "sslpassword"]


@pytest.mark.parametrize("name", FILES + SETTINGS + COMMANDS + PLACES + LOGIN)
@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_what_reaches_further_is_never_allowed(kinds, scheme, name):
    with pytest.raises(ConfigError) as caught:
        parse_url(f"{scheme}://ann@db/shop?{name}=canary", "shop", kinds)
    message = caught.value.message
    assert name.lower().replace("-", "_") in message
    assert "is not allowed" in message
    assert "canary" not in str(caught.value)


def test_no_keyword_of_the_drivers_gets_through_unseen(kinds):
    """A setting of the driver either means something here, or it is refused."""
    import inspect

    import pymysql

    meant = {"charset", "connect_timeout", "autocommit", "use_unicode", "program_name"}
    meant |= {"ssl", "ssl_ca", "ssl_disabled", "ssl_verify_cert", "ssl_verify_identity"}
    words = set(inspect.signature(pymysql.connections.Connection.__init__).parameters) - {"self", "args"}
    assert len(words) > 30
    for word in words - meant:
        with pytest.raises(ConfigError):
            translated(kinds["mysql"], [(word, "1")])


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=prefers",
        "ssl=perhaps",
        "ssl_verify_cert=false",
        "ssl_check_hostname=0",
        "charset=latin1",
        "client_encoding=SQL_ASCII",
        "channel_binding=require",
        "autocommit=false",
        "connect_timeout=0",
        "connect_timeout=-1",
        "connect_timeout=1.5",
        "connect_timeout=%C2%B2",
        "max_connections=many",
        "sslmode=require&sslmode=disable",
        "timeout=1&connect_timeout=2",
        "sslrootcert=/etc/passwd",
        "ssl_ca=/etc/passwd",
        "schema=a%00b",
        "schema=a%0Ab",
        "ssl_server_name=a%0D",
        "keepalives=1",
        "nonsense",
        "sslmod=require",
    ],
)
def test_what_would_not_be_kept_is_refused(kinds, query):
    with pytest.raises(ConfigError):
        parse_url(f"postgresql://ann@db/shop?{query}", "shop", kinds)


def test_an_unknown_option_is_named_with_what_is_near(kinds):
    with pytest.raises(ConfigError) as caught:
        parse_url("postgresql://ann@db/shop?sslmode=require&aplication_name=x", "shop", kinds)
    assert caught.value.message.endswith(" takes no option 'aplication_name' here.")
    assert caught.value.hint == "Did you mean 'application_name'?"


def test_a_file_database_takes_no_options_of_a_server(kinds):
    for query in ("charset=utf8mb4", "sslmode=disable", "connect_timeout=3"):
        with pytest.raises(ConfigError):
            parse_url(f"duckdb:///shop.duckdb?{query}", "shop", kinds)


def test_a_certificate_is_read_from_its_file_only_where_that_was_asked_for(kinds, certificate):
    found = translated(kinds["mysql"], [("ssl-ca", str(certificate))], read_files=True)
    assert found == {"ssl_ca": CERTIFICATE}
    with pytest.raises(ConfigError, match="a URL reads none"):
        translated(kinds["mysql"], [("ssl-ca", str(certificate))])
    certificate.write_text("secret: no certificate")
    with pytest.raises(ConfigError, match="no certificate in") as caught:
        translated(kinds["mysql"], [("ssl-ca", str(certificate))], read_files=True)
    assert "secret" not in str(caught.value)
