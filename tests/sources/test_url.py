from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import ConfigError
from aiser_jupyter.secret import Secret
from aiser_jupyter.sources.url import has_password, parse_url, without_password

NASTY = [
    "a b",
    "p@ss",
    "p:w",
    "p/w",
    "p#w",
    "50%",
    "p?w&sslmode=disable",
    "'single' \"double\"",
    "line\nbreak\ttab",
    "Grüße-密码-🔑",
    "x",
    "back\\slash",
    "%41",
    "+plus+",
    "@evil/db",
    "k" * 4096,
]
TEXT = st.text(st.characters(exclude_categories=["C"]), max_size=40)
HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z0-9]{1,8}){0,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("scheme", "type", "port"),
    [
        ("postgresql", "postgresql", 5432),
        ("postgres", "postgresql", 5432),
        ("postgresql+psycopg2", "postgresql", 5432),
        ("POSTGRESQL+asyncpg", "postgresql", 5432),
        ("mysql", "mysql", 3306),
        ("mysql+pymysql", "mysql", 3306),
        ("mariadb+mariadbconnector", "mysql", 3306),
    ],
)
def test_the_type_is_the_connectors_whatever_the_driver(kinds, scheme, type, port):
    config = parse_url(f"{scheme}://ann@db.example.com/shop", "shop", kinds)
    assert (config.type, config.name) == (type, "shop")
    assert (config.values["host"], config.values["port"]) == ("db.example.com", port)
    assert (config.values["username"], config.values["database"]) == ("ann", "shop")
    assert config.values["ssl_enabled"] is True


def test_a_connectors_own_name_wins_over_an_alias(kinds):
    own = {**kinds, "mariadb": kinds["mysql"]}
    assert parse_url("mariadb://ann@db/shop", "shop", own).type == "mariadb"


@pytest.mark.parametrize(
    ("place", "host", "port"),
    [
        ("[::1]", "::1", 5432),
        ("[2001:DB8::7]:6000", "2001:db8::7", 6000),
        ("127.0.0.1:6000", "127.0.0.1", 6000),
        ("DB.Example.Com:", "db.example.com", 5432),
        ("my_host", "my_host", 5432),
    ],
)
def test_hosts_and_ports(kinds, place, host, port):
    for url in (f"postgresql://ann@{place}/shop", f"postgresql://ann:x@{place}/shop"):
        values = parse_url(url, "shop", kinds).values
        assert (values["host"], values["port"]) == (host, port)


@pytest.mark.parametrize("password", NASTY)
def test_a_password_of_any_kind_arrives_and_is_never_shown(kinds, password):
    config = parse_url(f"postgresql://ann:{quote(password, safe='')}@db/shop", "shop", kinds)
    assert isinstance(config.values["password"], Secret)
    assert config.values["password"].reveal() == password
    assert config.values["host"] == "db"
    assert "***" in repr(config)
    assert len(password) == 1 or password not in repr(config)


@pytest.mark.parametrize("password", [word for word in NASTY if len(word) > 1])
@pytest.mark.parametrize(
    "template", ["postgresql://ann:{}@db/shop", "postgresql://ann:{}@db:x/shop?sslmode=no"]
)
def test_a_password_that_is_not_encoded_leads_nowhere_else_and_is_in_no_message(kinds, password, template):
    message, host = "", "db"
    try:
        host = parse_url(template.format(password), "shop", kinds).values["host"]
    except ConfigError as exc:
        message = str(exc)
    assert host == "db"
    assert password not in message


@given(username=TEXT, password=TEXT, database=TEXT, host=HOSTS, port=st.integers(1, 65535))
def test_what_was_encoded_is_what_arrives(kinds, username, password, database, host, port):
    login, name = f"{quote(username, safe='')}:{quote(password, safe='')}", quote(database, safe="")
    wanted = {"host": host, "port": port, "username": username or "ann"}
    url = f"postgresql://{login if username else 'ann'}@{host}:{port}/{name}"
    values = parse_url(url, "shop", kinds).values
    assert {key: values[key] for key in wanted} == wanted
    assert values.get("database", "") == database
    if username and password:
        assert values["password"].reveal() == password
        assert without_password(url) == f"postgresql://{quote(username, safe='')}@{host}:{port}/{name}"


PIECES = [
    *"/?#&=%;:@,[]\\ \n\t",
    "ann",
    "db",
    "evil",
    "//",
    "%40",
    "%2F",
    "%00",
    "[::1]",
    "5432",
    ":80",
    "/d",
]
STARTS = ["u@", "u@db", "u:p@db", "u:p@", ""]


@settings(max_examples=300)
@given(st.sampled_from(STARTS), st.lists(st.sampled_from(PIECES) | st.characters()))
def test_another_reader_sees_no_other_host(kinds, start, pieces):
    url = f"postgresql://{start}{''.join(pieces)}"
    try:
        values = parse_url(url, "shop", kinds).values
    except ConfigError:
        return
    assert values["host"] == urlsplit(url).hostname
    assert values["port"] == (urlsplit(url).port or 5432)


