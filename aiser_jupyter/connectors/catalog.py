"""Connectors whose folder has a module ``catalog``: what there is in the database, and what the user may do.

The module asks through a session of the pool; the connector only says which module it is.
"""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from .base import Connector, Session

if TYPE_CHECKING:
    from ..models import Statistics, Table, TableRef

__all__ = ["Catalog", "CatalogConnector"]


class Catalog(Protocol):
    """What such a module has; `Connector` says what each function returns."""

    def databases(self, session: Session) -> list[str]: ...
    def schemas(self, session: Session) -> list[str]: ...
    def tables(self, session: Session, schema: str | None = None) -> list[Table]: ...
    def describe(self, session: Session, schema: str | None = None) -> list[Table]: ...
    def columns(self, session: Session, table: TableRef) -> Table: ...
    def statistics(self, session: Session, table: TableRef) -> Statistics: ...

    def rights(self, session: Any) -> str:
        """Say what the user may do, and warn of what is more than reading needs.

        Raises
        ------
        NotPermitted
            There is nothing that the user may read.
        """

    def sample(self, session: Any) -> str:
        """Read a row of a table, and say which one."""


class CatalogConnector(Connector, ABC):
    """Answers with its module ``catalog``."""

    catalog: ClassVar[Catalog]

    def databases(self, session: Session) -> list[str]:
        return self.catalog.databases(session)

    def schemas(self, session: Session) -> list[str]:
        return self.catalog.schemas(session)

    def tables(self, session: Session, schema: str | None = None) -> list[Table]:
        return self.catalog.tables(session, schema)

    def describe(self, session: Session, schema: str | None = None) -> list[Table]:
        return self.catalog.describe(session, schema)

    def columns(self, session: Session, table: TableRef) -> Table:
        return self.catalog.columns(session, table)

    def statistics(self, session: Session, table: TableRef) -> Statistics:
        return self.catalog.statistics(session, table)

    def rights(self, session: Any) -> str:
        return self.catalog.rights(session)

    def sample(self, session: Any) -> str:
        return self.catalog.sample(session)
