"""Join a table of MariaDB with a local Parquet file. Arguments: side, the database as JSON, the file.

The answer is seconds, the peak of resident memory in bytes, and the result, which all sides must agree on.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from read_table import aiser as services_of
from read_table import peak, url

SINCE = "1994-01-01"
QUERY = """
SELECT o_orderpriority, count(*) AS n, sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM {lineitem} JOIN {orders} ON l_orderkey = o_orderkey
WHERE l_shipdate >= DATE '{since}' AND o_orderstatus <> 'P'
GROUP BY o_orderpriority ORDER BY o_orderpriority
"""


def aiser(server: dict[str, Any], orders: str) -> Callable[[], Any]:
    from aiser_jupyter.models import Query

    built = services_of(server)
    built.queries.run(Query("SELECT 1", connection="db"))
    built.queries.run(Query("SELECT 1"))
    text = QUERY.format(lineitem="db.lineitem", orders=f"'{orders}'", since=SINCE)
    return lambda: built.queries.run(Query(text, whole=True)).arrow().to_pylist()


def duckdb(server: dict[str, Any], orders: str) -> Callable[[], Any]:
    import duckdb
    from duckdb_extensions import import_extension

    import_extension("mysql_scanner")
    connection = duckdb.connect()
    names = {"host": "host", "port": "port", "user": "username", "passwd": "password", "db": "database"}
    words = " ".join(f"{name}={server[key]}" for name, key in names.items())
    connection.execute("LOAD mysql_scanner")
    connection.execute(f"ATTACH '{words}' AS db (TYPE mysql, READ_ONLY)")
    text = QUERY.format(lineitem="db.lineitem", orders=f"'{orders}'", since=SINCE)
    return lambda: connection.sql(text).arrow().read_all().to_pylist()


def pandas(server: dict[str, Any], orders: str) -> Callable[[], Any]:
    import pandas
    import sqlalchemy

    engine = sqlalchemy.create_engine(url(server, "mysql+pymysql"))
    columns = "l_orderkey, l_extendedprice, l_discount"

    def join() -> Any:
        items = pandas.read_sql(f"SELECT {columns} FROM lineitem WHERE l_shipdate >= '{SINCE}'", engine)
        known = pandas.read_parquet(orders, columns=["o_orderkey", "o_orderstatus", "o_orderpriority"])
        both = items.merge(known[known.o_orderstatus != "P"], left_on="l_orderkey", right_on="o_orderkey")
        both["revenue"] = both.l_extendedprice * (1 - both.l_discount)
        groups = both.groupby("o_orderpriority")
        found = pandas.DataFrame({"n": groups.size(), "revenue": groups.revenue.sum()}).reset_index()
        return found.to_dict("records")

    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    return join


if __name__ == "__main__":
    side, server, orders = sys.argv[1:]
    join = globals()[side](json.loads(server), orders)
    start = time.perf_counter()
    rows = join()
    seconds = time.perf_counter() - start
    answer = [[row["o_orderpriority"], int(row["n"]), f"{Decimal(row['revenue']):.2f}"] for row in rows]
    print(json.dumps({"seconds": seconds, "peak": peak(), "answer": answer}))
