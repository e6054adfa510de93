"""Conditions on one column that mean the same in another database, and their text there.

A condition leaves for a remote database only where every row that passes it here passes it there too. That
depends on the statement (`pushdown` looks at that), on the type that the source declares, and on the value:

- text is compared for equality with text alone. Equal texts are equal in every collation; what a collation
  takes for equal besides is more rows, and no harm. A text that ends in a space, or has a NUL, stays here:
  PostgreSQL's ``char(n)`` loses the first, and no server stores the second. So does one that is not ASCII
  for MySQL, which refuses to compare it with a column that cannot hold it.
- whole numbers and decimals are compared with each other, floats with floats and small numbers; never a
  number with a text. A decimal that does not declare its digits may arrive as text, and stays here.
- dates are compared with dates, and times without a zone with times without a zone.
- IS NULL is asked of whole numbers and texts only: a value that Arrow has no place for (MySQL's day
  0000-00-00, PostgreSQL's infinity) is NULL here and not there.

Values are bound in the source's own paramstyle, never pasted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from .parameters import quote_identifier

__all__ = ["Condition", "Given", "SourceQuery", "bindable", "family_of", "provable"]

PROVEN = frozenset({"mysql", "postgres", "duckdb"})
"""Dialects whose servers the tests compare with; to any other no condition is sent."""

_WHOLE = re.compile(r"\A(U?(TINY|SMALL|MEDIUM|BIG)?INT(EGER)?\d*|(SMALL|BIG)?SERIAL)( UNSIGNED)?\Z")
_DECIMAL = re.compile(r"\A(DECIMAL|NUMERIC)( UNSIGNED)?\Z")
_FLOAT = re.compile(r"\A(DOUBLE|DOUBLE PRECISION|FLOAT8)\Z")
_UUID = {"postgres": "UUID", "duckdb": "UUID"}
_TEXT = re.compile(r"\A(VARCHAR|CHAR|CHARACTER|CHARACTER VARYING|BPCHAR|(TINY|MEDIUM|LONG)?TEXT)\Z")
_TIMESTAMP = {
    "mysql": re.compile(r"\ADATETIME\Z"),
    "postgres": re.compile(r"\ATIMESTAMP( WITHOUT TIME ZONE)?\Z"),
    "duckdb": re.compile(r"\ATIMESTAMP\Z"),
}
_SIZE = re.compile(r"\((.*?)\)")
_CANONICAL = re.compile(r"\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_DAY = re.compile(r"\A\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\Z")
MOST_DIGITS = 38
"""Digits of DuckDB's widest decimal; a wider column may arrive as text."""
EXACT_DIGITS = 18
"""Digits of a number that every database reads as it is written."""
_EXACT_WHOLE = int("9" * EXACT_DIGITS)
_EXACT_IN_FLOAT = 2**53


