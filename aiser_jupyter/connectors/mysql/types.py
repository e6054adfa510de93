"""Types of MySQL as Arrow has them, from what the server declares of a column and from nothing else.

The rows of MySQL's text protocol are text, whatever the type. Rules:

- the Arrow type follows from the declared type, its length, its scale and its flags, so that no row and a
  million rows have the same schema. ``TINYINT(1)`` stays a number: ``BOOLEAN`` is only another word for it,
  and it may hold 2;
- zero and partial dates (``0000-00-00``, ``2024-00-10``) and the year 0 are no dates: NULL, and a `Notice`
  that counts them;
- FLOAT is printed by the server with six digits; the column is marked, and the `Notice` says how to get the
  rest;
- a TIMESTAMP is an instant where the zone of the session is one fixed offset. Where it is not, an hour of
  each autumn is there twice in the text, so that the column is what the server prints, without a zone;
- BIT is text of 0 and 1. A computed one is sent as bytes or as decimal digits, and the server does not say
  which: the values tell, or it is an error; GEOMETRY and binary text are bytes; ENUM, SET and JSON are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...memory import columns_pool
from ...models import Notice
from ..arrow_types import LOSSY, SOURCE_TYPE

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "Zone", "column_of", "zone_of"]

_UNSIGNED, _COMPUTED, _ENUM, _SET = 0x20, 0x80, 0x100, 0x800
_BINARY = 63
"""Number of the character set of what is no text."""
_INTEGERS = {1: (8, "TINYINT"), 2: (16, "SMALLINT"), 9: (32, "MEDIUMINT"), 3: (32, "INT"), 8: (64, "BIGINT")}
_DECIMALS = (0, 246)
_FLOAT, _DOUBLE, _NULL, _TIMESTAMP, _DATE, _TIME, _DATETIME, _YEAR, _BIT = 4, 5, 6, 7, 10, 11, 12, 13, 16
_JSON, _GEOMETRY = 245, 255
_LOBS = (249, 250, 251, 252)
_LOB_SIZES = {"TINY": 1 << 8, "": 1 << 16, "MEDIUM": 1 << 24}
_NAMES = {_FLOAT: "FLOAT", _DOUBLE: "DOUBLE", _NULL: "NULL", _DATE: "DATE", 14: "DATE", _YEAR: "YEAR"}
_NOT_FIXED = 31
"""Scale from which on it means "as many as the value needs"."""
_FIRST_DAY = -719_162
"""0001-01-01 in days since 1970; Python knows no date before it."""
_DAY = 86_400_000_000
_OFFSET = re.compile(r"([+-])(\d{1,2}):(\d\d)")
_SIX = "the server prints six digits"
_INSTANTS = "With the connection's time_zone set to +00:00 each is one instant."

Texts = Any
"""An Arrow array of binary values: a column as the server printed it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result: its name, its Arrow type, and how its texts become values of that type.

    ``source`` is MySQL's own word for the type, ``lossy`` what the server leaves out of the values, or "",
    and ``advice`` how to get it. ``convert`` returns the values, and how many became NULL because they are no
    date.
    """

    name: str
    type: pa.DataType
    source: str
    convert: Callable[[Texts], tuple[Any, int]]
    lossy: str = ""
    advice: str = ""

    @property
    def field(self) -> pa.Field[Any]:
        import pyarrow as pa

        metadata = {SOURCE_TYPE: self.source, **({LOSSY: self.lossy} if self.lossy else {})}
        return pa.field(self.name, self.type, metadata=metadata)

    def array(self, texts: Texts) -> tuple[pa.Array[Any], int]:
        """Return ``texts`` as an array of `type`, and the number of values that are no date.

        Raises
        ------
        DataError
            A text is not of the declared type.
        """
        try:
            return self.convert(texts)
        except ValueError as exc:  # pyarrow.ArrowInvalid, UnicodeDecodeError
            raise DataError(
                f"Column {self.name!r} was declared as {self.source}, and holds a value that is not.",
                hint=f"CAST({self.name} AS CHAR) gives the text of each value.",
            ) from exc

    def loss(self) -> Notice:
        """Say what the server leaves out of every value."""
        return Notice("lossy_type", f"Column {self.name!r} is {self.source}: {self.lossy}. {self.advice}")

    def zero_dates(self, count: int) -> Notice:
        """Say that ``count`` values are shown as NULL."""
        values = f"{count:,} zero or partial date{'s' if count > 1 else ''}"
        keep = f"CAST(`{self.name}` AS CHAR) keeps them."
        return Notice("lossy_type", f"Column {self.name!r}: {values} shown as NULL. {keep}")


@dataclass(frozen=True, slots=True)
class Zone:
    """The zone of a session, and how far it is from UTC; None where that changes with the seasons, or is not
    known."""

    name: str
    offset: timedelta | None = None


def zone_of(session: str, system: str) -> Zone:
    """Return the zone of a session by ``@@session.time_zone`` and ``@@system_time_zone``.

    Examples
    --------
    >>> zone_of("SYSTEM", "UTC").offset, zone_of("-03:30", "UTC").offset.total_seconds() / 3600
    (datetime.timedelta(0), -3.5)
    """
    name = system if session == "SYSTEM" else session
    if name.upper() in ("UTC", "ETC/UTC", "GMT", "ETC/GMT"):
        return Zone(name, timedelta(0))
    if found := _OFFSET.fullmatch(name):
        distance = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return Zone(name, -distance if found[1] == "-" else distance)
    return Zone(f"{name}, the server's own" if session == "SYSTEM" else name)


def column_of(field: Any, zone: Zone) -> Column:
    """Return what to make of a column.

    Parameters
    ----------
    field : pymysql.protocol.FieldDescriptorPacket
        As the server declares it.
    zone : Zone
        In which the server prints what is an instant.
    """
    import pyarrow as pa

    code, flags = field.type_code, field.flags
    if code in _INTEGERS:
        bits, word = _INTEGERS[code]
        unsigned = bool(flags & _UNSIGNED)
        kind = getattr(pa, f"{'u' * unsigned}int{bits}")()
        return Column(field.name, kind, word + " UNSIGNED" * unsigned, _cast(kind))
    if code in _DECIMALS:
        return _decimal(field)
    if code in (_TIMESTAMP, _DATETIME, _TIME):
        return _moment(field, zone)
    if code in (_DATE, 14):
        return Column(field.name, pa.date32(), "DATE", _dates)
    if code == _BIT:
        return Column(field.name, pa.string(), f"BIT({field.length})", _bits(field))
    plain: dict[int, pa.DataType] = {
        _FLOAT: pa.float32(),
        _DOUBLE: pa.float64(),
        _NULL: pa.null(),
        _YEAR: pa.int16(),
    }
    if code in plain:
        told = (_SIX, f"CAST(`{field.name}` AS DOUBLE) gives the rest.") if code == _FLOAT else ()
        return Column(field.name, plain[code], _NAMES[code], _cast(plain[code]), *told)
    return _text(field)


def _text(field: Any) -> Column:
    import pyarrow as pa

    code = field.type_code
    binary = code == _GEOMETRY or (field.charsetnr == _BINARY and code != _JSON)
    kind = pa.binary() if binary else pa.string()
    if code == _GEOMETRY:
        source = "GEOMETRY"
    elif code == _JSON:
        source = "JSON"
    elif field.flags & (_ENUM | _SET):
        source = "ENUM" if field.flags & _ENUM else "SET"
    elif code in _LOBS:
        characters = field.length if binary else field.length // 4
        size = next((word for word, end in _LOB_SIZES.items() if characters < end), "LONG")
        source = size + ("BLOB" if binary else "TEXT")
    else:
        word = ("BINARY" if binary else "CHAR") if code == 254 else ("VARBINARY" if binary else "VARCHAR")
        source = f"{word}({field.length if binary else field.length // 4})"  # four bytes a character at most
    return Column(field.name, kind, source, _same if binary else _cast(kind))


def _decimal(field: Any) -> Column:
    import pyarrow as pa

    scale = field.scale
    signs = (scale > 0) + (not field.flags & _UNSIGNED)
    # A variable (@x) declares more digits than a DECIMAL can have.
    precision = max(min(field.length - signs, 76), scale, 1)
    kind = pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    return Column(field.name, kind, f"DECIMAL({precision},{scale})", _cast(kind))


def _moment(field: Any, zone: Zone) -> Column:
    import pyarrow as pa

    word = {_TIMESTAMP: "TIMESTAMP", _DATETIME: "DATETIME", _TIME: "TIME"}[field.type_code]
    source = f"{word}({field.scale})" if 0 < field.scale < _NOT_FIXED else word
    if field.type_code == _TIME:
        return Column(field.name, pa.duration("us"), source, _durations)
    if field.type_code == _DATETIME:
        return Column(field.name, pa.timestamp("us"), source, _timestamps)
    if (offset := zone.offset) is None:
        told = (f"shown in the session's zone ({zone.name}), where an hour may come twice", _INSTANTS)
        return Column(field.name, pa.timestamp("us"), source, _timestamps, *told)

    def instants(texts: Texts) -> tuple[Any, int]:
        import pyarrow.compute as pc

        local, zeros = _timestamps(texts)
        utc: Any = pc.subtract(local, pa.scalar(offset, pa.duration("us"))) if offset else local
        return utc.view(pa.timestamp("us", "UTC")), zeros

    return Column(field.name, pa.timestamp("us", "UTC"), source, instants)


def _same(texts: Texts) -> tuple[Any, int]:
    return texts, 0


def _cast(kind: pa.DataType) -> Callable[[Texts], tuple[Any, int]]:
    """Return a conversion by Arrow; the cast to text checks that it is UTF-8."""

    def convert(texts: Texts) -> tuple[Any, int]:
        import pyarrow as pa

        if pa.types.is_null(kind):
            return pa.nulls(len(texts)), 0
        text = _decoded(texts)
        return (text if pa.types.is_string(kind) else text.cast(kind, memory_pool=columns_pool())), 0

    return convert


def _decoded(texts: Texts) -> Any:
    """Return ``texts`` as text, which is checked to be UTF-8."""
    import pyarrow as pa

    return texts.cast(pa.string(), memory_pool=columns_pool())


def _dates(texts: Texts) -> tuple[Any, int]:
    import pyarrow as pa

    return _calendar(texts, pa.date32(), pa.scalar(_FIRST_DAY, pa.int32()))


def _timestamps(texts: Texts) -> tuple[Any, int]:
    import pyarrow as pa

    return _calendar(texts, pa.timestamp("us"), pa.scalar(_FIRST_DAY * _DAY, pa.int64()))


def _calendar(texts: Texts, kind: pa.DataType, first: Any) -> tuple[Any, int]:
    """Cast to dates or timestamps; what is on no calendar becomes NULL, and is counted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = _decoded(texts)
    try:
        found = text.cast(kind, memory_pool=columns_pool())
        if not pc.any(pc.less(found.view(first.type), first)).as_py():
            return found, 0
    except pa.ArrowInvalid:
        pass  # one of them is no date
    real = _on_calendar(text)
    kept: Any = pc.if_else(real, text, pa.scalar(None, pa.string()))
    return kept.cast(kind), kept.null_count - text.null_count


