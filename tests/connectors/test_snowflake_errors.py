"""Snowflake's most common errors, as its service and its driver word them, in the driver's own classes."""

from __future__ import annotations

from http.client import BadStatusLine
from typing import Any

import pytest
from snowflake.connector import errors as driver

from aiser_jupyter.connectors.snowflake.errors import translate
from aiser_jupyter.errors import (
    AuthenticationFailed,
    ConnectError,
    ConnectionLost,
    DataError,
    DeadlineExceeded,
    HostUnreachable,
    MultipleStatements,
    NotPermitted,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    ResourceError,
    StatementError,
    TLSFailed,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
)

LOGIN = "Failed to login: Login error: {}, code: {}"
HTTP = "Failed to login: HTTP request failed after retries: login request. {}"
CERTIFICATE = HTTP.format("invalid peer certificate: {}")

AT_LOGIN: list[tuple[int, str, type[Exception], str]] = [
    (
        390100,
        "Incorrect username or password was specified.",
        AuthenticationFailed,
        "Check user and password",
    ),
    (390101, "User temporarily locked. Try again later.", AuthenticationFailed, "unlocked"),
    (
        390102,
        "User access disabled. Contact your local system administrator.",
        AuthenticationFailed,
        "disabled",
    ),
    (390106, "Specified password has expired.", AuthenticationFailed, "Change the password"),
    (390144, "JWT token is invalid. [0f3c2c3e]", AuthenticationFailed, "private key"),
    (390189, "Role 'X' specified in the connect string does not exist.", AuthenticationFailed, "not granted"),
    (390303, "Invalid OAuth access token. [5d2c8f1a]", AuthenticationFailed, "new OAuth token"),
    (390318, "OAuth access token expired. [5d2c8f1a]", AuthenticationFailed, "new OAuth token"),
    (394400, "Programmatic access token is invalid.", AuthenticationFailed, "new programmatic"),
    (394508, "Failed to authenticate: MFA authentication is required.", AuthenticationFailed, "key pair"),
    (390999, "Something that nobody has seen.", AuthenticationFailed, "administrator"),
    (390422, "Incoming request with IP/Token 203.0.113.7 is not allowed.", ConnectError, "network policy"),
    (390201, "The requested database does not exist or not authorized.", UnknownDatabase, "USAGE|role"),
]
ON_THE_WAY: list[tuple[str, type[Exception], str]] = [
    (HTTP.format("Connection refused (os error 111)"), HostUnreachable, "network"),
    (HTTP.format("dns error: failed to lookup address information"), HostUnreachable, "account"),
    (CERTIFICATE.format("UnknownIssuer"), TLSFailed, "ssl_ca"),
    (CERTIFICATE.format("Expired"), TLSFailed, "authority"),
    (CERTIFICATE.format("NotValidForName"), TLSFailed, "authority"),
    (HTTP.format("last status 403 Forbidden"), ConnectError, "myorg-myaccount"),
    (HTTP.format("operation timed out"), ConnectError, "again"),
    (
        "Failed to login: Authentication failed. Malformed PEM: body is not valid base64",
        AuthenticationFailed,
        "PEM",
    ),
]
COMPILED = "SQL compilation error:\n"
OF_STATEMENTS: list[tuple[int, str, str, type[Exception]]] = [
    (1003, "42000", COMPILED + "syntax error line 1 at position 7 unexpected 'FORM'.", QuerySyntaxError),
    (
        904,
        "42000",
        "SQL compilation error: error line 1 at position 7\ninvalid identifier 'X'",
        UnknownColumn,
    ),
    (2003, "42S02", COMPILED + "Object 'X' does not exist or not authorized.", UnknownTable),
    (2043, "02000", COMPILED + "Object does not exist, or operation cannot be performed.", UnknownTable),
    (
        3001,
        "42501",
        "SQL access control error:\nInsufficient privileges to operate on table 'X'",
        NotPermitted,
    ),
    (606, "57P03", "No active warehouse selected in the current session.", StatementError),
    (90105, "22000", "Cannot perform SELECT. This session does not have a current database.", StatementError),
    (90106, "22000", "Cannot perform SELECT. This session does not have a current schema.", StatementError),
    (
        90073,
        "22000",
        "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.",
        ResourceError,
    ),
    (604, "57014", "SQL execution canceled", QueryCancelled),
    (
        630,
        "57014",
        "Statement reached its statement or warehouse timeout of 5 second(s) and was canceled.",
        DeadlineExceeded,
    ),
    (8, "0A000", "Actual statement count 2 did not match the desired statement count 1.", MultipleStatements),
    (100038, "22018", "Numeric value 'abc' is not recognized", DataError),
    (100035, "22007", "Timestamp 'abc' is not recognized", DataError),
    (100040, "22007", "Date 'abc' is not recognized", DataError),
    (100051, "22012", "Division by zero", DataError),
    (100078, "22000", "String 'abc' is too long and would be truncated", DataError),
    (100072, "22000", "NULL result in a non-nullable column", DataError),
    (2140, "42601", COMPILED + "Unknown function FOO", StatementError),
    (2002, "42710", COMPILED + "Object 'X' already exists.", StatementError),
    (979, "42601", COMPILED + "'X' is not a valid group by expression", StatementError),
    (390112, "08001", "Your session has expired. Please login again.", ConnectionLost),
    (390114, "08001", "Authentication token has expired. The user must authenticate again.", ConnectionLost),
    (390111, "08001", "Session no longer exists. New login required to access the service.", ConnectionLost),
    (300002, "XX000", "Processing aborted by error 300002:1984; incident 7", QueryFailed),
]


