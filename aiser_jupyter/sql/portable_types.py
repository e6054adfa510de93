"""What a source's declared types may do in DuckDB without another answer.

A type is known only where it is named here. `Type` says how a value is compared, and, where it may be shown
but not computed with, why. The bounds of whole numbers and decimals are carried along, because DuckDB's
decimals end at 38 digits and its whole numbers at the width of their column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

__all__ = [
    "SOURCES",
    "Casts",
    "Known",
    "NotPortable",
    "Type",
    "compared",
    "computed",
    "declared",
    "grouped",
    "summed",
    "united",
]

SOURCES = {"mysql": "MySQL", "postgres": "PostgreSQL"}
"""sqlglot's name of each dialect that is judged, and the name its readers know."""

MAX_DIGITS = 38
"""DuckDB's widest decimal."""
MAX_SUMMED_DIGITS = 28
"""A sum of ten billion such values still fits in 38 digits."""
MAX_SCALE = 30
"""MySQL rounds a product past this many places."""
MANY_DIGITS = 19
"""A decimal of so many digits is computed in 38."""
EXACT_IN_DOUBLE = 15
"""A decimal of so many digits means one double, whoever reads it."""
EXACT_BITS = 53
"""A whole number of so many bits is a double."""


class NotPortable(Exception):
    """Raised inside `why_not_portable`; its message is the reason."""


@dataclass(frozen=True, slots=True)
class Type:
    """How values are compared: by ``family``, and for numbers by their bounds.

    Parameters
    ----------
    family : str
        ``integer decimal double date timestamp instant boolean text null quoted``; ``quoted`` is a text
        written in the statement, whose meaning depends on what it stands beside.
    digits, scale : int
        Places before and after the point, at most.
    bits : int
        A whole number is at most ``2**bits``, with either sign.
    width : int
        Bits, its sign left out, in which the source computes with a whole number.
    literal, unsigned, padded : bool
        A number written in the statement; a number without a sign; a text filled up with spaces.
    shown_only : str
        Why the value may be shown, but nothing may be computed from it.
    equal_only : str
        Why the value may be compared for equality, but has another order.
    uncounted : str
        Why not even its NULLs may be counted.
    text : str
        What a ``quoted`` says.
    """

    family: str
    digits: int = 0
    scale: int = 0
    bits: int = 0
    width: int = 0
    literal: bool = False
    unsigned: bool = False
    padded: bool = False
    shown_only: str = ""
    equal_only: str = ""
    uncounted: str = ""
    text: str = ""


class Known(NamedTuple):
    """What a caller answers for; see `why_not_portable`."""

    lossless: bool = False
    default_collation: bool = False


class Casts(NamedTuple):
    """DuckDB's types for the left side and for the result of one sign of arithmetic."""

    left: str
    result: str


_INTEGERS = {
    "tinyint": (7, 3),
    "smallint": (15, 5),
    "int2": (15, 5),
    "mediumint": (23, 8),
    "int": (31, 10),
    "integer": (31, 10),
    "int4": (31, 10),
    "bigint": (63, 19),
    "int8": (63, 19),
}
_NAMES = {
    "double": "double",
    "double precision": "double",
    "float8": "double",
    "float": "float",
    "real": "float",
    "float4": "float",
    "date": "date",
    "datetime": "timestamp",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "instant",
    "timestamptz": "instant",
    "boolean": "boolean",
    "bool": "boolean",
}
_TEXTS = frozenset(("text", "varchar", "tinytext", "mediumtext", "longtext", "character varying"))
_PADDED = frozenset(("char", "character", "bpchar"))
_WORD = re.compile(r"(?P<before>[a-z0-9 ]+)(?:\((?P<size>\d+)(?:,\s*(?P<scale>\d+))?\))?(?P<after>[a-z ]*)")


def declared(kind: str, dialect: str, caller: Known) -> Type:
    """Return the type of a column by the source's own word for it, ``bigint(20) unsigned``.

    Raises
    ------
    NotPortable
        Where the word is not known here.
    """
    match = _WORD.fullmatch(kind.strip().lower())
    if match is None:
        raise NotPortable(_unknown(kind))
    name = " ".join(f"{match['before']} {match['after']}".split())
    unsigned = name.endswith(" unsigned")
    name = name.removesuffix(" unsigned")
    size, scale = int(match["size"] or 0), int(match["scale"] or 0)
    if name in _INTEGERS:
        bits, digits = _INTEGERS[name]
        return Type(
            "integer", digits + (unsigned and bits == 63), 0, bits + unsigned, bits, unsigned=unsigned
        )
    if name in ("decimal", "numeric") and not unsigned:
        return _decimal(kind, size, scale, dialect, caller.lossless)
    if name in _TEXTS and dialect == "postgres" and caller.default_collation:
        return Type("text", equal_only=_collation(dialect))
    if name in _TEXTS:
        return Type("text", shown_only=_collation(dialect))
    if name in _PADDED:
        return Type("text", padded=True, shown_only=_collation(dialect))
    if name in _NAMES and not (match["scale"] or unsigned):
        return _named(_NAMES[name], dialect, caller.lossless)
    if name == "timestamp":
        return _named("instant of MySQL" if dialect == "mysql" else "timestamp", dialect, caller.lossless)
    raise NotPortable(_unknown(kind))


