"""PostgreSQL's types, and what each is in Arrow.

The schema follows from the declared types alone, but for two that PostgreSQL itself leaves open, and which
the first rows settle: the scale of a plain ``numeric``, and how many dimensions an array has.

==============================  ==============================================================================
PostgreSQL                      Arrow
==============================  ==============================================================================
smallint, integer, bigint       int16, int32, int64
oid                             uint32
real, double precision          float, double
numeric(p, s)                   decimal128(p, s), from 39 digits decimal256, from 77 text
numeric                         decimal128(38, s), see `Decimals`
boolean, bytea, uuid            bool, binary, uuid
date                            date32; infinity is NULL, with a notice that counts it
timestamp, with time zone       timestamp[us], timestamp[us, UTC]; infinity as above
time                            time64[us]; 24:00:00 is NULL, with a notice that counts it
interval                        month_day_nano_interval
arrays of these and of text     list, nested as often as there are dimensions
everything else                 text, as PostgreSQL writes it
==============================  ==============================================================================

Each field carries PostgreSQL's own word for its type as ``aiser.source_type``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ...errors import DataError
from .numeric import Decimals
from .rows import Booleans, Bytes, Cells, Intervals, Numbers, Reader, Texts, cells, valid

__all__ = ["ARRAY_OF", "NAMES", "precision_of", "reader_of", "source_type"]

_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
NAMES = {
    16: "boolean",
    17: "bytea",
    18: '"char"',
    19: "name",
    20: "bigint",
    21: "smallint",
    23: "integer",
    25: "text",
    26: "oid",
    114: "json",
    142: "xml",
    650: "cidr",
    700: "real",
    701: "double precision",
    705: "unknown",
    774: "macaddr8",
    790: "money",
    829: "macaddr",
    869: "inet",
    1042: "character",
    1043: "character varying",
    1082: "date",
    1083: "time without time zone",
    1114: "timestamp without time zone",
    1184: "timestamp with time zone",
    1186: "interval",
    1266: "time with time zone",
    1560: "bit",
    1562: "bit varying",
    1700: "numeric",
    2278: "void",
    2950: "uuid",
    3802: "jsonb",
}
"""The built-in types by oid; the server is asked for the name of any other."""
ARRAY_OF = {
    1000: 16,
    1001: 17,
    1003: 19,
    1016: 20,
    1005: 21,
    1007: 23,
    1009: 25,
    1028: 26,
    199: 114,
    1021: 700,
    1022: 701,
    1014: 1042,
    1015: 1043,
    1182: 1082,
    1183: 1083,
    1115: 1114,
    1185: 1184,
    1187: 1186,
    1231: 1700,
    2951: 2950,
}
"""Array types that become lists, each with the type of its elements."""


def source_type(oid: int, modifier: int) -> str:
    """Return PostgreSQL's word for a built-in type; "" where the server has to be asked."""
    if oid in ARRAY_OF:
        return source_type(ARRAY_OF[oid], modifier) + "[]"
    name = NAMES.get(oid, "")
    if modifier < 0:
        return name
    if oid == 1700:
        precision, scale = precision_of(modifier)
        return f"numeric({precision},{scale})"
    if oid in (1042, 1043):
        return f"{name}({modifier - 4})"
    if oid in (1560, 1562):
        return f"{name}({modifier})"
    if oid in (1083, 1114, 1184, 1266):
        first, _, rest = name.partition(" ")
        return f"{first}({modifier}) {rest}"
    return name


def precision_of(modifier: int) -> tuple[int, int]:
    """Digits and scale of a numeric; the scale may be negative, in 11 bits."""
    bits = modifier - 4
    return bits >> 16 & 0xFFFF, ((bits & 0x7FF) ^ 0x400) - 0x400


