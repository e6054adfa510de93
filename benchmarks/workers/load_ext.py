"""Time ``%load_ext`` and the first query after it in this process. Argument: aiser or jupysql."""

from __future__ import annotations

import json
import sys
import time

from sides import FIRST, LOAD, shell

side = sys.argv[1]
ip = shell()
start = time.perf_counter()
ip.run_line_magic("load_ext", LOAD[side])
loaded = time.perf_counter()
FIRST[side](ip)
first = time.perf_counter()
assert int(ip.user_ns["x"].iloc[0, 0]) == 42
print(json.dumps({"load": loaded - start, "first": first - loaded}))
