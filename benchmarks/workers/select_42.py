"""Time calls of the magic in a warm shell. Argument: aiser or jupysql; each line of input: how many calls."""

from __future__ import annotations

import json
import sys
import time

from sides import CALL, FIRST, LOAD, shell

side = sys.argv[1]
ip = shell()
ip.run_line_magic("load_ext", LOAD[side])
FIRST[side](ip)
call = CALL[side]
for _ in range(20):
    call(ip)
for line in sys.stdin:
    seconds = []
    for _ in range(int(line)):
        ip.user_ns.pop("x")
        start = time.perf_counter()
        call(ip)
        seconds.append(time.perf_counter() - start)
        assert int(ip.user_ns["x"].iloc[0, 0]) == 42
    print(json.dumps(seconds), flush=True)
