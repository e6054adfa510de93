"""Ask a server for its status every 20 ms for some seconds, and say how many milliseconds each answer took.

Arguments: port, token, seconds.
"""

from __future__ import annotations

import http.client
import json
import sys
import time

EVERY = 0.02


def main(port: int, token: str, seconds: float) -> list[float]:
    """Return how long each answer took; a late one puts off none but those that it overlaps."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"token {token}"}
    found = []
    begin = due = time.monotonic()
    while due < begin + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        began = time.monotonic()
        line.request("GET", "/api/status", headers=headers)
        line.getresponse().read()
        found.append(1000 * (time.monotonic() - began))
        due = max(due + EVERY, time.monotonic())
    line.close()
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
