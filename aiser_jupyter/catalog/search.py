"""Find tables and columns by a part of their name or comment.

The names of a large database are folded once; a search is then one pass over them, a few milliseconds for
100,000 columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ..models import Column, Table

__all__ = ["Hit", "SearchIndex"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A table, or one column of it. ``where`` is ``name`` or ``comment``: where the word was found."""

    table: Table
    column: Column | None = None
    where: str = "name"


_Entry = tuple[str, int, int]
"""A folded text, the table's number, and the column's, or -1."""


class SearchIndex:
    """The folded names and comments of ``tables``.

    Parameters
    ----------
    tables : sequence of Table
        With their columns; those without are found by their own name and comment.
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self._names: list[_Entry] = []
        self._comments: list[_Entry] = []
        for number, table in enumerate(tables):
            self._add(table.name, table.comment, number, -1)
            for place, column in enumerate(table.columns or ()):
                self._add(column.name, column.comment, number, place)
        # In the order of hits of equal rank, so that a search need not sort: tables first, short names first.
        self._names.sort(key=lambda entry: (entry[2] >= 0, len(entry[0]), entry))
        self._comments.sort(key=lambda entry: entry[2] >= 0)

    def _add(self, name: str, comment: str | None, table: int, column: int) -> None:
        self._names.append((name.casefold(), table, column))
        if comment:
            self._comments.append((comment.casefold(), table, column))

    def search(self, word: str, limit: int = 50) -> list[Hit]:
        """Return the best ``limit`` hits: exact, then prefix, start of a word, inside, and comments last.

        Case does not matter. In equal rank tables come before columns and short names before long ones. A
        word with a dot is also looked for as ``schema.table`` or ``table.column``.
        """
        wanted = word.strip().casefold()
        if not wanted or limit < 1:
            return []
        best = self._named(wanted, limit)
        hits = [self._hit(entry, "name") for entry in best]
        if len(best) < limit:
            found = {entry[1:] for entry in best}
            said = (e for e in self._comments if wanted in e[0] and e[1:] not in found)
            hits += [self._hit(entry, "comment") for entry in islice(said, limit - len(best))]
        return hits

    def _named(self, wanted: str, limit: int) -> list[_Entry]:
        """Return the best names in one pass; where a rank has enough, it is not looked for any more."""
        exact: list[_Entry] = []
        prefix: list[_Entry] = []
        word: list[_Entry] = []
        inside: list[_Entry] = []
        owner, _, last = wanted.rpartition(".")
        for entry in self._names:
            name, sought = entry[0], wanted
            if wanted not in name:
                if not (owner and last in name and self._owned(owner, entry)):
                    continue
                sought = last
            if name.startswith(sought):
                (exact if name == sought else prefix).append(entry)
            elif len(word) < limit:
                (word if _begins_a_word(sought, name) else inside).append(entry)
        return [*exact, *prefix, *word, *inside][:limit]

    def _owned(self, owner: str, entry: _Entry) -> bool:
        """Say whether ``owner`` is the schema of a table, or the table of a column."""
        found = self._tables[entry[1]]
        schema = (found.schema or "").casefold()
        if entry[2] < 0:
            return owner == schema
        return owner in (found.name.casefold(), f"{schema}.{found.name.casefold()}")

    def _hit(self, entry: _Entry, where: str) -> Hit:
        _, number, place = entry
        table = self._tables[number]
        column = None if place < 0 or table.columns is None else table.columns[place]
        return Hit(replace(table, columns=None), column, where)


def _begins_a_word(wanted: str, name: str) -> bool:
    at = name.find(wanted)
    while at > 0:
        if not name[at - 1].isalnum():
            return True
        at = name.find(wanted, at + 1)
    return False
