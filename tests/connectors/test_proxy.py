"""Which proxy applies, what is asked of it, and what it means where it does not lead there."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from aiser_jupyter.config import AiserConnections
from aiser_jupyter.connectors.hosts import allow_hosts, keep_to_public
from aiser_jupyter.connectors.proxy import Proxy, dial_https, proxy_for, vendor_addresses
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    HostUnreachable,
)
from tests.connectors.test_sockets import closed_port, listening, silent
from tests.endpoints.connect_proxy import ConnectProxy
from tests.faults.test_secrets import shown, spellings
from tests.servers.leaks import nothing_left_behind

HOST = "acme.snowflakecomputing.com"
DOMAINS = (".snowflakecomputing.com",)
PASSWORD = "p@ss/wörd:%20"


def named(monkeypatch: pytest.MonkeyPatch, url: str, besides: str = "") -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    monkeypatch.setenv("NO_PROXY", besides)


def refused(host: str = HOST) -> AiserError:
    """Return the error of what cannot be reached; its frames begin here, without those of the test."""
    try:
        dial_https(host, 443, 20).close()
    except AiserError as exc:
        return exc
    raise AssertionError("it was reached")


def shape(proxy: Proxy | None) -> tuple[str, int, str, str | None] | None:
    if proxy is None:
        return None
    return proxy.host, proxy.port, proxy.user, proxy.password and proxy.password.reveal()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy.example.org:3128", ("proxy.example.org", 3128, "", None)),
        ("http://proxy.example.org", ("proxy.example.org", 80, "", None)),
        ("proxy.example.org:3128/", ("proxy.example.org", 3128, "", None)),
        ("http://ann:p%40ss%2F%3A@10.0.0.1:8080", ("10.0.0.1", 8080, "ann", "p@ss/:")),
        ("http://ann:@[2001:db8::1]:8080", ("2001:db8::1", 8080, "ann", "")),
        ("", None),
        ("  ", None),
    ],
)
def test_the_environment_names_it(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: tuple[str, int, str, str | None] | None
) -> None:
    named(monkeypatch, url)
    assert shape(proxy_for(HOST)) == expected


def test_the_word_in_small_letters_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_for(HOST) is None
    monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
    assert str(proxy_for(HOST)) == "proxy.example.org:3128"
    monkeypatch.delenv("https_proxy")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    assert proxy_for(HOST) is None


@pytest.mark.parametrize(
    ("besides", "host", "direct"),
    [
        ("", HOST, False),
        ("other.org", HOST, False),
        ("computing.com", HOST, False),
        ("snowflakecomputing.com", HOST, True),
        ("other.org, .snowflakecomputing.com", HOST.upper(), True),
        ("*", HOST, True),
        *(("", here, True) for here in ("localhost", "LOCALHOST.", "127.0.0.1", "127.8.9.10", "::1")),
        *(("", other, False) for other in ("10.0.0.1", "localhost.example.org", "0.0.0.0")),
    ],
)
def test_some_hosts_are_reached_without_it(
    monkeypatch: pytest.MonkeyPatch, besides: str, host: str, direct: bool
) -> None:
    named(monkeypatch, "http://proxy.example.org:3128", besides)
    assert (proxy_for(host) is None) is direct


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:LEAK@proxy.example.org:3128",
        "socks5://ann:LEAK@proxy.example.org:1080",
        "http://ann:LEAK@proxy.example.org:many",
        "http://ann:LEAK@proxy.example.org:99999",
        "http://ann:LEAK@",
        "http://LEAK@proxy.example.org",
        "http://ann:LEAK@a b:80",
        "http://ann:12/LEAK@proxy.example.org:3128",
        "http://ann:LEAK@[::1",
    ],
)
def test_what_is_no_proxy_of_ours_is_refused_without_a_word_of_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    named(monkeypatch, url)
    error = refused()
    assert isinstance(error, ConfigError)
    assert error.hint
    assert "LEAK" not in shown(error)


def test_a_proxy_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "http://ann:LEAK@proxy.example.org:3128")
    found = proxy_for(HOST)
    assert (str(found), "LEAK" in repr(found)) == ("proxy.example.org:3128", False)


# -- the way through ---------------------------------------------------------------------------------------


@pytest.fixture
def target() -> Iterator[int]:
    with listening() as port:
        yield port


def test_a_name_that_only_the_proxy_knows_is_reached(monkeypatch: pytest.MonkeyPatch, target: int) -> None:
    with nothing_left_behind(), ConnectProxy({f"{HOST}:443": target}) as proxy:
        named(monkeypatch, proxy.url)
        with dial_https(HOST, 443, 20) as sock:
            assert sock.getpeername() == ("127.0.0.1", proxy.port)
            assert sock.gettimeout() is None
        assert proxy.asked == [f"{HOST}:443"]


def test_its_user_and_password_are_told_to_it(monkeypatch: pytest.MonkeyPatch, target: int) -> None:
    with ConnectProxy({f"{HOST}:443": target}, f"ann:{PASSWORD}") as proxy:
        named(monkeypatch, proxy.url)
        dial_https(HOST, 443, 20).close()
        for user, words in (("", "asks for a user"), ("ann:LEAK%2F+", "refuses its user")):
            named(monkeypatch, f"http://{user and user + '@'}127.0.0.1:{proxy.port}")
            error = refused()
            assert isinstance(error, AuthenticationFailed)
            assert f"127.0.0.1:{proxy.port} {words}" in error.message
            assert "HTTPS_PROXY: http://user:password@" in error.hint
            text = shown(error)
            assert not [each for it in ("LEAK/+", "ann:LEAK/+") for each in spellings(it) if each in text]


@pytest.mark.parametrize("status", [301, 403, 500, 502, 504])
def test_a_proxy_that_leads_elsewhere_or_nowhere_is_named(
    monkeypatch: pytest.MonkeyPatch, target: int, status: int
) -> None:
    with ConnectProxy({f"{HOST}:443": target}) as proxy, nothing_left_behind():
        named(monkeypatch, proxy.url)
        proxy.status = status
        error = refused()
        assert isinstance(error, ConnectError)
        assert f"127.0.0.1:{proxy.port} does not lead to {HOST}:443 (HTTP {status})" in error.message
        assert "NO_PROXY" in error.hint


def test_a_proxy_that_is_silent_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with ConnectProxy({}) as proxy, silent() as port, nothing_left_behind():
        proxy.mute = True
        for place in (proxy.port, port):  # it accepts, and does not answer; it does not accept
            named(monkeypatch, f"http://127.0.0.1:{place}")
            began = time.monotonic()
            with pytest.raises(HostUnreachable, match=rf"The proxy 127\.0\.0\.1:{place} cannot be used"):
                dial_https(HOST, 443, 0.5)
            assert 0.4 < time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["127.0.0.1", "no-such-proxy.invalid"])
def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    named(monkeypatch, f"http://ann:LEAK@{name}:{closed_port()}")
    with nothing_left_behind():
        error = refused()
    assert isinstance(error, HostUnreachable)
    assert f"The proxy {name}" in error.message
    assert "HTTPS_PROXY" in error.hint
    assert "LEAK" not in shown(error)


def test_what_is_no_host_becomes_no_line_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with ConnectProxy({}) as proxy:
        named(monkeypatch, proxy.url)
        for host in ("a b", "a\r\nX: y", "a/b", "a@b"):
            with pytest.raises(ConfigError):
                dial_https(host, 443, 5)
        assert proxy.asked == []


# -- where it may lead -------------------------------------------------------------------------------------


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A proxy is named; the administrator's lists are put back."""
    named(monkeypatch, "http://proxy.invalid:3128")
    yield
    allow_hosts(AiserConnections())
    keep_to_public(several=False)


