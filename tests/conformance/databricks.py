"""What the connector suite needs to know of databricks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import ConnectionConfig
from tests.conformance.database import DAY, MOMENT, WIDE, Database


def config(folder: Path, server: Any, **changed: Any) -> ConnectionConfig:
    """A connection to the endpoint's warehouse, with some values ``changed``."""
    values = {
        "server_hostname": "127.0.0.1",
        "port": server.port,
        "http_path": server.http_path,
        "access_token": server.password,
        "ssl_ca": server.authority.pem,
    }
    return ConnectionConfig("databricks", "shop", connector("databricks").validate({**values, **changed}))


def ways(server: Any) -> list[dict[str, Any]]:
    """As a service principal."""
    id, secret = server.client
    return [{"auth_type": "oauth_m2m", "access_token": "", "client_id": id, "client_secret": secret}]


DATABASE: Database | None = Database(
    server="databricks",
    https=True,
    secret="access_token",
    host="server_hostname",
    config=config,
    bad={"access_token": "dapiffffffffffffffffffffffffffffffff"},
    elsewhere={
        "server_hostname": "localhost",
        "http_path": "/sql/1.0/warehouses/another",
        "port": 1,
        "ssl_enabled": False,
        "ssl_ca": None,
    },
    ways=ways,
    literals=[
        ("true", "bool", True),
        ("42", "int32", 42),
        ("CAST(7 AS TINYINT)", "int8", 7),
        ("CAST(9223372036854775807 AS BIGINT)", "int64", 2**63 - 1),
        ("CAST(1.5 AS DOUBLE)", "double", 1.5),
        ("CAST(12345678901234567890.123456789 AS DECIMAL(38, 9))", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("X'00ff'", "binary", b"\x00\xff"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("CAST('2024-02-29 12:34:56.789012' AS TIMESTAMP_NTZ)", "timestamp[us]", MOMENT),
        (
            "TIMESTAMP '2024-02-29 12:34:56.789012'",
            "timestamp[us, tz=UTC]",
            MOMENT.replace(tzinfo=dt.UTC),
        ),
        ("ARRAY(1, 2)", "list<item: int32>", [1, 2]),
        ("CAST(NULL AS INT)", "int32", None),
    ],
    rows="SELECT id AS i, concat('row ', id) AS s FROM range({n})",
    slow="SELECT sum(a.id * b.id) FROM range(10000000) a, range(1000000) b",
    endless="SELECT id AS i, repeat('x', 100) AS s FROM range(1000000000)",
    parameters="SELECT ? + 1 AS n, ? AS t, ? AS x, ? AS d, ? AS e",
    make_table="CREATE TABLE conformance (id INT NOT NULL, name STRING)",
    columns=(("id", "INT", False), ("name", "STRING", True)),
)
