"""Values that drivers are known to change, each with what must arrive of it.

A `Case` is one value, with a `Cell` for every database that has a type for it.
A value that Python has no object for is `Stored`: the integer that Arrow has.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from tests.fidelity.values import (
    DAY_MICROS,
    MDN,
    TS,
    TZ,
    Case,
    Cell,
    Stored,
    case,
    days,
    f32,
    micros,
)

__all__ = ["CASES", "cells", "label", "readable"]

D = Decimal
UTC = dt.UTC
INFINITE, ZERO, DAY24 = "1 infinite value shown", "1 zero or partial date shown", "1 24:00:00 value shown"
SIX = "prints six digits"


def _integers() -> Iterator[Case]:
    for bits, pg, my in (
        (8, "", "tinyint"),
        (16, "smallint", "smallint"),
        (32, "integer", "int"),
        (64, "bigint", "bigint"),
    ):
        for word, value in (("least", -(2 ** (bits - 1))), ("most", 2 ** (bits - 1) - 1)):
            databases = {"my": my, "duck": f"int{bits // 8}", **({"pg": pg} if pg else {})}
            yield case(f"int{bits} {word}", value, f"'{value}'", f"int{bits}", **databases)
        unsigned = {"my": f"{my} unsigned", "duck": f"uint{bits}"}
        if bits == 32:
            unsigned["pg"] = "oid"
        value = 2**bits - 1
        yield case(f"uint{bits} most", value, f"'{value}'", f"uint{bits}", **unsigned)
    yield case("int24 least", -(2**23), "-8388608", "int32", my="mediumint")
    yield case("uint24 most", 2**24 - 1, "16777215", "uint32", my="mediumint unsigned")
    yield case("past 2^53", 2**53 + 1, f"{2**53 + 1}", "int64", pg="bigint", my="bigint", duck="bigint")
    yield case("hugeint least", D(-(2**127)), f"'{-(2**127)}'", "decimal256(39, 0)", duck="hugeint")
    yield case("hugeint most", D(2**127 - 1), f"'{2**127 - 1}'", "decimal256(39, 0)", duck="hugeint")
    yield case("uhugeint most", D(2**128 - 1), f"'{2**128 - 1}'", "decimal256(39, 0)", duck="uhugeint")
    yield case("bignum", "-" + "7" * 100, f"'-{'7' * 100}'", "string", duck="bignum")
    yield case("true", True, "true", "bool", pg="boolean", duck="boolean")
    yield case("tinyint(1) of 2", 2, "2", "int8", my="tinyint(1)")
    yield case("zerofill", 7, "7", "uint32", my="int(6) zerofill")


def _decimals() -> Iterator[Case]:
    def decimal(precision: int, scale: int, text: str, *keys: str) -> Case:
        databases = dict.fromkeys(keys, f"decimal({precision},{scale})")
        wide = 128 if precision <= 38 else 256
        arrow = f"decimal{wide}({precision}, {scale})"
        return case(f"decimal {precision},{scale} {text[:9]}", D(text), f"'{text}'", arrow, **databases)

    every = ("pg", "my", "duck")
    yield decimal(1, 0, "-9", *every)
    yield decimal(1, 1, "0.9", *every)
    yield decimal(5, 2, "-123.45", *every)
    yield decimal(10, 4, "1.1000", *every)
    yield decimal(10, 2, "0.00", *every)
    yield decimal(18, 18, "-0.000000000000000001", *every)
    yield decimal(19, 0, "9999999999999999999", *every)
    yield decimal(38, 0, "9" * 38, *every)
    yield decimal(38, 0, "-" + "9" * 38, *every)
    yield decimal(38, 9, "-" + "8" * 29 + ".123456789", *every)
    yield decimal(38, 38, "0." + "9" * 38, "pg", "duck")
    yield decimal(39, 0, "9" * 39, "pg", "my")
    yield decimal(40, 2, "-" + "9" * 38 + ".99", "pg", "my")
    yield decimal(65, 30, "9" * 35 + "." + "9" * 30, "pg", "my")
    yield decimal(65, 0, "-" + "1" * 65, "pg", "my")
    yield decimal(76, 0, "9" * 76, "pg")
    yield decimal(76, 38, "-" + "9" * 38 + "." + "0" * 37 + "1", "pg")
    yield case("decimal 77", "9" * 77, f"'{'9' * 77}'", "string", pg="numeric(77,0)")
    yield case("decimal unsigned", D("99.9"), "99.9", "decimal128(3, 1)", my="decimal(3,1) unsigned")
    yield case("negative scale", D("12300"), "12345", "decimal128(7, 0)", pg="numeric(5,-2)")
    yield case("scale past digits", D("0.00123"), "0.00123", "decimal128(5, 5)", pg="numeric(3,5)")
    plain = {"type": "numeric", "open": True}
    yield case("plain numeric", D("1.50"), "1.50", "decimal128(38, 2)", pg=plain)
    yield case("plain numeric 70", D("1" * 60 + ".5"), f"{'1' * 60}.5", "decimal256(76, 1)", pg=plain)
    long = {**plain, "lossy": "needs more than 76 digits"}
    yield case("plain numeric 90", "1" * 90 + ".5", f"{'1' * 90}.5", "string", pg=long)
    told = {**plain, "lossy": "holds NaN or Infinity"}
    for word in ("NaN", "Infinity", "-Infinity"):
        yield case(f"plain numeric {word}", word, f"'{word}'", "string", pg=told)
    yield case("numeric(8,2) NaN", None, "'NaN'", "", pg={"type": "numeric(8,2)", "error": "NaN or infinite"})


def _floats() -> Iterator[Case]:
    for text in ("3.4028235e38", "-3.4028235e38", "1.1754944e-38", "1e-45", "0.1", "0.33333334", "16777216"):
        value = f32(float(text))
        databases: dict[str, Any] = {"pg": "real", "duck": "float"}
        if text in ("0.1",):
            databases["my"] = {"type": "float", "lossy": SIX}
        if text == "16777216":
            databases["my"] = {"type": "float", "lossy": SIX, "value": 16777200.0}
        yield case(f"float32 {text}", value, f"'{text}'", "float", **databases)
    for text in (
        "1.7976931348623157e308",
        "2.2250738585072014e-308",
        "0.1",
        "0.30000000000000004",
        "1e23",
        "-9007199254740993",
        "5e-324",
    ):
        databases = {"pg": "double precision", "my": "double", "duck": "double"}
        yield case(f"float64 {text}", float(text), f"'{text}'", "double", **databases)
    for text in ("NaN", "Infinity", "-Infinity", "-0"):
        value = float(text)
        yield case(f"float32 {text}", value, f"'{text}'", "float", pg="real", duck="float")
        yield case(f"float64 {text}", value, f"'{text}'", "double", pg="double precision", duck="double")


def _dates() -> Iterator[Case]:
    def date(text: str, value: Any, *keys: str, **more: Any) -> Case:
        databases = {key: {"type": "date", **more} for key in keys}
        return case(f"date {text}", value, f"'{text}'", "date32[day]", **databases)

    every = ("pg", "my", "duck")
    for text in (
        "2024-02-29", "0001-01-01", "9999-12-31", "1582-10-10", "1900-02-28", "1969-12-31", "0099-12-31",
    ):  # fmt: skip
        yield date(text, dt.date.fromisoformat(text), *every)
    yield date("20000-01-01", days(20000, 1, 1), "pg", "duck")
    yield date("0044-03-15 BC", days(-43, 3, 15), "pg")
    yield date("0044-03-15 (BC)", days(-43, 3, 15), "duck")
    yield date("4713-11-24 BC", Stored(-2_440_222), "pg")
    yield date("5874897-12-31", Stored(2_145_042_905), "pg")
    yield date("5877642-06-25 (BC)", Stored(-(2**31) + 2), "duck")
    yield date("5881580-07-10", Stored(2**31 - 2), "duck")
    for text in ("infinity", "-infinity"):
        yield date(text, None, "pg", "duck", lossy=INFINITE)
    for text in ("0000-00-00", "2024-00-10", "2024-02-00", "0000-01-01"):
        yield date(text, None, "my", lossy=ZERO)


def _moment(text: str, value: Any, arrow: str = TS, **databases: Any) -> Case:
    return case(f"timestamp {text}", value, f"'{text}'", arrow, **databases)


def _timestamps() -> Iterator[Case]:
    moment = _moment
    names = {"pg": "timestamp", "my": "datetime(6)", "duck": "timestamp"}
    for text in (
        "2024-02-29 12:34:56.789012", "1969-12-31 23:59:59.999999", "0001-01-01 00:00:00",
        "9999-12-31 23:59:59.999999", "1582-10-10 00:00:00.000001",
    ):  # fmt: skip
        yield moment(text, dt.datetime.fromisoformat(text), **names)
    second = dt.datetime(2024, 2, 29, 12, 34, 56)
    yield moment("2024-02-29 12:34:56", second, "timestamp[s]", duck="timestamp_s")
    yield moment("2024-02-29 12:34:56", second, my="datetime", pg="timestamp(0)")
    milli = second.replace(microsecond=789_000)
    yield moment("2024-02-29 12:34:56.789", milli, "timestamp[ms]", duck="timestamp_ms")
    yield moment("2024-02-29 12:34:56.789", milli, my="datetime(3)", pg="timestamp(3)")
    nano = int(second.replace(tzinfo=UTC).timestamp()) * 10**9 + 789_012_345
    yield moment("2024-02-29 12:34:56.789012345", Stored(nano), "timestamp[ns]", duck="timestamp_ns")
    yield moment("1677-09-22 00:00:00.000000001", Stored(-9223286399999999999), "timestamp[ns]",
                 duck="timestamp_ns")  # fmt: skip
    yield moment("2262-04-11 23:47:16.854775806", Stored(2**63 - 2), "timestamp[ns]", duck="timestamp_ns")
    yield moment("0044-03-15 12:00:00 BC", micros(-43, 3, 15, DAY_MICROS // 2), pg="timestamp")
    yield moment("0044-03-15 (BC) 12:00:00", micros(-43, 3, 15, DAY_MICROS // 2), duck="timestamp")
    yield moment("294246-12-31 00:00:00", micros(294246, 12, 31), pg="timestamp", duck="timestamp")
    yield moment("294276-12-31 00:00:00", None, pg={"type": "timestamp", "error": "too far in the future"})
    for text in ("infinity", "-infinity"):
        lost = {"lossy": INFINITE}
        yield moment(text, None, pg={"type": "timestamp", **lost}, duck={"type": "timestamp", **lost})
        yield moment(f"{text}", None, TZ, pg={"type": "timestamptz", **lost},
                     duck={"type": "timestamptz", **lost})  # fmt: skip
        yield moment(text, None, "timestamp[ns]", duck={"type": "timestamp_ns", **lost})
    for text in ("0000-00-00 00:00:00", "2024-02-00 12:00:00", "0000-05-05 01:00:00"):
        yield moment(text, None, my={"type": "datetime(6)", "lossy": ZERO})
    yield moment("0000-00-00 00:00:00", None, TZ, my={"type": "timestamp null", "lossy": ZERO})
    yield from _instants()


def _instants() -> Iterator[Case]:
    moment = _moment
    instant = dt.datetime(2024, 3, 31, 0, 30, 0, 123456, tzinfo=UTC)
    zones = {"pg": "timestamptz", "duck": "timestamptz"}
    yield moment("2024-03-31 02:30:00.123456+02", instant, TZ, **zones)
    yield moment("2024-03-31 06:00:00.123456+05:30", instant, TZ, **zones)
    yield moment("2024-03-31 00:30:00.123456", instant, TZ, my="timestamp(6) null")
    yield moment("1970-01-01 00:00:01", dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), TZ, my="timestamp null")
    yield moment("2038-01-19 03:14:07", dt.datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC), TZ,
                 my="timestamp null")  # fmt: skip
    yield moment("9999-12-31 23:59:59.999999+00", dt.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), TZ,
                 **zones)  # fmt: skip
    yield moment("0044-03-15 12:00:00+00 BC", micros(-43, 3, 15, DAY_MICROS // 2), TZ, pg="timestamptz")


def _times() -> Iterator[Case]:
    def time(text: str, value: Any, arrow: str = "time64[us]", **databases: Any) -> Case:
        return case(f"time {text}", value, f"'{text}'", arrow, **databases)

    for text in ("12:34:56.789012", "00:00:00", "23:59:59.999999"):
        value = dt.time.fromisoformat(text)
        length = dt.timedelta(0, value.hour * 3600 + value.minute * 60 + value.second, value.microsecond)
        my = {"type": "time(6)", "arrow": "duration[us]", "value": length}
        yield time(text, value, pg="time", duck="time", my=my)
    lost = {"type": "time", "lossy": DAY24}
    yield time("24:00:00", None, pg=lost, duck=lost)
    for text, value in (
        ("24:00:00", dt.timedelta(1)),
        ("-838:59:59", -dt.timedelta(0, 838 * 3600 + 59 * 60 + 59)),
        ("838:59:59", dt.timedelta(0, 838 * 3600 + 59 * 60 + 59)),
        ("-00:00:00.000001", dt.timedelta(0, 0, -1)),
        ("-100:00:00.5", -dt.timedelta(0, 360_000, 500_000)),
    ):
        yield time(text, value, "duration[us]", my="time(6)")
    yield time("12:34:56.789012345", Stored(45_296_789_012_345), "time64[ns]", duck="time_ns")
    yield time("12:30:00+05:30", "12:30:00+05:30", "string", pg="timetz", duck="timetz")
    yield time("23:59:59.999999-15:59", "23:59:59.999999-15:59", "string", pg="timetz", duck="timetz")
    yield time("24:00:00-03:30", "24:00:00-03:30", "string", pg="timetz", duck="timetz")
    for text, value in (
        ("1 year 2 months 3 days 04:05:06.789012", (14, 3, 14_706_789_012_000)),
        ("-1 month 1 day -00:00:00.000001", (-1, 1, -1000)),
        ("0 seconds", (0, 0, 0)),
        ("1 month 30 days 720 hours", (1, 30, 720 * 3600 * 10**9)),
        ("10000 years", (120_000, 0, 0)),
    ):
        found = pa.MonthDayNano(list(value))
        yield case(f"interval {text}", found, f"'{text}'", MDN, pg="interval", duck="interval")
    far = {"type": "interval", "error": "292 years"}
    yield case("interval 3000000 hours", None, "'3000000 hours'", MDN, pg=far, duck=far)


JSON = '{"a": 1, "a": 12345678901234567890.10, "b": [1.0, 1e400, null], "é": "🦆"}'
KEPT = '{"a": 12345678901234567890.10, "b": [1.0, null], "é": "🦆"}'


def _nested() -> Iterator[Case]:
    marked = {"type": "json", "arrow": "extension<arrow.json>"}
    yield case("json", JSON, f"'{JSON}'", "string", pg="json", my="json", duck=marked)
    yield case("jsonb", KEPT, f"'{KEPT}'", "string", pg="jsonb")
    lists = {"pg": "int4[]", "duck": {"type": "integer[]", "sql": "[1, NULL, 3]"}}
    lists["duck"]["arrow"] = "list<l: int32>"
    yield case("list", [1, None, 3], "'{1,NULL,3}'", "list<item: int32>", **lists)
    empty = {"pg": "int8[]", "duck": {"type": "bigint[]", "sql": "[]", "arrow": "list<l: int64>"}}
    yield case("empty list", [], "'{}'", "list<item: int64>", **empty)
    square = {"pg": {"type": "int2[]", "open": True}}
    square["duck"] = {"type": "smallint[][]", "sql": "[[1, 2], [3, 4]]", "arrow": "list<l: list<l: int16>>"}
    yield case("2-D list", [[1, 2], [3, 4]], "'{{1,2},{3,4}}'", "list<item: list<item: int16>>", **square)
    ragged = "[[1], NULL, [], [2, NULL]]"
    yield case("ragged", [[1], None, [], [2, None]], ragged, "list<l: list<l: int32>>", duck="integer[][]")
    texts = {"pg": "text[]"}
    texts["duck"] = {"type": "varchar[]", "sql": """['', 'NULL', NULL, 'a,"b']""", "arrow": "list<l: string>"}
    words = ["", "NULL", None, 'a,"b']
    yield case("list of text", words, r"""'{"","NULL",NULL,"a,\"b"}'""", "list<item: string>", **texts)
    plain = {"type": "numeric[]", "open": True}
    yield case("numeric[]", [D("1.50"), D("22.25")], "'{1.5,22.25}'", "list<item: decimal128(38, 2)>",
               pg=plain)  # fmt: skip
    yield case("uuid[]", [UUID(int=7)], f"'{{{UUID(int=7)}}}'", "list<item: extension<arrow.uuid>>",
               pg="uuid[]")  # fmt: skip
    yield case("bytea[]", [b"\0\xff"], r"""'{"\\x00ff"}'""", "list<item: binary>", pg="bytea[]")
    lost = {"type": "date[]", "lossy": INFINITE}
    listed = {**lost, "sql": "['infinity', '2024-01-01']", "arrow": "list<l: date32[day]>"}
    yield case("date[] infinity", [None, dt.date(2024, 1, 1)], "'{infinity,2024-01-01}'",
               "list<item: date32[day]>", pg=lost, duck=listed)  # fmt: skip
    yield case("array[3]", [1, None, 3], "[1, NULL, 3]", "fixed_size_list<: int32>[3]", duck="integer[3]")
    struct = "{'a': 1, 'b': {'c': '12:30:00+05:30', 'd': 170141183460469231731687303715884105727}}"
    held = {"a": 1, "b": {"c": "12:30:00+05:30", "d": D(2**127 - 1)}}
    yield case("struct", held, struct, "struct<a: int32, b: struct<c: string, d: decimal256(39, 0)>>",
               duck="STRUCT(a INTEGER, b STRUCT(c TIMETZ, d HUGEINT))")  # fmt: skip
    yield case("map", [("b", 1), ("a", None)], "MAP {'b': 1, 'a': NULL}", "map<string, int32>",
               duck="MAP(VARCHAR, INTEGER)")  # fmt: skip
    yield case("composite", '(1,"a b",)', "ROW(1, 'a b', NULL)", "string", pg="fidelity_pair")
    yield case("range", "[1,5)", "'[1,4]'", "string", pg="int4range")
    yield case("multirange", "{[1,3),[5,)}", "'{[1,3),[5,)}'", "string", pg="int4multirange")
    yield case("variant", '{"a":1}', "{'a': 1}::VARIANT", "string",
               duck={"type": "VARIANT", "lossy": "is VARIANT"})  # fmt: skip


def _binary() -> Iterator[Case]:
    octets = {"pg": {"type": "bytea", "sql": r"'\x00ff27'"}, "my": {"type": "blob", "sql": "x'00ff27'"}}
    octets["duck"] = {"type": "blob", "sql": r"'\x00\xFF\x27'"}
    yield case("bytes", b"\x00\xff'", "", "binary", **octets)
    yield case("no bytes", b"", "''", "binary", pg="bytea", my="varbinary(5)", duck="blob")
    yield case("binary(4)", b"ab\0\0", "'ab'", "binary", my="binary(4)")
    yield case("all bytes", bytes(range(256)), f"x'{bytes(range(256)).hex()}'", "binary", my="mediumblob")
    yield case("bit(10)", "0000000101", "b'101'", "string", my="bit(10)")
    yield case("bit(64)", "1" * 64, f"b'{'1' * 64}'", "string", my="bit(64)")
    yield case("bit(1)", "1", "b'1'", "string", my="bit(1)", pg="bit(1)")
    yield case("bits", "0101", "'0101'", "string", pg="bit varying(9)", duck="bit")
    wkb = bytes(4) + bytes.fromhex("0101000000000000000000f03f0000000000000040")
    yield case("point", wkb, "ST_GeomFromText('POINT(1 2)')", "binary", my="geometry")
    yield case("pg point", "(1,2.5)", "'(1,2.5)'", "string", pg="point")


def _words() -> Iterator[Case]:
    uuid = UUID("12345678-1234-5678-1234-567812345678")
    yield case("uuid", uuid, f"'{uuid}'", "extension<arrow.uuid>", pg="uuid", duck="uuid",
               my={"type": "uuid", "arrow": "string", "value": str(uuid)})  # fmt: skip
    for kind, text in (
        ("inet", "10.0.0.1/8"), ("inet", "::1"), ("cidr", "10.0.0.0/8"), ("macaddr", "08:00:2b:01:02:03"),
        ("money", "$1,234.56"), ("money", "-$92,233,720,368,547,758.08"), ("tsvector", "'a':1 'b':2"),
        ("xml", "<a>é</a>"), ("pg_lsn", "16/B374D848"), ('"char"', "x"), ("name", "pg_class"),
    ):  # fmt: skip
        yield case(f"{kind} {text}", text, "'" + text.replace("'", "''") + "'", "string", pg=kind)
    yield case("regclass", "pg_class", "'pg_class'", "string", pg="regclass")
    yield case("inet6", "2001:db8::ff00:42:8329", "'2001:db8::ff00:42:8329'", "string", my="inet6")
    yield case("inet4", "192.168.0.1", "'192.168.0.1'", "string", my="inet4")
    dictionary = "dictionary<values=string, indices=uint8, ordered=0>"
    yield case("enum", "big", "'big'", "string", pg="fidelity_size", my="enum('small','big','')",
               duck={"type": "ENUM ('small', 'big')", "arrow": dictionary})  # fmt: skip
    yield case("set", "a,c", "'c,a'", "string", my="set('a','b','c')")
    yield case("empty set", "", "''", "string", my="set('a','b','c')")
    for year in (0, 1901, 2155):
        yield case(f"year {year}", year, f"'{year:04}'", "int16", my="year")


TEXTS = {
    "empty": "",
    "word NULL": "NULL",
    "quotes": 'it\'s "a" `b` \\ % %s $1 {{ x }} :x',
    "white": " \t\r\n leading and trailing  ",
    "emoji": "🦆👩‍👩‍👧‍👦🇩🇪",
    "four bytes": "\U00010348\U0010fffd",
    "combining": "é ≠ é ﬁ",
    "right to left": "שלום \u202eعالم\u202c",
    "no character": "\ufffe\uffff\ufeff",
    "controls": "\x01\x1b[31m\x7f\x85\u2028",
}


def _texts() -> Iterator[Case]:
    for name, value in TEXTS.items():
        quoted = "'" + value.replace("'", "''") + "'"
        my = {"type": "text", "sql": f"CONVERT(x'{value.encode().hex()}' USING utf8mb4)"}
        yield case(f"text {name}", value, quoted, "string", pg="text", duck="varchar", my=my)
    held = "a\0b"
    yield case("text NUL", held, "", "string", my={"type": "varchar(9)", "sql": "x'610062'"},
               duck={"type": "varchar", "sql": "'a' || chr(0) || 'b'"})  # fmt: skip
    yield case("text 1 MB", "é" * 524_288, "repeat('é', 524288)", "string", pg="text", my="mediumtext",
               duck="varchar")  # fmt: skip
    yield case("char(5)", "ab   ", "'ab'", "string", pg="char(5)",
               my={"type": "char(5)", "value": "ab"}, duck={"type": "char(5)", "value": "ab"})  # fmt: skip
    yield case("latin1", "é€ÿ", "'é€ÿ'", "string", my="varchar(9) character set latin1")
    yield case("utf16", "é🦆", "'é🦆'", "string", my="varchar(9) character set utf16")
    yield case("text by bytes", "Éé", "'Éé'", "string", my="varchar(9) collate utf8mb4_bin")


_TOPICS = (_integers, _decimals, _floats, _dates, _timestamps, _times, _nested, _binary, _words, _texts)
CASES: tuple[Case, ...] = tuple(found for topic in _TOPICS for found in topic())


def cells(database: str) -> dict[str, Cell]:
    """Return the cells of one database by the name of their column, ``c0``, ``c1``…"""
    found = {f"c{place}": each.cells.get(database) for place, each in enumerate(CASES)}
    return {name: cell for name, cell in found.items() if cell is not None}


def label(name: str) -> str:
    """Return what a column holds."""
    return CASES[int(name[1:])].name


def readable(database: str) -> dict[str, Cell]:
    """Return the cells that can be read: those without an error."""
    return {name: cell for name, cell in cells(database).items() if not cell.error}
