"""JSON shapes: the only place that knows the field names of what crosses to a browser or a REST client.

Nothing here knows a web server. ``answers`` writes what is shown, ``requests`` reads what is asked,
``results`` writes rows, as JSON or Arrow, piece by piece. ``server/openapi.yaml`` is the contract.
"""

from __future__ import annotations

from .answers import (
    analysis_json,
    availability_json,
    catalog_json,
    checks_json,
    column_json,
    connection_health_json,
    connection_json,
    connector_json,
    engine_json,
    error_json,
    estimate_json,
    health_json,
    history_json,
    instant,
    notice_json,
    route_json,
    state_json,
    table_json,
    timings_json,
)
from .body import read_body
from .requests import (
    ConnectionRequest,
    QueryRequest,
    SignInRequest,
    address_request,
    change_request,
    connection_request,
    flag,
    integer,
    nothing,
    parallel_request,
    query_request,
    sign_in_request,
    text,
)
from .results import ARROW, arrow_chunks, head_json, json_chunks
from .sign_in import sign_in_json

__all__ = [
    "ARROW",
    "ConnectionRequest",
    "QueryRequest",
    "SignInRequest",
    "address_request",
    "analysis_json",
    "arrow_chunks",
    "availability_json",
    "catalog_json",
    "change_request",
    "checks_json",
    "column_json",
    "connection_health_json",
    "connection_json",
    "connection_request",
    "connector_json",
    "engine_json",
    "error_json",
    "estimate_json",
    "flag",
    "head_json",
    "health_json",
    "history_json",
    "instant",
    "integer",
    "json_chunks",
    "nothing",
    "notice_json",
    "parallel_request",
    "query_request",
    "read_body",
    "route_json",
    "sign_in_json",
    "sign_in_request",
    "state_json",
    "table_json",
    "text",
    "timings_json",
]