@dataclass(frozen=True, slots=True)
class Given:
    """A parameter of the statement, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Condition:
    """``column operator values``: one comparison, IN, BETWEEN or IS NULL, each also with NOT.

    ``values`` are constants (text of a date among them) and parameters (`Given`).
    """

    column: str
    operator: str
    values: tuple[Any, ...] = ()


def family_of(kind: str, dialect: str) -> str:
    """Return how values of a declared type are compared: ``whole``, ``decimal``, ``float``, ``text``,
    ``uuid``, ``date``, ``timestamp``, or "" where that is not proven."""
    if dialect not in PROVEN:
        return ""
    size = _SIZE.search(kind)
    word = " ".join(_SIZE.sub(" ", kind).upper().split())
    if _WHOLE.match(word):
        return "whole"
    if _DECIMAL.match(word):
        digits = size.group(1).partition(",")[0].strip() if size else ""
        return "decimal" if digits.isdecimal() and int(digits) <= MOST_DIGITS else ""
    if _FLOAT.match(word):
        return "float"
    if _TEXT.match(word):
        return "text"
    if word in ("DATE", _UUID.get(dialect)):
        return word.lower()
    return "timestamp" if _TIMESTAMP[dialect].match(word) else ""


def provable(
    condition: Condition, kind: str, dialect: str, given: Mapping[str, Any]
) -> tuple[Any, ...] | None:
    """Return the values to bind, or None where the condition must stay here.

    Parameters
    ----------
    kind, dialect : str
        Type that the source declares for the column, and the source's dialect.
    given : mapping
        Values of the statement's parameters.
    """
    family = family_of(kind, dialect)
    if condition.operator in ("IS NULL", "IS NOT NULL"):
        nothing = condition.operator == "IS NOT NULL" and dialect in PROVEN
        return () if nothing or family in ("whole", "text") else None
    if not family or (family in ("text", "uuid") and condition.operator not in ("=", "IN")):
        return None
    found = []
    for value in condition.values:
        if isinstance(value, Given):
            if value.name not in given:
                return None
            value = given[value.name]
            value = None if family in ("date", "timestamp") and isinstance(value, str) else value
        value = bindable(value, family, dialect)
        if value is None:
            return None
        found.append(value)
    return tuple(found)


def bindable(value: Any, family: str, dialect: str) -> Any:
    """Return ``value`` as a driver binds it beside a column of this family; None where it must stay here."""
    if value is None or isinstance(value, bool):
        return None
    if family == "uuid":
        return _uuid(value)
    if family == "text":
        fits = isinstance(value, str) and value == value.rstrip() and "\0" not in value
        return value if fits and value.isprintable() and (value.isascii() or dialect != "mysql") else None
    if family in ("whole", "decimal"):
        return value if _is_exact(value) else None
    if family == "float":
        if isinstance(value, float):
            return value if isfinite(value) else None
        return value if _is_exact(value) and abs(value) <= _EXACT_IN_FLOAT else None
    if family == "date":
        return _day(value)
    return _time(value) if family == "timestamp" else None


def _is_exact(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) < _EXACT_WHOLE
    if not isinstance(value, Decimal) or not value.is_finite():
        return False
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    return len(digits) <= EXACT_DIGITS and -EXACT_DIGITS <= exponent <= 0


def _uuid(value: Any) -> UUID | None:
    if isinstance(value, str):
        return UUID(value) if _CANONICAL.match(value) else None
    return value if type(value) is UUID else None


def _day(value: Any) -> date | None:
    if isinstance(value, str) and _DAY.match(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    return value if type(value) is date else None


def _time(value: Any) -> datetime | None:
    if isinstance(value, str) and (_TIME.match(value) or _DAY.match(value)):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if type(value) is datetime and value.tzinfo is None else None


@dataclass(slots=True)
class SourceQuery:
    """One SELECT for a source, put together in its dialect and its paramstyle.

    ``columns`` is None for ``*``, and empty where only the number of rows counts.

    Examples
    --------
    >>> query = SourceQuery("mysql", "pyformat", ("shop", "orders"), ("id", "to`tal"))
    >>> query.add(Condition("id", "IN"), (1, 2))
    >>> query.text()
    'SELECT `id`, `to``tal` FROM `shop`.`orders` WHERE `id` IN (%(p1)s, %(p2)s)'
    """

    dialect: str
    paramstyle: str
    table: tuple[str, ...]
    columns: tuple[str, ...] | None
    values: list[Any] = field(default_factory=list)
    where: list[list[tuple[str, bool]]] = field(default_factory=list)  # a piece, and whether it is a mark

    def add(self, condition: Condition, values: tuple[Any, ...]) -> None:
        """Ask for rows that pass ``condition``, with ``values`` as `provable` gave them."""
        pieces: list[tuple[str, bool]] = [(f"{self._name(condition.column)} {condition.operator}", False)]
        if condition.operator.endswith("IN"):
            pieces.append((" (", False))
            for number, value in enumerate(values):
                pieces += [(", ", False)] * bool(number) + [self._mark(value)]
            pieces.append((")", False))
        elif condition.operator.endswith("BETWEEN"):
            low, high = values
            pieces += [(" ", False), self._mark(low), (" AND ", False), self._mark(high)]
        elif values:
            pieces += [(" ", False), self._mark(values[0])]
        self.where.append(pieces)

    def limited(self, column: str, values: tuple[Any, ...]) -> SourceQuery:
        """Return the same query for the rows whose ``column`` is one of ``values``."""
        query = replace(self, values=list(self.values), where=list(self.where))
        if values:
            query.add(Condition(column, "IN"), values)
        else:
            query.where.append([("1 = 0", False)])
        return query

    def text(self) -> str:
        """Return the statement."""
        columns = "*"
        if self.columns is not None:
            columns = ", ".join(map(self._name, self.columns)) or f"1 AS {self._name('row')}"
        pieces = [(f"SELECT {columns} FROM {self._name(*self.table)}", False)]  # noqa: S608 - quoted
        for number, where in enumerate(self.where):
            pieces += [(" AND " if number else " WHERE ", False), *where]
        double = self.paramstyle == "pyformat" and bool(self.values)
        return "".join(text.replace("%", "%%") if double and not mark else text for text, mark in pieces)

    def parameters(self) -> Mapping[str, Any] | tuple[Any, ...]:
        """Return what the marks stand for."""
        if self.paramstyle == "qmark":
            return tuple(self.values)
        return {f"p{number}": value for number, value in enumerate(self.values, 1)}

    @property
    def conditions(self) -> int:
        """How many conditions are asked for."""
        return len(self.where)

    def _mark(self, value: Any) -> tuple[str, bool]:
        self.values.append(value)
        name = f"p{len(self.values)}"
        return {"named": f"${name}", "pyformat": f"%({name})s", "qmark": "?"}[self.paramstyle], True

    def _name(self, *parts: str) -> str:
        return quote_identifier(list(parts), dialect=self.dialect)
