"""The parts of a result: fetched once more where one breaks off, and never a part of them for the whole."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.config import AiserConnections
from aiser_jupyter.connectors.hosts import allow_hosts
from aiser_jupyter.connectors.snowflake import storage as storage_module
from aiser_jupyter.connectors.snowflake.storage import Broken, Storage
from aiser_jupyter.errors import AiserError, ConfigError, ConnectionLost, DeadlineExceeded, TLSFailed
from aiser_jupyter.run import Run
from tests.connectors.snowflake_kit import (
    KIND,
    chunk,
    column,
    config,
    encoded,
    lay_rows,
    opened,
    read,
    stream,
)
from tests.servers.certificates import Authority
from tests.servers.leaks import eventually, nothing_left_behind, threads
from tests.servers.proxy import Proxy

COLUMNS = [column("X", "fixed", precision=38, scale=0)]
ROWS = encoded("FIXED", pa.array(range(1000), pa.int64()), precision=38, scale=0)
NONE = ROWS.slice(0, 0)
SHORT = {"headers": {"Content-Length": "1000000"}}
BUSY = 5.0
"""Seconds that a busy machine may take for what takes a moment."""


@pytest.fixture
def session(snowflake: Any) -> Iterator[Any]:
    with opened(snowflake) as session:
        snowflake.look()
        yield session


@pytest.fixture(autouse=True)
def nothing_laid(snowflake: Any) -> Iterator[None]:
    yield
    snowflake.lay()


def text(table: pa.Table) -> str:
    return base64.b64encode(stream(table)).decode()


def packed(table: pa.Table, end: int | None = None) -> str:
    return base64.b64encode(gzip.compress(stream(table))[:end]).decode()


def lay(server: Any, *broken: dict[str, Any], parts: int = 4, port: int = 0) -> None:
    """Lay down a result of some parts, and what is answered first for its chunks."""
    lay_rows(server, "laid", COLUMNS, *[ROWS] * parts, port=port)
    server.ask("/test/answer/first", list(broken))


def asked(server: Any, place: int) -> int:
    """Return how often a chunk was asked for since the last time."""
    return [key for key, _ in server.look()["chunks"]].count(f"laid{place}")


BROKEN: dict[str, dict[str, Any]] = {
    "it is shorter than its length": chunk(1, text(ROWS), **SHORT),
    "it is no Arrow": chunk(1, "AAAA"),
    "it is packed, and broken": chunk(1, base64.b64encode(b"\x1f\x8b\x08\x00 and so on").decode()),
    "it is packed, and ends before its time": chunk(1, packed(ROWS, -20)),
    "rows are missing": chunk(1, text(ROWS.slice(1))),
    "the stream ends before its time": chunk(1, text(NONE)),
    "the storage is busy": chunk(1, "", status=503),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_part_that_breaks_is_fetched_once_more(snowflake: Any, session: Any, what: str) -> None:
    lay(snowflake, {**BROKEN[what], "times": 1})
    assert read(session, "SELECT laid").table.num_rows == 4 * ROWS.num_rows
    assert asked(snowflake, 1) == 2


@pytest.mark.parametrize("what", BROKEN)
def test_a_part_that_breaks_twice_is_no_result(snowflake: Any, session: Any, what: str) -> None:
    lay(snowflake, {**BROKEN[what], "times": 9})
    began = time.monotonic()
    with pytest.raises(ConnectionLost) as caught:
        read(session, "SELECT laid")
    assert time.monotonic() - began < BUSY
    assert caught.value.retryable
    assert asked(snowflake, 1) == 2
    snowflake.lay()
    with opened(snowflake) as other:
        assert read(other, "SELECT 1").table.num_rows == 1


@pytest.mark.parametrize("values", [range(10_000), [7] * 1_000_000])
def test_a_packed_part_is_read_whole_however_small_it_is(
    snowflake: Any, session: Any, values: Sequence[int]
) -> None:
    rows = encoded("FIXED", pa.array(values, pa.int64()), precision=38, scale=0)
    lay_rows(snowflake, "laid", COLUMNS, NONE, rows)
    snowflake.ask("/test/answer/first", [chunk(0, packed(rows), times=9)])
    assert read(session, "SELECT laid").table.column(0).cast(pa.int64()).to_pylist() == list(values)


@pytest.mark.parametrize("answer", [{"status": 403}, {"status": 302, "headers": {"Location": "/stolen"}}])
def test_a_part_that_is_refused_is_not_asked_for_again(
    snowflake: Any, session: Any, answer: dict[str, Any]
) -> None:
    lay(snowflake, chunk(1, "", times=9, **answer))
    with pytest.raises(ConnectionLost, match=str(answer["status"])):
        read(session, "SELECT laid")
    seen = snowflake.look()
    assert [key for key, _ in seen["chunks"]].count("laid1") == 1
    assert seen["requests"] == [], "a redirect is not followed"


def test_a_storage_learns_nothing_of_the_session(snowflake: Any, session: Any) -> None:
    lay(snowflake)
    read(session, "SELECT laid")
    for _, headers in snowflake.look()["chunks"]:
        names = {name for name, _ in headers}
        assert names == {"host", "accept", "accept-encoding"}


def test_the_headers_of_a_part_are_sent(snowflake: Any, session: Any) -> None:
    """With some of them a storage unseals what it keeps."""
    read(session, "SELECT SEQ8() AS i FROM TABLE(GENERATOR(ROWCOUNT => 60000))")
    ((_, headers),) = snowflake.look()["chunks"]
    assert ["x-amz-test", "1"] in headers


@pytest.mark.parametrize("mode", ["rst", "fin"])
def test_a_storage_that_breaks_off_is_no_end(snowflake: Any, mode: str) -> None:
    with (
        Proxy(("127.0.0.1", snowflake.port), mode, after=5000) as proxy,
        closing(KIND.fresh(config(snowflake))) as session,
    ):
        lay(snowflake, port=proxy.port)
        began = time.monotonic()
        with pytest.raises(ConnectionLost, match="broke off"):
            read(session, "SELECT laid")
        assert time.monotonic() - began < BUSY
        proxy.set("pass")
        with opened(snowflake) as other:
            assert read(other, "SELECT laid").table.num_rows == 4 * ROWS.num_rows


def test_a_silent_storage_holds_nobody(snowflake: Any) -> None:
    with (
        Proxy(("127.0.0.1", snowflake.port), "blackhole", after=5000) as proxy,
        closing(KIND.fresh(config(snowflake))) as session,
    ):
        lay(snowflake, port=proxy.port)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            read(session, "SELECT laid", timeout=1)
        assert time.monotonic() - began < 2 + BUSY
        # while the storage is as silent as before
        assert eventually(lambda: "aiser-read-ahead" not in threads())


def test_a_result_that_is_left_fetches_nothing_more(snowflake: Any) -> None:
    with nothing_left_behind(), closing(KIND.fresh(config(snowflake))) as session:
        lay(snowflake, parts=50)
        snowflake.look()
        with session.execute("SELECT laid", (), Run("test")) as reader:
            assert reader.read_next_batch().num_rows == ROWS.num_rows
        assert len(snowflake.look()["chunks"]) < 20


@pytest.mark.parametrize("parts", [[NONE, ROWS], [NONE, NONE, ROWS, NONE], [NONE, NONE], [NONE]])
def test_a_part_may_be_without_rows(snowflake: Any, session: Any, parts: list[pa.Table]) -> None:
    lay_rows(snowflake, "laid", COLUMNS, *parts)
    found = read(session, "SELECT laid").table
    assert found.schema.types == [pa.decimal128(38, 0)]
    assert found.num_rows == sum(part.num_rows for part in parts)


# -- where it leads --------------------------------------------------------------------------------------


def test_a_storage_is_held_to_the_rules_of_a_host(tmp_path: Path, snowflake: Any) -> None:
    values = config(snowflake).values
    place = f"127.0.0.1:{snowflake.port}/chunks/x"
    other = Storage({**values, "ssl_ca": Authority(tmp_path / "ca").pem})
    with pytest.raises(TLSFailed):
        other.fetch(f"https://{place}", {})
    with pytest.raises(ConfigError, match="TLS is off"):
        Storage(values).fetch("http://192.0.2.1/x", {})
    with pytest.raises((AiserError, Broken)):
        Storage(values).fetch("file:///etc/hostname", {})
    try:
        allow_hosts(AiserConnections(allowed_hosts=["*.example"]))
        with pytest.raises(ConfigError, match="not allowed"):
            Storage(values).fetch(f"https://{place}", {})
    finally:
        allow_hosts(AiserConnections())


def test_a_clouds_storage_need_not_be_listed(monkeypatch: pytest.MonkeyPatch, snowflake: Any) -> None:
    monkeypatch.setattr(storage_module, "_CLOUDS", (".0.0.1",))
    try:
        allow_hosts(AiserConnections(allowed_hosts=["*.example"]))
        with pytest.raises(ConnectionLost, match="HTTP 403"):  # it was asked
            Storage(config(snowflake).values).fetch(f"https://127.0.0.1:{snowflake.port}/chunks/none", {})
    finally:
        allow_hosts(AiserConnections())


def test_nothing_is_fetched_from_a_storage_that_is_closed(snowflake: Any) -> None:
    storage = Storage(config(snowflake).values)
    storage.close()
    with Proxy(("127.0.0.1", snowflake.port)) as proxy:
        with pytest.raises(Broken):
            storage.fetch(f"https://127.0.0.1:{proxy.port}/chunks/x", {})
        assert proxy.connections == 0
