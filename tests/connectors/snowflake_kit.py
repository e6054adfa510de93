"""What the tests of Snowflake share: connections to its endpoint, and answers in its own encodings."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.connectors.snowflake import SnowflakeConnector
from aiser_jupyter.models import ConnectionConfig, Notice
from aiser_jupyter.run import Run
from tests.conformance.snowflake import config as config_of

KIND = connector("snowflake")
assert isinstance(KIND, SnowflakeConnector)


def config(server: Any, **changed: Any) -> ConnectionConfig:
    """Return a connection to the endpoint; a value of None leaves a field out."""
    return config_of(Path(), server, **changed)


@dataclass(frozen=True)
class Read:
    """What came of a statement."""

    table: pa.Table
    events: list[Any]

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]


def read(session: Any, sql: str, parameters: Any = (), **about: Any) -> Read:
    """Run a statement, and return all of it, with what was told meanwhile."""
    events: list[Any] = []
    run = Run("test", emit=events.append, **about)
    with session.execute(sql, parameters, run) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return Read(table, events)


@contextmanager
def opened(server: Any, **changed: Any) -> Iterator[Any]:
    """Yield a session of the endpoint."""
    with closing(KIND.open(config(server, **changed))) as session:
        yield session


def column(name: str, kind: str, **about: Any) -> dict[str, Any]:
    """Declare a column of an answer as the service does."""
    unknown = {"length": None, "byteLength": None, "precision": None, "scale": None, "nullable": True}
    return {"name": name, "type": kind, **unknown, **about}


def lay_rows(
    server: Any,
    pattern: str,
    columns: Sequence[Any],
    *parts: pa.Table,
    times: int = 9,
    seconds: float = 0,
    port: int = 0,
) -> None:
    """Have the endpoint answer ``pattern`` with ``parts``: the first inline, the others in chunks.

    The statement takes so many ``seconds``; the chunks are at another ``port`` if one is given.
    """
    texts = [base64.b64encode(stream(part)).decode() for part in parts]
    chunks = [
        {
            "url": f"https://127.0.0.1:{port or server.port}/chunks/laid{place}",
            "rowCount": part.num_rows,
            "uncompressedSize": 1000,
            "compressedSize": 1000,
        }
        for place, part in enumerate(parts[1:])
    ]
    total = sum(part.num_rows for part in parts)
    data = {
        "rowtype": list(columns),
        "rowsetBase64": texts[0],
        "total": total,
        "returned": total,
        "queryResultFormat": "arrow",
        "statementTypeId": 0x1000,
    }
    if chunks:
        data |= {"chunks": chunks, "chunkHeaders": {}, "qrmk": "k"}
    answer = {"what": "statement", "pattern": pattern, "times": times, "answer": {"data": data}}
    laid: list[dict[str, Any]] = [{**answer, "seconds": seconds}]
    laid += [chunk(place, text, times=99) for place, text in enumerate(texts[1:])]
    server.lay(*laid)


def chunk(place: int, text: str, **about: Any) -> dict[str, Any]:
    """Return an answer to lay down for a chunk of `lay_rows`, from 0 on; ``text`` is base64."""
    return {"what": "chunk", "pattern": rf"\Alaid{place}\Z", "base64": text, **about}


def stream(table: pa.Table) -> bytes:
    """Return ``table`` as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def encoded(kind: str, values: pa.Array, **about: Any) -> pa.Table:
    """Return one column ``X`` in the service's encoding: its logical type is in the field's metadata."""
    metadata = {"logicalType": kind, "nullable": "true"} | {name: str(value) for name, value in about.items()}
    return pa.table([values], schema=pa.schema([pa.field("X", values.type, metadata=metadata)]))


def inner(name: str, kind: str, type_: Any, **about: Any) -> pa.Field:
    """Return a field inside a structured type, as Snowflake sends it: with metadata of its own."""
    return pa.field(
        name, type_, metadata={"logicalType": kind, **{key: str(it) for key, it in about.items()}}
    )
