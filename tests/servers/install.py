"""Install the database servers that the tests run on, where this is possible.

``python -m tests.servers.install`` is a step of ``make test``. The servers are Debian packages; where they
cannot be installed, the tests that need them are skipped, with one loud line, and fail on CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from .fixtures import missing


def main() -> int:
    """Install what is missing; always 0, for the tests themselves say what they lack."""
    wanted = missing()
    if not wanted:
        return 0
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        print(f"Not installed: {', '.join(wanted)}. Tests on real servers will be skipped.", file=sys.stderr)
        print(f"To run them: sudo apt-get install {' '.join(wanted)}", file=sys.stderr)
        return 0
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *wanted]):
        done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True)
        if done.returncode:
            print(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
