"""Rows of PostgreSQL made into Arrow a column at a time, without an object for each cell.

A column's cells are found from the column before it: each begins with its length. What a cell holds is
PostgreSQL's binary form where numbers, times and lists are concerned, and text otherwise. What Arrow has no
value for becomes NULL and is counted (`Reader.lost`), or is an error that says what to cast to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from .wire import Block

__all__ = [
    "Booleans",
    "Bytes",
    "Cells",
    "Intervals",
    "Numbers",
    "Reader",
    "Texts",
    "arrays_of",
    "cells",
    "settle",
    "valid",
]


class Cells(NamedTuple):
    """The cells of one column in one block: where each begins, its bytes, and which are NULL, if any."""

    octets: Any
    begins: Any
    lengths: Any
    null: Any

    def words(self, type_: str, offset: int = 0) -> Any:
        """The number of ``type_`` (``>i4``) at ``offset`` of each cell; anything where that is NULL."""
        import numpy as np

        size = np.dtype(type_).itemsize
        view = np.ndarray((len(self.octets) - size + 1,), type_, self.octets, strides=(1,))
        return view[self.begins + offset]


def cells(octets: Any, at: Any) -> tuple[Cells, Any]:
    """Return the cells whose length words stand at ``at``, and where the words of the next column stand."""
    import numpy as np

    lengths = np.ndarray((len(octets) - 3,), ">i4", octets, strides=(1,))[at].astype(np.int64)
    null = lengths < 0
    begins = at + 4
    if null.any():
        lengths[null] = 0
        return Cells(octets, begins, lengths, null), begins + lengths
    return Cells(octets, begins, lengths, None), begins + lengths


def valid(null: Any) -> Any:
    """Return Arrow's validity bitmap; None where nothing is NULL."""
    import numpy as np
    import pyarrow as pa

    if null is None or not null.any():
        return None
    return pa.py_buffer(np.packbits(~null, bitorder="little").data)


class Reader:
    """Makes the cells of one column an Arrow array.

    Attributes
    ----------
    type : pyarrow.DataType
        Of every array; final after `settle`.
    format : int
        1 where the cells are to be sent in binary, 0 for text.
    open : bool
        Whether the declaration leaves something to `settle`.
    lost : collections.Counter
        What became NULL, by its name, with how often.
    told : str
        What else is not as in the database, as the end of a sentence that begins with the column.
    """

    format = 1
    open = False

    def __init__(self, type_: Any) -> None:
        self.type: Any = type_
        self.lost: Counter[str] = Counter()
        self.told = ""

    def settle(self, found: Cells, complete: bool) -> None:
        """Fix what the declaration leaves open by the first block; ``complete`` if there is no other."""

    def read(self, found: Cells) -> pa.Array[Any]:
        raise NotImplementedError


class Numbers(Reader):
    """Numbers of one width; ``shift`` leads from PostgreSQL's epoch to ours.

    Parameters
    ----------
    wire : str
        numpy's name of what is sent, ``>i8``.
    absent : dict
        Numbers on the wire that Arrow has no value for, and what they are called.
    """

    def __init__(self, type_: Any, wire: str, shift: int = 0, absent: dict[int, str] | None = None) -> None:
        super().__init__(type_)
        self._wire, self._shift, self._absent = wire, shift, absent or {}

    def read(self, found: Cells) -> pa.Array[Any]:
        import numpy as np
        import pyarrow as pa

        raw = found.words(self._wire)
        values, null = raw.astype(raw.dtype.newbyteorder("=")), found.null
        for number, name in self._absent.items():
            hit = values == number
            if null is not None:
                hit &= ~null  # there it is what stands behind the NULL
            if hit.any():
                self.lost[name] += int(hit.sum())
                null = hit if null is None else null | hit
        if self._shift:
            values = np.add(values, values.dtype.type(self._shift))
            self._check(values, null)
        return pa.Array.from_buffers(self.type, len(values), [valid(null), pa.py_buffer(values.data)])

    def _check(self, values: Any, null: Any) -> None:
        """The last 30 years before the largest number have no place in our epoch."""
        wrapped = values < values.dtype.type(self._shift) - (2 ** (values.dtype.itemsize * 8 - 1) - 1)
        if wrapped.any() and (null is None or (wrapped & ~null).any()):
            raise DataError("A time is too far in the future for Arrow.", hint="Cast the column to text.")