@pytest.mark.parametrize(
    ("number", "words", "error", "hint"), AT_LOGIN, ids=[str(each[0]) for each in AT_LOGIN]
)
def test_why_a_login_failed(number: int, words: str, error: type[Exception], hint: str) -> None:
    found = translate(driver.DatabaseError(LOGIN.format(words, number), errno=number, sqlstate="08001"))
    assert type(found) is error
    assert found.message == words
    assert any(each in found.hint for each in hint.split("|"))


@pytest.mark.parametrize(("words", "error", "hint"), ON_THE_WAY)
def test_what_happened_on_the_way(words: str, error: type[Exception], hint: str) -> None:
    found = translate(driver.DatabaseError(words, errno=250001, sqlstate="08001"))
    assert type(found) is error
    assert hint in found.hint


@pytest.mark.parametrize(
    ("number", "state", "words", "error"), OF_STATEMENTS, ids=[str(each[0]) for each in OF_STATEMENTS]
)
def test_what_a_statement_failed_with(number: int, state: str, words: str, error: type[Exception]) -> None:
    id = "01b2c3d4-0000-0000-0000-00000000abcd"
    raised = driver.ProgrammingError(words, errno=number, sqlstate=state, sfqid=id)
    found = translate(raised, "SELECT 1")
    assert type(found) is error
    assert id not in found.message


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("SQL compilation error:\nsyntax error line 3 at position 0 unexpected 'x'.", (3, 1)),
        ("SQL compilation error:\nparse error line 1 at position 41 near '<EOF>'.", (1, 42)),
        ("SQL compilation error: something else", (None, None)),
    ],
)
def test_a_syntax_error_has_its_place(words: str, place: tuple[Any, Any]) -> None:
    found = translate(driver.ProgrammingError(words, errno=1003, sqlstate="42000"), "SELECT")
    assert isinstance(found, QuerySyntaxError)
    assert (found.line, found.column) == place
    assert "compilation" not in found.message


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (
            driver.OperationalError("HTTP request failed after retries: query status.", errno=4),
            ConnectionLost,
        ),
        (driver.InternalError("Failed to process query response.", errno=6), ConnectionLost),
        (OSError("External error: Failed to communicate with Snowflake to get chunk data"), ConnectionLost),
        (ValueError("Invalid IPC stream"), ConnectionLost),
        (ConnectionResetError(104, "reset by peer"), ConnectionLost),
        (MemoryError(), ResourceError),
    ],
)
def test_what_broke_in_mid_statement(raised: Exception, error: type[Exception]) -> None:
    assert type(translate(raised, "SELECT 1")) is error


@pytest.mark.parametrize("raised", [ConnectionResetError(104, "reset"), BadStatusLine("SSH-2.0")])
def test_another_kind_of_server_is_told_as_such(raised: Exception) -> None:
    found = translate(raised)
    assert type(found) is ConnectError
    assert "another kind of server" in found.hint


def test_every_error_of_a_login_has_a_hint() -> None:
    for number in range(390_100, 394_600):
        found = translate(driver.DatabaseError(LOGIN.format("words", number), errno=number))
        assert found.hint, number
