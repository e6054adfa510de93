"""Any value that is bound comes back as it went in: by value, by type, and NULL where it was NULL."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiser_jupyter.config import Settings
from aiser_jupyter.models import Query
from aiser_jupyter.services import Services, build
from tests.fidelity.databases import Database
from tests.fidelity.values import DUCK, MY, PG, f32, same, values_of

TABLE = "fidelity_bound"
Values = st.SearchStrategy[Any]


@dataclass(frozen=True)
class Kind:
    """A declared type, the Arrow type that it is, and values for it."""

    type: str
    arrow: str
    values: Values


def _whole(bits: int, *, signed: bool = True) -> Values:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


def _decimals(digits: int, scale: int) -> Values:
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda number: Decimal(number).scaleb(-scale, _WIDE))


_WIDE = Context(prec=100)
_NAIVE = st.datetimes()
_AWARE = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29), timezones=st.timezones())
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
_SPAN = st.timedeltas(dt.timedelta(days=-100_000), dt.timedelta(days=100_000))
_LENGTH = st.timedeltas(dt.timedelta(hours=-838), dt.timedelta(hours=838))
_COMMON = (("decimal(5,2)", 5, 2), ("decimal(38,9)", 38, 9), ("decimal(18,0)", 18, 0))


def _shared(names: dict[str, str]) -> Iterator[Kind]:
    """What all three have, under each its own name."""
    for bits, word in ((16, "smallint"), (32, "integer"), (64, "bigint")):
        yield Kind(word, f"int{bits}", _whole(bits))
    for word, digits, scale in _COMMON:
        yield Kind(word, f"decimal128({digits}, {scale})", _decimals(digits, scale))
    yield Kind("date", "date32[day]", st.dates())
    yield Kind(names["timestamp"], "timestamp[us]", _NAIVE)
    yield Kind(names["text"], "string", _TEXT)
    yield Kind(names["bytes"], "binary", st.binary(max_size=40))


KINDS: dict[str, tuple[Kind, ...]] = {
    PG: (
        *_shared({"timestamp": "timestamp", "text": "text", "bytes": "bytea"}),
        Kind("boolean", "bool", st.booleans()),
        Kind("oid", "uint32", _whole(32, signed=False)),
        Kind("real", "float", st.floats(width=32)),
        Kind("double precision", "double", _NUMBERS),
        Kind("numeric(60,20)", "decimal256(60, 20)", _decimals(60, 20)),
        Kind("timestamptz", "timestamp[us, tz=UTC]", _AWARE),
        Kind("time", "time64[us]", st.times()),
        Kind("interval", "month_day_nano_interval", _SPAN),
        Kind("uuid", "extension<arrow.uuid>", st.uuids()),
        Kind("integer[]", "list<item: int32>", st.lists(st.none() | _whole(32), max_size=5)),
        Kind("text[]", "list<item: string>", st.lists(st.none() | _TEXT, max_size=5)),
    ),
    MY: (
        *_shared({"timestamp": "datetime(6)", "text": "text character set utf8mb4", "bytes": "blob"}),
        Kind("tinyint", "int8", _whole(8)),
        Kind("tinyint unsigned", "uint8", _whole(8, signed=False)),
        Kind("bigint unsigned", "uint64", _whole(64, signed=False)),
        Kind("double", "double", _FLOATS.map(lambda value: value + 0.0)),
        Kind("decimal(65,30)", "decimal256(65, 30)", _decimals(65, 30)),
        Kind("time(6)", "duration[us]", _LENGTH),
        Kind("varchar(40)", "string", _TEXT),
    ),
    DUCK: (
        *_shared({"timestamp": "timestamp", "text": "varchar", "bytes": "blob"}),
        Kind("boolean", "bool", st.booleans()),
        Kind("tinyint", "int8", _whole(8)),
        Kind("ubigint", "uint64", _whole(64, signed=False)),
        Kind("hugeint", "decimal256(39, 0)", _whole(128)),
        Kind("float", "float", st.floats(width=32)),
        Kind("double", "double", _NUMBERS),
        Kind("timestamptz", "timestamp[us, tz=UTC]", _AWARE),
        Kind("time", "time64[us]", st.times()),
        Kind("interval", "month_day_nano_interval", _SPAN),
        Kind("uuid", "extension<arrow.uuid>", st.uuids()),
        Kind("integer[]", "list<l: int32>", st.lists(st.none() | _whole(32), max_size=5)),
    ),
}
Rows = list[dict[str, Any]]


@st.composite
def rows_for(draw: st.DrawFn, name: str) -> Rows:
    """Up to four rows of up to six columns, each value or NULL."""
    places = draw(st.lists(st.integers(0, len(KINDS[name]) - 1), min_size=1, max_size=6, unique=True))
    row = st.fixed_dictionaries({f"c{place}": st.none() | KINDS[name][place].values for place in places})
    return draw(st.lists(row, min_size=1, max_size=4))


class Bound:
    """A table of every type in one database, and the service that writes and reads it."""

    def __init__(self, database: Database, services: Services) -> None:
        self.database, self.services, self._case = database, services, 0
        self.connection = "local" if database.server is None else "source"
        columns = ", ".join(f"c{place} {kind.type} NULL" for place, kind in enumerate(KINDS[database.name]))
        self.run(f"DROP TABLE IF EXISTS {TABLE}")
        self.run(f"CREATE TABLE {TABLE} (number bigint, place bigint, {columns})")

    def run(self, text: str, **variables: Any) -> pa.Table:
        query = Query(text, connection=self.connection, variables=variables, whole=True)
        table = self.services.queries.run(query).table
        table.validate(full=True)
        return table

    def there_and_back(self, rows: Rows) -> pa.Table:
        """Insert with bound values, and read."""
        self._case += 1
        names = list(rows[0])
        variables = {f"v{at}_{name}": row[name] for at, row in enumerate(rows) for name in names}
        values = ", ".join(
            f"({self._case}, {at}, {', '.join(f'{{{{ v{at}_{name} }}}}' for name in names)})"
            for at in range(len(rows))
        )
        self.run(f"INSERT INTO {TABLE} (number, place, {', '.join(names)}) VALUES {values}", **variables)
        mine = "number = {{ mine }}"
        return self.run(
            f"SELECT {', '.join(names)} FROM {TABLE} WHERE {mine} ORDER BY place", mine=self._case
        )


@pytest.fixture(scope="module")
def bound(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bound]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISER_STORE", str(tmp_path_factory.mktemp("store")))
        services = build(Settings())
        if database.server is not None:
            services.connections.create(database.config(), tested=False)
        made = Bound(database, services)
        yield made
        made.run(f"DROP TABLE {TABLE}")
        services.close()


def arrived(value: Any, kind: str) -> Any:
    """Return the value of Arrow that a bound value is."""
    if value is None:
        return None
    if kind == "month_day_nano_interval":
        return pa.MonthDayNano([0, value.days, (value.seconds * 10**6 + value.microseconds) * 1000])
    if kind.startswith("timestamp[us, tz"):
        return value.astimezone(dt.UTC)
    if kind == "decimal256(39, 0)":
        return Decimal(value)
    return f32(value) if kind == "float" else value


def check(bound: Bound, rows: Rows) -> None:
    table = bound.there_and_back(rows)
    kinds = KINDS[bound.database.name]
    for name in rows[0]:
        kind, column = kinds[int(name[1:])], table.column(name)
        assert re.sub(r"tz=[^\]]+", "tz=UTC", str(column.type)) == kind.arrow  # DuckDB's is the machine's
        expected = [arrived(row[name], kind.arrow) for row in rows]
        found = values_of(column)
        if kind.arrow.startswith("timestamp[us, tz"):
            found = [value and value.astimezone(dt.UTC) for value in found]
        assert [value is None for value in found] == [value is None for value in expected]
        assert same(found, expected), (kind.type, found, expected)


def examined(bound: Bound, examples: int) -> None:
    @given(rows_for(bound.database.name))
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def each(rows: Rows) -> None:
        check(bound, rows)

    each()


def test_rows_come_back_as_they_went_in(bound: Bound) -> None:
    examined(bound, 60)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_many_rows_come_back_as_they_went_in(bound: Bound) -> None:
    examined(bound, 2_000)
