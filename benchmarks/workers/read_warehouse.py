"""Read many rows from a warehouse's endpoint. Arguments: side, and how to reach it, as JSON.

``aiser`` reads through the connector; the sides called as a warehouse are each driver's own fastest call,
which gives Python's or Arrow's form as the driver has it. ``aiser_pandas`` and ``jupysql`` are both magics,
from a cell to a DataFrame. The answer is as that of ``read_table``; or, where SQLAlchemy's dialect does not
reach the endpoint, ``{"unreachable": why}``.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
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


# -- the two magics -------------------------------------------------------------------------------------


def aiser_pandas(server: dict[str, Any]) -> Callable[[], Any]:
    from sides import shell

    from aiser_jupyter import services
    from aiser_jupyter.models import ConnectionConfig

    built = services.build()
    built.connections.create(ConnectionConfig(server["type"], "db", server["values"]))
    built.close()
    ip = shell()
    ip.run_line_magic("load_ext", "aiser_jupyter")
    ip.run_cell_magic("aiser", "db -o x --quiet", "SELECT 1 AS one")

    def read() -> Any:
        ip.run_cell_magic("aiser", "db -o x --quiet", server["query"])
        return ip.user_ns["x"]

    return read


def jupysql(server: dict[str, Any]) -> Callable[[], Any]:
    from sides import shell

    ip = shell()
    ip.run_line_magic("load_ext", "sql")
    for setting in ("autopandas = True", "feedback = 0", "displaycon = False", "displaylimit = 1"):
        ip.run_line_magic("config", f"SqlMagic.{setting}")
    ip.user_ns["engine"] = ENGINES[server["type"]](server["values"], server["authority"])
    ip.run_line_magic("sql", "engine")
    ip.run_cell_magic("sql", "x <<", "SELECT 1 AS one")
    assert len(ip.user_ns["x"]) == 1

    def read() -> Any:
        ip.run_cell_magic("sql", "x <<", server["query"])
        return ip.user_ns["x"]

    return read


def snowflake_engine(values: dict[str, Any], authority: str) -> Any:
    from snowflake.sqlalchemy import URL
    from sqlalchemy import create_engine

    names = ("account", "user", "password", "host", "port", "database", "schema", "warehouse")
    url = URL(**{name: values[name] for name in names})
    return create_engine(url, connect_args={"custom_root_store_path": authority})


def bigquery_engine(values: dict[str, Any], authority: str) -> Any:
    os.environ["REQUESTS_CA_BUNDLE"] = authority
    # The Storage API cannot be used: the dialect looks for it at Google's own address.
    warnings.filterwarnings("ignore", "Cannot create BigQuery Storage client")
    from google.cloud import bigquery as driver
    from google.oauth2.credentials import Credentials
    from sqlalchemy import create_engine

    client = driver.Client(
        values["project"],
        Credentials(values["token"]),
        client_options={"api_endpoint": values["api_endpoint"]},
        # jobs.query knows no priority, so that jobs are inserted: the endpoint has no jobs.query
        default_query_job_config=driver.QueryJobConfig(priority="INTERACTIVE"),
    )
    url = f"bigquery://{values['project']}?user_supplied_client=True"
    return create_engine(url, connect_args={"client": client})


def redshift_engine(values: dict[str, Any], authority: str) -> Any:
    os.environ["SSL_CERT_FILE"] = authority
    from sqlalchemy import create_engine
    from sqlalchemy.engine import URL

    place = {name: values[name] for name in ("username", "password", "host", "port", "database")}
    return create_engine(URL.create("redshift+redshift_connector", **place))


def databricks_engine(values: dict[str, Any], authority: str) -> Any:
    from sqlalchemy import create_engine

    url = f"databricks://token:{values['access_token']}@{values['server_hostname']}:{values['port']}"
    options = {"_tls_trusted_ca_file": authority, "_port": values["port"], "enable_telemetry": False}
    return create_engine(f"{url}?http_path={values['http_path']}", connect_args=options)


ENGINES = {
    "snowflake": snowflake_engine,
    "bigquery": bigquery_engine,
    "redshift": redshift_engine,
    "databricks": databricks_engine,
}


def prepared(side: str, server: dict[str, Any]) -> Callable[[], Any]:
    """Return what reads; where JupySQL does not get that far, say why and end."""
    try:
        return globals()[side](server)  # type: ignore[no-any-return]
    except Exception as exc:
        if side != "jupysql":
            raise
        why = f"{type(exc).__name__}: {' '.join(str(exc).split())[:300]}"
        print(json.dumps({"unreachable": why}), flush=True)
        os._exit(0)


if __name__ == "__main__":
    read = prepared(sys.argv[1], json.loads(sys.argv[2]))
    start = time.perf_counter()
    found = read()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak": peak(), "answer": facts(found)}))
    sys.stdout.flush()
    os._exit(0)  # a driver's threads at its end are not what is measured
