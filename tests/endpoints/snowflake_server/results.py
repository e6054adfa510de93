"""Rows as Snowflake sends them: Arrow with its own encodings, the first part inline, the rest in chunks."""

from __future__ import annotations

import base64
import gzip
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import fakesnow.arrow
import pyarrow as pa

CHUNK_ROWS = 50_000
ENDLESS_CHUNKS = 3_000


def ipc(table: pa.Table) -> bytes:
    """Return ``table`` as an Arrow stream."""
    return bytes(fakesnow.arrow.to_ipc(table.combine_chunks()))


def encoded(table: pa.Table, rowtype: list[Any]) -> pa.Table:
    """Return ``table`` in Snowflake's encodings, in which every value may be NULL."""
    columns = []
    for column in table.columns:
        if pa.types.is_timestamp(column.type):
            columns.append(_timestamps(column.combine_chunks().cast(pa.timestamp("us", column.type.tz))))
        elif pa.types.is_time(column.type):
            columns.append(fakesnow.arrow.pc.multiply(column.cast(pa.int64()), 1000))
        elif pa.types.is_null(column.type):
            columns.append(column.cast(pa.string()))
        elif pa.types.is_uint64(column.type):
            columns.append(column.cast(pa.decimal128(38, 0)))
        else:
            columns.append(column)
    fields = [
        pa.field(info["name"], column.type, metadata=_metadata(info))
        for column, info in zip(columns, rowtype, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _metadata(info: Any) -> dict[str, str]:
    return {
        "logicalType": info["type"].upper(),
        "precision": str(info["precision"] or 38),
        "scale": str(info["scale"] or 0),
        "charLength": str(info["length"] or 0),
    }


def _timestamps(array: Any) -> Any:
    """Split microseconds into Snowflake's struct of seconds, nanoseconds and, with a zone, minutes + 1440."""
    whole = array.view(pa.int64()).to_pylist()
    parts = [divmod(each, 1_000_000) if each is not None else (None, None) for each in whole]
    children = [
        pa.array([seconds for seconds, _ in parts], pa.int64()),
        pa.array([None if rest is None else rest * 1000 for _, rest in parts], pa.int32()),
    ]
    names = ["epoch", "fraction"]
    if array.type.tz:
        children.append(pa.array([None if each is None else 1440 for each in whole], pa.int32()))
        names.append("timezone")
    return pa.StructArray.from_arrays(children, names, mask=array.is_null())


class Chunks:
    """Parts of results that the driver fetches by their address; each is made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Callable[[], bytes]] = {}

    def get(self, key: str) -> bytes | None:
        """Return a part, packed; None where there is none."""
        made = self._made.get(key)
        return None if made is None else gzip.compress(made(), 1)

    def split(self, table: pa.Table, base: str) -> dict[str, Any]:
        """Return the part of an answer that has the rows of ``table``."""
        parts = [table.slice(at, CHUNK_ROWS) for at in range(0, max(table.num_rows, 1), CHUNK_ROWS)]
        return self._answer(
            parts[0],
            iter([lambda part=part: ipc(part) for part in parts[1:]]),
            base,
            [part.num_rows for part in parts[1:]],
        )

    def repeat(self, table: pa.Table, base: str) -> dict[str, Any]:
        """Return an answer that never seems to end: the rows of ``table`` again and again."""
        makers = iter([lambda: ipc(table)] * ENDLESS_CHUNKS)
        return self._answer(table, makers, base, [table.num_rows] * ENDLESS_CHUNKS)

    def _answer(
        self, first: pa.Table, makers: Iterator[Callable[[], bytes]], base: str, counts: list[int]
    ) -> dict[str, Any]:
        chunks = []
        for count, maker in zip(counts, makers, strict=True):
            key = secrets.token_urlsafe(12)
            self._made[key] = maker
            sizes = {"uncompressedSize": count * 100 + 1, "compressedSize": count * 20 + 1}
            chunks.append({"url": f"{base}/chunks/{key}", "rowCount": count, **sizes})
        total = first.num_rows + sum(counts)
        found = {
            "queryResultFormat": "arrow",
            "rowsetBase64": base64.b64encode(ipc(first)).decode(),
            "total": total,
            "returned": total,
        }
        return (
            {**found, "chunks": chunks, "chunkHeaders": {"x-amz-test": "1"}, "qrmk": "k"} if chunks else found
        )
