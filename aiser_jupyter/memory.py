"""Where the memory of large results comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["columns_pool"]


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
