"""Whatever is written after the magic: a result or a typed error, and never another statement."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import AiserError
from aiser_jupyter.magics.listing import Listing
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.result import QueryResult
from aiser_jupyter.secret import Secret
from tests.servers.server import Server

_WORDS = """
SELECT FROM WHERE GROUP BY ORDER LIMIT DISTINCT AS AND OR NOT NULL IN ( ) , * + - / % = < > <> || :: . ; ;; '
" ` $$ $a$ -- /* */ # { } {{ }} {{x}} {{ x }} {{nope}} {% %} :x :nope ? $1 %s %(x)s [ ] -> 1 0 1.5 1e400 -7
0x1F 'a' '' 'it''s' "a b" fruit f.name name kilos no_such_table count(*) sum(kilos) lower(name) now()
UNION ALL WITH t VALUES JOIN ON CASE WHEN THEN ELSE END CAST BETWEEN LIKE INTERVAL DATE '2024-01-01' TRUE OVER
EXPLAIN DESCRIBE SHOW x << -o --limit --nope
"""
WORDS = _WORDS.split()
PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=8),
)
TEXTS = st.lists(PIECES, min_size=1, max_size=14).map(" ".join)
LITERALS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
COMMENTS = st.text(st.characters(codec="ascii", exclude_characters="\0*/{}"), max_size=20)


@pytest.fixture
def warehouse(magics: Any, postgresql: Server) -> str:
    values = {
        "host": "127.0.0.1",
        "port": postgresql.port,
        "database": postgresql.database,
        "username": postgresql.user,
        "password": Secret(postgresql.password),
        "ssl_ca": postgresql.authority.pem,
    }
    magics.services.connections.create(ConnectionConfig("postgresql", "warehouse", values))
    return "warehouse"


@pytest.fixture(params=["local", "warehouse"])
def connection(request: pytest.FixtureRequest) -> str:
    if request.param == "warehouse":
        request.getfixturevalue("warehouse")
    return str(request.param)


def attempt(shell: Any, line: str, cell: str) -> Any:
    """Run a cell and return its value, or the typed error that it ended with."""
    try:
        return shell.run_cell_magic("aiser", line, cell)
    except AiserError as exc:
        return exc


def survives(shell: Any, connection: str, text: str) -> None:
    shell.user_ns |= {"x": 5, "fruit": pd.DataFrame({"name": ["a", None], "kilos": [1, 2]})}
    found = attempt(shell, f"{connection} --timeout 20 --limit 10", text + "\n")
    assert isinstance(found, QueryResult | Listing | AiserError | None)
    if isinstance(found, AiserError):
        assert found.message
    if isinstance(found, QueryResult):
        found.table.validate(full=True)
    again = attempt(shell, connection, "SELECT 1 AS n")
    assert again.table.to_pylist() == [{"n": 1}]


def sent_as_written(shell: Any, literal: str, comment: str) -> None:
    """PostgreSQL says which statement it runs: what was written, behind a comment of ours.

    What stands behind the statement, a comment or a semicolon, may be left out.
    """
    quoted = literal.replace("'", "''")
    text = f"SELECT current_query() AS q, '{quoted}' AS v /*{comment}*/ -- {comment.splitlines()[:1]}"
    found = attempt(shell, "warehouse --no-cache", text)
    if isinstance(found, AiserError):
        assert "{" in literal, found  # a template, or a name in braces that is not there
        return
    (row,) = found.table.to_pylist()
    assert row["v"] == literal
    assert row["q"].startswith("/* aiser ")
    sent = row["q"].partition("*/ ")[2]
    assert text.startswith(sent)
    assert sent.endswith(" AS v") or sent == text


def check(example: Any, count: int, *given_: Any) -> None:
    settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
        given(*given_)(example)
    )()


def test_any_text_is_a_result_or_a_typed_error(shell: Any, connection: str) -> None:
    check(lambda text: survives(shell, connection, text), 200, TEXTS)


def test_what_is_written_is_what_is_sent(shell: Any, warehouse: str) -> None:
    check(lambda literal, comment: sent_as_written(shell, literal, comment), 200, LITERALS, COMMENTS)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_thousands_of_texts(shell: Any, connection: str) -> None:
    check(lambda text: survives(shell, connection, text), 2500, TEXTS)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_thousands_of_statements_are_sent_as_written(shell: Any, warehouse: str) -> None:
    check(lambda literal, comment: sent_as_written(shell, literal, comment), 2500, LITERALS, COMMENTS)