def reader_of(oid: int, modifier: int) -> Reader:
    """Return what reads a column of this type."""
    import pyarrow as pa

    if oid in ARRAY_OF:
        return Lists(lambda: reader_of(ARRAY_OF[oid], modifier))
    if oid == 1700:
        return Decimals(*precision_of(modifier)) if modifier >= 0 else Decimals()
    infinite = {sign * 2**63 - (sign > 0): "infinite" for sign in (1, -1)}
    made: dict[int, Callable[[], Reader]] = {
        16: lambda: Booleans(pa.bool_()),
        17: lambda: Bytes(pa.binary()),
        20: lambda: Numbers(pa.int64(), ">i8"),
        21: lambda: Numbers(pa.int16(), ">i2"),
        23: lambda: Numbers(pa.int32(), ">i4"),
        26: lambda: Numbers(pa.uint32(), ">u4"),
        700: lambda: Numbers(pa.float32(), ">f4"),
        701: lambda: Numbers(pa.float64(), ">f8"),
        1082: lambda: Numbers(pa.date32(), ">i4", _EPOCH_DAYS, {2**31 - 1: "infinite", -(2**31): "infinite"}),
        1083: lambda: Numbers(pa.time64("us"), ">i8", 0, {86_400_000_000: "24:00:00"}),
        1114: lambda: Numbers(pa.timestamp("us"), ">i8", _EPOCH_MICROSECONDS, infinite),
        1184: lambda: Numbers(pa.timestamp("us", "UTC"), ">i8", _EPOCH_MICROSECONDS, infinite),
        1186: lambda: Intervals(pa.month_day_nano_interval()),
        2950: lambda: Bytes(pa.uuid(), fixed=16),
    }
    return made[oid]() if oid in made else Texts(pa.string())


class Lists(Reader):
    """Arrays of any number of dimensions, which the first block settles; no declaration says it.

    Parameters
    ----------
    element : callable
        Makes the reader of the elements.
    """

    open = True
    _HINT = "Cast it to text."

    def __init__(self, element: Callable[[], Reader]) -> None:
        self._element = element()
        self._depth = 1
        super().__init__(self._nested())
        self.lost = self._element.lost

    def _nested(self) -> Any:
        import pyarrow as pa

        type_ = self._element.type
        for _ in range(self._depth):
            type_ = pa.list_(type_)
        return type_

    def settle(self, found: Cells, complete: bool) -> None:
        depths = set(found.words(">i4")[_there(found)].tolist()) - {0}
        if len(depths) > 1:
            raise DataError("An array column holds arrays of different dimensions.", hint=self._HINT)
        self._depth = depths.pop() if depths else 1
        self._element.settle(self._elements(found)[0], complete)
        self.told = self.told or self._element.told
        self.type = self._nested()

    def read(self, found: Cells) -> Any:
        import numpy as np
        import pyarrow as pa

        inner, shapes = self._elements(found)
        array = self._element.read(inner)
        # Level by level from the inside: at each, one list for every element of the level around it.
        for level in reversed(range(self._depth)):
            sizes = [shape[level] for shape in shapes for _ in range(_product(shape[:level]))]
            offsets = np.zeros(len(sizes) + 1, np.int32)
            np.cumsum(sizes, out=offsets[1:])
            null = valid(found.null) if level == 0 else None
            array = pa.Array.from_buffers(
                pa.list_(array.type), len(sizes), [null, pa.py_buffer(offsets.data)], children=[array]
            )
        return array

    def _elements(self, found: Cells) -> tuple[Cells, list[tuple[int, ...]]]:
        """Return the elements of all arrays as cells, and the shape of each array."""
        import numpy as np

        places: list[int] = []
        shapes: list[tuple[int, ...]] = []
        octets, nothing = found.octets, (0,) * self._depth
        gone = [False] * len(found.begins) if found.null is None else found.null.tolist()
        for begin, null in zip(found.begins.tolist(), gone, strict=True):
            (depth,) = (0,) if null else struct.unpack_from("!i", octets, begin)
            if not depth:
                shapes.append(nothing)
                continue
            if depth != self._depth:
                raise DataError(
                    f"An array has {depth} dimensions, and those of the first rows {self._depth}.",
                    hint=self._HINT,
                )
            shape = struct.unpack_from("!" + "i4x" * depth, octets, begin + 12)
            if struct.unpack_from("!" + "4xi" * depth, octets, begin + 12) != (1,) * depth:
                self.told = "holds arrays that do not begin at 1: where they begin is left out."
            shapes.append(shape)
            at = begin + 12 + 8 * depth
            for _ in range(_product(shape)):
                places.append(at)
                at += 4 + max(struct.unpack_from("!i", octets, at)[0], 0)
        return cells(octets, np.array(places, np.int64))[0], shapes


def _there(found: Cells) -> Any:
    return slice(None) if found.null is None else ~found.null


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result
