"""Stream a result out of the DuckDB engine without keeping it. Argument: rows.

The answer is seconds from the call until the last batch, and the peak of resident memory in bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from aiser_jupyter import services
from aiser_jupyter.models import Scope
from aiser_jupyter.run import Run
from aiser_jupyter.sql import parse

rows = int(sys.argv[1])
built = services.build()
engine, scope = built.engines["duckdb"], Scope(built.connections.get("local"))


def stream(count: int) -> int:
    text = f"SELECT i, i * 0.5 AS half, 'row number ' || i AS label FROM range({count}) numbers(i)"
    statement = parse(text, dialect="duckdb", variables={}, paramstyle="named")
    return sum(batch.num_rows for batch in engine.execute(statement, scope, Run("stream")))


stream(1000)
start = time.perf_counter()
assert stream(rows) == rows
seconds = time.perf_counter() - start
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "peak": kilobytes * 1024}))
