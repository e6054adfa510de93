"""Where a connection leads: to the host and port that it names, whatever stands in its fields."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiser_jupyter.connectors.network import NetworkConnector
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import AiserError, ConfigError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.services import Services, build
from aiser_jupyter.sources.entries import entry
from aiser_jupyter.sources.url import parse_url
from aiser_jupyter.sources.values import checked
from tests.conformance.network import Network
from tests.faults.test_fields import ELSEWHERE, SHAPES, listen
from tests.faults.test_secrets import spellings
from tests.servers.proxy import Proxy

NEVER = (
    # files of this machine, read, written or run
    *("local_infile", "allow_local_infile", "read_default_file", "read_default_group", "passfile", "service"),
    *("servicefile", "sslkey", "sslcert", "sslrootcert", "ssl_key", "ssl_cert", "private_key_file"),
    *("private_key_path", "token_file_path", "connection_name", "credentials_path", "credentials_file"),
    *("keyfile_path", "staging_allowed_local_path", "config_file_path", "oauth_jwt_key_file", "plugin_dir"),
    # statements and options that run at the login
    *("init_command", "options", "session_parameters", "session_configuration", "conn_attrs", "config"),
    # another way there, or code that finds one
    *(
        "unix_socket",
        "unix_sock",
        "hostaddr",
        "hosts",
        "bind_address",
        "proxy_host",
        "proxy_port",
        "protocol",
    ),
    *("krbJAASFile", "krbsrvname", "gssencmode", "credentials_provider", "auth_plugin_map", "login_url"),
    *("idp_host", "token_uri", "token_url", "universe_domain", "client_options", "http_headers"),
    *("oauth_redirect_uri", "_connection_uri", "workload_identity_provider"),
    # verification turned off
    *(
        "ocsp_fail_open",
        "insecure_mode",
        "disable_ocsp_checks",
        "tls_verify",
        "_tls_no_verify",
        "ssl_insecure",
    ),
    *("ssl_disabled", "ssl_verify_cert", "ssl_verify_identity", "sslmode", "verify", "crl_check_mode"),
    # what a database would be asked to run besides
    *("client_flag", "multi_statements", "allow_multi_statements", "autocommit", "cursorclass"),
)


@pytest.fixture
def canary(network: Network) -> Iterator[list[Any]]:
    """Listens on the server's port of another address, and on another port of this one: the first item."""
    came: list[Any] = []
    with contextlib.ExitStack() as open_now:
        for address in ((ELSEWHERE, network.server.port), ("127.0.0.1", 0)):
            server = open_now.enter_context(socket.create_server(address))
            thread = threading.Thread(target=listen, args=(server, came))
            thread.start()
            open_now.callback(thread.join)
            open_now.callback(server.shutdown, socket.SHUT_RDWR)
        came.append(server.getsockname()[1])
        yield came


def ways(network: Network) -> list[Mapping[str, Any]]:
    """Return the fields of each way to sign in."""
    return [{}, *network.database.ways(network.server)]


def texts(config: ConnectionConfig) -> list[str]:
    """Return the fields of a connection that take any text."""
    kind = connector(config.type)
    return [field.name for field in kind.fields if field.kind == "text" and field.applies(config.values)]


def attempt(network: Network, way: Mapping[str, Any], field: str, value: str) -> None:
    """Log in with ``value`` in a field, by every door that takes fields; most are refused."""
    kind = connector(network.config(**way).type)
    with contextlib.suppress(AiserError):
        config = network.config(**{"timeout": 2, **way, field: value})
        kind.fresh(config).close()


def test_the_canary_sings(network: Network, canary: list[Any]) -> None:
    moved = {name: str(value).replace("127.0.0.1", ELSEWHERE) for name, value in at(network).items()}
    moved = {name: int(value) if value.isdecimal() else value for name, value in moved.items()}
    with contextlib.suppress(AiserError):
        connector(network.config().type).fresh(network.config(timeout=2, **moved)).close()
    assert len(canary) >= 2


