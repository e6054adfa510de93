"""Words that people read and write alike everywhere: sizes, assignments, literals, and the ids of runs."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

__all__ = ["assignment", "literal", "short_id", "size"]

_FACTORS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


def size(text: str) -> int:
    """Read a number of bytes; KB, MB, GB and TB are powers of 1000.

    Raises
    ------
    ValueError
        It is no size, or none at all.

    Examples
    --------
    >>> size("500MB"), size("1.5 kb")
    (500000000, 1500)
    """
    found = _SIZE.fullmatch(text)
    factor = _FACTORS.get(found[2].upper()) if found else None
    value = int(float(found[1]) * factor) if found and factor else 0
    if value < 1:
        raise ValueError(f"{text!r} is not a size; write 500MB, or 2GB")
    return value


def assignment(text: str) -> tuple[str, str]:
    """Take ``NAME=VALUE`` apart.

    Raises
    ------
    ValueError
        There is no ``=``, or no name before it.

    Examples
    --------
    >>> assignment("since=2024-01-01")
    ('since', '2024-01-01')
    """
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise ValueError(f"{text!r} is not NAME=VALUE")
    return name, value


def short_id(id: str) -> str:
    """Return as much of a run's id as people are shown: enough to find one run by it.

    Examples
    --------
    >>> short_id("6f1c0de2a94b4c0a8d3e5f7a9b1c2d3e")
    '6f1c0de2a94b'
    """
    return id[:12]


def literal(text: str) -> Any:
    """Return the Python literal that ``text`` is, or else ``text`` itself.

    Examples
    --------
    >>> literal("[1, 2]"), literal("EU")
    ([1, 2], 'EU')
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "1if" and '\\d' only warn that they are not literals
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
