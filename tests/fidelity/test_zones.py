"""An instant is the same instant whatever the zone of the server, of the session and of the reader."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.base import Session
from aiser_jupyter.connectors.registry import connector
from tests.fidelity.databases import Database, ask
from tests.fidelity.values import DUCK, MY, PG
from tests.servers.mariadb import MariaDB

ZONES = ("UTC", "Asia/Kolkata", "America/St_Johns")
INSTANTS = (
    "2024-03-10 05:29:59.999999",  # St. John's: the last moment of winter, 01:59:59.999999
    "2024-03-10 05:30:00",  # the first of summer, 03:00
    "2024-11-03 04:00:00",  # 01:30 in summer
    "2024-11-03 05:00:00",  # 01:30 again, in winter
    "2038-01-19 03:14:07",
    "1969-12-31 23:59:59.999999",  # the last one: MySQL's TIMESTAMP begins later
)
GAP, OVERLAP = "2024-03-10 02:30:00", "2024-11-03 01:30:00"
EXPECTED = [dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) for text in INSTANTS]


def instants(column: pa.ChunkedArray[Any]) -> list[dt.datetime]:
    """Return what a column of instants holds, in UTC."""
    assert pa.types.is_timestamp(column.type)
    assert column.type.tz is not None
    return column.cast(pa.timestamp("us", "UTC")).to_pylist()


def read(session: Session, order: str = "n") -> pa.Table:
    return ask(session, f"SELECT moment, naive FROM fidelity_zones ORDER BY {order}").table


def make(session: Session, instant: str, naive: str, suffix: str, texts: Sequence[str] = INSTANTS) -> None:
    """Make a table of the instants, each written with the offset of UTC, and of the same text without."""
    ask(session, "DROP TABLE IF EXISTS fidelity_zones")
    ask(session, f"CREATE TABLE fidelity_zones (n integer, moment {instant}, naive {naive})")
    rows = ", ".join(f"({n}, '{text}{suffix}', '{text}')" for n, text in enumerate(texts))
    ask(session, f"INSERT INTO fidelity_zones VALUES {rows}")


def find_bound(session: Session) -> None:
    """Look each instant up by a bound value that is written in each of the zones."""
    for number, value in enumerate(EXPECTED):
        for zone in ZONES:
            given = {"value": value.astimezone(ZoneInfo(zone))}
            found = ask(session, "SELECT n FROM fidelity_zones WHERE moment = $value", given).table
            assert found.column(0).to_pylist() == [number], (value, zone)


@pytest.fixture(scope="module")
def on_postgresql(filled: Any) -> Iterator[Database]:
    database = filled(PG)
    with database.opened() as session:
        make(session, "timestamptz", "timestamp", "+00")
    yield database
    database.server.admin(f"ALTER ROLE {database.server.user} RESET timezone")
    with database.opened() as session:
        ask(session, "DROP TABLE fidelity_zones")


def fresh(database: Database, **values: Any) -> Any:
    """A login of its own: those of the pool keep the zone that they were opened in."""
    config = database.config(**values)
    return connector(config.type).connect(config, read_only=False, seconds=10)


@pytest.mark.parametrize("zone", ZONES)
def test_postgresql(on_postgresql: Database, zone: str) -> None:
    server = on_postgresql.server
    server.admin(f"ALTER ROLE {server.user} SET timezone = '{zone}'")
    session = fresh(on_postgresql)
    try:
        (found,) = ask(session, "SHOW TimeZone").table.column(0).to_pylist()
        assert found == zone
        table = read(session)
        assert str(table.schema.field("moment").type) == "timestamp[us, tz=UTC]"
        assert instants(table.column("moment")) == EXPECTED
        assert table.column("naive").to_pylist() == [value.replace(tzinfo=None) for value in EXPECTED]
        for local in (GAP, OVERLAP):
            micros = f"(extract(epoch FROM timestamptz '{local}') * 1000000)::bigint"
            row = ask(session, f"SELECT timestamptz '{local}', {micros}").table
            (held,), (number,) = instants(row.column(0)), row.column(1).to_pylist()
            assert held == dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=number)
            assert row.column(0).cast(pa.int64()).to_pylist() == [number]
        find_bound(session)
    finally:
        session.close()


@pytest.mark.parametrize("zone", ZONES)
def test_duckdb(zone: str) -> None:
    with Database(DUCK, None).opened() as session:
        ask(session, f"SET TimeZone = '{zone}'")
        try:
            make(session, "timestamptz", "timestamp", "+00")
            table = read(session)
            assert table.schema.field("moment").type.tz == zone
            assert instants(table.column("moment")) == EXPECTED
            assert table.column("naive").to_pylist() == [value.replace(tzinfo=None) for value in EXPECTED]
            for local in (GAP, OVERLAP):
                row = ask(session, f"SELECT timestamptz '{local}', epoch_us(timestamptz '{local}')").table
                assert row.column(0).cast(pa.int64()).to_pylist() == row.column(1).to_pylist()
            find_bound(session)
        finally:
            ask(session, "RESET TimeZone")
            ask(session, "DROP TABLE IF EXISTS fidelity_zones")


class _StJohns(MariaDB):
    """A MariaDB on a machine in St. John's."""

    def command(self) -> list[str]:
        return ["/usr/bin/env", "TZ=America/St_Johns", *super().command()]


@pytest.fixture(scope="module")
def in_st_johns(mariadb: MariaDB) -> Iterator[Database]:
    """A second server; it can be started where the first one could."""
    server = _StJohns()
    try:
        server.prepare()
        database = Database(MY, server)
        with database.opened() as session:
            make(session, "timestamp(6) null", "datetime(6)", "", INSTANTS[:-1])
        yield database
    finally:
        server.stop()


@pytest.mark.parametrize("zone", ["+00:00", "+05:30", "-03:30", "-02:30"])
def test_mysql_in_a_zone_of_one_offset(in_st_johns: Database, zone: str) -> None:
    with in_st_johns.opened(time_zone=zone) as session:
        answer = ask(session, "SELECT moment, naive, UNIX_TIMESTAMP(moment) FROM fidelity_zones ORDER BY n")
    assert str(answer.table.schema.field("moment").type) == "timestamp[us, tz=UTC]"
    assert instants(answer.table.column("moment")) == EXPECTED[:-1]
    assert answer.table.column("naive").to_pylist() == [value.replace(tzinfo=None) for value in EXPECTED[:-1]]
    assert answer.table.column(2).to_pylist()[2:4] == [int(value.timestamp()) for value in EXPECTED[2:4]]
    assert answer.lossy == []


def test_mysql_in_a_zone_with_two_offsets_says_that_it_is_no_instant(in_st_johns: Database) -> None:
    """Both 04:00 and 05:00 of that day are 01:30 in St. John's, and the server sends no more than that."""
    session = fresh(in_st_johns, time_zone="SYSTEM")
    try:
        answer = ask(session, "SELECT moment FROM fidelity_zones ORDER BY n")
    finally:
        session.close()
    assert str(answer.table.schema.field("moment").type) == "timestamp[us]"
    there = ZoneInfo("America/St_Johns")
    assert answer.table.column("moment").to_pylist() == [
        value.astimezone(there).replace(tzinfo=None) for value in EXPECTED[:-1]
    ]
    (message,) = answer.lossy
    assert "an hour may come twice" in message
    assert "time_zone set to +00:00" in message