def _unknown(kind: str) -> str:
    return f"the type {kind}: it is not shown that DuckDB holds and compares its values the same way"


def _collation(dialect: str) -> str:
    if dialect == "mysql":
        return (
            "text: MySQL compares it by its collation, which may ignore case, accents and spaces at the end; "
            "DuckDB compares bytes"
        )
    return "text: PostgreSQL compares and orders it by its collation, DuckDB by its bytes"


def _decimal(kind: str, size: int, scale: int, dialect: str, lossless: bool) -> Type:
    if not size:
        raise NotPortable(f"{kind} without a precision: its values may have more digits than DuckDB holds")
    if size > MAX_DIGITS or scale > size:
        raise NotPortable(f"{kind}: DuckDB's decimals have {MAX_DIGITS} digits at most")
    found = Type("decimal", size - scale, scale)
    if dialect == "postgres" and not lossless:
        return _unsure(found, "a numeric of PostgreSQL may be NaN, which DuckDB's decimals do not hold")
    return found


def _named(family: str, dialect: str, lossless: bool) -> Type:
    source = SOURCES[dialect]
    if family == "float":
        return Type(
            "double",
            shown_only=f"a 32-bit float: {source} compares it in 64 bits, DuckDB in 32",
        )
    if family == "instant of MySQL":
        why = (
            "a timestamp of MySQL: it is compared in the session's time zone, where two times may look alike"
        )
        return Type("timestamp", shown_only=why, uncounted="" if lossless else _EMPTY_DATE)
    found = Type(family)
    if family in ("date", "timestamp", "instant") and not lossless:
        return _unsure(found, _EMPTY_DATE if dialect == "mysql" else _INFINITE_DATE)
    return found


_EMPTY_DATE = "a date of MySQL may be 0000-00-00, which DuckDB gets as NULL"
_INFINITE_DATE = "a date of PostgreSQL may be infinity, which DuckDB gets as NULL"


def _unsure(found: Type, why: str) -> Type:
    return replace(found, shown_only=why, uncounted=why)


def compared(left: Type, right: Type, dialect: str, *, order: bool = False) -> None:
    """Let two values be compared; with ``order``, for more than equality.

    Raises
    ------
    NotPortable
        Where the answer is not shown to be equal.
    """
    families = {left.family, right.family}
    if "text" in families and len(families - {"quoted"}) > 1:
        raise _converted(left, right, dialect)
    for one in (left, right):
        if one.shown_only or (order and one.equal_only):
            raise NotPortable(one.shown_only or one.equal_only)
    if families <= {"integer", "decimal"}:
        _fits(max(left.digits, right.digits), max(left.scale, right.scale))
    elif "quoted" in families:
        _read(*((left, right) if left.family == "quoted" else (right, left)), dialect)
    elif "double" in families:
        _beside_double(*((left, right) if left.family == "double" else (right, left)))
    elif len(families) > 1 or "null" in families:
        raise _converted(left, right, dialect)


def _converted(left: Type, right: Type, dialect: str) -> NotPortable:
    if "null" in (left.family, right.family):
        return NotPortable("NULL is compared: no row passes; write IS NULL")
    return NotPortable(
        f"{_a(left)} is compared with {_a(right)}: {SOURCES[dialect]} and DuckDB convert them by rules of "
        "their own"
    )


def _beside_double(double: Type, other: Type) -> None:
    exact = other.literal and other.digits + other.scale <= EXACT_IN_DOUBLE
    small = other.family == "integer" and other.bits <= EXACT_BITS
    if not (other.family == "double" or exact or small):
        raise NotPortable(
            f"a double is compared with {_a(other)}: what is rounded, and how, is not shown equal"
        )


_DATE = re.compile(r"\A[12]\d{3}-\d\d-\d\d\Z")
_TIMESTAMP = re.compile(r"\A[12]\d{3}-\d\d-\d\d( ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?)?\Z")


def _read(quoted: Type, other: Type, dialect: str) -> None:
    from datetime import date

    patterns = {"date": _DATE, "timestamp": _TIMESTAMP}
    if other.family == "text" and "\\" not in quoted.text:
        return  # a backslash means itself or not, by standard_conforming_strings
    if other.family not in patterns:
        raise _converted(quoted, other, dialect)
    try:
        if not patterns[other.family].match(quoted.text):
            raise ValueError
        date.fromisoformat(quoted.text[:10])
    except ValueError:
        asked = "YYYY-MM-DD" if other.family == "date" else "YYYY-MM-DD HH:MM:SS"
        raise NotPortable(f"{quoted.text!r} is not read the same way everywhere: write {asked}") from None


