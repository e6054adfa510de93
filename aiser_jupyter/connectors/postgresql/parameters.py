"""A notebook's values as PostgreSQL takes them: each as text, with the type that a literal of it would have.

Text has no type, so that the server infers it from where the placeholder stands, as it does for a literal:
``WHERE day = $day`` takes ``'2024-02-29'``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ...errors import UsageError
from ...sql.scan import scan
from .types import ARRAY_OF

__all__ = ["Statement", "encoded", "numbered", "statement_bytes"]

MOST = 65_535
"""Parameters of one statement, a limit of the protocol."""
_IN_AN_ARRAY = "Write column = ANY({{ values }}): a list is one parameter there."
_ARRAYS = {element: array for array, element in ARRAY_OF.items()} | {1266: 1270}


class Statement:
    """What is sent for a statement, and where its pieces stood in the text as written.

    Attributes
    ----------
    text : str
        With ``$1``, ``$2`` for the names.
    values : list
        In the order of the numbers.
    """

    def __init__(self, text: str, values: list[Any], moved: list[tuple[int, int]]) -> None:
        self.text = text
        self.values = values
        self._moved = moved

    def place(self, position: int) -> int:
        """Return where in the written text the character ``position`` of `text` stands; both from 0."""
        by = 0
        for sent, shift in self._moved:
            if sent > position:
                break
            by = shift
        return max(position - by, 0)


def numbered(sql: str, parameters: Mapping[str, Any] | Sequence[Any], dialect: str = "postgres") -> Statement:
    """Write the ``$x`` of ``sql`` as ``$1``; a text without parameters is not touched.

    Examples
    --------
    >>> statement = numbered("SELECT $a, '$a', $b, $a", {"a": 1, "b": 2})
    >>> statement.text, statement.values
    ("SELECT $1, '$a', $2, $1", [1, 2])
    """
    if not parameters or not isinstance(parameters, Mapping):
        return Statement(sql, list(parameters), [])
    numbers: dict[str, int] = {}
    pieces: list[str] = []
    moved: list[tuple[int, int]] = []
    length = 0
    for token in scan(sql, dialect):
        name, written = token.text[1:], token.text
        if token.kind == "native" and token.text[0] == "$" and name in parameters:
            written = f"${numbers.setdefault(name, len(numbers) + 1)}"
        pieces.append(written)
        length += len(written)
        if len(written) != len(token.text):
            moved.append((length, length - token.end))
    return Statement("".join(pieces), [parameters[name] for name in numbers], moved)


def encoded(
    values: Sequence[Any], most: int = MOST, hint: str = _IN_AN_ARRAY
) -> tuple[list[int], list[bytes | None]]:
    """Return the types of ``values``, 0 where the server infers it, and the values as text.

    Parameters
    ----------
    most : int
        Values that the database takes.
    hint : str
        What to do where there are more.

    Raises
    ------
    UsageError
    """
    if len(values) > most:
        raise UsageError(
            f"The statement has {len(values):,} parameters, and the database takes {most:,} at most.",
            hint=hint,
        )
    types = [_type(value) for value in values]
    return types, [None if value is None else _bytes(_text(value)) for value in values]


def statement_bytes(sql: str) -> bytes:
    """Return a statement as it is sent. Raises `UsageError` for what is no text there."""
    try:
        text = sql.encode()
    except UnicodeEncodeError as exc:
        raise UsageError("The statement has half of a surrogate pair, which is no character.") from exc
    if b"\0" in text:
        raise UsageError("The statement has a NUL character, where the server would end it.")
    return text


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(
            "A parameter has half of a surrogate pair, which is no character.", hint="Clean the text first."
        ) from exc


def _type(value: Any) -> int:
    """Return the oid of the type of a literal of the same value."""
    if isinstance(value, list | tuple):
        types = {_type(item) for item in _flat(value)}
        if 20 in types:
            types.discard(23)
        return _ARRAYS.get(types.pop(), 0) if len(types) == 1 else 0
    if isinstance(value, bool):
        return 16
    if isinstance(value, int):
        return 23 if -(2**31) <= value < 2**31 else 20 if -(2**63) <= value < 2**63 else 1700
    if isinstance(value, datetime):
        return 1114 if value.tzinfo is None else 1184
    if isinstance(value, time):
        return 1083 if value.tzinfo is None else 1266
    known = {float: 701, Decimal: 1700, date: 1082, timedelta: 1186, bytes: 17, UUID: 2950}
    return next((oid for kind, oid in known.items() if isinstance(value, kind)), 0)


def _flat(values: Sequence[Any]) -> Iterator[Any]:
    """Return the values of a list, and of the lists in it, without None."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        elif value is not None:
            yield value


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(_item, value)) + "}"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, timedelta):
        return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.dumps(value, default=str)
    return str(value)


def _item(value: Any) -> str:
    """Return an element of an array's text."""
    if value is None:
        return "NULL"
    if isinstance(value, list | tuple):
        return _text(value)
    escaped = _text(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
