"""Redshift's types, and what each is in Arrow.

Redshift speaks PostgreSQL's protocol, and most of its types are sent as there. Asked for in binary are those
alone that its own driver asks for at the base version of the protocol; a ``numeric`` is text, which is exact,
where Redshift's binary form of it is its own.

==============================  ==============================================================================
Redshift                        Arrow
==============================  ==============================================================================
smallint, integer, bigint       int16, int32, int64
oid                             uint32
real, double precision          float, double
numeric(p, s)                   decimal128(p, s)
boolean                         bool
date                            date32, any year
timestamp, timestamptz          timestamp[us], timestamp[us, UTC]
time                            time64[us]; 24:00:00 is NULL, with a notice that counts it
timetz                          text, with its offset
interval year to month,         month_day_nano_interval
interval day to second
varbyte, geometry, geography    binary; geometry and geography are EWKB
super, hllsketch                text of JSON
everything else                 text, as Redshift writes it
==============================  ==============================================================================

Each field carries Redshift's own word for its type as ``aiser.source_type``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ..postgresql import parameters as postgresql_parameters
from ..postgresql import types as postgresql_types
from ..postgresql.numeric import Decimals
from ..postgresql.rows import Cells, Reader, Texts, gathered, valid

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MOST_PARAMETERS", "encoded", "reader_of", "source_type"]

NAMES = {
    1188: "interval year to month",
    1190: "interval day to second",
    2935: "hllsketch",
    3000: "geometry",
    3001: "geography",
    3999: "geometry",
    4000: "super",
    6551: "varbyte",
}
"""The types that Redshift has beside PostgreSQL's, by oid."""
_IN_BINARY = frozenset({16, 20, 21, 23, 26, 700, 701, 1114, 1184, 1186})
"""Sent in binary as PostgreSQL does; the driver asks for the same."""
UNKNOWN = 705
"""The type of a quoted literal: the server infers another one from where it stands."""
MOST_PARAMETERS = 32_767


def source_type(oid: int, modifier: int) -> str:
    """Return Redshift's word for a built-in type; "" where the server has to be asked."""
    return NAMES.get(oid) or postgresql_types.source_type(oid, modifier)


def reader_of(oid: int, modifier: int) -> Reader:
    """Return what reads a column of this type."""
    import pyarrow as pa

    if oid in _IN_BINARY:
        return postgresql_types.reader_of(oid, modifier)
    if oid == 1700:
        precision, scale = postgresql_types.precision_of(modifier)
        return TextDecimals(precision, scale) if modifier >= 0 else TextDecimals()
    made: dict[int, Callable[[], Reader]] = {
        1082: lambda: Dates(pa.date32()),
        1083: lambda: Times(pa.time64("us")),
        1188: lambda: Months(pa.month_day_nano_interval()),
        1190: lambda: Durations(pa.month_day_nano_interval()),
        3000: lambda: Hexadecimal(pa.binary()),
        3001: lambda: Hexadecimal(pa.binary()),
        3999: lambda: Hexadecimal(pa.binary()),
        6551: lambda: Hexadecimal(pa.binary()),
    }
    return made[oid]() if oid in made else Texts(pa.string())


def encoded(
    values: Sequence[Any], most: int = MOST_PARAMETERS, hint: str = "Put them in a table, and join it."
) -> tuple[list[int], list[bytes | None]]:
    """Return the types of ``values``, and the values as text, as Redshift takes them.

    Raises
    ------
    UsageError
    """
    types, texts = postgresql_parameters.encoded(values, most, hint)
    for place, value in enumerate(values):
        if isinstance(value, bytes):
            texts[place] = value.hex().encode()
        elif isinstance(value, datetime):
            texts[place] = value.isoformat(" ").encode()
    return [UNKNOWN if oid in (0, 17, 2950) else oid for oid in types], texts


class TextDecimals(Decimals):
    """``numeric`` as text; see `Decimals`."""

    format = 0

    def settle(self, found: Cells, complete: bool) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        written = _texts(found).drop_null()
        if not self.open or not len(written):
            return
        digits: Any = pc.utf8_ltrim(written, "-")
        size: Any = pc.binary_length(digits)
        point: Any = pc.find_substring(digits, ".")
        none: Any = pc.less(point, pa.scalar(0))
        behind: Any = pc.subtract(size, point)  # the point counted in
        scales: Any = pc.min_max(pc.if_else(none, 1, behind))
        whole: Any = pc.max(pc.if_else(none, size, point))
        self.decide(whole.as_py(), scales["min"].as_py() - 1, scales["max"].as_py() - 1, complete)

    def read(self, found: Cells) -> pa.Array[Any]:
        import pyarrow as pa

        try:
            return _cast(_texts(found), self.type)
        except pa.ArrowInvalid as exc:
            raise DataError(
                f"A numeric value does not fit {self.type}, as those of the first rows do.", hint=self.HINT
            ) from exc


