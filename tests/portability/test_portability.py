"""What is said to be portable is, on real servers; and what is refused does differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from aiser_jupyter.errors import QuerySyntaxError
from aiser_jupyter.sql import transpile
from aiser_jupyter.sql.portable import to_duckdb, why_not_portable
from tests.portability.tables import Answer, Source, equal

FOLDER = Path(__file__).parent
DIALECTS = ("mysql", "postgres")


def _pairs() -> list[Any]:
    found = []
    for dialect in DIALECTS:
        for group in yaml.safe_load((FOLDER / f"pairs_{dialect}.yaml").read_text()):
            for text in group["statements"]:
                found.append(pytest.param(dialect, text, group, id=f"{dialect}: {text.strip()}"))
    return found


def _portable() -> list[Any]:
    listed = yaml.safe_load((FOLDER / "portable.yaml").read_text())
    return [
        pytest.param(dialect, text, id=f"{dialect}: {text.strip()}")
        for dialect in DIALECTS
        for text in (*listed["both"], *listed[dialect])
    ]


def _source(request: pytest.FixtureRequest, dialect: str) -> Source:
    found: Source = request.getfixturevalue(dialect)
    return found


def _theirs(source: Source, text: str) -> Answer | None:
    """Return the source's answer, None where it has none."""
    import pg8000.dbapi
    import pymysql

    try:
        return source.answer(text)
    except (pymysql.MySQLError, pg8000.dbapi.DatabaseError):
        return None


def _ours(source: Source, text: str, *, translated: bool) -> Answer | None:
    """Return DuckDB's answer to sqlglot's translation, None where it has none."""
    try:
        return source.computed(transpile(text, source.dialect, "duckdb") if translated else text)
    except (duckdb.Error, QuerySyntaxError):
        return None


@pytest.mark.parametrize(("dialect", "text", "group"), _pairs())
def test_a_refused_statement_has_another_answer(
    dialect: str, text: str, group: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    source = _source(request, dialect)
    theirs = _theirs(source, text)
    ours = _ours(source, text, translated=not group.get("untranslated"))
    assert (theirs is None) == (group.get("fails") == "source"), "the source"
    assert (ours is None) == (group.get("fails") == "duckdb"), "DuckDB"
    if theirs is not None and ours is not None:
        assert not equal(theirs, ours, ordered="ORDER BY" in text)
    why = why_not_portable(text, dialect, source.columns, lossless=True)
    assert why is not None
    assert group["why"] in why


@pytest.mark.parametrize(("dialect", "text"), _portable())
def test_a_portable_statement_has_the_same_answer(
    dialect: str, text: str, request: pytest.FixtureRequest
) -> None:
    source = _source(request, dialect)
    assert why_not_portable(text, dialect, source.columns, lossless=True) is None
    theirs, ours = source.answer(text), source.computed(to_duckdb(text, dialect, source.columns))
    assert equal(theirs, ours, ordered=False)
    if text.rstrip().rpartition(")")[2].find("ORDER BY") >= 0 or "ORDER BY" in text.rpartition("FROM")[2]:
        assert equal(theirs, ours, ordered=True)


COLLATED = yaml.safe_load((FOLDER / "portable.yaml").read_text())["collated"]


@pytest.mark.parametrize("text", COLLATED)
def test_text_of_the_default_collation_is_compared_for_equality(text: str, postgres: Source) -> None:
    columns = postgres.columns
    refused = why_not_portable(text, "postgres", columns, lossless=True)
    assert refused is not None
    assert "collation" in refused
    assert why_not_portable(text, "postgres", columns, lossless=True, default_collation=True) is None
    theirs, ours = postgres.answer(text), postgres.computed(to_duckdb(text, "postgres", columns))
    assert equal(theirs, ours, ordered=False)


def test_there_are_many_of_each() -> None:
    pairs = [one.values[0] for one in _pairs()]
    assert min(pairs.count(dialect) for dialect in DIALECTS) >= 50
    assert len(pairs) >= 110
    assert len(_portable()) >= 60
