"""What Redshift says, as it was seen in its own words, in our classes."""

from __future__ import annotations

from typing import Any

import pytest
from redshift_connector import InterfaceError, OperationalError, ProgrammingError

from aiser_jupyter.connectors.redshift.errors import translate, translated
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConnectError,
    ConnectionLost,
    DataError,
    DiskFull,
    MultipleStatements,
    NotPermitted,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    StatementError,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
)


def details(error: str, code: int, context: str = "") -> str:
    """Return what a compute node writes beside an error."""
    return (
        "\n  -----------------------------------------------\n"
        f"  error:  {error}\n  code:      {code}\n  context:   {context}\n  query:     37142\n"
        "  location:  fdisk_api.cpp:415\n  process:   query0_52 [pid=8302]\n"
        "  -----------------------------------------------\n"
    )


SAID: list[tuple[dict[str, str], type[AiserError], str]] = [
    ({"C": "42601", "M": 'syntax error at or near "FRM"', "P": "10"}, QuerySyntaxError, "FRM"),
    ({"C": "42601", "M": "cannot insert multiple commands into a prepared statement",
      "R": "exec_parse_message"}, MultipleStatements, "one statement"),
    ({"C": "42P01", "M": 'relation "ordrs" does not exist'}, UnknownTable, "ordrs"),
    ({"C": "42703", "M": 'column "x" does not exist in orders'}, UnknownColumn, "x"),
    ({"C": "42883", "M": "function no_such(integer) does not exist"}, StatementError, "no_such"),
    ({"C": "42501", "M": "permission denied for relation orders"}, NotPermitted, "denied"),
    ({"C": "25006", "M": "transaction is read-only"}, NotPermitted, "read-only"),
    ({"C": "3F000", "M": 'schema "x" does not exist'}, StatementError, "schema"),
    ({"C": "0A000",
      "M": "Specified types or functions (one per INFO message) not supported on Redshift tables."},
     StatementError, "not supported"),
    ({"C": "22001", "M": "value too long for type character varying(10)"}, DataError, "too long"),
    ({"C": "22012", "M": "Divide by zero"}, DataError, "zero"),
    ({"C": "57014", "M": "Query (37142) cancelled on user's request"}, QueryCancelled, "user's request"),
    ({"C": "57P01", "M": "terminating connection due to administrator command"}, ConnectionLost, "admin"),
    ({"C": "40001", "M": "could not serialize access"}, QueryFailed, "serialize"),
    ({"C": "XX000", "M": "Disk Full", "D": details("Disk Full", 1016, "node: 0")}, DiskFull, "Disk Full"),
    ({"C": "XX000", "M": "1023",
      "D": "Serializable isolation violation on table - 100260, transactions forming the cycle are: 1, 2"},
     QueryFailed, "Serializable isolation violation"),
    ({"C": "XX000", "M": "Numeric data overflow (result precision)",
      "D": details("Numeric data overflow (result precision)", 1058, "128 bit numeric multiply")},
     DataError, "overflow"),
    ({"C": "XX000", "M": "Invalid digit, Value 'a', Pos 0, Type: Integer",
      "D": details("Invalid digit, Value 'a', Pos 0, Type: Integer", 1207, "abc")}, DataError, "abc"),
    ({"C": "XX000", "M": "S3ServiceException:Access Denied,Status 403",
      "D": details("S3ServiceException:Access Denied,Status 403", 8001, "Listing bucket=shop")},
     QueryFailed, "Listing bucket"),
    ({"C": "XX000", "M": "Spectrum Scan Error",
      "D": details("Spectrum Scan Error", 15007, "File 'https://s3/x' has an incompatible Parquet schema")},
     QueryFailed, "incompatible Parquet"),
    ({"C": "XX000", "M": "Assert", "D": details("Assert", 1000, "m_num > 0")}, QueryFailed, "Assert"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "kind", "said"), SAID, ids=[f["M"][:40] for f, *_ in SAID])
def test_an_error_has_its_class(fields: dict[str, str], kind: type[AiserError], said: str) -> None:
    error = translated(fields, "SELECT 1 FRM", int(fields["P"]) - 1 if "P" in fields else None)
    assert type(error) is kind
    assert said in error.message
    assert type(translate(ProgrammingError(fields))) is kind


def test_where_a_statement_may_succeed_later() -> None:
    again = {fields["M"] for fields, *_ in SAID if translated(fields, "").retryable}
    assert again == {
        "Query (37142) cancelled on user's request", "could not serialize access", "1023", "Disk Full",
        "terminating connection due to administrator command",
    }  # fmt: skip


@pytest.mark.parametrize("fields", [fields for fields, *_ in SAID if fields["C"] == "XX000"][:-1])
def test_what_the_nodes_say_has_a_hint(fields: dict[str, str]) -> None:
    assert translated(fields, "").hint


@pytest.mark.parametrize(
    ("exc", "kind", "hint"),
    [
        (InterfaceError({"C": "28000", "M": 'password authentication failed for user "ann"'}),
         AuthenticationFailed, "Check user and password"),
        (InterfaceError({"C": "28000", "M": 'no pg_hba.conf entry for host "::1", user "ann", SSL off'}),
         AuthenticationFailed, "Turn TLS on"),
        (ProgrammingError({"C": "3D000", "M": 'database "x" does not exist'}), UnknownDatabase, "database"),
        (ProgrammingError({"C": "53300", "M": "too many connections"}), ConnectError, "no more connections"),
        (ProgrammingError({"C": "XX000", "M": 'connection limit "500" exceeded for non-bootstrap users'}),
         ConnectError, "no more connections"),
        (InterfaceError("BrokenPipe: server socket closed. Please check that …"), ConnectionLost, "again"),
        (InterfaceError("Authentication method 7 not recognized by redshift_connector."),
         AuthenticationFailed, "not supported"),
        (OperationalError("connection time out", TimeoutError()), ConnectionLost, "again"),
        (ConnectionResetError(104, "Connection reset by peer"), ConnectionLost, "again"),
    ],
)  # fmt: skip
def test_a_login_that_fails(exc: Any, kind: type[AiserError], hint: str) -> None:
    error = translate(exc)
    assert type(error) is kind
    assert hint in error.hint
