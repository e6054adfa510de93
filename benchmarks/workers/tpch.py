"""Time the TPC-H queries on Parquet files, to Arrow. Arguments: aiser or duckdb, folder, threads, bytes.

The answer is seconds by query, and the processor time of all threads for all of them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

QUERIES = Path(__file__).parents[2] / "tests" / "tpch" / "queries"


def aiser(threads: int, memory: int) -> Callable[[str], Any]:
    """Return what runs a statement through the service, every step of it."""
    from traitlets.config import Config

    from aiser_jupyter import services
    from aiser_jupyter.config import Settings
    from aiser_jupyter.models import Query

    settings = Settings(Config({"AiserDuckDB": {"threads": threads, "memory_limit": memory}}))
    queries = services.build(settings).queries
    return lambda text: queries.run(Query(text, whole=True, use_cache=False), {}).arrow()


def duckdb(threads: int, memory: int) -> Callable[[str], Any]:
    """Return what runs a statement in DuckDB and nothing else."""
    import duckdb

    connection = duckdb.connect(config={"threads": threads, "memory_limit": f"{memory}B"})
    return lambda text: connection.sql(text).to_arrow_table()


side, folder, threads, memory = sys.argv[1:]
run = {"aiser": aiser, "duckdb": duckdb}[side](int(threads), int(memory))
tables = {path.stem: f"'{path}'" for path in Path(folder).glob("*.parquet")}
run("select 42")
found = {}
busy = time.process_time()
for path in sorted(QUERIES.glob("q*.sql")):
    text = path.read_text().format(fraction="0.0001", **tables)
    start = time.perf_counter()
    rows = run(text)
    found[path.stem[1:]] = time.perf_counter() - start
    assert rows.num_rows > 0, path.stem
    del rows
print(json.dumps({"seconds": found, "cpu": time.process_time() - busy}))
