"""Rows that arrive from elsewhere: once, in order, and with the error of the source where it fails."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.duckdb.session import DuckDBSession
from aiser_jupyter.engines.federation import Fetch, Plan
from aiser_jupyter.engines.joined import JoinedSession
from aiser_jupyter.engines.stream import stream
from aiser_jupyter.engines.transfer import Source, Transfers
from aiser_jupyter.errors import DataError, QueryCancelled, QueryFailed, UnknownTable
from aiser_jupyter.models import LOCAL, Column, Connection, ConnectionConfig, Remote, Table, TableRef
from aiser_jupyter.run import Run
from aiser_jupyter.sql.conditions import SourceQuery


@pytest.fixture
def shop(tmp_path: Path) -> Connection:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("CREATE TABLE t AS SELECT range AS i, 'x' AS s FROM range(200000)")
        made.execute("CREATE VIEW wrong AS SELECT CAST(s AS INTEGER) AS i FROM t")
    return Connection("1", "me", ConnectionConfig("duckdb", "shop", {"database": str(path)}))


def fetch(shop: Connection, table: str = "t", name: str = "shop.t") -> Fetch:
    remote = Remote(shop, TableRef(table), Table(table, columns=(Column("i", "BIGINT"),)))
    return Fetch(name, remote, SourceQuery("duckdb", "named", (table,), ("i",)), None)


def local() -> DuckDBSession:
    return DuckDBConnector().open(ConnectionConfig("duckdb", LOCAL))


def run(text: str, run: Run, *fetches: Fetch, once: bool) -> list[tuple[object, ...]]:
    session = JoinedSession(local(), Plan(text, {}, once, fetches), None, run)
    table = stream(session, text, {}, run).read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.mark.parametrize("once", [True, False])
def test_streamed_or_kept_the_answer_is_the_same(shop: Connection, once: bool) -> None:
    text = 'SELECT count(*), sum(i), min(i) FROM "shop.t" WHERE i % 2 = 1'
    assert run(text, Run("r"), fetch(shop), once=once) == [(100_000, 10**10, 1)]


@pytest.mark.parametrize(
    "text",
    [
        'SELECT count(*) FROM "shop.t" a JOIN "shop.t" b USING (i)',
        'SELECT count(*) FROM (FROM "shop.t" UNION ALL FROM "shop.t")',
        'WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n, "shop.t" WHERE i = k AND k < 5)'
        " SELECT count(*) FROM n",
    ],
)
def test_a_second_scan_of_a_stream_is_refused_and_never_empty(shop: Connection, text: str) -> None:
    with pytest.raises(QueryFailed, match="its rows arrive once"):
        run(text, Run("r"), fetch(shop), once=True)
    (count,) = run(text, Run("r"), fetch(shop), once=False)[0]
    assert count in (200_000, 400_000, 5)


@pytest.mark.parametrize("once", [True, False])
def test_the_error_of_the_source_names_it(shop: Connection, once: bool) -> None:
    with pytest.raises(DataError, match=r"\Ashop\.wrong: .*'x'"):
        run('SELECT sum(i) FROM "shop.wrong"', Run("r"), fetch(shop, "wrong", "shop.wrong"), once=once)
    with pytest.raises(UnknownTable, match=r"\Ashop\.gone: "):
        run('SELECT sum(i) FROM "shop.gone"', Run("r"), fetch(shop, "gone", "shop.gone"), once=once)


@pytest.mark.parametrize("once", [True, False])
def test_a_table_without_rows_keeps_its_columns(shop: Connection, once: bool) -> None:
    empty = fetch(shop)
    empty = Fetch(empty.name, empty.remote, empty.query.limited("i", ()), None)
    assert run('SELECT count(*), sum(i) FROM "shop.t"', Run("r"), empty, once=once) == [(0, None)]


@pytest.mark.parametrize("once", [True, False])
def test_a_reader_that_is_let_go_leaves_nothing_running(shop: Connection, once: bool) -> None:
    one = Run("r")
    session = JoinedSession(local(), Plan('FROM "shop.t"', {}, once, (fetch(shop),)), None, one)
    reader = stream(session, 'FROM "shop.t"', {}, one)
    assert reader.read_next_batch().num_rows > 0
    session.close()
    assert not one.cancelled  # the run goes on: it has what it wants
    assert not [thread for thread in threading.enumerate() if thread.name == "aiser-fetch"]


def test_a_cancelled_run_says_so(shop: Connection) -> None:
    one = Run("r")
    one.cancel()
    with pytest.raises(QueryCancelled):
        run('FROM "shop.t"', one, fetch(shop), once=False)


def test_rows_that_nobody_takes_are_read_on_until_the_statement_has_ended(shop: Connection) -> None:
    fetched = Transfers(Run("r"), None, ahead=100_000)
    fetched.add(Source("t", shop, "SELECT a.i FROM t AS a, t AS b"))
    first = next(fetched.parts())  # the next batch waits, and then the one after it
    assert first.rows is not None
    end = time.monotonic() + 20
    while fetched.bytes < 2 * first.rows.nbytes or not first.rows.nbytes:
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.2)
    assert fetched.unconfirmed() == ["shop"]
    fetched.close()
    assert fetched.unconfirmed() == []
    assert not [thread for thread in threading.enumerate() if thread.name == "aiser-fetch"]


def test_numbers_that_duckdb_has_no_type_for(tmp_path: Path) -> None:
    path = tmp_path / "wide.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("CREATE TABLE t AS SELECT unnest([1::HUGEINT, -5::HUGEINT, NULL]) AS h")
        made.execute("CREATE TABLE u AS SELECT 170141183460469231731687303715884105727::HUGEINT AS h")
    wide = Connection("2", "me", ConnectionConfig("duckdb", "wide", {"database": str(path)}))
    transfers = Transfers(Run("r"), None)
    transfers.add(Source("t", wide, "SELECT h FROM t"))
    (part,) = [part for part in transfers.parts() if part.rows is not None and part.rows.num_rows]
    assert part.rows is not None
    assert part.rows.schema.field("h").type == pa.decimal128(38, 0)
    transfers.add(Source("u", wide, "SELECT h FROM u"))
    with pytest.raises(DataError, match="u: column 'h' holds a number of more than 38 digits"):
        list(transfers.parts())
    transfers.close()
