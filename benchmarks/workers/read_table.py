"""Read a whole table from a database. Arguments: side, and how to reach the database, as JSON.

The answer is seconds, the peak of resident memory in bytes, and the rows with a sum of keys, which all sides
must agree on.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

QUERY = "SELECT * FROM lineitem"


def url(server: dict[str, Any], scheme: str, options: str = "") -> str:
    password = quote(server["password"], safe="")
    place = f"{server['host']}:{server['port']}/{server['database']}"
    return f"{scheme}://{server['username']}:{password}@{place}{options}"


def aiser(server: dict[str, Any]) -> Any:
    """Return the services with the database saved as ``db``."""
    from aiser_jupyter import services
    from aiser_jupyter.models import ConnectionConfig

    built = services.build()
    values = {**server, "ssl_enabled": False}
    built.connections.create(ConnectionConfig(values.pop("type"), "db", values))
    return built


def aiser_arrow(server: dict[str, Any]) -> Callable[[], Any]:
    from aiser_jupyter.models import Query

    built = aiser(server)
    built.queries.run(Query("SELECT 1", connection="db"))
    return lambda: built.queries.run(Query(QUERY, connection="db", whole=True)).arrow()


def aiser_pandas(server: dict[str, Any]) -> Callable[[], Any]:
    from sides import shell

    aiser(server).close()
    ip = shell()
    ip.run_line_magic("load_ext", "aiser_jupyter")
    ip.run_cell_magic("aiser", "db -o x --quiet", "SELECT 1 AS one")

    def read() -> Any:
        ip.run_cell_magic("aiser", "db -o x --quiet", QUERY)
        return ip.user_ns["x"]

    return read


def jupysql(server: dict[str, Any]) -> Callable[[], Any]:
    from sides import shell

    ip = shell()
    ip.run_line_magic("load_ext", "sql")
    for setting in ("autopandas = True", "feedback = 0", "displaycon = False", "displaylimit = 1"):
        ip.run_line_magic("config", f"SqlMagic.{setting}")
    ip.run_line_magic("sql", url(server, "mysql+pymysql"))

    def read() -> Any:
        ip.run_cell_magic("sql", "x <<", QUERY)
        return ip.user_ns["x"]

    return read


def connectorx(server: dict[str, Any]) -> Callable[[], Any]:
    import connectorx

    address = url(server, server["type"], "?sslmode=disable" if server["type"] == "postgresql" else "")
    connectorx.read_sql(address, "SELECT 1 AS one", return_type="arrow")
    return lambda: connectorx.read_sql(address, QUERY, return_type="arrow")


def adbc(server: dict[str, Any]) -> Callable[[], Any]:
    from adbc_driver_postgresql import dbapi

    connection = dbapi.connect(url(server, "postgresql", "?sslmode=disable"))

    def read() -> Any:
        with connection.cursor() as cursor:
            cursor.execute(QUERY)
            return cursor.fetch_arrow_table()

    return read


def facts(data: Any) -> list[int]:
    """Return the number of rows and of columns, and the sum of the first column."""
    if hasattr(data, "num_rows"):
        import pyarrow.compute as pc

        return [data.num_rows, data.num_columns, int(pc.sum(data.column(0)).as_py())]
    return [len(data), len(data.columns), int(data.iloc[:, 0].sum())]


def peak() -> int:
    """Return the peak of this process's resident memory; not the parent's, as ``ru_maxrss`` may be."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


if __name__ == "__main__":
    read = globals()[sys.argv[1]](json.loads(sys.argv[2]))
    start = time.perf_counter()
    found = read()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak": peak(), "answer": facts(found)}))
