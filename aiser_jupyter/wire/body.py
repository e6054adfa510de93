"""The body of a request, from bytes to values that everything behind it can hold.

JSON has texts that no other part takes: nested so deep that a reader runs out of stack, numbers that become
infinite, half a surrogate pair, a name that is there twice and means something else to the next reader. They
are refused here.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import UsageError

__all__ = ["MAX_DEPTH", "read_body"]

MAX_DEPTH = 32


def read_body(raw: bytes) -> dict[str, Any]:
    """Return the object that ``raw`` is.

    Raises
    ------
    UsageError
        It is not UTF-8, not JSON, not an object, nested too deep, or holds a value that JSON cannot say.

    Examples
    --------
    >>> read_body(b'{"query": "SELECT 1"}')
    {'query': 'SELECT 1'}
    """
    try:
        body = json.loads(raw.decode(), parse_constant=_refuse, object_pairs_hook=_unique)
    except RecursionError as exc:
        raise _too_deep() from exc
    except ValueError as exc:  # also a text that is not UTF-8, and a number with too many digits
        where = f" (line {exc.lineno}, column {exc.colno})" if isinstance(exc, json.JSONDecodeError) else ""
        raise UsageError(f"The body is not JSON{where}.", hint="Send one JSON object in UTF-8.") from None
    if not isinstance(body, dict):
        raise UsageError("The body is not a JSON object.", hint="Send one JSON object: {…}.")
    _check(body)
    return body


def _check(body: Any) -> None:
    """Refuse what is too deep, or holds what is no text or no number."""
    level, depth = [body], 1
    while level:
        if depth > MAX_DEPTH:
            raise _too_deep()
        below: list[Any] = []
        for value in level:
            inside = value.values() if isinstance(value, dict) else value
            for item in (*(value if isinstance(value, dict) else ()), *inside):
                if isinstance(item, dict | list):
                    below.append(item)
                elif isinstance(item, str) and not _is_text(item):
                    raise UsageError("A text of the body holds half a character (a lone surrogate).")
                elif isinstance(item, float) and not math.isfinite(item):
                    raise UsageError("A number of the body is too large.")
        level, depth = below, depth + 1


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _too_deep() -> UsageError:
    return UsageError(f"The body is nested more than {MAX_DEPTH} deep.")
