"""What a request asks for, read from its JSON: each field is known, of its type and in its range, or refused.

null is the same as a field that is not there, except in a change of a connection, where it removes a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import UsageError, nearest

__all__ = [
    "ConnectionRequest",
    "QueryRequest",
    "SignInRequest",
    "address_request",
    "change_request",
    "connection_request",
    "flag",
    "integer",
    "nothing",
    "parallel_request",
    "query_request",
    "sign_in_request",
    "text",
]

Reader = Callable[[str, Any], Any]

PARALLEL = 16
"""Queries of one request at most."""
_QUERY_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A query as it was sent. What was not said is None, or as the names here say.

    ``connection_id`` and ``connection`` are an id and a name, of which one is enough. ``page_size`` is how
    many rows the answer may have. ``background`` is true where nobody waits for them.
    """

    text: str
    connection_id: str | None = None
    connection: str | None = None
    engine: str | None = None
    optimize: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    page_size: int | None = None
    timeout: float | None = None
    query_id: str | None = None
    max_age: float = 0.0
    format: str | None = None
    background: bool = False

    def in_background(self) -> QueryRequest:
        """Return the same, for nobody to wait for."""
        return replace(self, background=True)

    def on(self, connection_id: str) -> QueryRequest:
        """Return the same on this connection. Raises `UsageError` where it names another."""
        if self.connection is not None or self.connection_id not in (None, connection_id):
            raise UsageError("The connection stands in the path.", hint="Leave data_source_id out.")
        return replace(self, connection_id=connection_id)


@dataclass(frozen=True, slots=True)
class ConnectionRequest:
    """A connection as it was sent: ``values`` are fields of its connector, not yet looked at.

    ``id`` names a saved connection to test instead. ``url`` stands for the fields that it is taken apart
    into.
    """

    type: str = ""
    name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    url: str = field(default="", repr=False)
    id: str = ""


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """For whom to sign in: a ``connection`` that is to be saved; or the ``id`` of one that is, with its new
    ``name``, or "", and the fields to ``change``."""

    connection: ConnectionRequest | None = None
    id: str = ""
    name: str = ""
    change: Mapping[str, Any] = field(default_factory=dict)


def query_request(body: Mapping[str, Any]) -> QueryRequest:
    """Read a query.

    Raises
    ------
    UsageError
        An unknown field, with the nearest name; one of another type, or out of its range.

    Examples
    --------
    >>> query_request({"query": "SELECT 1", "limit": 10}).limit
    10
    """
    found = _read(body, _QUERY, "query")
    if "text" not in found:
        raise UsageError("query is missing.", hint="Send the statement as query.")
    if "connection_id" in found and "connection" in found:
        raise UsageError("data_source_id and connection say the same thing.", hint="Send one of them.")
    return QueryRequest(**found)


def parallel_request(body: Mapping[str, Any]) -> tuple[QueryRequest, ...]:
    """Read ``queries``, each like `query_request` but for an answer in JSON. Raises `UsageError`."""
    queries = _read(body, {"queries": ("queries", _list)}, "request").get("queries")
    if not queries or len(queries) > PARALLEL:
        raise UsageError("queries is missing, or too long.", hint=f"Send 1 to {PARALLEL} queries.")
    found = []
    for number, query in enumerate(queries):
        if not isinstance(query, dict):
            raise UsageError(f"queries[{number}] is not an object.")
        try:
            found.append(query_request(query))
        except UsageError as exc:
            raise UsageError(f"queries[{number}]: {exc.message}", hint=exc.hint) from exc
    if any(each.background or each.format for each in found):
        raise UsageError("async and format are not for queries that are answered together.")
    named = [each.query_id for each in found if each.query_id]
    if len(set(named)) != len(named):
        raise UsageError("Two of the queries have the same query_id.")
    return tuple(found)


def connection_request(body: Mapping[str, Any], *, saved: bool = True) -> ConnectionRequest:
    """Read a connection to save, or with ``saved`` false one to test. Raises `UsageError`."""
    values = _flat(body)
    name = _take(values, "name", "" if saved else "test")
    id_ = "" if saved else _take(values, "id", "")
    type_, url = _take(values, "type", ""), _take(values, "connection_string", "")
    if saved and not name:
        raise UsageError("name is missing.", hint="Give the connection a name.")
    if not (type_ or url or id_):
        raise UsageError("type is missing.", hint="For example postgresql; GET data/enterprise/connectors.")
    if not id_:
        values = {field: value for field, value in values.items() if value is not None}
    return ConnectionRequest(type_, name, values, url, id_)


