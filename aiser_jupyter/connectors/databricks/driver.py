"""How the driver is called: its keywords, its limits, and a client beside the session.

Every keyword that it knows is looked at in the tests. What is set here, and why:

- ``_enable_v3_retries`` is off, and one attempt is all: the driver's newer retries send a statement once more
  where an answer broke off, and it may then have run twice. With them off it also follows no redirect.
- Telemetry is off; no file is read but the connection's own authority; nothing is staged from local files.
- A result that is fetched from cloud storage is fetched by https, or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...errors import ConnectionLost
from ..tls import authority_file
from .http import credential, require_same_way

__all__ = ["REQUEST_SECONDS", "beside", "connect", "handle_of", "limit", "load", "operation"]

REQUEST_SECONDS = 60.0
"""One request of a session may take so long; a statement is asked for its state, not waited for."""
_DOWNLOADS = 5

# The driver writes what it raises to its log too; without a handler it would stand in the notebook.
logging.getLogger("databricks").addHandler(logging.NullHandler())


def load() -> None:
    """Read the driver's code; that takes seconds, which are no part of a login's time."""
    import databricks.sql.backend.thrift_backend
    import databricks.sql.client  # noqa: F401


def arguments(values: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return the driver's keywords for a connection."""
    require_same_way(values)
    port = int(values.get("port", 443))
    found: dict[str, Any] = {
        "server_hostname": values["server_hostname"],
        "http_path": values["http_path"],
        "catalog": values.get("catalog"),
        "schema": values.get("schema"),
        "user_agent_entry": "aiser-jupyter",
        "enable_telemetry": False,
        "use_cloud_fetch": values.get("cloud_fetch", True),
        "max_download_threads": _DOWNLOADS,
        "_port": port,
        "_socket_timeout": seconds,
        "_enable_v3_retries": False,
        "_retry_stop_after_attempts_count": 1,
        "_retry_stop_after_attempts_duration": REQUEST_SECONDS,
        "_retry_delay_min": 0.1,
        "_retry_delay_max": 5.0,
        **credential(values, seconds),
    }
    if values.get("ssl_ca"):
        found["_tls_trusted_ca_file"] = str(authority_file(values["ssl_ca"]))
    if not values.get("ssl_enabled", True):
        found["_connection_uri"] = f"http://{values['server_hostname']}:{port}{values['http_path']}"
    return found


def connect(values: Mapping[str, Any], seconds: float) -> Any:
    """Open a session, and return the driver's connection. Raises what the driver raises."""
    from databricks import sql

    connection = sql.connect(**arguments(values, seconds))
    _https_only(connection.http_client, values)
    return connection


@contextmanager
def beside(values: Mapping[str, Any], seconds: float) -> Iterator[Any]:
    """Yield a client that has no session, and waits for none: it asks of operations, and stops them."""
    from databricks.sql import __version__
    from databricks.sql.common.unified_http_client import UnifiedHttpClient
    from databricks.sql.session import Session
    from databricks.sql.utils import build_client_context

    given = arguments(values, seconds)
    made: Any = UnifiedHttpClient
    with made(build_client_context(version=__version__, **given)) as http:
        yield Session(http_client=http, **given).backend


def limit(backend: Any, seconds: float) -> None:
    """Give the requests of a client so long each."""
    backend._transport.setTimeout(max(0.1, seconds) * 1000)


def handle_of(command: Any) -> str:
    """Return the name of an operation: its id as the query history has it, and what proves it is ours."""
    return f"{command.to_hex_guid()}.{command.secret.hex()}"


def operation(handle: str) -> Any:
    """Return the driver's id of the operation that `handle_of` named."""
    from uuid import UUID

    from databricks.sql.backend.types import BackendType, CommandId
    from databricks.sql.thrift_api.TCLIService.ttypes import TOperationType

    id, _, secret = handle.partition(".")
    return CommandId(
        BackendType.THRIFT, UUID(id).bytes, bytes.fromhex(secret), TOperationType.EXECUTE_STATEMENT, True
    )


def _https_only(client: Any, values: Mapping[str, Any]) -> None:
    """Hold the client that fetches results to https: the workspace names the place."""
    if not values.get("ssl_enabled", True):
        return
    chosen = client._get_pool_manager_for_url

    def checked(url: str) -> Any:
        if not url.lower().startswith("https://"):
            raise ConnectionLost(
                "The workspace gave a part of the result at an address without encryption.",
                hint="It is not fetched; ask the workspace's administrator.",
            )
        return chosen(url)

    client._get_pool_manager_for_url = checked
