"""Statements that nobody chose: what is let through is equal, over values at the limits of their types."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiser_jupyter.sql.portable import to_duckdb, why_not_portable
from tests.portability.tables import Source, equal

NUMBERS = st.sampled_from(
    ("0", "1", "2", "-1", "-7", "1.5", "0.05", "12.3456", "100000", "3000000000", "9007199254740993")
)
COLUMNS = st.sampled_from(("id", "n", "small", "big", "price", "rate"))
TABLES = st.sampled_from(("items", "limits"))
SIGNS = st.sampled_from(("=", "<>", "<", "<=", ">", ">="))
DAYS = st.sampled_from(("2023-03-26", "2024-02-29", "1999-12-31"))


def _values(depth: int) -> st.SearchStrategy[str]:
    if not depth:
        return st.one_of(COLUMNS, COLUMNS, NUMBERS)
    less = _values(depth - 1)
    return st.one_of(
        less,
        st.builds("({} {} {})".format, less, st.sampled_from("+-*"), less),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, _conditions(depth - 1), less, less),
        st.builds("COALESCE({}, {})".format, less, less),
    )


def _conditions(depth: int) -> st.SearchStrategy[str]:
    one = st.one_of(
        st.builds("{} {} {}".format, _values(0), SIGNS, _values(0)),
        st.builds("{} BETWEEN {} AND {}".format, COLUMNS, NUMBERS, COLUMNS),
        st.builds("{} NOT IN ({}, {})".format, COLUMNS, NUMBERS, NUMBERS),
        st.builds("ratio {} {}".format, SIGNS, st.sampled_from(("0.1", "2.5", "n"))),
        st.builds("day {} '{}'".format, SIGNS, DAYS),
        st.builds("{} IS NULL".format, COLUMNS),
    )
    if not depth:
        return one
    less = _conditions(depth - 1)
    return st.one_of(
        one, st.builds("({} OR {})".format, less, less), st.builds("NOT ({} AND {})".format, less, less)
    )


STATEMENTS = st.one_of(
    st.builds("SELECT id, {} AS x FROM {} WHERE {}".format, _values(2), TABLES, _conditions(2)),
    st.builds("SELECT DISTINCT {} AS x FROM {} WHERE {}".format, _values(1), TABLES, _conditions(1)),
    st.builds(
        "SELECT {}, sum({}) AS x FROM {} WHERE {} GROUP BY 1 HAVING max({}) > {}".format,
        COLUMNS,
        _values(1),
        TABLES,
        _conditions(1),
        COLUMNS,
        NUMBERS,
    ),
    st.builds("SELECT {} AS x FROM {} UNION SELECT qty FROM orders".format, _values(1), TABLES),
    st.builds("SELECT id, {} AS x FROM {} ORDER BY x DESC, id LIMIT 4".format, _values(1), TABLES),
)


@pytest.mark.parametrize("dialect", ["mysql", "postgres"])
def test_what_is_let_through_is_equal(dialect: str, request: pytest.FixtureRequest) -> None:
    source: Source = request.getfixturevalue(dialect)
    judged = []

    @given(text=STATEMENTS)
    @settings(
        max_examples=120,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def check(text: str) -> None:
        why = why_not_portable(text, dialect, source.columns, lossless=True)
        judged.append(why)
        if why is None:
            ours = source.computed(to_duckdb(text, dialect, source.columns))
            assert equal(source.answer(text), ours, ordered="LIMIT" in text)

    check()
    assert judged.count(None) > 50
