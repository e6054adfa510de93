"""Where the memory of large results comes from, and how it is given back."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["columns_pool", "give_back"]


def columns_pool() -> pa.MemoryPool:
    """Return the pool for columns of many rows.

    Arrow's own choice (mimalloc) asks the kernel for pages of 2 MB, of which the columns of batches leave a
    quarter empty. jemalloc, which is in Arrow's builds for Linux, takes what is needed and gives it back.
    """
    import pyarrow as pa

    try:
        return pa.jemalloc_memory_pool()
    except NotImplementedError:
        return pa.default_memory_pool()


def give_back() -> bool:
    """Give memory that nothing uses any more back to the system; say whether there was any.

    The C library of Linux keeps what threads have let go of, for each of them: a server whose workers come
    and go holds on to more and more of it. It takes milliseconds, and other threads go on meanwhile.
    Elsewhere there is no such call.
    """
    trim = _trim()
    return bool(trim(0)) if trim else False


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows has none of this name
        return None
