"""What BigQuery says, as it is recorded, by way of the driver's own exceptions, in our words."""

from __future__ import annotations

import pytest
import requests
from google.api_core.exceptions import (
    PermissionDenied,
    ResourceExhausted,
    RetryError,
    ServiceUnavailable,
    Unauthenticated,
)
from google.auth.exceptions import RefreshError, TransportError

from aiser_jupyter.connectors.bigquery.errors import translate
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectionLost,
    DataError,
    DeadlineExceeded,
    HostUnreachable,
    MultipleStatements,
    NotPermitted,
    OutOfMemory,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    QueueFull,
    ResourceError,
    ResultTooLarge,
    StatementError,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
)
from tests.connectors.bigquery_kit import ask, config_of
from tests.endpoints.bigquery import BigQuery

SAID: list[tuple[str, str, type[AiserError], str]] = [
    ("invalidQuery", "Syntax error: Unexpected keyword FROM at [1:8]", QuerySyntaxError, ""),
    ("invalidQuery", "Syntax error: Unclosed string literal at [2:3]", QuerySyntaxError, ""),
    ("invalidQuery", "Unrecognized name: nmae; Did you mean name? at [1:8]", UnknownColumn, ""),
    ("invalidQuery", "Name x not found inside t at [1:10]", UnknownColumn, ""),
    (
        "invalid",
        'Table "orders" must be qualified with a dataset (e.g. dataset.table).',
        UnknownTable,
        "dataset.table",
    ),
    ("invalidQuery", "Function not found: NVL2 at [1:8]", StatementError, "its dataset"),
    ("invalidQuery", "Bad int64 value: x", DataError, "SAFE_CAST"),
    ("invalidQuery", "division by zero: 1 / 0", DataError, "SAFE_DIVIDE"),
    ("invalidQuery", "int64 overflow: 9223372036854775807 + 1", DataError, ""),
    ("invalidQuery", "Could not cast literal 'x' to type DATE at [1:13]", DataError, ""),
    (
        "invalidQuery",
        "No matching signature for operator + for argument types: STRING, INT64",
        StatementError,
        "",
    ),
    ("invalidQuery", "Query parameter 'x' not found at [1:8]", StatementError, "value"),
    ("invalidQuery", "Multiple statements are not supported outside a script", MultipleStatements, "cell"),
    ("notFound", "Not found: Table acme:shop.ordres was not found in location US", UnknownTable, ""),
    ("notFound", "Not found: Dataset acme:shp was not found in location US", UnknownTable, "location"),
    ("notFound", "Not found: Project acme-2", UnknownDatabase, "id"),
    (
        "accessDenied",
        "Access Denied: Project acme: User does not have bigquery.jobs.create permission in project acme.",
        NotPermitted,
        "BigQuery Job User",
    ),
    (
        "accessDenied",
        "Access Denied: Table acme:hr.pay: User does not have permission to query table acme:hr.pay, or"
        " perhaps it does not exist.",
        NotPermitted,
        "BigQuery Data Viewer",
    ),
    (
        "accessDenied",
        "VPC Service Controls: Request is prohibited by organization's policy.",
        NotPermitted,
        "rule",
    ),
    (
        "accessNotConfigured",
        "BigQuery API has not been used in project 1 before or it is disabled.",
        NotPermitted,
        "turns the BigQuery API on",
    ),
    ("billingNotEnabled", "Billing has not been enabled for this project.", NotPermitted, "billing"),
    ("authError", "Request had invalid authentication credentials.", AuthenticationFailed, "an hour"),
    (
        "bytesBilledLimitExceeded",
        "Query exceeded limit for bytes billed: 1. 10485760 or higher required.",
        ResourceError,
        "maximum_bytes_billed",
    ),
    (
        "quotaExceeded",
        "Custom quota exceeded: Your usage exceeded the custom quota for QueryUsagePerDay.",
        ResourceError,
        "quota",
    ),
    ("rateLimitExceeded", "Exceeded rate limits: too many concurrent queries.", QueueFull, "again"),
    (
        "resourcesExceeded",
        "Resources exceeded during query execution: The query could not be executed in the allotted memory.",
        OutOfMemory,
        "ORDER BY",
    ),
    ("responseTooLarge", "Response too large to return.", ResultTooLarge, "CREATE TABLE"),
    ("stopped", "Job execution was cancelled: User requested cancellation", QueryCancelled, ""),
    ("stopped", "Job execution was cancelled: Job timed out after 1s", DeadlineExceeded, "--timeout"),
    ("timeout", "Operation timed out after 6.0 hours.", DeadlineExceeded, "--timeout"),
    ("jobInternalError", "The job encountered an internal error during execution.", QueryFailed, "again"),
    ("duplicate", "Already Exists: Table acme:shop.orders", StatementError, "REPLACE"),
    ("invalid", "Invalid value for location: moon is not a valid value", ConfigError, "location"),
    ("somethingNew", "Nobody has seen this yet.", QueryFailed, ""),
]


@pytest.mark.parametrize(("reason", "text", "kind", "hint"), SAID, ids=[text[:40] for _, text, *_ in SAID])
def test_what_bigquery_says_has_a_class_and_a_hint(
    bigquery: BigQuery,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    text: str,
    kind: type[AiserError],
    hint: str,
) -> None:
    monkeypatch.setattr("aiser_jupyter.connectors.bigquery.jobs.RETRY_SECONDS", 0.3)
    bigquery.behave(error=[reason, text])
    with pytest.raises(AiserError) as caught:
        ask(config_of(bigquery))
    assert type(caught.value) is kind
    assert hint in caught.value.hint
    assert "https://127.0.0.1" not in str(caught.value)


def test_the_place_is_read_and_left_out_of_the_text(bigquery: BigQuery) -> None:
    bigquery.behave(error=["invalidQuery", "Syntax error: Unclosed string literal at [2:3]"])
    with pytest.raises(QuerySyntaxError, match=r"literal$") as caught:
        ask(config_of(bigquery))
    assert (caught.value.line, caught.value.column) == (2, 3)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (Unauthenticated("Request had invalid authentication credentials."), AuthenticationFailed),
        (PermissionDenied("bigquery.readsessions.create denied"), NotPermitted),
        (ResourceExhausted("Quota exceeded for quota metric"), QueueFull),
        (RetryError("Timeout of 6.0s exceeded", ServiceUnavailable("try later")), ConnectionLost),
        (RetryError("Timeout", requests.ConnectionError("reset")), ConnectionLost),
        (TransportError(requests.ReadTimeout("read timed out")), ConnectionLost),
        (requests.TooManyRedirects("Exceeded 0 redirects."), ConnectionLost),
        (RefreshError("invalid_grant: Token has been expired or revoked."), AuthenticationFailed),
        (ConnectionResetError(104, "reset"), ConnectionLost),
        (MemoryError(), OutOfMemory),
        (KeyError("v"), ConnectionLost),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_what_the_driver_raises_by_itself_has_a_class(raised: Exception, kind: type[AiserError]) -> None:
    assert type(translate(raised)) is kind


def test_an_error_of_ours_below_the_driver_stays_itself() -> None:
    ours = HostUnreachable("nobody listens")
    above = TransportError(ours)
    above.__cause__ = ours
    assert translate(above) is ours