@pytest.mark.parametrize("field", ["username", "password", "database"])
@pytest.mark.parametrize("value", ["t?host=evil", "x@evil/", "a b", "h1,h2", "a=b", "x@evil:1/d?host=evil#"])
def test_no_value_changes_where_it_leads(kinds, field, value):
    words = {"username": "ann", "password": "pw", "database": "shop", field: quote(value, safe="")}
    url = "mysql://{username}:{password}@db/{database}".format(**words)
    values = parse_url(url, "shop", kinds).values
    assert values["host"] == "db"
    found = values[field]
    assert (found.reveal() if isinstance(found, Secret) else found) == value


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@h1,h2/d",
        "postgresql://u@h1:1,h2:2/d",
        "postgresql://u@t?host=evil@x/d",
        "postgresql://u@x@evil/d",
        "postgresql://u@a b/d",
        "postgresql://u@db\\@evil/d",
        "postgresql://u@db/d\\evil",
        "duckdb:///evil\\x.duckdb",
        "postgresql://u:p\x01w@db/d",
        "postgresql://u@db/d\u200be",
        "duckdb:///evil\u202ex.duckdb",
        "postgresql://u@db/d e",
        "postgresql://u:p w@db/d",
        "postgresql://u:p\xa0w@db/d",
        "postgresql://u@db/d@evil",
        "postgresql://u@db/d?application_name=x@evil",
        "postgresql://u:%00@db/d",
        "postgresql://u@db/d\r\nHost: evil",
        "postgresql://u@d\tb/d",
        "postgresql://u@db%00.evil/d",
        "postgresql://u@db/d%00",
        "postgresql://u%0Ax@db/d",
        "postgresql://u@db/d%0A",
        "postgresql://u:%FF@db/d",
        "postgresql://u:100%@db/d",
        "postgresql://u@%2Fvar%2Frun/d",
        "postgresql://u@d%62/d",
        "postgresql://u@[::1]evil/d",
        "postgresql://u@evil[::1]/d",
        "postgresql://u@[fe80::1%25eth0]/d",
        "postgresql://u@[127.0.0.1]/d",
        "postgresql://u@[::1/d",
        "postgresql://u@dеb/d",
        "postgresql://u@db\u202e/d",
        "postgresql://u@db:0/d",
        "postgresql://u@db:65536/d",
        "postgresql://u@db:99999999/d",
        "postgresql://u@db:1:2/d",
        "postgresql://u@db:٣/d",
        "postgresql://u@db:+1/d",
        "postgresql://u@db/d#evil",
        "postgresql://u@db/d/e",
        "postgresql://u@-oProxyCommand/d",
        "postgresql:///d",
        "postgresql://db/d",
        "://u@db/d",
        "1postgresql://u@db/d",
        "duckdb://shop.duckdb",
        "duckdb:///a.duckdb#b",
        "duckdb:///:memory:",
        "object://x",
        "oracle://u@db/d",
        "postgresql",
        "u:pw@db/d",
        "",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(kinds, url):
    with pytest.raises(ConfigError) as caught:
        parse_url(url, "shop", kinds)
    assert "evil" not in str(caught.value)
    assert "pw" not in str(caught.value)


def test_a_duckdb_file_is_named_by_url_or_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = {"database": str(tmp_path / "my shop.duckdb")}
    for url in ("duckdb:///my shop.duckdb", "duckdb:///my%20shop.duckdb", "my shop.duckdb"):
        assert parse_url(url, "shop").values == wanted
    assert parse_url(f"duckdb:///{tmp_path}/x.db", "shop").values == {"database": f"{tmp_path}/x.db"}
    assert parse_url("50%?#.duckdb", "shop").values == {"database": str(tmp_path / "50%?#.duckdb")}
    assert parse_url("duckdb://", "shop").values == {}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("shop", "A connection is a URL or the path of a DuckDB database."),
        ("nosql://db/shop", "There is no connector 'nosql' in this version."),
        ("duckdb://db:x/shop", "A duckdb URL names a file and no host."),
        ("postgresql://u@h1:1,h2:2/d", "A connection goes to one host, not to a list of them."),
        ("postgresql://u@h1,h2/d", "A connection goes to one host, not to a list of them."),
        ("duckdb:///shop.duckdb?local_infile=1", "The option 'local_infile' is not allowed"),
    ],
)
def test_messages(kinds, url, message):
    with pytest.raises(ConfigError) as caught:
        parse_url(url, "shop", kinds)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("postgresql://ann:x@db/shop", "postgresql://ann@db/shop"),
        ("postgresql://:x@db/shop", "postgresql://@db/shop"),
        ("postgresql://ann:p/w@db/shop", "postgresql://ann@db/shop"),
        ("postgresql://ann:p@w@db/shop", "postgresql://ann@db/shop"),
        ("postgresql://ann:p?w@db/shop", "postgresql://ann@db/shop"),
        ("postgresql:///ann:p@db/shop", "postgresql:///ann@db/shop"),
        ("postgresql://ann:x@db/shop.db", "postgresql://ann@db/shop.db"),
        ("postgresql://db/shop?password=x", "postgresql://db/shop"),
        ("postgresql://db/shop?a=1&PASSWD=x&b=2", "postgresql://db/shop?a=1&b=2"),
        ("postgresql://db/shop?p%61ssword=x", "postgresql://db/shop"),
        ("postgresql://db/shop?a=1;password=x", "postgresql://db/shop"),
        ("jdbc:mysql://db/shop?user=a&password=x", "jdbc:mysql://db/shop?user=a"),
        ("ann:x@db/shop", "ann@db/shop"),
    ],
)
def test_a_password_in_a_url_is_found_and_taken_out(url, left):
    assert has_password(url)
    assert without_password(url) == left


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann@db:5432/shop?sslmode=require",
        "postgresql://db:5432/shop",
        "postgresql://ann:@db/shop?password=",
        "postgresql://ann@[::1]:5432/shop",
        "duckdb:///a:b@c.duckdb",
        "a:b@c.duckdb",
        "shop.duckdb",
    ],
)
def test_a_url_without_a_password_stays_as_it_is(url):
    assert not has_password(url)
    assert without_password(url) == url
