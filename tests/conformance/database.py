"""What the connector suite needs to know of a database, and the databases that need no file of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import LOCAL, ConnectionConfig

WIDE = Decimal("12345678901234567890.123456789")
DAY = dt.date(2024, 2, 29)
MOMENT = dt.datetime(2024, 2, 29, 12, 34, 56, 789012)
HERE = {"host": "localhost", "port": 1, "ssl_enabled": False, "ssl_ca": None, "ssl_server_name": "localhost"}
"""Other values of the fields by which most databases are reached."""

Literal = tuple[str, str, Any]
"""An expression, its Arrow type, and its value in Python."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """What the connector suite needs to know of one kind of database; ``{n}`` is a number of rows.

    ``server`` names the fixture of a real server or endpoint, which ``config`` gets beside a folder, and
    fields that differ from the usual: those in ``bad`` make a connection that cannot be opened, ``at`` gives
    those that lead to another port of this machine, ``elsewhere`` has for each field that leads somewhere
    another value, and ``ways`` gives fields of the further ways to sign in. ``https`` marks one whose TLS
    begins with the connection (that of the others is tested with the faults), ``live`` a service that is not
    ours. ``notices`` is how many seconds it takes to notice that the line of an idle session is dead,
    ``lost`` that the line of a result is. ``secret`` is the field of the secret that the server checks, and
    ``host`` the one that names it. ``notyet`` says, by the name of a test, why this database cannot show it
    here.
    """

    config: Callable[..., ConnectionConfig]
    bad: Mapping[str, Any]
    literals: Sequence[Literal]
    rows: str
    slow: str
    endless: str
    server: str = ""
    https: bool = False
    live: bool = False
    secret: str = "password"
    host: str = "host"
    at: Callable[[int], Mapping[str, Any]] = lambda port: {"port": port}
    notices: float = 3.0
    lost: float = 1.0
    elsewhere: Mapping[str, Any] = field(default_factory=dict)
    ways: Callable[[Any], Sequence[Mapping[str, Any]]] = lambda server: ()
    notyet: Mapping[str, str] = field(default_factory=dict)
    parameters: str = "SELECT $number + 1 AS n, $text AS t, $nothing AS x, $day AS d, $exact AS e"
    make_table: str = "CREATE TABLE conformance (id INTEGER NOT NULL, name VARCHAR(20))"
    drop_table: str = "DROP TABLE conformance"
    insert: str = "INSERT INTO conformance (id, name) VALUES ({n}, 'x')"
    count: str = "SELECT id AS i, count(*) AS n FROM conformance GROUP BY id"
    columns: tuple[tuple[str, str, bool], ...] = (("id", "INTEGER", False), ("name", "VARCHAR", True))


def duckdb_memory(folder: Path, server: Any = None, **changed: Any) -> ConnectionConfig:
    return duckdb_file(folder, **changed) if changed else ConnectionConfig("duckdb", LOCAL)


def duckdb_file(folder: Path, server: Any = None, **changed: Any) -> ConnectionConfig:
    return ConnectionConfig(
        "duckdb", "shop", {"database": str(folder / changed.get("database", "shop.duckdb"))}
    )


def _network(type: str) -> Callable[..., ConnectionConfig]:
    """Return what makes the config of a server's user ``ann``, with some values ``changed``."""

    def config(folder: Path, server: Any, **changed: Any) -> ConnectionConfig:
        values = {
            "host": "127.0.0.1",
            "port": server.port,
            "username": server.user,
            "password": server.password,
            "database": server.database,
            "ssl_ca": server.authority.pem,
        }
        return ConnectionConfig(type, "shop", connector(type).validate({**values, **changed}))

    return config


DUCKDB = Database(
    config=duckdb_file,
    bad={"database": "nowhere/shop.duckdb"},
    literals=[
        ("true", "bool", True),
        ("42::INTEGER", "int32", 42),
        ("9223372036854775807::BIGINT", "int64", 2**63 - 1),
        ("1.5::DOUBLE", "double", 1.5),
        ("12345678901234567890.123456789::DECIMAL(38, 9)", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("'\\x00\\xFF'::BLOB", "binary", b"\x00\xff"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us]", MOMENT),
        ("NULL::INTEGER", "int32", None),
    ],
    rows="SELECT range AS i, 'row ' || range AS s FROM range({n})",
    slow="SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b",
    endless="SELECT range AS i, repeat('x', 100) AS s FROM range(1000000000)",
    make_table="CREATE OR REPLACE TABLE conformance (id INTEGER NOT NULL, name VARCHAR)",
)
POSTGRESQL = Database(
    server="postgresql",
    config=_network("postgresql"),
    elsewhere=HERE,
    bad={"password": "wrong"},
    literals=[
        ("true", "bool", True),
        ("42", "int32", 42),
        ("9223372036854775807", "int64", 2**63 - 1),
        ("1.5::float8", "double", 1.5),
        ("12345678901234567890.123456789::numeric(38, 9)", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("'\\x00ff'::bytea", "binary", b"\x00\xff"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us]", MOMENT),
        ("NULL::integer", "int32", None),
    ],
    rows="SELECT i, 'row ' || i AS s FROM generate_series(0, {n} - 1) AS i",
    slow="SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b",
    endless="SELECT generate_series(1, 1000000000) AS i, repeat('x', 100) AS s",
    columns=(("id", "integer", False), ("name", "character varying(20)", True)),
)

MYSQL = Database(
    server="mariadb",
    config=_network("mysql"),
    elsewhere=HERE,
    bad={"password": "wrong"},
    literals=[
        ("true", "int32", 1),
        ("42", "int32", 42),
        ("9223372036854775807", "int64", 2**63 - 1),
        ("18446744073709551615", "uint64", 2**64 - 1),
        ("1.5e0", "double", 1.5),
        ("CAST(12345678901234567890.123456789 AS DECIMAL(38, 9))", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("x'00ff'", "binary", b"\x00\xff"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us]", MOMENT),
        ("CAST(NULL AS INTEGER)", "int32", None),
    ],
    rows="SELECT seq AS i, CONCAT('row ', seq) AS s FROM seq_0_to_1000000 WHERE seq < {n}",
    slow="SELECT SUM(a.seq * b.seq) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
    endless="SELECT seq AS i, REPEAT('x', 100) AS s FROM seq_0_to_1000000000",
    parameters=(
        "SELECT %(number)s + 1 AS n, %(text)s AS t, %(nothing)s AS x, CAST(%(day)s AS DATE) AS d,"
        " %(exact)s AS e"
    ),
    columns=(("id", "int(11)", False), ("name", "varchar(20)", True)),
)
