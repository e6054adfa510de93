"""A text becomes a `Statement`: parameters bound, saved queries put in front, its meaning looked up.

Rules: what sqlglot cannot read still runs, verbatim, on the connection it names; only a text that is wrong
for every database (empty, several statements, a parameter without a value) is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..errors import MultipleStatements, UsageError
from .compose import composition
from .meaning import MAX_BYTES, MAX_DEPTH, understand
from .parameters import bind
from .scan import Survey, scan, survey
from .source_map import SourceMap
from .statement import Statement

__all__ = ["fingerprint", "parse"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def parse(
    text: str,
    *,
    dialect: str = "duckdb",
    variables: Mapping[str, Any] = _NOTHING,
    paramstyle: str = "named",
    with_: Mapping[str, str] = _NOTHING,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
) -> Statement:
    """Understand one statement as far as that is possible.

    Parameters
    ----------
    text : str
        The statement as written. A trailing semicolon and comments are fine.
    dialect : str
        sqlglot's name of the dialect it is written in.
    variables : mapping
        Values of the parameters, see `bind`.
    paramstyle : {"named", "pyformat", "qmark"}
        How the driver writes placeholders.
    with_ : mapping
        Saved queries to put in front, see `with_queries`; `needed` finds and orders them.
    max_bytes, max_depth : int
        Beyond either the text is not parsed.

    Raises
    ------
    UsageError
        For an empty text, and as `bind` and `with_queries` say.
    MultipleStatements
        For more than one statement.

    Examples
    --------
    >>> statement = parse("SELECT * FROM orders WHERE id = {{ n }}", variables={"n": 7})
    >>> statement.text, dict(statement.parameters), str(statement.tables[0])
    ('SELECT * FROM orders WHERE id = $n', {'n': 7}, 'orders')
    """
    one, seen = _single(text, dialect)
    cut = None if one is text else SourceMap(text, ((0, seen.parts[0][0], len(one)),))
    composed, in_front = composition(one, with_, dialect=dialect)
    if in_front is not None:
        seen = survey(composed, dialect)
    bound = bind(composed, variables, dialect=dialect, paramstyle=paramstyle)
    meaning = understand(bound.parsable, dialect, max_bytes=max_bytes, max_depth=max_depth)
    return Statement(
        text=bound.text,
        dialect=dialect,
        kind=meaning.kind,
        tables=meaning.tables,
        features=meaning.features,
        parameters=bound.parameters,
        identifiers=seen.identifiers,
        parsed=meaning.parsed,
        note=meaning.note,
        fingerprint=seen.fingerprint,
        parsable="" if bound.parsable == bound.text else bound.parsable,
        sources=tuple(source for source in (bound.source, in_front, cut) if source is not None),
    )


def fingerprint(text: str, *, dialect: str = "duckdb") -> str:
    """Return 16 hex digits that are the same for texts that differ in literals, spacing and case only."""
    return survey(text, dialect).fingerprint


def _single(text: str, dialect: str) -> tuple[str, Survey]:
    """Return the one statement of ``text``: verbatim where at most one semicolon follows it."""
    seen = survey(text, dialect)
    parts = seen.parts
    if not parts:
        raise UsageError("There is no statement.", hint="Write one, such as SELECT 1.")
    if len(parts) > 1:
        start, end = parts[1]
        second = " ".join(text[start:end].split())[:40]
        raise MultipleStatements(
            f"The text is {len(parts)} statements; the second begins {second!r}.",
            hint="Run one statement at a time, each in its own cell.",
        )
    start, end = parts[0]
    if _semicolons(text[:start], dialect) == 0 and _semicolons(text[end:], dialect) <= 1:
        last = text[end:].rstrip()
        if not last or last.endswith(";") or ";" not in last:
            return text, seen
    return text[start:end], seen


def _semicolons(text: str, dialect: str) -> int:
    return sum(token.text == ";" for token in scan(text, dialect))
