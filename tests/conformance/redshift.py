"""What the connector suite needs to know of redshift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import ConnectionConfig
from tests.conformance.database import DAY, HERE, MOMENT, WIDE, Database
from tests.endpoints.redshift_server import CLUSTER, KEYS, REGION, WORKGROUP


def config(folder: Path, server: Any, **changed: Any) -> ConnectionConfig:
    """The connection of the endpoint's user, with some values ``changed``."""
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "username": server.user,
        "password": server.password,
        "database": server.database,
        "ssl_ca": server.authority.pem,
    }
    return ConnectionConfig("redshift", "shop", connector("redshift").validate({**values, **changed}))


def ways(server: Any) -> list[dict[str, Any]]:
    """With keys of AWS: at a cluster, and without one."""
    key, (secret, token) = next(iter(KEYS.items()))
    keys = {"access_key_id": key, "secret_access_key": secret, "session_token": token, "region": REGION}
    place = {"username": None, "password": None, "endpoint_url": server.api}
    return [
        {**place, **keys, "sign_in": "iam", "cluster_identifier": CLUSTER, "db_user": "ann"},
        {**place, **keys, "sign_in": "serverless", "workgroup": WORKGROUP},
    ]


DATABASE: Database | None = Database(
    server="redshift",
    config=config,
    bad={"password": "wrong"},
    elsewhere={
        **HERE,
        "cluster_identifier": "another",
        "workgroup": "another",
        "region": "eu-west-1",
        "endpoint_url": "https://127.0.0.1:1",
    },
    ways=ways,
    literals=[
        ("true", "bool", True),
        ("42", "int32", 42),
        ("9223372036854775807", "int64", 2**63 - 1),
        ("1.5::float8", "double", 1.5),
        ("0.1::real", "float", 0.10000000149011612),
        ("12345678901234567890.123456789::numeric(38, 9)", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us]", MOMENT),
        ("NULL::integer", "int32", None),
    ],
    rows="SELECT i, 'row ' || i AS s FROM generate_series(0, {n} - 1) AS i",
    slow="SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b",
    endless="SELECT generate_series(1, 1000000000) AS i, repeat('x', 100) AS s",
    columns=(("id", "integer", False), ("name", "character varying(20)", True)),
)
