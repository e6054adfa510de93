"""The databases of these tests: how each is opened, how its tables are made, and how one is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from aiser_jupyter.connectors.base import Session
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import ConnectionConfig, Notice
from aiser_jupyter.run import Run
from tests.fidelity.corpus import cells
from tests.fidelity.values import DUCK, MY, PG

TABLE = "fidelity"
TYPES = {PG: ("TYPE fidelity_pair", "TYPE fidelity_size"), MY: (), DUCK: ()}
_MADE = {
    PG: (
        "CREATE TYPE fidelity_pair AS (number integer, word text, nothing date)",
        "CREATE TYPE fidelity_size AS ENUM ('small', 'big')",
    ),
    MY: (),
    DUCK: (),
}


@dataclass(frozen=True)
class Answer:
    """The rows of a statement, the schemas of its batches, and what was said of them."""

    table: pa.Table
    batches: Sequence[pa.Schema]
    notices: Sequence[Notice]

    @property
    def lossy(self) -> list[str]:
        return [notice.message for notice in self.notices if notice.code == "lossy_type"]


@dataclass(frozen=True)
class Database:
    """One of the databases, with its real server where it has one."""

    name: str
    server: Any

    def config(self, **values: Any) -> ConnectionConfig:
        """Return a connection; a MySQL's zone is UTC where ``values`` name no other."""
        if self.server is None:
            return ConnectionConfig("duckdb", "local")
        known = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "username": self.server.user,
            "password": self.server.password,
            "database": self.server.database,
            "ssl_ca": self.server.authority.pem,
            **({"time_zone": "+00:00"} if self.name == MY else {}),
            **values,
        }
        return ConnectionConfig(self.name, "source", connector(self.name).validate(known))

    @contextmanager
    def opened(self, **values: Any) -> Iterator[Session]:
        """Open a session."""
        config = self.config(**values)
        session = connector(config.type).open(config)
        try:
            yield session
        finally:
            session.close()

    def fill(self, session: Session) -> None:
        """Make the table of the corpus: a row of its values, and a row of NULLs."""
        self.drop(session)
        for statement in _MADE[self.name]:
            ask(session, statement)
        found = cells(self.name)
        columns = ", ".join(f"{name} {cell.type}" for name, cell in found.items())
        ask(session, f"CREATE TABLE {TABLE} (id integer, {columns})")
        values = ", ".join(cell.sql for cell in found.values())
        ask(session, f"INSERT INTO {TABLE} VALUES (1, {values})")
        ask(session, f"INSERT INTO {TABLE} (id) VALUES (2)")

    def drop(self, session: Session) -> None:
        """Take away what `fill` has made."""
        for what in (
            f"TABLE IF EXISTS {TABLE}",
            *(word.replace(" ", " IF EXISTS ") for word in TYPES[self.name]),
        ):
            ask(session, f"DROP {what}")


def ask(session: Session, sql: str, parameters: Mapping[str, Any] | None = None) -> Answer:
    """Run one statement; every table that any test here sees is checked to the last bit."""
    run = Run("fidelity")
    with session.execute(sql, parameters or {}, run) as reader:
        batches = list(reader)
        table = pa.Table.from_batches(batches, reader.schema)
    table.validate(full=True)
    return Answer(table, [batch.schema for batch in batches], list(run.notices))
