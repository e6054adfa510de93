"""A small BigQuery on loopback: REST v2, the token endpoint, and the Storage Read API, on DuckDB.

Started as ``python bigquery_server PORT CERTIFICATE KEY``; ``STORAGE_PORT`` and what it checks sign-ins with
come from the environment, see `auth`. It is our reading of the protocol, checked against Google's own
clients: it shows how we handle the driver, and nothing of the service itself.
"""

from __future__ import annotations

import os
import sys

import uvicorn
from auth import Issuer
from jobs import DATABASE
from rest import application
from storage import serve


def main() -> None:
    """Serve until the process is ended."""
    port, certificate, key = sys.argv[1:4]
    issuer = Issuer()
    DATABASE.execute("CREATE SCHEMA shop")
    kept = serve(int(os.environ["STORAGE_PORT"]), certificate, key, issuer)
    uvicorn.run(
        application(issuer, os.environ["PROJECTS"].split()),
        host="127.0.0.1",
        port=int(port),
        log_level="warning",
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    kept.stop(None)


if __name__ == "__main__":
    main()
