"""A Jupyter server with our extension for the fuzzer: its own folder, and no host but this machine.

``python -m tests.server.fuzz_server FOLDER PORT TOKEN``; everything it writes is below ``FOLDER``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import jupyter_core.paths
from jupyter_server.serverapp import ServerApp

POLICY = {
    "AiserConnections": {"allowed_hosts": ["localhost", "127.0.0.1", "::1"]},
    "AiserLimits": {"display_bytes": 16 * 1024**2},
    "AiserResults": {"memory_bytes": 16 * 1024**2, "disk_bytes": 64 * 1024**2},
    "AiserPreferences": {"timeout": 20.0, "row_limit": 10_000},
    "AiserDuckDB": {"memory_limit": 512 * 1024**2, "temp_limit": 64 * 1024**2},
}


def main(folder: Path, port: int, token: str) -> None:
    """Serve until the process is ended."""
    (folder / "policy").mkdir()
    (folder / "policy" / "aiser_config.json").write_text(json.dumps(POLICY))
    (folder / "work").mkdir()
    os.chdir(folder / "work")
    jupyter_core.paths.SYSTEM_CONFIG_PATH[:] = [str(folder / "policy")]
    jupyter_core.paths.ENV_CONFIG_PATH[:] = []
    ServerApp.launch_instance(
        [
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}",
            "--ServerApp.jpserver_extensions={'aiser_jupyter': True}",
            "--ServerApp.terminals_enabled=False",
            f"--ServerApp.root_dir={folder / 'work'}",
            "--log-level=DEBUG",
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]), sys.argv[3])
