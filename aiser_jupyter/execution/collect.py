"""From a reader of batches to one table, under a cap in rows and one in bytes.

Never more than the cap and one batch is held. Whether rows are missing is known, not guessed: after the
last row asked for, one more batch is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..engines.stream import release
from ..errors import OutOfMemory, ResultTooLarge
from ..run import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from ..run import Run

__all__ = ["Collected", "collect"]


@dataclass(frozen=True, slots=True)
class Collected:
    """The rows, and why some are missing, in plain words; "" where none is."""

    table: pa.Table
    truncated: str = ""


def collect(
    reader: pa.RecordBatchReader,
    run: Run,
    *,
    limit: int | None,
    max_bytes: int | None,
    whole: bool,
) -> Collected:
    """Read batches until their end, or until a cap; the reader is closed in any case.

    Parameters
    ----------
    run : Run
        Told how many rows there are; the reader itself stops where the run does.
    limit, max_bytes : int, optional
        Rows, and bytes of Arrow, at most; 0 or None is no limit.
    whole : bool
        True: passing ``max_bytes`` is an error. False: the result is cut there.

    Raises
    ------
    ResultTooLarge, OutOfMemory
        And what the reader raises.
    """
    import pyarrow as pa

    collection = _Collection(limit or None, max_bytes or None, whole)
    try:
        for batch in reader:
            if batch.num_rows and not collection.add(batch):
                break
            run.emit(Progress(rows=collection.rows))
        return Collected(pa.Table.from_batches(collection.batches, reader.schema), collection.truncated)
    except MemoryError as exc:
        raise OutOfMemory(
            f"There is not enough memory for the result; {collection.rows:,} rows were read.",
            hint="Add a LIMIT, or select fewer columns.",
        ) from exc
    finally:
        release(reader)


class _Collection:
    """The batches taken so far."""

    def __init__(self, limit: int | None, max_bytes: int | None, whole: bool) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._whole = whole
        self.batches: list[pa.RecordBatch] = []
        self.rows = 0
        self.bytes = 0
        self.truncated = ""

    def add(self, batch: pa.RecordBatch) -> bool:
        """Take a batch, or the part of it that fits; False where no more is taken."""
        room = batch.num_rows if self._limit is None else min(batch.num_rows, self._limit - self.rows)
        fits = self._fitting(batch.slice(0, room))
        if fits < room and self._whole:
            raise self._too_large(batch)
        if fits:
            part = batch if fits == batch.num_rows else _compact(batch.slice(0, fits))
            self.batches.append(part)
            self.rows += fits
            self.bytes += part.nbytes
        if fits == batch.num_rows:
            return True
        self.truncated = self._cut(f", {_text(self.bytes)}" if fits < room else "")
        return False

    def _fitting(self, batch: pa.RecordBatch) -> int:
        """Return how many rows from the first fit under the byte cap."""
        if self._max_bytes is None or self.bytes + batch.nbytes <= self._max_bytes:
            return int(batch.num_rows)
        low, high = 0, batch.num_rows  # `low` rows fit, `high` do not
        while high - low > 1:
            middle = (low + high) // 2
            if self.bytes + batch.slice(0, middle).nbytes <= self._max_bytes:
                low = middle
            else:
                high = middle
        return low

    def _cut(self, size: str) -> str:
        if self.rows == 0:
            return f"No row is shown: the first one is larger than {_text(self._max_bytes or 0)}."
        shown = "The first row is" if self.rows == 1 else f"The first {self.rows:,} rows are"
        return f"{shown} shown{size}; there are more."

    def _too_large(self, batch: pa.RecordBatch) -> ResultTooLarge:
        rows, size = self.rows + batch.num_rows, self.bytes + batch.nbytes
        return ResultTooLarge(
            f"The result is larger than {_text(self._max_bytes or 0)}: it was stopped at {rows:,} rows "
            f"and {_text(size)}.",
            hint="Add a LIMIT, select fewer columns, or allow more with --max-bytes.",
            rows=rows,
            bytes=size,
        )


def _text(size: int) -> str:
    from ..render.text import bytes_text

    return bytes_text(size)


def _compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Copy a slice, so that it does not keep the whole batch alive."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return pa.ipc.open_stream(sink.getvalue()).read_next_batch()
