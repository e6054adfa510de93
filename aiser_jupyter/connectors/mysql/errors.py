"""What MySQL, MariaDB and their driver say, in our words.

The server's number decides, never its text, which is in the server's language. The text is used for the place
of a syntax error and for the names in it.
"""

from __future__ import annotations

import re

from ...errors import (
    AiserError,
    AuthenticationFailed,
    ConnectError,
    ConnectionLost,
    DataError,
    DeadlineExceeded,
    DiskFull,
    MultipleStatements,
    NotPermitted,
    OutOfMemory,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    StatementError,
    TLSFailed,
    UnknownColumn,
    UnknownDatabase,
    UnknownTable,
)
from ...sql.scan import survey

__all__ = ["translate"]

_AUTHENTICATION = {1045, 1251, 1275, 1524, 1698, 1820, 1862, 2049, 2054, 2059, 2061, 3118, 3955, 4151}
_LOST = {0, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2014, 2027, 2055}
_LOST |= {3169, 4031}
_FULL = {1040, 1129, 1203, 1226}
_RIGHTS = {1044, 1095, 1142, 1143, 1211, 1227, 1345, 1370, 1410, 1419, 1873}
_READ_ONLY = {1290, 1792, 1836}
_TABLE, _COLUMN = {1109, 1146, 1051}, {1054, 1247}
_DATA = {1048, 1062, 1138, 1216, 1217, 1242, 1263, 1264, 1265, 1292, 1365, 1366, 1367, 1406, 1411, 1426}
_DATA |= {1441, 1451, 1452, 1525, 1582, 1690, 3140, 3141, 4025, 4038}
_DISK, _MEMORY = {3, 28, 1021, 1114}, {5, 1037, 1038, 1041, 1135}
_LOCAL_FILE = {1148, 3948, 4166}
_AGAIN = {1205: "Another session holds the lock.", 1213: "The server chose this statement to end a deadlock."}
_ONLY_READS = "This session only reads. A statement that writes runs as a cell of its own."
_NEAR = re.compile(r"near '(?P<near>.*)' at line (?P<line>\d+)\Z", re.DOTALL)


def translate(exc: Exception, sql: str = "") -> AiserError:
    """Return the error to raise ``from exc``; ``sql`` is the statement as it was sent."""
    code = exc.args[0] if exc.args and isinstance(exc.args[0], int) else None
    text = str(exc.args[1]) if len(exc.args) > 1 else str(exc)
    if isinstance(exc, RuntimeError) and "LOAD_LOCAL" in text:
        return _local_file()
    if code is None and not isinstance(exc, MemoryError):
        # The driver met something that is not the protocol: whatever it raised, the line is of no use now.
        return ConnectionLost("The server's answer could not be read.", hint="Run it again.")
    if isinstance(exc, MemoryError):
        return OutOfMemory("The result does not fit into memory.", hint="Read less.")
    assert code is not None
    if code == 1045 and sql:  # not the login: a statement that reads or writes files of the server
        return NotPermitted(text, hint="The user lacks the right FILE.")
    return _connection(code, text) or _statement(code, text, sql)


def _connection(code: int, text: str) -> AiserError | None:
    if code in _AUTHENTICATION:
        return _refused(code, text)
    if code == 1049:
        return UnknownDatabase(text, hint="Check its name: upper and lower case may differ.")
    if code in _LOST:
        return ConnectionLost("The connection to the database broke off.", hint="Run it again.")
    if code in _FULL:
        return ConnectError(text, hint="Close other sessions, or lower max_connections.")
    if code == 1130:
        return ConnectError(
            text, hint="The server takes no logins from this machine; its users say from where."
        )
    if code == 2026:
        return TLSFailed(
            "The server offers no encryption.",
            hint="Have TLS turned on at the server, or turn it off for this connection: ssl_enabled.",
        )
    if code == 3159:
        return ConnectError(text, hint="The server takes encrypted connections only: turn ssl_enabled on.")
    if 2000 <= code < 2100:
        return ConnectError(text, hint="Check host and port, and that the server is MySQL or MariaDB.")
    return None


