"""Put saved queries in front of a statement as CTEs, by splicing text.

The reader's own text stays as written: nothing is parsed and printed again, so that a dialect's own words,
the comments and the places that errors point to survive. The saved queries stand first, in the order given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import MultipleStatements, NotFound, UsageError, nearest
from .scan import Token, significant, survey, word_set
from .source_map import SourceMap, edited

__all__ = ["composition", "needed", "with_queries"]

_FRONT = word_set("SELECT FROM VALUES TABLE PIVOT UNPIVOT DELETE UPDATE MERGE WITH")
_INSIDE = word_set("INSERT REPLACE CREATE EXPLAIN DESCRIBE DESC SUMMARIZE COPY")


def with_queries(text: str, saved: Mapping[str, str], *, dialect: str = "duckdb") -> str:
    """Return ``text`` with ``saved`` in front, as ``WITH name AS (query), …``.

    Parameters
    ----------
    text : str
        One statement: a query, FROM-first too, or one that holds a query (``CREATE TABLE … AS``).
    saved : mapping
        Name to query, each after the ones it uses (`needed` orders them).

    Raises
    ------
    UsageError
        For a name that is not an identifier, or a statement without a query.
    MultipleStatements
        For a saved text that is more than one statement.

    Examples
    --------
    >>> with_queries("FROM big", {"big": "SELECT * FROM t WHERE n > 9"})
    'WITH big AS (\\nSELECT * FROM t WHERE n > 9\\n)\\nFROM big'
    """
    return composition(text, saved, dialect=dialect)[0]


def composition(
    text: str, saved: Mapping[str, str], *, dialect: str = "duckdb"
) -> tuple[str, SourceMap | None]:
    """Return what `with_queries` does, and the way back to ``text``; None where nothing is put in front."""
    if not saved:
        return text, None
    queries = ",\n".join(f"{name} AS (\n{_body(name, query, dialect)}\n)" for name, query in saved.items())
    tokens = significant(text, dialect)
    at = _query_start(tokens)
    if at is None:
        raise UsageError("The statement has no query that a saved query could be put before.")
    if tokens[at].upper != "WITH":
        start = tokens[at].start
        return edited(text, [(start, start, f"WITH {queries}\n")])
    recursive = at + 1 < len(tokens) and tokens[at + 1].upper == "RECURSIVE"
    end = tokens[at + recursive].end
    return edited(text, [(end, end, f" {queries},")])


def _body(name: str, query: str, dialect: str) -> str:
    if not (name.isidentifier() and name.isascii()):
        raise UsageError(f"{name!r} is not a name for a query.", hint="Use letters, digits and underscores.")
    parts = survey(query, dialect).parts
    if len(parts) > 1:
        raise MultipleStatements(
            f"The saved query {name!r} is {len(parts)} statements.", hint="Save one query."
        )
    if not parts:
        raise UsageError(f"The saved query {name!r} is empty.")
    return query[parts[0][0] : parts[0][1]]


def _query_start(tokens: list[Token]) -> int | None:
    """Return the index of the token that a WITH clause belongs before, or that begins one."""
    if not tokens:
        return None
    first = tokens[0].upper
    if tokens[0].text == "(" or first in _FRONT:
        return 0
    if first not in _INSIDE:
        return None
    depth, wanted = 0, 1 if first == "COPY" else 0
    for index, token in enumerate(tokens[1:], 1):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        follows_open = wanted == 0 or tokens[index - 1].text == "("
        if depth == wanted and follows_open and _begins_query(tokens, index, first):
            return index
    return None


def _begins_query(tokens: list[Token], index: int, first: str) -> bool:
    word = tokens[index].upper
    if word == "WITH":  # CREATE VIEW v WITH (option) AS …
        return index + 1 < len(tokens) and tokens[index + 1].text != "("
    explained = first == "EXPLAIN" and word in _FRONT
    return explained or word in ("SELECT", "FROM")


def needed(
    text: str, saved: Mapping[str, str], names: Iterable[str] | None = None, *, dialect: str = "duckdb"
) -> dict[str, str]:
    """Return the saved queries that ``text`` needs, each after the ones it uses.

    Parameters
    ----------
    text : str
        The statement.
    saved : mapping
        Every saved query by name.
    names : iterable of str, optional
        The ones asked for. None takes the tables of ``text`` that are names of saved queries.

    Raises
    ------
    NotFound
        For one of ``names`` that is not saved.
    UsageError
        For queries that use each other in a circle. One that reads a table of its own name reads the table.

    Examples
    --------
    >>> list(needed("FROM b", {"a": "SELECT 1 AS x", "b": "FROM a", "c": "SELECT 3"}))
    ['a', 'b']
    """
    roots = _uses(text, saved, dialect) if names is None else list(names)
    found: dict[str, str] = {}
    for name in roots:
        if name not in saved:
            hint = nearest(name, saved, noun="saved queries")
            raise NotFound(f"There is no saved query {name!r}.", hint=hint or "Save one with --save NAME.")
        _visit(name, saved, dialect, found, ())
    return found


def _visit(
    name: str, saved: Mapping[str, str], dialect: str, found: dict[str, str], path: tuple[str, ...]
) -> None:
    if name in found:
        return
    if name in path:
        circle = " → ".join((*path[path.index(name) :], name))
        raise UsageError(
            f"The saved queries use each other in a circle: {circle}.", hint="Save one under another name."
        )
    for used in _uses(saved[name], saved, dialect):
        if used != name:
            _visit(used, saved, dialect, found, (*path, name))
    found[name] = saved[name]


def _uses(text: str, saved: Mapping[str, str], dialect: str) -> list[str]:
    """Return the saved queries among the tables of ``text``; among its words where it does not parse."""
    from .meaning import understand
    from .parameters import without_parameters

    meaning = understand(without_parameters(text, dialect), dialect)
    if meaning.parsed:
        words = [table.name for table in meaning.tables if not table.schema and not table.is_file]
    else:
        words = sorted(survey(text, dialect).identifiers)
    exact = {name.casefold(): name for name in saved}
    return [exact[word.casefold()] for word in words if word.casefold() in exact]
