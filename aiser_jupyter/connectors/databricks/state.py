"""What a SQL warehouse or a cluster does, asked of the workspace's REST API: that starts nothing.

The question brings the connection's credential, so that it also shows whether that still signs in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ...errors import ConnectError, NotPermitted
from ..state import Activity, WarehouseState
from .errors import refused
from .http import ask, credential, said, warehouse_id

__all__ = ["state_of"]

_WAREHOUSES, _CLUSTERS = "/api/2.0/sql/warehouses/", "/api/2.0/clusters/get"
_ACTIVITIES = {
    "RUNNING": Activity.RUNNING,
    "RESIZING": Activity.RUNNING,
    "STARTING": Activity.STARTING,
    "PENDING": Activity.STARTING,
    "RESTARTING": Activity.STARTING,
    "STOPPING": Activity.STOPPING,
    "TERMINATING": Activity.STOPPING,
    "STOPPED": Activity.SUSPENDED,
    "TERMINATED": Activity.SUSPENDED,
}


def state_of(values: Mapping[str, Any], seconds: float) -> WarehouseState:
    """Ask what the warehouse of a connection does; each request may take so long.

    Raises
    ------
    AuthenticationFailed
    ConnectError
        The workspace does not answer, or knows no such warehouse.
    """
    id = warehouse_id(values)
    path = _WAREHOUSES + id if id else f"{_CLUSTERS}?{urlencode({'cluster_id': _cluster_id(values)})}"
    source = "GET " + (_WAREHOUSES if id else _CLUSTERS).rstrip("/")
    noun = "warehouse" if id else "cluster"
    status, answer = ask(values, path, _headers(values, seconds), seconds)
    if status == 200:
        name = str(answer.get("name" if id else "cluster_name") or "")
        word = str(answer.get("state") or "unknown")
        activity = _ACTIVITIES.get(word, Activity.UNKNOWN)
        words = f"The {noun} {name} is {word.lower()}".replace("  ", " ")
        return WarehouseState(activity, f"{words}.", source)
    if status == 429 or status >= 500:
        raise ConnectError(f"The workspace answered with HTTP {status}.", hint="Try again later.")
    known = 404 if status == 400 else status  # how a cluster that is not there is told
    error = refused({"http-code": known, "error-message": said(answer)}, "")
    if isinstance(error, NotPermitted):  # it was reached, and knows who asks
        words = f"The workspace does not tell this user what the {noun} does."
        return WarehouseState(Activity.UNKNOWN, words, source)
    raise error


def _headers(values: Mapping[str, Any], seconds: float) -> dict[str, str]:
    signed = credential(values, seconds)
    if "access_token" in signed:
        headers = {"Authorization": f"Bearer {signed['access_token']}"}
    else:
        headers = dict(signed["credentials_provider"]()())
    if found := re.search(r"[?&]o=(\d+)|/o/(\d+)/", str(values["http_path"])):
        headers["x-databricks-org-id"] = found[1] or found[2]  # which workspace, at a host that has several
    return headers


def _cluster_id(values: Mapping[str, Any]) -> str:
    return str(values["http_path"]).partition("?")[0].rpartition("/")[2]