def at(network: Network) -> dict[str, Any]:
    """Return the fields that name the server's host and port."""
    values = network.config().values
    named = {network.database.host, *network.database.at(1)}
    return {name: values[name] for name in named if name in values}


@pytest.mark.parametrize(
    "examples", [10, pytest.param(600, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_no_text_in_a_field_leads_elsewhere(network: Network, canary: list[Any], examples: int) -> None:
    shapes = itertools.cycle(SHAPES)
    found = {field: way for way in reversed(ways(network)) for field in texts(network.config(**way))}
    fields = [(way, field) for field, way in found.items()]
    leading = network.database.elsewhere  # refused at once, most of them

    def filled(field: str, shape: str) -> str:
        """An address may name any port, so what leads is given the server's own, where another listens."""
        port = network.server.port if field in leading else canary[0]
        return shape.replace("{e}", ELSEWHERE).replace("{g}", "127.0.0.1").replace("{p}", str(port))

    for way, field in fields:
        count = len(SHAPES) if field in leading or examples > 100 else 1
        for shape in itertools.islice(shapes, count):
            attempt(network, way, field, filled(field, shape))
    pieces = st.sampled_from([ELSEWHERE, "127.0.0.1", "https:", "host", *"@?/#:;,= []%&\n\t'\"\\x."])

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        where=st.sampled_from(fields),
        value=st.one_of(
            st.sampled_from(SHAPES),
            st.lists(pieces, min_size=2, max_size=8).map("".join).filter(leads_not),
        ),
    )
    def check(where: Any, value: str) -> None:
        way, field = where
        attempt(network, way, field, filled(field, value))
        assert len(canary) == 1, (where, value)

    assert len(canary) == 1
    check()


def leads_not(text: str) -> bool:
    """Say whether ``text`` is no way to write the other address itself."""
    return text.strip().removeprefix("https:").strip("/. \t\n") not in (ELSEWHERE, f"[{ELSEWHERE}]")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    user=st.text("ab@:/?#%,;= \\'\"[]&é", max_size=8),
    path=st.lists(st.text("ab@:?#%,;= \\'\"[]&é", min_size=1, max_size=8), max_size=3),
    option=st.sampled_from(["", "host", "port", "hostaddr", "server_hostname", "api_endpoint", "account"]),
)
def test_no_part_of_a_url_but_its_host_leads_elsewhere(
    network: Network, user: str, path: list[str], option: str
) -> None:
    kind = connector(network.config().type)
    assert isinstance(kind, NetworkConnector)
    if option in {field.name for field in kind.fields} - set(kind.url_parts):
        return  # it is what it says, and another one than the URL's host
    url = f"{kind.type}://{quote(user, safe='')}@shop.example/" + "/".join(quote(x, safe="") for x in path)
    with contextlib.suppress(ConfigError):
        url += f"?{option}=other.example" if option else ""
        values = parse_url(url, "shop").values
        assert "other.example" not in str(kind.address(values)), url
        assert str(values.get(kind.url_parts[0])).startswith("shop"), url


def test_no_word_of_a_driver_is_a_field(config: ConnectionConfig) -> None:
    """By every door: the request's and the magic's, the administrator's file, and a URL's options."""
    kind = connector(config.type)
    known = {field.name for field in kind.fields} | set(kind.aliases)
    plain = {name: value for name, value in config.values.items() if not isinstance(value, Secret)}
    assert entry("shop", {"type": kind.type, **plain}, "admin").problem == "" or not plain
    for word in set(NEVER) - known:
        for value in ("1", True):
            with pytest.raises(ConfigError, match="has no field"):
                checked(kind, {**config.values, word: value})
            assert entry("shop", {"type": kind.type, **plain, word: value}, "admin").problem, word
        with contextlib.suppress(ConfigError):  # some are words of others for a field
            read = parse_url(f"{kind.type}://ann@shop.example/x?{word}=1", "shop").values
            assert read.keys() <= known, word


def test_a_name_means_one_address_from_the_check_to_the_login(
    network: Network, canary: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers for the name says this machine when it is checked, and another one from then on."""
    real, asked = socket.getaddrinfo, 0

    def told(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        nonlocal asked
        if host != "db.example":
            return real(host, port, *args, **options)
        asked += 1
        return real("127.0.0.1" if asked == 1 else ELSEWHERE, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", told)
    named = {name: str(value).replace("127.0.0.1", "db.example") for name, value in at(network).items()}
    named = {name: int(value) if value.isdecimal() else value for name, value in named.items()}
    for encrypted in (True, False):
        asked = 0
        try:
            config = network.config(timeout=2, ssl_enabled=encrypted, **named)
        except ConfigError:
            continue  # such a name, or such a connection in the open, cannot be written down at all
        with contextlib.suppress(AiserError):
            connector(config.type).fresh(config).close()
        assert asked, "the name was not looked up: it proves nothing"
    assert len(canary) == 1


# -- a saved secret --------------------------------------------------------------------------------------


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    built = build()
    yield built
    built.close()


LEADING = (
    "host",
    "port",
    "account",
    "endpoint",
    "path",
    "url",
    "uri",
    "ssl_",
    "region",
    "cluster",
    "workgroup",
)


def test_each_field_that_leads_somewhere_says_so(network: Network) -> None:
    """A new field with such a name has to say, with ``routing``, that a secret is sealed for it."""
    fields = connector(network.config().type).fields
    leading = {field.name for field in fields if any(word in field.name for word in LEADING)}
    leading -= {"ssl_certificate", "ssl_key"}  # they show who asks, not whom
    routing = {field.name for field in fields if field.routing}
    assert leading <= routing
    assert routing == network.database.elsewhere.keys()


def test_a_saved_secret_follows_no_field_that_leads_elsewhere(
    network: Network, canary: list[Any], services: Services
) -> None:
    for number, way in enumerate(ways(network)):
        made = network.config(**way)
        config = ConnectionConfig(made.type, f"shop{number}", made.values)
        saved = services.connections.create(config, tested=False)
        kind = connector(made.type)
        before = connection_of(services, saved.name)
        for field, value in network.database.elsewhere.items():
            known = next(each for each in kind.fields if each.name == field)
            if not known.applies(made.values) or made.values.get(field) == value:
                continue
            for change in (services.connections.change, services.connections.try_change):
                with pytest.raises(ConfigError) as caught:
                    change(saved.name, {field: value})
                refused = caught.value.message
                assert "give the secret again" in refused or impossible(made, field, value), refused
        assert connection_of(services, saved.name) == before
    assert len(canary) == 1


def impossible(config: ConnectionConfig, field: str, value: Any) -> bool:
    """Say whether there is no such connection, whoever asks for it."""
    try:
        checked(connector(config.type), {**config.values, field: value})
    except ConfigError:
        return True
    return False


def connection_of(services: Services, name: str) -> Any:
    found = services.connections.get(name)
    return found.version, {key: str(value) for key, value in found.config.values.items()}


# -- what is on the line ---------------------------------------------------------------------------------


def test_nothing_travels_in_the_open(network: Network, proxy: Proxy) -> None:
    """Neither the secret nor a value; without TLS, where that is possible here, both are heard."""
    secret = network.config().values[network.database.secret].reveal()
    proxy.heard = bytearray()
    config = network.config(proxy.port)
    assert network.graded(config).ok
    assert network.ask(config, "SELECT 'a-value-of-a-row' AS x").num_rows == 1
    assert len(proxy.heard) > 1000
    for text in (b"a-value-of-a-row", *(each.encode() for each in spellings(secret))):
        assert text not in proxy.heard
    if not network.database.https:
        proxy.heard.clear()
        network.ask(network.config(proxy.port, ssl_enabled=False), "SELECT 'a-value-of-a-row' AS x")
        assert b"a-value-of-a-row" in proxy.heard
