"""``Statement``: what was understood of a text, and how much of it was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..models import StatementKind, TableRef
from .source_map import SourceMap

__all__ = ["Features", "Statement"]


@dataclass(frozen=True, slots=True)
class Features:
    """What a statement does, counted from its syntax tree."""

    joins: int = 0
    aggregates: int = 0
    subqueries: int = 0
    windows: int = 0
    set_operations: int = 0
    ctes: int = 0
    distinct: bool = False
    ordered: bool = False
    volatile: bool = False  # random(), now(), nextval(), …: a second run may answer differently

    @property
    def complexity(self) -> str:
        """``simple``, ``medium`` or ``complex``."""
        weight = self.joins + self.subqueries + 2 * self.windows + self.set_operations
        weight += min(self.aggregates, 2)
        return "simple" if weight < 2 else "medium" if weight < 6 else "complex"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, ready to run.

    Parameters
    ----------
    text : str
        What is sent to the database: the text as written, except that each ``{{ x }}`` and ``:x`` has become
        a placeholder of the target's ``paramstyle`` and ``--with`` queries have been put in front.
    dialect : str
        sqlglot's name of the dialect it is written in.
    kind : StatementKind
        ``READ`` only where it is provably one read.
    tables : tuple of TableRef
        What it reads or writes, CTEs left out. Empty where ``parsed`` is false.
    parameters : mapping or tuple
        Placeholder name to bound value; for ``qmark`` the values in the order of the text.
    identifiers : frozenset of str
        Every word of the text that could be a name, as written: known even where it could not be parsed.
    parsed : bool
        False where the text was too large or too deep to look into, or is not this dialect for sqlglot.
        It runs all the same, verbatim, on the connection it names.
    note : str
        Why it was not parsed; else "".
    fingerprint : str
        The same for two texts that differ only in literals, spacing and case of keywords.
    parsable : str
        ``text`` with placeholders that sqlglot reads in this dialect; "" where it has none of them.
    sources : tuple of SourceMap
        How ``text`` came from what was written, the last rewriting first; empty where it is the same.
    """

    text: str
    dialect: str
    kind: StatementKind
    tables: tuple[TableRef, ...] = ()
    features: Features = Features()
    parameters: Mapping[str, Any] | tuple[Any, ...] = field(default_factory=dict)
    identifiers: frozenset[str] = frozenset()
    parsed: bool = True
    note: str = ""
    fingerprint: str = ""
    parsable: str = ""
    sources: tuple[SourceMap, ...] = ()
