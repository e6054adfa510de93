"""What Databricks says, in our words: the vendor's own messages, through the driver's own exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from databricks.sql import exc as driver
from urllib3 import exceptions as urllib3

from aiser_jupyter import errors
from aiser_jupyter.connectors.databricks import DatabricksConnector
from aiser_jupyter.connectors.databricks.errors import asleep, translate
from aiser_jupyter.errors import QuerySyntaxError
from aiser_jupyter.run import Run
from tests.conformance.databricks import config as config_of
from tests.endpoints.databricks import Databricks


@pytest.fixture(scope="module")
def session(databricks: Databricks) -> Iterator[Any]:
    databricks.behave()
    with closing(DatabricksConnector().fresh(config_of(Path(), databricks))) as session:
        yield session


def failure(session: Any, sql: str) -> Any:
    with pytest.raises(errors.AiserError) as caught:
        session.execute(sql, (), Run("test", tag="user=ann cell=c1 run=7")).read_all()
    return caught.value


# The words of the vendor, as they are documented and reported; what they become, and a part of the hint.
SAID = {
    "[TABLE_OR_VIEW_NOT_FOUND] The table or view `shop`.`ordres` cannot be found. Verify the spelling and"
    " correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the"
    " current_schema() output. SQLSTATE: 42P01; line 1 pos 14": (errors.UnknownTable, ""),
    "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `amout` cannot"
    " be resolved. Did you mean one of the following? [`amount`]. SQLSTATE: 42703; line 1 pos 7;\n'Project"
    " ['amout]\n+- SubqueryAlias t": (errors.UnknownColumn, "Did you mean 'amount'?"),
    "[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION] A column, variable, or function parameter with name `x` cannot be"
    " resolved. SQLSTATE: 42703": (errors.UnknownColumn, ""),
    "[SCHEMA_NOT_FOUND] The schema `main`.`shopp` cannot be found. SQLSTATE: 42704": (
        errors.UnknownTable,
        "schema",
    ),
    "[INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have permission SELECT on table"
    " `main`.`shop`.`salaries`. SQLSTATE: 42501": (errors.NotPermitted, "GRANT SELECT"),
    "PERMISSION_DENIED: User does not have USE SCHEMA on Schema 'main.hr'. SQLSTATE: 42501": (
        errors.NotPermitted,
        "USE SCHEMA",
    ),
    "[DIVIDE_BY_ZERO] Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead."
    " SQLSTATE: 22012": (errors.DataError, ""),
    '[CAST_INVALID_INPUT] The value \'x\' of the type "STRING" cannot be cast to "INT" because it is'
    " malformed. SQLSTATE: 22018": (errors.DataError, ""),
    "[ARITHMETIC_OVERFLOW] long overflow. SQLSTATE: 22003": (errors.DataError, ""),
    "[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: id. SQLSTATE: 23502": (
        errors.DataError,
        "",
    ),
    "[UNRESOLVED_ROUTINE] Cannot resolve routine `sumx` on search path. SQLSTATE: 42883": (
        errors.StatementError,
        "",
    ),
    '[DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES] Cannot resolve "(a = b)". SQLSTATE: 42K09': (
        errors.StatementError,
        "",
    ),
    "[UNBOUND_SQL_PARAMETER] Found the unbound parameter: x. SQLSTATE: 42P02": (errors.StatementError, ""),
    "[UNSUPPORTED_FEATURE.TIME_TRAVEL] The feature is not supported. SQLSTATE: 0A000": (
        errors.StatementError,
        "",
    ),
    "Query has been cancelled by user.": (errors.QueryCancelled, ""),
    "Statement timed out: the query was cancelled as STATEMENT_TIMEOUT was exceeded.": (
        errors.DeadlineExceeded,
        "STATEMENT_TIMEOUT",
    ),
    "requirement failed: Session handle: SessionHandle [0-1] has not been initialized or had already"
    " closed.": (errors.ConnectionLost, "again"),
    "Job aborted due to stage failure: java.lang.OutOfMemoryError: Java heap space": (
        errors.OutOfMemory,
        "larger warehouse",
    ),
    "Job aborted: java.io.IOException: No space left on device": (errors.DiskFull, "spill"),
    "Total size of serialized results of 12 tasks (4.0 GiB) is bigger than spark.driver.maxResultSize"
    " (4.0 GiB)": (errors.ResultTooLarge, "read less"),
    "[DELTA_CONCURRENT_APPEND] ConcurrentAppendException: Files were added to the root of the table by a"
    " concurrent update. SQLSTATE: 2D521": (errors.QueryFailed, "Run it again"),
    "QUOTA_EXCEEDED: You have exceeded the maximum number of queries queued": (errors.QueryFailed, "quota"),
    "BAD_REQUEST: Cannot create the resource, please try again later": (errors.QueryFailed, "not up yet"),
    "You must provide at least one staging_allowed_local_path when initialising a connection": (
        errors.NotPermitted,
        "volume",
    ),
    "Something that nobody has seen before": (errors.QueryFailed, ""),
}


@pytest.mark.parametrize("text", SAID, ids=lambda text: text[:40])
def test_the_vendors_words(text: str) -> None:
    kind, hint = SAID[text]
    error = translate(driver.ServerOperationError(text, {"operation-id": "x"}), "SELECT 1")
    assert type(error) is kind
    assert hint in error.hint
    assert "== SQL" not in error.message
    assert "'Project" not in error.message
    assert "line 1" not in error.message  # it counts a comment that is not the user's


@pytest.mark.parametrize("text", sorted(SAID)[:12], ids=lambda text: text[:40])
def test_they_arrive_through_the_driver(session: Any, text: str) -> None:
    """An error of the warehouse, over the wire, is the same as the exception alone."""
    expected = translate(driver.ServerOperationError(text), "SELECT 1")
    quoted = text.replace("'", "''")
    error = failure(session, f"SELECT raise_error('42000|{quoted}')")
    assert (type(error), error.message, error.hint) == (type(expected), expected.message, expected.hint)


ANSWERS = [
    (
        401,
        "Credential was not sent or was of an unsupported type",
        errors.AuthenticationFailed,
        "make a new one",
    ),
    (403, ": Invalid access token.", errors.AuthenticationFailed, "expires"),
    (
        403,
        "Source IP address: 203.0.113.7 is blocked by Databricks IP ACL",
        errors.ConnectError,
        "access list",
    ),
    (403, "PERMISSION_DENIED: no permission to use warehouse", errors.NotPermitted, "CAN USE"),
    (404, "Endpoint a1 does not exist.", errors.ConnectError, "http_path"),
    (429, "", errors.ConnectError, "try again"),
    (503, "TEMPORARILY_UNAVAILABLE: starting", errors.ConnectError, "timeout"),
    (302, "", errors.ConnectError, "server_hostname"),
    (200, "", errors.ConnectError, "server_hostname"),
    (500, "INTERNAL_ERROR", errors.ConnectError, "later"),
    (None, "", errors.ConnectionLost, "again"),
]


@pytest.mark.parametrize(("status", "said", "kind", "hint"), ANSWERS, ids=lambda each: str(each)[:30])
def test_answers_that_are_no_result(status: int | None, said: str, kind: Any, hint: str) -> None:
    context = {"http-code": status, "error-message": said}
    error = translate(driver.RequestError("Error during request to server.", context))
    assert type(error) is kind
    assert hint in error.hint
    assert error.retryable or status not in (429, 503)


WAYS = [
    (urllib3.NewConnectionError(None, "refused"), errors.HostUnreachable),  # type: ignore[arg-type]
    (urllib3.NameResolutionError("x", None, OSError()), errors.HostUnreachable),  # type: ignore[arg-type]
    (urllib3.ConnectTimeoutError("x"), errors.HostUnreachable),
    (urllib3.ReadTimeoutError(None, "/", "x"), errors.ConnectionLost),  # type: ignore[arg-type]
    (urllib3.ProtocolError("Connection aborted."), errors.ConnectionLost),
    (urllib3.ProxyError("x", OSError()), errors.HostUnreachable),
    (urllib3.ResponseError("too many redirects"), errors.ConnectError),
]


@pytest.mark.parametrize(("reason", "kind"), WAYS, ids=lambda each: type(each).__name__)
def test_ways_that_lead_nowhere(reason: Exception, kind: Any) -> None:
    for exc in (reason, urllib3.MaxRetryError(None, "/", reason)):  # type: ignore[arg-type]
        error = translate(exc)
        assert type(error) is kind
        assert error.hint


def test_other_exceptions() -> None:
    kinds = {
        errors.EngineUnavailable: driver.ReydenThriftUnsupportedError("Thrift is not supported"),
        errors.OutOfMemory: MemoryError(),
        errors.ConnectionLost: EOFError(),
        errors.UsageError: driver.NotSupportedError("Could not infer parameter type"),
    }
    for kind, exc in kinds.items():
        assert type(translate(exc, "SELECT 1")) is kind
    assert type(translate(ImportError("no kernel"))) is errors.EngineUnavailable
    inner = errors.AuthenticationFailed("The principal was refused.")
    assert translate(driver.RequestError("Error during request", {}, None, inner)) is inner


def test_what_may_be_sent_again() -> None:
    assert asleep(driver.RequestError("x", {"http-code": 503}))
    assert asleep(driver.DatabaseError("TEMPORARILY_UNAVAILABLE: The warehouse is starting."))
    assert not asleep(driver.RequestError("x", {"http-code": 500}))
    assert not asleep(driver.ServerOperationError("[DIVIDE_BY_ZERO] Division by zero."))
    assert not asleep(urllib3.ProtocolError("Connection aborted."))


@pytest.mark.parametrize(
    ("sql", "place"), [("SELEC 1", (1, 7)), ("SELECT 1\n FROM range(3) WHRE x = = 2", (2, 21))]
)
def test_a_syntax_error_has_its_place_in_the_users_text(
    session: Any, sql: str, place: tuple[int, int]
) -> None:
    error = failure(session, sql)
    assert isinstance(error, QuerySyntaxError)
    assert (error.line, error.column) == place
    assert error.message.startswith("[PARSE_SYNTAX_ERROR]")


def test_nothing_to_run(session: Any) -> None:
    error = failure(session, "-- nothing")
    assert isinstance(error, QuerySyntaxError)
    assert error.message == "There is no statement to run."
