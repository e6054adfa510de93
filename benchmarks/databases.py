"""Reads from real databases beside their peers: MariaDB and PostgreSQL on loopback, the same table in both.

The servers are those of the tests. The table is the first 500,000 rows and 13 columns of TPC-H's lineitem.
No side uses TLS, for not every peer can.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import duckdb
from items import Line
from processes import OURS, ask, peer_python, tpch_files

from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.server import Server

ROWS = 500_000
ROUNDS = 5
READERS = ("connectorx==0.4.6", "adbc-driver-postgresql==1.13.0", "pandas", "pyarrow")
JUPYSQL = ("jupysql==0.11.1", "pymysql", "pandas", "ipython")
SCANNER = ("duckdb==1.5.5", "duckdb-extensions==1.5.5", "duckdb-extension-mysql-scanner==1.5.5", "pyarrow")
BY_HAND = ("pymysql", "sqlalchemy", "pandas", "pyarrow")
COLUMNS = """l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INTEGER,
    l_quantity DECIMAL(15,2), l_extendedprice DECIMAL(15,2), l_discount DECIMAL(15,2), l_tax DECIMAL(15,2),
    l_returnflag VARCHAR(1), l_linestatus VARCHAR(1),
    l_shipdate DATE, l_commitdate DATE, l_receiptdate DATE"""
MB = 1e6


@contextmanager
def serving(kind: type[Server]) -> Iterator[str]:
    """Start a server with the table in it; yield how to reach it, as JSON."""
    server = kind()
    server.password = "throw-away"  # DuckDB's extension takes none with a blank
    try:
        server.prepare()
        rows = server.folder / "lineitem.csv"
        names = ", ".join(column.split()[0] for column in re.split(r",\s+", COLUMNS))
        source = tpch_files("0.1") / "lineitem.parquet"
        duckdb.sql(
            f"COPY (SELECT {names} FROM '{source}' LIMIT {ROWS}) TO '{rows}' (HEADER false, DELIMITER '|')"
        )
        rows.chmod(0o644)
        load(server, rows)
        yield json.dumps(
            {
                "type": "mysql" if isinstance(server, MariaDB) else "postgresql",
                "host": "127.0.0.1",
                "port": server.port,
                "database": server.database,
                "username": server.user,
                "password": server.password,
            }
        )
    finally:
        server.stop()


def load(server: Server, rows: Path) -> None:
    """Fill the table from a file, as each server does it fastest."""
    if isinstance(server, MariaDB):
        server.admin(f"CREATE TABLE lineitem ({COLUMNS})", database=server.database)
        server.admin(
            f"LOAD DATA INFILE '{rows}' INTO TABLE lineitem FIELDS TERMINATED BY '|'",
            database=server.database,
        )
        server.admin("ANALYZE TABLE lineitem", database=server.database)
    elif isinstance(server, PostgreSQL):
        server.admin(f"CREATE TABLE lineitem ({COLUMNS})", database=server.database)
        server.admin(f"GRANT SELECT ON lineitem TO {server.user}", database=server.database)
        server.admin(f"COPY lineitem FROM '{rows}' (FORMAT csv, DELIMITER '|')", database=server.database)
        server.admin("VACUUM ANALYZE lineitem", database=server.database)


def measure(worker: str, sides: dict[str, Path], *arguments: str) -> dict[str, list[float]]:
    """Run each side in fresh processes, in turn; return seconds and peak bytes by side."""
    samples: dict[str, list[float]] = {}
    answers: dict[str, object] = {}
    for side, python in sides.items():
        ask(python, worker, side, *arguments)  # what is read into caches is read before
    for turn in range(ROUNDS):
        for side in list(sides) if turn % 2 == 0 else list(sides)[::-1]:
            found = ask(sides[side], worker, side, *arguments)
            answers[side] = found["answer"]
            for what in ("seconds", "peak"):
                samples.setdefault(f"{side} {what}", []).append(found[what])
    if len({json.dumps(answer) for answer in answers.values()}) > 1:
        raise RuntimeError(f"the sides do not agree: {answers}")
    return samples


def line(
    what: str, samples: dict[str, list[float]], ours: str, peer: str, target: float | None, note: str
) -> Line:
    unit, factor = ("ms", 1000.0) if ours.endswith("seconds") else ("MB", 1 / MB)
    figures = (factor * median(samples[ours]), factor * median(samples[peer]))
    return Line(what, *figures, unit, target, note, samples)


def mysql() -> list[Line]:
    """500,000 x 13 from MariaDB, to pandas beside JupySQL and to Arrow beside ConnectorX."""
    note = f"fresh processes in turn, the driver imported before; median of {ROUNDS}"
    with serving(MariaDB) as server:
        frames = {"aiser_pandas": OURS, "jupysql": peer_python("jupysql_mysql", JUPYSQL)}
        to_pandas = measure("read_table", frames, server)
        tables = {"aiser_arrow": OURS, "connectorx": peer_python("readers", READERS)}
        to_arrow = measure("read_table", tables, server)
    return [
        line(
            "MariaDB 500,000 x 13 to pandas",
            to_pandas,
            "aiser_pandas seconds",
            "jupysql seconds",
            0.15,
            f"beside JupySQL; {note}",
        ),
        line(
            "the same: peak memory",
            to_pandas,
            "aiser_pandas peak",
            "jupysql peak",
            0.3,
            f"of the process; {note}",
        ),
        line(
            "MariaDB 500,000 x 13 to Arrow",
            to_arrow,
            "aiser_arrow seconds",
            "connectorx seconds",
            0.9,
            f"beside ConnectorX; {note}",
        ),
    ]


def postgresql() -> list[Line]:
    """500,000 x 13 from PostgreSQL to Arrow, beside ConnectorX and ADBC."""
    note = f"fresh processes in turn, the driver imported before; median of {ROUNDS}"
    readers = peer_python("readers", READERS)
    with serving(PostgreSQL) as server:
        samples = measure("read_table", {"aiser_arrow": OURS, "connectorx": readers, "adbc": readers}, server)
    return [
        line(
            f"PostgreSQL 500,000 x 13 to Arrow, beside {name}",
            samples,
            "aiser_arrow seconds",
            f"{peer} seconds",
            target,
            note,
        )
        for name, peer, target in (("ConnectorX", "connectorx", 1.2), ("ADBC", "adbc", 0.9))
    ]


def federated() -> list[Line]:
    """MariaDB's lineitem joined with local Parquet orders, beside DuckDB's own extension and by hand."""
    note = f"one statement, sum of a decimal product by priority; fresh processes in turn; median of {ROUNDS}"
    orders = str(tpch_files("0.1") / "orders.parquet")
    sides = {
        "aiser": OURS,
        "duckdb": peer_python("duckdb_mysql", SCANNER),
        "pandas": peer_python("by_hand", BY_HAND),
    }
    with serving(MariaDB) as server:
        samples = measure("join", sides, server, orders)
    peers = (("DuckDB's mysql extension", "duckdb", 1.0), ("pandas by hand", "pandas", 0.2))
    return [
        line(f"MariaDB and Parquet, beside {name}", samples, "aiser seconds", f"{peer} seconds", target, note)
        for name, peer, target in peers
    ]
