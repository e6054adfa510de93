"""PostgreSQL's ``numeric`` as Arrow's decimal: exact, and a number wherever it can be one."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from .rows import Cells, Reader, valid

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Decimals"]


class Decimals(Reader):
    """``numeric``: a sign and digits of base 10,000.

    Declared with a precision and a scale, that is the type. Without them (`sum`, `avg`, a column that is
    plain ``numeric``) the first block decides: the largest scale that it holds. Where the values differ in
    scale and more blocks follow, the digits that are left over are shared between both sides of the point. A
    value that does not fit later is an error, never rounded. NaN and Infinity make such a column text where
    the first block holds them; else they are an error.

    Parameters
    ----------
    precision, scale : int, optional
    """

    HINT = "Cast it to numeric(38, s) with a scale s of your choice, to double precision or to text."

    def __init__(self, precision: int | None = None, scale: int = 0) -> None:
        import pyarrow as pa

        self.open = precision is None
        self._scale = max(scale, 0)
        digits = 38 if precision is None else max(precision - min(scale, 0), scale, 1)
        super().__init__(_decimal(digits, self._scale) if digits <= 76 else pa.string())

    def settle(self, found: Cells, complete: bool) -> None:
        import numpy as np
        import pyarrow as pa

        if not self.open or not len(found.begins) or (found.null is not None and found.null.all()):
            return
        size, weight, sign, scale = _heads(found)
        there = slice(None) if found.null is None else ~found.null
        if (sign[there] & _SPECIAL).astype(bool).any():
            self.type = pa.string()
            self.told = "holds NaN or Infinity, which no decimal is: its numbers are given as text."
            return
        whole = int(np.where(size > 0, _whole(found, weight), 0)[there].max(initial=0))
        self.decide(whole, int(scale[there].min()), int(scale[there].max()), complete)

    def decide(self, whole: int, least: int, most: int, complete: bool) -> None:
        """Choose the type for so many digits before the point, and scales from ``least`` to ``most``."""
        import pyarrow as pa

        self._scale = most
        if not complete and least != most and whole + most < 38:
            self._scale += (38 - whole - most) // 2
        self.type = _decimal(38 if whole + self._scale <= 38 else 76, self._scale)
        if whole + self._scale > 76:
            self.type = pa.string()
            self.told = "needs more than 76 digits, which no decimal has: its numbers are given as text."

    def read(self, found: Cells) -> pa.Array[Any]:
        import numpy as np
        import pyarrow as pa

        size, weight, sign, scale = _heads(found)
        null = found.null
        if pa.types.is_string(self.type):
            gone = np.zeros(len(size), bool) if null is None else null
            return pa.array([None if no else text(found, row) for row, no in enumerate(gone)], pa.string())
        if null is not None:
            for each in (size, weight, sign, scale):
                each[null] = 0
        self._check(found, size, weight, sign, scale)
        width = self.type.bit_width // 64
        places = _places(found, size, weight, self._scale)
        digits = 4 * (int(weight.max(initial=0)) + 1) + self._scale
        values = np.zeros((len(size), width), np.int64)
        if digits <= 18:
            values[:, 0] = np.where(sign == _NEGATIVE, -(total := _narrow(places, len(size))), total)
            values[:, 1:] = values[:, :1] >> 63
        else:
            values[:] = _signed(_wide(places, len(size), width), sign == _NEGATIVE)
        return pa.Array.from_buffers(self.type, len(size), [valid(null), pa.py_buffer(values.data)])

    def _check(self, found: Cells, size: Any, weight: Any, sign: Any, scale: Any) -> None:
        """Raise for a value that the type does not hold."""
        if (sign & _SPECIAL).any():
            raise DataError("A numeric value is NaN or infinite, which no decimal is.", hint=self.HINT)
        fine = scale > self._scale
        if fine.any() and (_significant(found, size, weight)[fine] > self._scale).any():
            raise DataError(
                f"A numeric value has more than {self._scale} digits after the point, which none of the first"
                " rows had.",
                hint=self.HINT,
            )
        most = self.type.precision - self._scale
        if (4 * weight + 4 > most).any() and (_whole(found, weight) > most)[size > 0].any():
            raise DataError(f"A numeric value has too many digits for {self.type}.", hint=self.HINT)


_NEGATIVE, _SPECIAL = 0x4000, 0x8000


def _decimal(precision: int, scale: int) -> Any:
    import pyarrow as pa

    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def _heads(found: Cells) -> tuple[Any, Any, Any, Any]:
    """Number of digits, weight of the first one, sign, scale."""
    import numpy as np

    words = found.words("V8").view(">u2").reshape(-1, 4)
    size, sign, scale = (words[:, place].astype(np.int64) for place in (0, 2, 3))
    return size, words[:, 1].astype(np.int16).astype(np.int64), sign, scale


def _whole(found: Cells, weight: Any) -> Any:
    """Number of digits before the point."""
    first = found.words(">u2", 8)
    return 4 * weight + 1 + (first >= 10) + (first >= 100) + (first >= 1000)


def _significant(found: Cells, size: Any, weight: Any) -> Any:
    """Number of digits behind the point without the zeros at the end."""
    import numpy as np

    digits = np.ndarray((len(found.octets) - 1,), ">u2", found.octets, strides=(1,))
    last = digits[found.begins + 6 + 2 * np.maximum(size, 1)]
    zeros = (last % 10 == 0).astype(int) + (last % 100 == 0) + (last % 1000 == 0)
    return np.where(size > 0, 4 * (size - 1 - weight) - zeros, 0)


def _places(found: Cells, size: Any, weight: Any, scale: int) -> Iterator[tuple[int, Any]]:
    """Yield the digits of all values from the highest place down to ``scale``: what the sum so far is to be
    multiplied by, and what to add. Each is of base 10,000 but for the last, which ends at the scale."""
    import numpy as np

    digits = np.ndarray((len(found.octets) - 1,), ">u2", found.octets, strides=(1,))
    begins = found.begins + 8
    last = -(-scale // 4)
    for place in range(int(weight.max(initial=0)), -last - 1, -1):
        index = weight - place
        there = (index >= 0) & (index < size)
        if there.all():
            digit = digits[begins + 2 * index].astype(np.int64)
        else:
            digit = digits[np.where(there, begins + 2 * index, 0)].astype(np.int64)
            digit *= there
        if place == -last and scale % 4:
            yield 10 ** (scale % 4), digit // 10 ** (4 - scale % 4)
        else:
            yield 10_000, digit


def _narrow(places: Iterable[tuple[int, Any]], count: int) -> Any:
    """Sum up values of at most 18 digits."""
    import numpy as np

    total = np.zeros(count, np.int64)
    for factor, digit in places:
        total *= factor
        total += digit
    return total


def _wide(places: Iterable[tuple[int, Any]], count: int, width: int) -> Any:
    """Sum up values of any length, as ``width`` words of 64 bits each, the lowest first."""
    import numpy as np

    halves = np.zeros((2 * width, count), np.int64)  # of 32 bits each, so that a product fits
    for factor, digit in places:
        carry = digit
        for half in halves:
            carry = half * factor + carry
            half[:] = carry & 0xFFFFFFFF
            carry >>= 32
    return (halves[0::2] | halves[1::2] << 32).T


def _signed(values: Any, negative: Any) -> Any:
    """Return ``values`` as two's complement, those that are ``negative`` below zero."""
    flipped = ~values[negative]
    carry = True
    for word in flipped.T:
        word += carry  # the carry goes on where the word became 0
        carry = (word == 0) & carry
    values[negative] = flipped
    return values


def text(found: Cells, row: int) -> str:
    """Return PostgreSQL's own text of a numeric value."""
    begin = int(found.begins[row])
    size, weight, sign, scale = struct.unpack_from("!HhHH", found.octets, begin)
    if sign & _SPECIAL:
        return {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[sign]
    digits = struct.unpack_from(f"!{size}H", found.octets, begin + 8)
    written = "".join(f"{digit:04}" for digit in digits)
    before = 4 * (weight + 1)
    written = "0" * -before + written if before < 0 else written.ljust(before, "0")
    before = max(before, 0)
    whole, part = written[:before].lstrip("0") or "0", written[before:].ljust(scale, "0")[:scale]
    return f"{'-' * (sign == _NEGATIVE)}{whole}{'.' * bool(scale)}{part}"
