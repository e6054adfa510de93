"""What the connector suite needs to know of bigquery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from tests.conformance.database import DAY, MOMENT, WIDE, Database


def config(folder: Path, server: Any, **changed: Any) -> ConnectionConfig:
    """Return a connection with an access token, and some values ``changed``."""
    values = {
        "project": server.project,
        "dataset": server.dataset,
        "sign_in": "access_token",
        "token": server.password,
        "api_endpoint": f"https://127.0.0.1:{server.port}",
        "storage_endpoint": f"https://127.0.0.1:{server.storage_port}",
        "ssl_ca": server.authority.pem,
    }
    values.update(changed)
    values["token"] = Secret(values["token"]) if values["token"] else ""
    changed.clear()  # an error's frames are searched for the secret, and these are ours
    return ConnectionConfig("bigquery", "shop", connector("bigquery").validate(values))


def ways(server: Any) -> list[dict[str, Any]]:
    """By a service account."""
    return [{"token": "", "sign_in": "service_account", "credentials_json": Secret(server.credentials())}]


DATABASE = Database(
    server="bigquery",
    config=config,
    bad={"token": "ya29.forged"},
    elsewhere={
        "api_endpoint": "https://localhost:1",
        "storage_endpoint": "https://localhost:1",
        "ssl_enabled": False,
        "ssl_ca": None,
    },
    ways=ways,
    https=True,
    secret="token",
    host="api_endpoint",
    # Rows come through the proxy too: the storage API has an address of its own.
    at=lambda port: {"api_endpoint": f"https://127.0.0.1:{port}", "storage_endpoint": ""},
    literals=[
        ("true", "bool", True),
        ("42", "int64", 42),
        ("9223372036854775807", "int64", 2**63 - 1),
        ("1.5", "double", 1.5),
        ("CAST('12345678901234567890.123456789' AS NUMERIC)", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("FROM_HEX('00ff')", "binary", b"\x00\xff"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("DATETIME '2024-02-29 12:34:56.789012'", "timestamp[us]", MOMENT),
        ("CAST(NULL AS INT64)", "int64", None),
    ],
    rows="SELECT i, CONCAT('row ', CAST(i AS STRING)) AS s FROM UNNEST(GENERATE_ARRAY(0, {n} - 1)) AS i",
    slow=(
        "SELECT SUM(a * b) AS x FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS a,"
        " UNNEST(GENERATE_ARRAY(1, 1000000)) AS b"
    ),
    endless=(  # the endpoint knows it by its text
        "SELECT a * 1000 + b AS i, REPEAT('x', 100) AS s FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS a,"
        " UNNEST(GENERATE_ARRAY(1, 1000)) AS b"
    ),
    parameters="SELECT ? + 1 AS n, ? AS t, ? AS x, ? AS d, ? AS e",
    make_table="CREATE TABLE conformance (id INT64 NOT NULL, name STRING)",
    columns=(("id", "INT64", False), ("name", "STRING", True)),
)