def change_request(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Read the new name of a connection, or "", and the fields to change. Raises `UsageError`."""
    values = _flat(body)
    if not body:
        raise UsageError("Nothing is to be changed.", hint="Send the fields with their new values.")
    return _take(values, "name", ""), values


def sign_in_request(body: Mapping[str, Any]) -> SignInRequest:
    """Read for whom to sign in. Raises `UsageError`."""
    fields = {"connection": ("connection", _mapping), "connection_id": ("id", _text(1, 300))}
    found = _read(body, fields, "sign-in")
    connection = found.get("connection", {})
    if "id" in found:
        name, values = change_request(connection) if connection else ("", {})
        return SignInRequest(None, found["id"], name, values)
    if not connection:
        raise UsageError("connection is missing.", hint="Send the connection as it is to be saved.")
    return SignInRequest(connection_request(connection))


def address_request(body: Mapping[str, Any]) -> str:
    """Read the address that somebody ended on. Raises `UsageError`."""
    found = _read(body, {"address": ("address", _text(1, 8192))}, "request")
    if "address" not in found:
        raise UsageError("address is missing.", hint="Send that of the page that the sign-in ended on.")
    return str(found["address"])


def nothing(body: Mapping[str, Any]) -> None:
    """Refuse every field, where a request takes none. Raises `UsageError`."""
    if body:
        raise UsageError("This request takes no fields.", hint="Send an empty object: {}.")


def integer(text: str, name: str, *, minimum: int, maximum: int) -> int:
    """Read a whole number of a query string.

    Raises
    ------
    UsageError
        It is not one, or not in the range.
    """
    hint = f"Give a whole number from {minimum} to {maximum}."
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise UsageError(f"{name} is not a whole number: {text[:40]!r}.", hint=hint)
    if not minimum <= (value := int(text)) <= maximum:
        raise UsageError(f"{name} is out of range: {value}.", hint=hint)
    return value


def flag(text: str, name: str) -> bool:
    """Read ``true`` or ``false`` of a query string. Raises `UsageError`."""
    if text not in ("true", "false"):
        raise UsageError(f"{name} is neither true nor false.")
    return text == "true"


def text(value: str, name: str, *, shortest: int = 1, longest: int) -> str:
    """Return a text of a query string. Raises `UsageError` where it is too short or too long."""
    if not shortest <= len(value) <= longest:
        raise UsageError(f"{name} has {shortest} to {longest} characters.")
    return value


# -- inside --------------------------------------------------------------------------------------------


def _read(body: Mapping[str, Any], fields: Mapping[str, tuple[str, Reader]], noun: str) -> dict[str, Any]:
    found = {}
    for name, value in body.items():
        if name not in fields:
            raise UsageError(
                f"A {noun} has no field {name[:40]!r}.", hint=nearest(name[:40], fields, noun="fields")
            )
        if value is not None:
            meant, reader = fields[name]
            found[meant] = reader(name, value)
    return found


def _flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Put the fields of ``metadata`` beside the others; each may be given once."""
    values = dict(body)
    more = values.pop("metadata", None)
    if more is None:
        more = {}
    if not isinstance(more, dict):
        raise UsageError("metadata is not an object.")
    for name, value in more.items():
        if name in values or name in ("id", "name", "type", "connection_string"):
            raise UsageError(f"metadata has {name[:40]!r}, which stands beside it.")
        values[name] = value
    for name, value in values.items():
        if not (value is None or isinstance(value, str | bool | int)):
            raise UsageError(f"{name[:40]} is neither text, a whole number, true, false nor null.")
    return values


def _take(values: dict[str, Any], name: str, default: str) -> str:
    value = values.pop(name, None)
    if value is None:
        return default
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} takes text.")
    return value


def _text(shortest: int, longest: int | None) -> Reader:
    def read(name: str, value: Any) -> Any:
        if not isinstance(value, str) or len(value) < shortest or len(value) > (longest or len(value)):
            raise UsageError(f"{name} takes text{f' of {longest} characters at most' if longest else ''}.")
        return value

    return read


def _number(minimum: int, maximum: int, *, whole: bool) -> Reader:
    def read(name: str, value: Any) -> Any:
        kind = int if whole or isinstance(value, int) else float
        if isinstance(value, float) and value.is_integer():
            value, kind = int(value), int  # JSON has one kind of number: 1.0 is 1
        if isinstance(value, bool) or not isinstance(value, kind) or not minimum <= value <= maximum:
            what = "a whole number" if whole else "a number"
            raise UsageError(f"{name} takes {what} from {minimum:,} to {maximum:,}.")
        return value

    return read


def _boolean(name: str, value: Any) -> Any:
    if not isinstance(value, bool):
        raise UsageError(f"{name} takes true or false.")
    return value


def _list(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        raise UsageError(f"{name} takes a list.")
    return value


def _mapping(name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        raise UsageError(f"{name} takes an object.")
    return value


def _one_of(*words: str) -> Reader:
    def read(name: str, value: Any) -> Any:
        if value not in words:
            raise UsageError(f"{name} takes {' or '.join(words)}.")
        return value

    return read


def _query_id(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not _QUERY_ID.fullmatch(value):
        raise UsageError(f"{name} takes 16 to 64 letters, digits, - and _.", hint="A UUID will do.")
    return value


_QUERY: dict[str, tuple[str, Reader]] = {
    "query": ("text", _text(1, None)),
    "data_source_id": ("connection_id", _text(1, 300)),
    "connection": ("connection", _text(1, 300)),
    "engine": ("engine", _text(1, 64)),
    "optimization": ("optimize", _boolean),
    "params": ("parameters", _mapping),
    "limit": ("limit", _number(0, 10**9, whole=True)),
    "page_size": ("page_size", _number(0, 10**9, whole=True)),
    "timeout": ("timeout", _number(1, 86_400, whole=False)),
    "query_id": ("query_id", _query_id),
    "max_age": ("max_age", _number(0, 31_536_000, whole=False)),
    "format": ("format", _one_of("json", "arrow")),
    "async": ("background", _boolean),
}
