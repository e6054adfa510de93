"""Values reach MySQL as they are, whatever the session makes of quotes and backslashes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from aiser_jupyter.errors import UsageError
from tests.connectors.mysql_database import fetch, session_of, value
from tests.servers.mariadb import MariaDB


@pytest.fixture
def session(mariadb: MariaDB) -> Iterator[Any]:
    with session_of(mariadb) as opened:
        yield opened


TEXTS = [
    "",
    "it's",
    'a "quoted" `name`',
    "back\\slash",
    "\\'",
    "\\",
    "%",
    "%s %(x)s %%",
    "\0",
    "\x1a",
    "\r\n\t",
]
TEXTS += ["表示ソ能", "🦆", "'; DROP TABLE x; -- ", "--", "/* */", "{{ x }}", "\\%", "ÿ¿'"]


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ANSI,NO_BACKSLASH_ESCAPES"])
def test_text_arrives_as_it_is_in_every_mode(session: Any, mode: str) -> None:
    fetch(session, f"SET sql_mode = '{mode}'")
    for text in TEXTS:
        assert value(session, "%(x)s", {"x": text}) == text
        assert value(session, "CONCAT(%(x)s, '%%', %(x)s)", {"x": text}) == f"{text}%{text}"
        assert value(session, "HEX(%(x)s)", {"x": text.encode()}) == text.encode().hex().upper()


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (None, None),
        (True, 1),
        (False, 0),
        (2**63 - 1, 2**63 - 1),
        (2**64 - 1, 2**64 - 1),
        (-1, -1),
        (0.1, 0.1),
        (1e300, 1e300),
        (-1.5e-300, -1.5e-300),
        (1e16, 1e16),
        (Decimal("1.10"), Decimal("1.10")),
        (Decimal("1E+3"), 1000),
        (b"\x00\xff'\\", b"\x00\xff'\\"),
        (bytearray(b"ab"), b"ab"),
        (np.int64(7), 7),
        (np.float64(0.1), 0.1),
        (np.str_("a'b"), "a'b"),
        (np.bool_(True), 1),
    ],
)
def test_values_arrive_as_they_are(session: Any, bound: Any, expected: Any) -> None:
    assert value(session, "%(x)s", {"x": bound}) == expected


@pytest.mark.parametrize(
    ("type_", "bound"),
    [
        ("DATE", dt.date(2024, 2, 29)),
        ("DATETIME(6)", dt.datetime(1, 1, 1, 0, 0, 0, 1)),
        ("DATETIME(6)", dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
        ("TIME(6)", dt.timedelta(hours=-838, minutes=-59, seconds=-58, microseconds=-1)),
        ("TIME(6)", dt.timedelta(hours=25, microseconds=3)),
    ],
)
def test_times_arrive_as_they_are(session: Any, type_: str, bound: Any) -> None:
    assert value(session, f"CAST(%(x)s AS {type_})", {"x": bound}) == bound


def test_a_list_is_bound_after_in(session: Any) -> None:
    assert value(session, "2 IN %(x)s", {"x": [1, 2, 3]}) == 1
    assert value(session, "'a''b' IN %(x)s", {"x": ("x", "a'b")}) == 1


@pytest.mark.parametrize(
    "bound",
    [
        float("inf"),
        float("nan"),
        Decimal("NaN"),
        "\ud800",
        object(),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        {"a": 1},
    ],
)
def test_what_mysql_has_no_value_for_is_refused(session: Any, bound: Any) -> None:
    with pytest.raises(UsageError, match="'x'"):
        value(session, "%(x)s", {"x": bound})
    assert value(session, "1") == 1


def test_without_parameters_a_percent_sign_is_one(session: Any) -> None:
    assert value(session, "'50%' LIKE '5%'") == 1
