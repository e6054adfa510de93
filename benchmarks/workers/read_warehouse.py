"""Read many rows from a warehouse's endpoint. Arguments: side, and how to reach it, as JSON.

``aiser`` reads through the connector; the other sides are each driver's own fastest call, which is given
Python's or Arrow's form as the driver has it. The answer is as that of ``read_table``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from read_table import facts, peak


def aiser(server: dict[str, Any]) -> Callable[[], Any]:
    from aiser_jupyter.connectors.registry import connector
    from aiser_jupyter.models import ConnectionConfig
    from aiser_jupyter.run import Run

    kind = connector(server["type"])
    config = ConnectionConfig(server["type"], "db", kind.validate(server["values"]))
    session = kind.open(config)
    session.execute("SELECT 1 AS one", (), Run("bench")).read_all()
    return lambda: session.execute(server["query"], (), Run("bench")).read_all()


def snowflake(server: dict[str, Any]) -> Callable[[], Any]:
    import snowflake.connector

    values = server["values"]
    connection = snowflake.connector.connect(
        account=values["account"],
        user=values["user"],
        password=values["password"],
        host=values["host"],
        port=values["port"],
        database=values["database"],
        schema=values["schema"],
        warehouse=values["warehouse"],
        custom_root_store_path=server["authority"],
    )
    cursor = connection.cursor()
    cursor.execute("SELECT 1 AS one").fetchall()
    return lambda: cursor.execute(server["query"]).fetch_arrow_all()


def bigquery(server: dict[str, Any]) -> Callable[[], Any]:
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = server["authority"]
    from google.cloud import bigquery as driver
    from google.cloud import bigquery_storage
    from google.oauth2.credentials import Credentials

    values = server["values"]
    credentials = Credentials(values["token"])
    client = driver.Client(
        values["project"], credentials, client_options={"api_endpoint": values["api_endpoint"]}
    )
    storage = bigquery_storage.BigQueryReadClient(
        credentials=credentials,
        client_options={"api_endpoint": values["storage_endpoint"].removeprefix("https://")},
    )
    list(client.query("SELECT 1 AS one").result())
    return lambda: client.query(server["query"]).to_arrow(bqstorage_client=storage)


def redshift(server: dict[str, Any]) -> Callable[[], Any]:
    os.environ["SSL_CERT_FILE"] = server["authority"]
    import pyarrow as pa
    import redshift_connector

    values = server["values"]
    connection = redshift_connector.connect(
        host=values["host"],
        port=values["port"],
        user=values["username"],
        password=values["password"],
        database=values["database"],
    )
    cursor = connection.cursor()
    cursor.execute("SELECT 1 AS one")

    def read() -> Any:
        cursor.execute(server["query"])
        columns = list(zip(*cursor.fetchall(), strict=True))
        return pa.table([pa.array(column) for column in columns], names=["i", "s"])

    return read


def databricks(server: dict[str, Any]) -> Callable[[], Any]:
    from databricks import sql

    values = server["values"]
    connection = sql.connect(
        server_hostname=values["server_hostname"],
        _port=values["port"],
        http_path=values["http_path"],
        access_token=values["access_token"],
        _tls_trusted_ca_file=server["authority"],
        enable_telemetry=False,
    )
    cursor = connection.cursor()
    cursor.execute("SELECT 1 AS one").fetchall()
    return lambda: cursor.execute(server["query"]).fetchall_arrow()


if __name__ == "__main__":
    read = globals()[sys.argv[1]](json.loads(sys.argv[2]))
    start = time.perf_counter()
    found = read()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak": peak(), "answer": facts(found)}))
    sys.stdout.flush()
    os._exit(0)  # a driver's threads at its end are not what is measured