class Booleans(Reader):
    """One byte each."""

    def read(self, found: Cells) -> pa.Array[Any]:
        import numpy as np
        import pyarrow as pa

        bits = np.packbits(found.octets[found.begins] == 1, bitorder="little")
        return pa.Array.from_buffers(
            self.type, len(found.begins), [valid(found.null), pa.py_buffer(bits.data)]
        )


class Bytes(Reader):
    """Bytes as they are; ``fixed`` is the width of an extension type's values, as a UUID's."""

    def __init__(self, type_: Any, *, fixed: int = 0) -> None:
        super().__init__(type_)
        self._fixed = fixed

    def read(self, found: Cells) -> pa.Array[Any]:
        import pyarrow as pa

        if self._fixed:
            data = pa.py_buffer(found.words(f"V{self._fixed}").tobytes())
            buffers = [valid(found.null), data]
            stored = pa.Array.from_buffers(pa.binary(self._fixed), len(found.begins), buffers)
            return pa.ExtensionArray.from_storage(self.type, stored)
        return gathered(found)


class Texts(Reader):
    """Text; checked to be UTF-8, which a database without an encoding does not do."""

    format = 0

    def read(self, found: Cells) -> pa.Array[Any]:
        import pyarrow as pa

        try:
            return gathered(found).cast(pa.string())
        except pa.ArrowInvalid as exc:
            raise DataError(
                "A text is not UTF-8: the database does not check its encoding (SQL_ASCII).",
                hint="Read it as bytes: convert_to(…) or CAST(… AS bytea); decode it in Python.",
            ) from exc


def gathered(found: Cells) -> pa.Array[Any]:
    """Copy cells of different lengths into one binary array."""
    import numpy as np
    import pyarrow as pa

    # Cells and the gaps between them are one array over the block; every second element is taken.
    count = len(found.begins)
    edges = np.empty(2 * count + 1, np.int32)
    edges[0:-1:2] = found.begins
    edges[1::2] = found.begins + found.lengths
    edges[-1] = edges[-2] if count else 0
    both = pa.Array.from_buffers(
        pa.binary(), 2 * count, [None, pa.py_buffer(edges.data), pa.py_buffer(found.octets)]
    )
    taken = both.take(np.arange(0, 2 * count, 2))
    buffers = taken.buffers()
    return pa.Array.from_buffers(pa.binary(), count, [valid(found.null), *buffers[1:]])


class Intervals(Reader):
    """Months, days and microseconds."""

    _HALF = 2**63 // 1000

    def read(self, found: Cells) -> pa.Array[Any]:
        import numpy as np
        import pyarrow as pa

        kind = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
        values = np.zeros(len(found.begins), kind)
        micro = found.words(">i8").astype(np.int64)
        values["months"], values["days"] = found.words(">i4", 12), found.words(">i4", 8)
        null = np.zeros(len(micro), bool) if found.null is None else found.null
        far = (values["months"] == 2**31 - 1) & (values["days"] == 2**31 - 1) & (micro == 2**63 - 1)
        past = (values["months"] == -(2**31)) & (values["days"] == -(2**31)) & (micro == -(2**63))
        endless = (far | past) & ~null
        if endless.any():
            self.lost["infinite"] += int(endless.sum())
            null = null | endless
        if (((micro > self._HALF) | (micro < -self._HALF)) & ~null).any():  # abs() of the least is the least
            raise DataError("An interval has more than 292 years of hours.", hint="Cast it to text.")
        values["nanoseconds"] = np.where(null, 0, micro) * 1000
        return pa.Array.from_buffers(self.type, len(values), [valid(null), pa.py_buffer(values.data)])


def settle(readers: Sequence[Reader], block: Block | None, complete: bool) -> None:
    """Let the first rows decide what the declarations leave open."""
    if block is None or not any(reader.open for reader in readers):
        return
    at = block.starts
    for reader in readers:
        found, at = cells(block.octets, at)
        reader.settle(found, complete)


def arrays_of(block: Block, readers: Sequence[Reader]) -> list[pa.Array[Any]]:
    """Return a column of Arrow for each reader."""
    arrays, at = [], block.starts
    for reader in readers:
        found, at = cells(block.octets, at)
        arrays.append(reader.read(found))
    return arrays