def _on_calendar(text: Any) -> Any:
    """Say of each text whether its first ten characters are a date from the year 1 on."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    def number(start: int, stop: int) -> Any:
        part: Any = pc.utf8_slice_codeunits(text, start, stop)
        return part.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)

    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[np.clip(month, 0, 12)]
    days = longest + (leap & (month == 2))
    return pa.array((year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= days))


def _durations(texts: Texts) -> tuple[Any, int]:
    """Read ``[-]HHH:MM:SS[.ffffff]``: MySQL's TIME runs from -838 to 838 hours."""
    import pyarrow as pa
    import pyarrow.compute as pc

    pattern = r"^(?P<sign>-?)(?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d)(?:\.(?P<f>\d{1,6}))?$"
    text = _decoded(texts)
    parts: Any = pc.extract_regex(text, pattern)
    if parts.null_count != text.null_count:
        raise ValueError("not a TIME")

    def number(name: str) -> Any:
        part: Any = pc.struct_field(parts, name)
        if name == "f":
            part = pc.utf8_rpad(part, 6, "0")
        return pc.if_else(pc.is_null(parts), pa.scalar(None, pa.int64()), part.cast(pa.int64()))

    seconds: Any = pc.add(pc.multiply(number("h"), 3600), pc.add(pc.multiply(number("m"), 60), number("s")))
    total: Any = pc.add(pc.multiply(seconds, 1_000_000), number("f"))
    minus: Any = pc.equal(pc.struct_field(parts, "sign"), pa.scalar("-"))
    signed: Any = pc.if_else(minus, pc.negate(total), total)
    return signed.view(pa.duration("us")), 0


