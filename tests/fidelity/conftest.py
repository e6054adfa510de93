"""The corpus in each database, loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fidelity.databases import Database
from tests.fidelity.values import DUCK, MY, PG


def _filled(name: str, server: Any) -> Iterator[Database]:
    made = Database(name, server)
    with made.opened() as session:
        made.fill(session)
    try:
        yield made
    finally:
        with made.opened() as session:
            made.drop(session)


@pytest.fixture(scope="module")
def in_postgresql(postgresql: Any) -> Iterator[Database]:
    yield from _filled(PG, postgresql)


@pytest.fixture(scope="module")
def in_mysql(mariadb: Any) -> Iterator[Database]:
    yield from _filled(MY, mariadb)


@pytest.fixture(scope="module")
def in_duckdb() -> Iterator[Database]:
    yield from _filled(DUCK, None)


@pytest.fixture(scope="module")
def filled(request: pytest.FixtureRequest) -> Callable[[str], Database]:
    """Return a database by its name, with the table of the corpus."""
    return lambda name: request.getfixturevalue(f"in_{name}")


@pytest.fixture(scope="module", params=[PG, MY, DUCK])
def database(request: pytest.FixtureRequest, filled: Callable[[str], Database]) -> Database:
    """Each database in turn."""
    return filled(request.param)