@pytest.mark.usefixtures("policy")
def test_through_a_proxy_only_names_are_allowed() -> None:
    assert vendor_addresses(HOST, 443, 5, DOMAINS) == []
    for host in ("evil.example", "10.0.0.1", "192.0.2.1"):
        with pytest.raises(ConfigError, match="vendor's hosts"):
            vendor_addresses(host, 443, 5, DOMAINS)
    allow_hosts(AiserConnections(allowed_hosts=["0.0.0.0/0"]))  # where the name leads, is not known here
    with pytest.raises(ConfigError, match="not allowed"):
        vendor_addresses(HOST, 443, 5, DOMAINS)
    with pytest.raises(ConfigError, match="not allowed"):
        dial_https(HOST, 443, 5)
    allow_hosts(AiserConnections(allowed_hosts=["*.snowflakecomputing.com"]))
    assert vendor_addresses(HOST, 443, 5, DOMAINS) == []


@pytest.mark.usefixtures("policy")
def test_on_a_server_of_several_persons_vendors_are_reached_and_this_machine_is_not() -> None:
    keep_to_public(several=True)
    assert vendor_addresses(HOST, 443, 5, DOMAINS) == []
    for here in ("localhost", "127.0.0.1"):
        with pytest.raises(ConfigError, match=r"Several persons|of this machine"):
            vendor_addresses(here, 443, 5, DOMAINS)
