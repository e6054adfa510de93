"""What the server takes from the sandbox's process, and what it does not: that process may not be itself."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.sandbox import wire as sandbox_wire
from aiser_jupyter.connectors.sandbox.wire import Channel, Closed, encode, error_of, pack_error
from aiser_jupyter.errors import DiskFull, QueryFailed, UsageError
from tests.connectors.sandbox_kit import config, fetch, lives, pid_of, sandbox_in


@pytest.mark.parametrize(
    "bytes_",
    [
        b"X" + (8).to_bytes(8) + b'{"a": 1}',
        b"J" + (2**62).to_bytes(8),
        b"J" + (3).to_bytes(8) + b"{{{",
        b"J" + (2).to_bytes(8) + b"[]",
        b"J" + (9).to_bytes(8) + b"{",
        b"J",
        b"",
    ],
    ids=repr,
)
def test_what_is_no_frame_ends_the_talk(bytes_: bytes) -> None:
    here, there = socket.socketpair()
    channel = Channel(here)
    with there:
        there.sendall(bytes_)
    with pytest.raises(Closed):
        channel.receive()
    channel.close()


@pytest.mark.parametrize("kind", ["SystemExit", "object", "nearest", "Exception", "Iterable", "__doc__"])
def test_an_error_that_arrives_is_one_of_ours(kind: str) -> None:
    error = error_of({"kind": kind, "message": "m", "hint": "h", "more": {"args": 1, "rows": "x"}})
    assert type(error) is QueryFailed
    assert (error.message, error.hint) == ("m", "h")


def test_an_error_arrives_whole() -> None:
    sent = DiskFull("Full.", hint="Free some.")
    got = error_of(pack_error(sent))
    assert (type(got), got.message, got.hint, got.retryable) == (DiskFull, "Full.", "Free some.", True)


def test_what_is_not_understood_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sandbox_in(tmp_path) as sandbox:
        fetch(sandbox, "SELECT 1")
        ended = pid_of(sandbox)
        monkeypatch.delitem(sandbox_wire._READ, "decimal")
        session = DuckDBConnector().open(config(sandbox))
        try:
            with pytest.raises(QueryFailed, match="not understood"):
                session.rows("SELECT 1.5")
        finally:
            session.close()
        assert not lives(ended)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, range(3)], ids=["object", "set", "complex", "range"])
def test_what_no_database_binds_is_not_sent(value: Any) -> None:
    with pytest.raises(UsageError):
        encode(value)