class Dates(Reader):
    """Dates as text; those that Arrow does not parse (before Christ, past 9999) are computed."""

    format = 0

    def read(self, found: Cells) -> pa.Array[Any]:
        import pyarrow as pa

        written = _texts(found)
        try:
            return _cast(written, self.type)
        except pa.ArrowInvalid:
            days = [None if text is None else _days(text) for text in written.to_pylist()]
            return _cast(pa.array(days, pa.int32()), self.type)


def _days(text: str) -> int:
    """Days from 1970-01-01 to ``text``, as ``2024-02-29`` or ``0044-03-15 BC``."""
    import numpy as np

    day, _, era = text.partition(" ")
    try:
        year, month, number = map(int, day.split("-"))
        if era not in ("", "BC"):
            raise ValueError(era)
        # numpy counts the year before 1 as 0, as the calendar does not.
        first = np.datetime64((1 - year if era else year) - 1970, "Y").astype("M8[M]")
        first += np.timedelta64(month - 1, "M")
        return int(first.astype("M8[D]").astype(np.int64)) + number - 1
    except ValueError as exc:
        raise DataError(f"{text[:40]!r} is no date that Arrow has.", hint="Cast the column to text.") from exc


class Times(Reader):
    """Times of day as text."""

    format = 0

    def read(self, found: Cells) -> pa.Array[Any]:
        import pyarrow as pa
        import pyarrow.compute as pc

        written = _texts(found)
        late: Any = pc.equal(written, pa.scalar("24:00:00"))
        if count := late.true_count:
            self.lost["24:00:00"] += count
            written = pc.if_else(late, pa.scalar(None, pa.string()), written)
        parts: Any = (pa.scalar("1970-01-01"), written, pa.scalar(" "))
        moments: Any = pc.binary_join_element_wise(*parts)
        try:
            return _cast(moments.cast(pa.timestamp("us")).cast(pa.int64()), self.type)
        except pa.ArrowInvalid as exc:
            raise DataError("A time is none that Arrow has.", hint="Cast the column to text.") from exc


class Hexadecimal(Reader):
    """Bytes that are written as hexadecimal digits."""

    format = 0

    def read(self, found: Cells) -> pa.Array[Any]:
        import numpy as np
        import pyarrow as pa

        digits = gathered(found)
        _, places, written = digits.buffers()
        offsets = np.frombuffer(memoryview(places or b""), np.int32)[: len(digits) + 1]
        try:
            if (offsets % 2).any():
                raise ValueError
            data = bytes.fromhex(bytes(written or b"")[: offsets[-1]].decode("ascii"))
            if 2 * len(data) != offsets[-1]:  # it skips white space
                raise ValueError
        except ValueError as exc:
            raise DataError(
                "A value is not written in hexadecimal digits.", hint="Cast the column to varchar."
            ) from exc
        halves = pa.py_buffer((offsets // 2).astype(np.int32).data)
        buffers = [valid(found.null), halves, pa.py_buffer(data)]
        return pa.Array.from_buffers(self.type, len(digits), buffers)


class Months(Reader):
    """``interval year to month``: a number of months."""

    def read(self, found: Cells) -> pa.Array[Any]:
        return _intervals(self.type, found, months=found.words(">i4"))


class Durations(Reader):
    """``interval day to second``: microseconds, and each of its days has 24 hours."""

    _DAY = 86_400_000_000

    def read(self, found: Cells) -> pa.Array[Any]:
        import numpy as np

        micro = found.words(">i8").astype(np.int64)
        rest = np.fmod(micro, self._DAY)  # with the sign of the whole
        return _intervals(self.type, found, days=(micro - rest) // self._DAY, nanoseconds=rest * 1000)


def _intervals(type_: Any, found: Cells, **parts: Any) -> pa.Array[Any]:
    import numpy as np
    import pyarrow as pa

    values = np.zeros(
        len(found.begins), np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
    )
    for name, numbers in parts.items():
        values[name] = numbers if found.null is None else np.where(found.null, 0, numbers)
    return pa.Array.from_buffers(type_, len(values), [valid(found.null), pa.py_buffer(values.data)])


def _texts(found: Cells) -> pa.Array[Any]:
    """Return the cells as text."""
    return Texts(None).read(found)


def _cast(array: pa.Array[Any], type_: Any) -> pa.Array[Any]:
    made: pa.Array[Any] = array.cast(type_)
    return made