def _refused(code: int, text: str) -> AuthenticationFailed:
    if code in (1820, 1862):
        return AuthenticationFailed(text, hint="Change the password with the database's own client first.")
    if code in (1045, 1698):
        hint = (
            "Check user and password; the user may also be kept to other hosts, to encrypted connections, or"
            " to a certificate (ssl_certificate)."
        )
        return AuthenticationFailed(text, hint=hint)
    hint = "The user's authentication plugin is not supported here; caching_sha2_password is."
    return AuthenticationFailed(text, hint=hint)


def _statement(code: int, text: str, sql: str) -> AiserError:
    if code in (1064, 1065, 1149):
        return _syntax(text, sql)
    if code in _RIGHTS:
        return NotPermitted(text, hint="Ask the database's administrator for the right.")
    if code in _READ_ONLY:
        return NotPermitted(text, hint=_ONLY_READS)
    if code in _LOCAL_FILE:
        return _local_file()
    if code in _TABLE:
        return UnknownTable(text)
    if code in _COLUMN:
        return UnknownColumn(text)
    if code == 1046:
        return StatementError(text, hint="Name the database: database.table, or set it in the connection.")
    if code in _DATA:
        return DataError(text)
    return _stopped(code, text)


def _stopped(code: int, text: str) -> AiserError:
    if code in (1317, 1094):
        return QueryCancelled("The query was stopped at the server.")
    if code in (1969, 3024):
        return DeadlineExceeded(
            "The server stopped the query: it ran longer than a statement may.",
            hint="Read less, or give it longer: --timeout, or the server's own limit.",
        )
    if code in _AGAIN:
        error = QueryFailed(text, hint=f"{_AGAIN[code]} Run it again.")
        error.retryable = True
        return error
    if code in _DISK:
        return DiskFull(text, hint="The server has no room for it: ask its administrator.")
    if code in _MEMORY:
        return OutOfMemory(text, hint="The server has no memory for it: read less, or ask its administrator.")
    if code in (1153, 2020):
        hint = "A value or the statement is larger than the server's max_allowed_packet."
        return DataError(text, hint=hint)
    return QueryFailed(f"{text} (error {code})")


def _local_file() -> NotPermitted:
    return NotPermitted(
        "The server asked for a file of this machine, and was given none.",
        hint="LOAD DATA LOCAL is not available here: read the file with %%aiser, or load it at the server.",
    )


def _syntax(text: str, sql: str) -> AiserError:
    found = survey(sql, "mysql")
    if not found.parts:
        return QuerySyntaxError("There is no statement to run.")
    if len(found.parts) > 1:
        return MultipleStatements(
            f"There are {len(found.parts)} statements; one runs at a time.", hint="Give each its own cell."
        )
    line, column = _place(text, sql)
    return QuerySyntaxError(text, line=line, column=column)


def _place(text: str, sql: str) -> tuple[int | None, int | None]:
    """Return line and column of what the server says it is near to, from 1; None where they are not clear."""
    if (found := _NEAR.search(text)) is None:
        return None, None
    line, near = int(found["line"]), found["near"]
    begin = 0
    for _ in range(line - 1):
        begin = sql.find("\n", begin) + 1
    if not near:  # the end of the statement
        return line, len(sql.rstrip()) - sql.rstrip().rfind("\n")
    # The server quotes the rest of the statement, up to 80 characters of it.
    end, near = sql.rstrip(), near.strip()
    if end.endswith(near):
        at = len(end) - len(near)
    else:
        near = near.removesuffix("...")
        at = sql.find(near, begin)
        at = at if at == sql.rfind(near) else -1  # in two places is nowhere
    if at < begin:
        return line, None
    return sql.count("\n", 0, at) + 1, at - sql.rfind("\n", 0, at)