def _bits(field: Any) -> Callable[[Texts], tuple[Any, int]]:
    """Return the conversion of ``BIT(length)`` to as many digits of 0 and 1; one for each result."""
    length: int = field.length
    ways = [_packed, _digits] if field.flags & _COMPUTED else [_packed]

    def convert(texts: Texts) -> tuple[Any, int]:
        import pyarrow as pa

        values = texts.to_pylist()
        there = [value for value in values if value is not None]
        if there:
            ways[:] = [way for way in ways if all(way(value, length) is not None for value in there)]
        if not ways:
            raise ValueError("not a BIT")
        if there and len(ways) > 1:
            raise DataError(
                f"Column {field.name!r} is a computed BIT({length}), whose values may be bytes or digits: "
                "the server does not say.",
                hint="CAST(… AS UNSIGNED) gives the numbers.",
            )
        bits = [None if value is None else f"{ways[0](value, length):0{length}b}" for value in values]
        return pa.array(bits, pa.string()), 0

    return convert


def _packed(value: bytes, length: int) -> int | None:
    """Return the number that big-endian bytes are; None where they are no ``BIT(length)``."""
    number = int.from_bytes(value, "big")
    return number if len(value) == (length + 7) // 8 and number < 1 << length else None


def _digits(value: bytes, length: int) -> int | None:
    """Return the number that decimal digits are; None where they are no ``BIT(length)``."""
    return int(value) if value.isdigit() and int(value) < 1 << length else None
