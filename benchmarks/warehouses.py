"""Reads from the warehouses beside their drivers' own fastest calls, and JupySQL, over the tests' endpoints.

An endpoint is on this machine, and answers as fast as it can: what is measured is what we add to the driver,
or save, and not the warehouse.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from databases import ROUNDS, line, measure
from items import Line
from processes import OURS, ask, peer_python

from aiser_jupyter.secret import Secret
from tests.conformance import bigquery, databricks, redshift, snowflake
from tests.endpoints.bigquery import BigQuery
from tests.endpoints.databricks import Databricks
from tests.endpoints.redshift import Redshift
from tests.endpoints.snowflake import Snowflake, install

ROWS = 500_000
KINDS: Mapping[str, tuple[Callable[[], Any], Any, str]] = {
    "snowflake": (Snowflake, snowflake, "fetch_arrow_all, which leaves a NUMBER(38, 0) as int64"),
    "bigquery": (BigQuery, bigquery, "to_arrow with the Storage API"),
    "redshift": (Redshift, redshift, "fetchall, and Arrow from its rows"),
    "databricks": (Databricks, databricks, "fetchall_arrow"),
}

JUPYSQL = ("jupysql==0.11.1", "pandas", "ipython")
DIALECTS: Mapping[str, tuple[str, ...]] = {
    "snowflake": ("snowflake-sqlalchemy==2.1.0",),
    "bigquery": ("sqlalchemy-bigquery==1.17.3",),
    "redshift": ("sqlalchemy-redshift==1.0.0", "redshift_connector==2.2.0"),
    "databricks": ("databricks-sqlalchemy==2.0.10",),
}
"""What JupySQL needs beside SQLAlchemy, each in an environment of its own."""


def warehouses() -> list[Line]:
    """500,000 rows of a number and a text from each warehouse's endpoint to Arrow, beside its driver."""
    install()
    lines = []
    for name, (endpoint, suite, call) in KINDS.items():
        server = endpoint()
        try:
            server.prepare()
            samples = measure("read_warehouse", {"aiser": OURS, name: OURS}, _told(server, suite))
        finally:
            server.stop()
        note = f"beside {call}; fresh processes in turn, logged in before; median of {ROUNDS}"
        for what, target in (("seconds", 1.05), ("peak", None)):
            said = f"{name} {ROWS:,} x 2 to Arrow" + (": peak memory" if what == "peak" else "")
            lines.append(line(said, samples, f"aiser {what}", f"{name} {what}", target, note))
    return lines


def warehouses_jupysql() -> list[Line]:
    """The same rows from a cell to a DataFrame, beside JupySQL through each vendor's SQLAlchemy dialect."""
    install()
    lines = []
    for name, (endpoint, suite, _) in KINDS.items():
        sides = {"aiser_pandas": OURS, "jupysql": peer_python(f"jupysql_{name}", (*JUPYSQL, *DIALECTS[name]))}
        server = endpoint()
        try:
            server.prepare()
            told = _told(server, suite)
            tried = ask(sides["jupysql"], "read_warehouse", "jupysql", told)
            if why := tried.get("unreachable"):
                print(f"{name}: {DIALECTS[name][0]} does not reach the endpoint: {why}", file=sys.stderr)
                continue
            samples = measure("read_warehouse", sides, told)
        finally:
            server.stop()
        speeds = [f"{ROWS / median(samples[f'{side} seconds']):,.0f}" for side in sides]
        note = f"{speeds[0]} rows/s beside {speeds[1]} through {DIALECTS[name][0]}; fresh processes in turn"
        for what, target in (("seconds", 0.15), ("peak", None)):
            said = f"{name} {ROWS:,} x 2 to pandas" + (": peak memory" if what == "peak" else "")
            lines.append(line(said, samples, f"aiser_pandas {what}", f"jupysql {what}", target, note))
    return lines


def _told(server: Any, suite: Any) -> str:
    """Return what a worker has to know, as JSON; the secrets are the endpoint's."""
    config = suite.config(None, server)
    values = {
        name: value.reveal() if isinstance(value, Secret) else value for name, value in config.values.items()
    }
    query = suite.DATABASE.rows.format(n=ROWS)
    authority = str(server.authority.path)
    return json.dumps({"type": config.type, "values": values, "query": query, "authority": authority})