def _a(one: Type) -> str:
    words = {"integer": "a whole number", "instant": "a time with a zone", "null": "NULL"}
    if one.family == "quoted":
        return f"the text {one.text!r}"
    return words.get(one.family, f"a {one.family}")


def _fits(digits: int, scale: int) -> None:
    if digits + scale > MAX_DIGITS:
        raise NotPortable(f"the numbers need {digits + scale} digits: DuckDB's decimals have {MAX_DIGITS}")


def computed(sign: str, left: Type, right: Type, dialect: str) -> tuple[Type, Casts]:
    """Return the type of ``left + right``, ``-`` or ``*``, and the casts that DuckDB computes it with.

    Raises
    ------
    NotPortable
        Where one database may overflow or round and the other does not.
    """
    for one in (left, right):
        if one.shown_only and one.family != "text":
            raise NotPortable(one.shown_only)
        if one.family not in ("integer", "decimal"):
            raise NotPortable(f"arithmetic with {_a(one)}: rounding, overflow and conversion differ")
        if one.unsigned:
            raise NotPortable("arithmetic of unsigned numbers: MySQL fails below zero")
    product = sign == "*"
    if left.family == right.family == "integer":
        bits = left.bits + right.bits if product else max(left.bits, right.bits) + 1
        width = 63 if dialect == "mysql" else max(left.width, right.width)
        if bits >= width:
            raise NotPortable(
                f"arithmetic of whole numbers: {SOURCES[dialect]} fails past {width + 1} bits, DuckDB "
                "at other limits"
            )
        return Type("integer", len(str(2**bits)), bits=bits, width=width), Casts("BIGINT", "BIGINT")
    # DuckDB multiplies in 18 digits, and fails past them, unless one side has more.
    wide = max(MANY_DIGITS, left.digits + left.scale)
    digits = left.digits + right.digits if product else max(left.digits, right.digits) + 1
    scale = left.scale + right.scale if product else max(left.scale, right.scale)
    if product:
        _fits(wide + right.digits + right.scale, 0)
    else:
        _fits(max(wide - left.scale, right.digits) + 1, scale)
    if scale > MAX_SCALE:
        raise NotPortable(f"the result has {scale} places after the point: MySQL rounds past {MAX_SCALE}")
    casts = Casts(f"DECIMAL({wide}, {left.scale})", f"DECIMAL({digits + scale}, {scale})")
    return Type("decimal", digits, scale), casts


def grouped(one: Type) -> Type:
    """Return a type whose values are told apart the same way; see `compared` for what it raises."""
    if one.shown_only:
        raise NotPortable(one.shown_only)
    if one.family == "double":
        raise NotPortable("a double is grouped: which of -0.0 and 0.0 is kept is not shown equal")
    if one.family in ("null", "quoted"):
        raise NotPortable(f"{_a(one)} is grouped: its type is each database's own choice")
    return one


def summed(one: Type) -> Type:
    """Return the type of a sum; see `compared` for what it raises."""
    if one.shown_only and one.family != "text":
        raise NotPortable(one.shown_only)
    if one.family == "double":
        raise NotPortable("the sum of floats depends on the order in which they are added")
    if one.family not in ("integer", "decimal"):
        raise NotPortable(f"the sum of {_a(one)} is not shown to be equal")
    if one.digits + one.scale > MAX_SUMMED_DIGITS:
        raise NotPortable(f"the sum may need more than {MAX_DIGITS} digits, DuckDB's most")
    return Type("decimal", MAX_DIGITS - one.scale, one.scale)


def united(types: Sequence[Type], dialect: str) -> Type:
    """Return the one type of the results of CASE, COALESCE or UNION; see `compared` for what it raises."""
    known = [one for one in types if one.family != "null"]
    families = {one.family for one in known}
    why = next((one.shown_only for one in known if one.shown_only), "")
    equal = next((one.equal_only for one in known if one.equal_only), "")
    uncounted = next((one.uncounted for one in known if one.uncounted), "")
    if families and families <= {"integer", "decimal"}:
        digits, scale = max(one.digits for one in known), max(one.scale for one in known)
        _fits(digits, scale)
        family = "decimal" if "decimal" in families else "integer"
        bits, width = max(one.bits for one in known), max(one.width for one in known)
        unsigned = any(one.unsigned for one in known)
        return Type(
            family, digits, scale, bits, width, unsigned=unsigned, shown_only=why, uncounted=uncounted
        )
    if "text" in families and dialect == "mysql":
        raise NotPortable(_collation(dialect))
    if len(families) != 1 or "quoted" in families or any(one.padded for one in known):
        raise NotPortable(
            f"values of several types become one: {SOURCES[dialect]} and DuckDB choose it by rules "
            "of their own"
        )
    return Type(known[0].family, shown_only=why, equal_only=equal, uncounted=uncounted)
