"""What the connector suite needs to know of Snowflake, which folds names that are not quoted to capitals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import ConnectionConfig
from tests.conformance.database import DAY, MOMENT, WIDE, Database


def config(folder: Path, server: Any, **changed: Any) -> ConnectionConfig:
    """Return a connection to the endpoint as its user ``ann``, with some values ``changed``."""
    values = {
        "account": server.account_name,
        "host": "127.0.0.1",
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "warehouse": "SHOP_WH",
        "database": server.database,
        "schema": server.schema,
        "ssl_ca": server.authority.pem,
    }
    return ConnectionConfig("snowflake", "shop", connector("snowflake").validate({**values, **changed}))


def ways(server: Any) -> list[dict[str, Any]]:
    """By a key pair, and by a token."""
    key = {"authenticator": "snowflake_jwt", "private_key": server.private_key}
    token = {"authenticator": "programmatic_access_token", "token": server.tokens["pat"]}
    return [{"password": None, **key}, {"password": None, **token}]


_ROWS = "TABLE(GENERATOR(ROWCOUNT => {}))"

DATABASE: Database | None = Database(
    server="snowflake",
    config=config,
    bad={"password": "wrong"},
    elsewhere={"account": "another", "host": "localhost", "port": 1, "ssl_enabled": False, "ssl_ca": None},
    ways=ways,
    https=True,
    literals=[
        ("true", "bool", True),
        ("42::NUMBER(9, 0)", "int64", 42),
        ("9223372036854775807::NUMBER(38, 0)", "decimal128(38, 0)", 2**63 - 1),
        ("1.5::FLOAT", "double", 1.5),
        ("12345678901234567890.123456789::NUMBER(38, 9)", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("TO_BINARY('00ff', 'HEX')", "binary", b"\x00\xff"),
        ("'2024-02-29'::DATE", "date32[day]", DAY),
        ("'2024-02-29 12:34:56.789012'::TIMESTAMP_NTZ", "timestamp[us]", MOMENT),
        ("NULL::FLOAT", "double", None),
    ],
    rows="SELECT SEQ8() AS i, 'row ' || SEQ8() AS s FROM " + _ROWS.format("{n}"),
    slow="SELECT SUM(a.n * b.n) FROM (SELECT SEQ8() AS n FROM "
    + _ROWS.format(10_000_000)
    + ") AS a, (SELECT SEQ8() AS n FROM "
    + _ROWS.format(1_000_000)
    + ") AS b",
    endless="SELECT SEQ8() AS i, REPEAT('x', 100) AS s FROM " + _ROWS.format(1_000_000_000),
    parameters='SELECT ? + 1 AS "n", ? AS "t", ? AS "x", CAST(? AS DATE) AS "d", ? AS "e"',
    make_table='CREATE TABLE "conformance" ("id" INTEGER NOT NULL, "name" VARCHAR(20))',
    drop_table='DROP TABLE "conformance"',
    insert="""INSERT INTO "conformance" ("id", "name") VALUES ({n}, 'x')""",
    count='SELECT "id" AS "i", count(*) AS "n" FROM "conformance" GROUP BY "id"',
    columns=(("id", "NUMBER(38,0)", False), ("name", "VARCHAR(20)", True)),
)
