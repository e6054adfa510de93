"""Where the words of a rewritten statement stood in the text that somebody wrote.

A statement is rewritten before a database reads it: parameters become placeholders, saved queries are put in
front, names of other connections' tables are replaced. Each step keeps a `SourceMap`, so that the place of an
error, and the names in it, can be given in the writer's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import AiserError, QuerySyntaxError

__all__ = ["SourceMap", "Written", "edited"]


@dataclass(frozen=True, slots=True)
class SourceMap:
    """One rewriting of a text.

    Parameters
    ----------
    original : str
        The text before it.
    kept : tuple of (int, int, int)
        Runs of characters that were left alone, in order: where each stands now, where it stood, its length.
    """

    original: str
    kept: tuple[tuple[int, int, int], ...]

    def origin(self, offset: int) -> int | None:
        """Return where a character of the new text stood.

        Inside words that were put for others it is the first of those; None inside what was only added.
        """
        start, end = self.span(offset)
        return start if end > start or start == len(self.original) else None

    def span(self, offset: int) -> tuple[int, int]:
        """Return from where to where stood what a character of the new text is of, or was put for."""
        end = 0  # of what is known to be left alone, in the original
        for now, before, length in self.kept:
            if offset < now:
                return end, before
            if offset < now + length:
                return before + offset - now, before + offset - now + 1
            end = before + length
        return end, len(self.original)


def edited(text: str, edits: Iterable[tuple[int, int, str]]) -> tuple[str, SourceMap]:
    """Replace the parts of ``text`` from each start to its end, which do not overlap.

    Examples
    --------
    >>> new, source = edited("FROM w.t WHERE x", [(5, 8, '"w.t" AS "t"')])
    >>> new, source.original[source.origin(new.index("WHERE")):], source.origin(12)
    ('FROM "w.t" AS "t" WHERE x', 'WHERE x', 5)
    """
    pieces: list[str] = []
    kept: list[tuple[int, int, int]] = []
    now = before = 0
    for start, end, new in [*sorted(edits, key=lambda edit: edit[:2]), (len(text), len(text), "")]:
        if start > before:
            kept.append((now, before, start - before))
        pieces += [text[before:start], new]
        now += start - before + len(new)
        before = end
    return "".join(pieces), SourceMap(text, tuple(kept))


@dataclass(frozen=True, slots=True)
class Written:
    """What a statement was written as, for the errors of what is run in its place.

    Parameters
    ----------
    text : str
        What is run.
    maps : tuple of SourceMap, optional
        The rewritings that led to it, the last one first. None where it was made anew, as by a translation:
        then no place in it is one of the writer's.
    names : mapping
        What tables are called in ``text``, quoted as there, to what the writer calls them.
    """

    text: str
    maps: tuple[SourceMap, ...] | None = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def retell(self, error: AiserError) -> None:
        """Give the place and the names that ``error`` speaks of as they were written."""
        message = error.message
        for inside in sorted(self.names, key=len, reverse=True):
            message = message.replace(inside, self.names[inside])
            error.hint = error.hint.replace(inside, self.names[inside])
        if isinstance(error, QuerySyntaxError) and error.line is not None and error.column is not None:
            said = f" (line {error.line}, column {error.column})"
            place, name = self._place(error.line, error.column)
            error.line, error.column = place or (None, None)
            message = message.replace(said, f" (line {place[0]}, column {place[1]})" if place else "")
            message = message.replace(f'near "{name[0]}"', f'near "{name[1]}"')
        error.message = message
        error.args = (message,)

    def _place(self, line: int, column: int) -> tuple[tuple[int, int] | None, tuple[str, str]]:
        """Return line and column, from 1, of the original, and the name there: as it is run, as written.

        There is no place for what is in none of the original.
        """
        lines = self.text.split("\n")
        offset: int | None = sum(len(one) + 1 for one in lines[: line - 1]) + column - 1
        text, name = self.text, ("", "")
        for number, source in enumerate(self.maps or ()):
            if offset is None:
                break
            if number == 0 and (quoted := _QUOTED.match(text, offset)):
                start, end = source.span(offset)
                name = quoted.group(), source.original[start:end] if end > start + 1 else quoted.group()
            offset, text = source.origin(offset), source.original
        if offset is None or self.maps is None:
            return None, name
        return (text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)), name


_QUOTED = re.compile(r'"(?:[^"]|"")*"')
