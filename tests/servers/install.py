"""Install the database servers that the tests run on, where this is possible.

``python -m tests.servers.install`` is a step of ``make test``. The servers are Debian packages, and the
endpoint of Snowflake has a Python environment of its own; where they cannot be installed, the tests that need
them are skipped, with one loud line, and fail on CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.endpoints.snowflake import install as install_snowflake

from .fixtures import missing


def main() -> int:
    """Install what is missing; always 0, for the tests themselves say what they lack."""
    try:
        install_snowflake()
    except subprocess.CalledProcessError as exc:
        print(f"The endpoint of Snowflake is not installed: {exc}", file=sys.stderr)
    if wanted := missing():
        servers(wanted)
    return 0


def servers(wanted: list[str]) -> None:
    """Install Debian packages."""
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        print(f"Not installed: {', '.join(wanted)}. Tests on real servers will be skipped.", file=sys.stderr)
        print(f"To run them: sudo apt-get install {' '.join(wanted)}", file=sys.stderr)
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *wanted]):
        done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True)
        if done.returncode:
            print(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
