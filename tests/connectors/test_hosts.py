"""Only the hosts that the administrator lists, whatever a name resolves to."""

from __future__ import annotations

import pytest

from aiser_jupyter.config import AiserConnections
from aiser_jupyter.connectors.hosts import (
    allow_hosts,
    allow_vendor_hosts,
    keep_to_public,
    require_allowed,
    require_vendor,
)
from aiser_jupyter.connectors.sockets import resolve
from aiser_jupyter.errors import ConfigError, HostUnreachable


@pytest.fixture
def allow():
    def allow(*entries: str) -> None:
        allow_hosts(AiserConnections(allowed_hosts=list(entries)))

    yield allow
    allow()


def test_an_empty_list_has_every_host(allow):
    allow()
    require_allowed("db.example.com")
    require_allowed("db.example.com", ["169.254.169.254"])


@pytest.mark.parametrize(
    "host", ["db.example.com", "DB.Example.COM", "a.b.example.com", "10.1.2.3", "local.", " x1 "]
)
def test_names_and_addresses_of_the_list_pass(allow, host):
    allow("*.example.com", "10.1.2.3", "LOCAL", "x[12]")
    require_allowed(host)
    require_allowed(host, ["192.168.0.1"])


@pytest.mark.parametrize(
    "host", ["example.com", "db.example.com.evil.org", "10.1.2.30", "127.1", "0x7f000001", ""]
)
def test_other_names_are_refused_before_they_are_looked_up(allow, host):
    allow("*.example.com", "10.1.2.3")
    with pytest.raises(ConfigError) as refused:
        resolve(host, 5432, 5.0)
    assert "allowed_hosts" in refused.value.hint


@pytest.mark.parametrize(
    ("addresses", "passes"),
    [
        (["10.1.2.3"], True),
        (["10.1.2.3", "10.255.0.1"], True),
        (["10.1.2.3", "169.254.169.254"], False),
        (["::ffff:10.1.2.3"], True),
        (["64:ff9b::a01:203"], True),
        (["64:ff9b::7f00:1"], False),
        (["::ffff:127.0.0.1"], False),
        (["fd00::7%eth0"], True),
        (["::1"], False),
    ],
)
def test_a_network_counts_for_every_address_that_a_name_has(allow, addresses, passes):
    allow("10.0.0.0/8", "fd00::/8")
    require_allowed("whatever.example.org")  # not known before it is resolved
    if passes:
        require_allowed("whatever.example.org", addresses)
    else:
        with pytest.raises(ConfigError):
            require_allowed("whatever.example.org", addresses)


def test_spellings_of_this_machine_do_not_pass_a_list_of_networks(allow):
    allow("10.0.0.0/8")
    for host in ("localhost", "127.1", "0x7f000001", "2130706433"):
        with pytest.raises(ConfigError):
            resolve(host, 5432, 5.0)


def test_an_entry_that_is_no_network_is_an_error_of_the_configuration(allow):
    with pytest.raises(ConfigError) as refused:
        allow("10.0.0.1/8")
    assert "allowed_hosts" in refused.value.message


@pytest.fixture
def among_several():
    keep_to_public(several=True)
    yield
    keep_to_public(several=False)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "0.0.0.0"),  # this machine
        *("169.254.169.254", "fe80::1%eth0"),  # a cloud's keys
        *("10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd00::7", "::ffff:10.1.2.3", "224.0.0.1"),
        *("fec0::7", "64:ff9b::a01:203", "64:ff9b::7f00:1", "64:ff9b:1::a01:203"),  # IPv4 in IPv6
        *("2002:a01:203::1", "::10.1.2.3", "::ffff:0:a01:203", "2001::f5fe:fdfc"),
    ],
)
def test_several_persons_reach_a_private_address_only_where_it_is_listed(allow, among_several, address):
    require_allowed("db.example.com")  # not known before it is resolved
    with pytest.raises(ConfigError, match="this machine or of its own network") as refused:
        require_allowed("db.example.com", ["8.8.8.8", address])
    assert "allowed_hosts" in refused.value.hint
    allow("db.example.com")
    require_allowed("db.example.com", [address])


@pytest.mark.parametrize("host", ["localhost", "localhost.", "127.1", "0x7f000001", "2130706433", "::1"])
def test_however_several_persons_spell_this_machine(allow, among_several, host):
    with pytest.raises((ConfigError, HostUnreachable)):
        resolve(host, 5432, 5.0)


def test_several_persons_reach_public_addresses(allow, among_several):
    require_allowed("db.example.com", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808"])


SNOWFLAKE = (".snowflakecomputing.com",)


@pytest.mark.parametrize(
    "host", ["xy.snowflakecomputing.com", "xy.eu-central-1.SnowflakeComputing.com.", "a.private.example"]
)
def test_a_warehouse_is_at_its_vendor_or_where_the_administrator_says(host):
    allow_vendor_hosts(AiserConnections(vendor_hosts=["*.Private.example"]))
    try:
        require_vendor(host, ["203.0.113.9"], SNOWFLAKE)
    finally:
        allow_vendor_hosts(AiserConnections())


@pytest.mark.parametrize(
    "host",
    [
        "snowflakecomputing.com",
        "snowflakecomputing.com.evil.example",
        "evilsnowflakecomputing.com",
        "a.private.example",
        "203.0.113.9",
        "",
    ],
)
def test_a_warehouse_is_nowhere_else(host):
    with pytest.raises(ConfigError, match="not one of the vendor's hosts") as caught:
        require_vendor(host, ["203.0.113.9"], SNOWFLAKE)
    assert "vendor_hosts" in caught.value.hint


def test_a_warehouse_may_be_this_machine_where_all_addresses_of_the_name_are():
    require_vendor("localhost", ["127.0.0.1", "::1"], SNOWFLAKE)
    require_vendor("127.0.0.1", ["127.0.0.1"], SNOWFLAKE)
    for addresses in (["127.0.0.1", "203.0.113.9"], []):
        with pytest.raises(ConfigError):
            require_vendor("localhost", addresses, SNOWFLAKE)


@pytest.mark.parametrize("host", ["here.example", "127.0.0.1.example", "10.0.0.1"])
def test_a_name_that_only_resolves_to_this_machine_is_not_it(host):
    """The driver resolves it once more, and may be told another address."""
    with pytest.raises(ConfigError):
        require_vendor(host, ["127.0.0.1"], SNOWFLAKE)
