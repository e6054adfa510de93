"""Connection URLs: taken apart into allow-listed fields, never passed on.

A URL is read in one way or refused: where two programs could see two hosts in it, it is refused. Its reserved
characters (``@ : / # % ?`` and spaces) are percent-encoded in a name or a password. No message shows a part
of a URL that could be a password.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, unquote_plus

from ..connectors.base import Connector
from ..connectors.hosts import check_host
from ..errors import ConfigError
from ..models import ConnectionConfig
from ..secret import Secret
from . import aws
from .options import SECRET_NAME, translated
from .values import checked, kind_of, type_of

__all__ = ["has_password", "parse_url", "without_password"]

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+._-]*)://(?P<place>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?",
    re.DOTALL,
)
_PLACE = re.compile(
    r"(?:(?P<user>[^:@]*)(?::(?P<password>[^@]*))?@)?"
    r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:@]*))"
    r"(?::(?P<port>[0-9]{0,5}))?",
    re.DOTALL,
)
_FILES = (".duckdb", ".ddb", ".db")
_ENCODE = "In a name or a password write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F and % as %25."


def parse_url(
    url: str, name: str, kinds: Mapping[str, Connector] | None = None, *, profiles: bool = False
) -> ConnectionConfig:
    """Read a URL, or the path of a DuckDB database, into the fields of its connector.

    Parameters
    ----------
    url : str
        ``postgresql://user:password@host:port/database?sslmode=require``, ``mysql+pymysql://…``,
        ``duckdb:///shop.duckdb`` (four slashes for an absolute path), or ``shop.duckdb``.
    name : str
        Name of the connection; not checked here.
    kinds : mapping, optional
        Connectors by type; the installed ones by default.
    profiles : bool
        Whether ``profile=NAME`` may take over what the user's own files of AWS have: on the user's word, in
        the user's process.

    Raises
    ------
    ConfigError
        A malformed or ambiguous URL, an unknown type, an option or a value that is not allowed.

    Examples
    --------
    >>> from pathlib import Path
    >>> config = parse_url("duckdb:////data/shop.duckdb", "shop")
    >>> config.type, config.values["database"]
    ('duckdb', '/data/shop.duckdb')
    """
    if "://" not in url:
        if not url.endswith(_FILES):
            raise ConfigError(
                "A connection is a URL or the path of a DuckDB database.",
                hint="For example duckdb:///shop.duckdb, or shop.duckdb.",
            )
        return ConnectionConfig("duckdb", name, checked(kind_of("duckdb", kinds), {"database": url}))
    _check_characters(url)
    match = _URL.match(url)
    if match is None:
        raise _malformed("It begins with a type, such as postgresql://.")
    kind = kind_of(type := type_of(match["scheme"], kinds), kinds)
    if match.end() != len(url):
        raise _malformed("A # stands in it. " + _ENCODE)
    at_host = any(field.name == kind.url_parts[0] for field in kind.fields)
    values = _server(url, match, kind) if at_host else _file(type, match)
    parameters: Iterable[tuple[str, str]] = (
        (_decoded(key), _decoded(value, plus=True)) for key, value in _parameters(match["query"])
    )
    known: dict[str, Any] = {}
    if profiles:
        parameters, known = aws.taken_over(kind, parameters, values.get(kind.url_parts[0], ""))
    options = translated(kind, parameters)
    if twice := sorted(name for name in options if name in kind.url_parts and name in values):
        raise _malformed(f"{' and '.join(twice)} stands in it twice.")
    return ConnectionConfig(type, name, checked(kind, {**known, **values, **options}))


def has_password(url: str) -> bool:
    """Say whether a password, or another secret, is written in ``url``; rather once too often.

    Examples
    --------
    >>> has_password("postgresql://ann:x@db/shop"), has_password("postgresql://ann@db:5432/shop")
    (True, False)
    >>> has_password("postgresql://db/shop?password=x"), has_password("duckdb:///shop.duckdb")
    (True, False)
    """
    return without_password(url) != url


def without_password(url: str) -> str:
    """Return ``url`` without its password and its options that hold a secret, the rest as it was.

    A URL that is malformed loses more rather than less.

    Examples
    --------
    >>> without_password("postgresql://ann:p/w@db/shop?password=x&sslmode=require")
    'postgresql://ann@db/shop?sslmode=require'
    """
    head, mark, rest = url.partition("://")
    if not mark:
        head, rest = "", url
    before, _, query = rest.partition("?")
    if not (before.endswith(_FILES) and (before.startswith("/") or not mark)):
        login, at, after = rest.rpartition("@")
        user, _, password = login.partition(":")
        if password:
            rest = f"{user}{at}{after}"
            before, _, query = rest.partition("?")
    kept = "&".join(part for part in query.split("&") if not _holds_secret(part))
    if kept != query:
        rest = f"{before}?{kept}" if kept else before
    return f"{head}{mark}{rest}"


def _holds_secret(parameter: str) -> bool:
    pairs = (pair.partition("=") for pair in parameter.split(";"))
    return any(value and SECRET_NAME.search(unquote_plus(name)) for name, _, value in pairs)


def _check_characters(url: str) -> None:
    """Refuse what another reader of URLs would drop, or take for the end of one."""
    if "\\" in url:
        raise _malformed("A \\ stands in it. Write it as %5C.")
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in url):
        raise _malformed("A control character or an invisible one stands in it. Write it percent-encoded.")


def _server(url: str, match: re.Match[str], kind: Connector) -> dict[str, Any]:
    """Host, port, user, password and path of a URL that names a server, by the connector's fields."""
    if any(char.isspace() for char in url):
        raise _malformed("A space stands in it. Write it as %20.")
    place = match["place"]
    if "@" in url[match.end("place") :]:
        raise _malformed("An @ stands where none can be. " + _ENCODE)
    if "," in (hosts := place.rpartition("@")[2]):
        check_host(hosts)
    first, *others = kind.url_parts
    path = match["path"][1:].split("/") if match["path"][1:] else []
    if len(path) > len(others):
        raise _malformed("One / too many stands in it. In the name of a database write it as %2F.")
    parts = _PLACE.fullmatch(place)
    if parts is None:
        raise _malformed("Its host and port cannot be read. " + _ENCODE)
    host = (parts["address"] or parts["host"]).lower()
    if parts["address"] and ":" not in host:
        raise _malformed("Only an IPv6 address stands in brackets.")
    port = int(parts["port"] or 0)
    if port > 65535 or (port == 0 and parts["port"]):
        raise _malformed("A port lies between 1 and 65535.")
    user = _decoded(parts["user"] or "")
    named = {"username", *kind.renamed({"username": ""})} & {field.name for field in kind.fields}
    values: dict[str, Any] = {
        first: host,
        "port": port,
        "username": ""
        if user == "token" and not named
        else user,  # what precedes a token, as SQLAlchemy has it
        "password": Secret(_decoded(parts["password"])) if parts["password"] else None,
        **dict(zip(others, map(_decoded, path), strict=False)),
    }
    return {name: value for name, value in values.items() if value}


def _file(type: str, match: re.Match[str]) -> dict[str, Any]:
    if match["place"]:
        raise ConfigError(
            f"A {type} URL names a file and no host.",
            hint=f"Write {type}:///shop.duckdb with three slashes, or with four for an absolute path.",
        )
    path = _decoded(match["path"][1:])
    return {"database": path} if path else {}


def _parameters(query: str | None) -> Iterator[tuple[str, str]]:
    for part in (query or "").split("&"):
        key, _, value = part.partition("=")
        if key:
            yield key, value


def _decoded(text: str, plus: bool = False) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise _malformed("A % stands in it that encodes nothing. Write % as %25.")
    try:
        decoded = (unquote_plus if plus else unquote)(text, errors="strict")
    except UnicodeDecodeError:  # the exception holds the text, which may be a password
        raise _malformed("What it encodes is not UTF-8.") from None
    if "\0" in decoded:
        raise _malformed("%00 stands in it.")
    return decoded


def _malformed(hint: str) -> ConfigError:
    return ConfigError("The connection URL is malformed.", hint=hint)
