"""``Tree``: databases, schemas, tables and columns of one connection, filled by the cheapest call.

Each level is asked for when it is first looked at. Tables are listed without their columns; the columns of
one table are one more call; the columns of all tables, which a search needs, are one call for them together
and answer for each table from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import UnknownTable
from ..models import Statistics, Table, TableRef
from .names import table_ref
from .search import Hit, SearchIndex

if TYPE_CHECKING:
    from ..connectors.base import Connector, Session
    from ..models import Connection
    from .cache import CatalogCache, Stamp

__all__ = ["Listing", "Tree"]

T = TypeVar("T")


class Listing:
    """Tables in the order of the database, found by name.

    Parameters
    ----------
    tables : sequence of Table
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self.tables = tuple(tables)

    @property
    def weight(self) -> int:
        """Tables and columns, for the bound of a cache."""
        return sum(1 + len(table.columns or ()) for table in self.tables)

    @cached_property
    def _by_name(self) -> dict[str, list[Table]]:
        found: dict[str, list[Table]] = {}
        for table in self.tables:
            found.setdefault(table.name.casefold(), []).append(table)
        return found

    @cached_property
    def index(self) -> SearchIndex:
        """The search over all names."""
        return SearchIndex(self.tables)

    def find(self, ref: TableRef) -> Table | None:
        """Return the one table that ``ref`` can mean; None for none, and for several."""
        named = self._by_name.get(ref.name.casefold(), [])
        if ref.schema is not None:
            schema = ref.schema.casefold()
            named = [each for each in named if each.schema and each.schema.casefold() == schema]
        exact = [each for each in named if each.name == ref.name and ref.schema in (None, each.schema)]
        found = exact or named
        return found[0] if len(found) == 1 else None


class Tree:
    """What is known of one connection, and how to ask for the rest.

    Parameters
    ----------
    connection : Connection
    kind : Connector
    cache : CatalogCache
    stamp : tuple, optional
        Of the connection; None where nothing may be kept.
    ask : callable
        Calls its argument with an open session, and returns what that returns.
    check : callable, optional
        Raises where the caller should not wait for another asker any more.
    """

    def __init__(
        self,
        connection: Connection,
        kind: Connector,
        cache: CatalogCache,
        stamp: Stamp | None,
        ask: Callable[[Callable[[Session], Any]], Any],
        check: Callable[[], None] | None = None,
    ) -> None:
        self._id = connection.id
        self._name = connection.name
        self._kind = kind
        self._cache = cache
        self._stamp = stamp
        self._ask = ask
        self._check = check

    def databases(self) -> list[str]:
        """List the databases that the user may look into; empty where there is only this one."""
        return list(self._get("databases", self._kind.databases))

    def schemas(self) -> list[str]:
        """List the schemas, those of the database itself left out."""
        return list(self._get("schemas", self._kind.schemas))

    def tables(self, schema: str | None = None) -> list[Table]:
        """List tables and views, without their columns."""
        whole: Listing | None = None if schema is None else self._fresh(("tables", None))
        # Where none is named, a database lists all its schemas, or only its own one.
        found = [table for table in whole.tables if table.schema == schema] if whole else []
        if found:
            return found
        return list(self._listing(schema).tables)

    def search(self, word: str, limit: int) -> list[Hit]:
        """Return what ``word`` is found in, best first."""
        described: Listing = self._get("described", lambda s: Listing(self._kind.describe(s)))
        return described.index.search(word, limit)

    def table(self, name: str) -> Table:
        """Describe a table by its name as written. Raises `UnknownTable`."""
        ref = table_ref(name)
        try:
            return self.describe([ref])[str(ref)]
        except UnknownTable:
            # A dot or a quote may be part of the name itself.
            whole = [each for each in self.tables() if each.name == name]
            if len(whole) != 1 or ref.name == name:
                raise
            ref = TableRef(name, whole[0].schema)
            return self.describe([ref])[str(ref)]

    def describe(self, refs: Sequence[TableRef]) -> dict[str, Table]:
        """Describe several tables with their sizes, in one session. Raises `UnknownTable`."""
        known = {ref: table for ref in refs if (table := self._known(ref)) is not None}
        missing = [ref for ref in dict.fromkeys(refs) if ref not in known]
        if len(missing) == 1:
            ref = missing[0]
            known[ref] = self._get(_part(ref), lambda session: self._columns(session, ref))
        elif missing:
            known.update(self._ask(lambda session: {ref: self._told(session, ref) for ref in missing}))
        return {str(ref): self._sized(ref, known[ref]) for ref in refs}

    def size(self, ref: TableRef) -> Statistics | None:
        """Return the size of a table as last heard, however long ago; None where it is not known."""
        for part in (_part(ref), ("tables", ref.schema), ("tables", None), "described"):
            kept = None if self._stamp is None else self._cache.peek(self._id, self._stamp, part)
            table = kept.find(ref) if isinstance(kept, Listing) else kept
            if table is not None and _has_size(table):
                size: Statistics = table.statistics
                return size
        return None

    # -- inside -----------------------------------------------------------------------------------------

    def _listing(self, schema: str | None) -> Listing:
        found: Listing = self._get(("tables", schema), lambda s: Listing(self._kind.tables(s, schema)))
        return found

    def _known(self, ref: TableRef) -> Table | None:
        """Return what is believed of a table; a name without a schema is for the database to find."""
        described: Listing | None = self._fresh("described")
        found = described.find(ref) if described is not None and ref.schema is not None else None
        known: Table | None = found or self._fresh(_part(ref))
        return known

    def _told(self, session: Session, ref: TableRef) -> Table:
        if self._stamp is None:
            return self._columns(session, ref)
        ask = partial(self._columns, session, ref)
        return self._cache.get(self._id, self._stamp, _part(ref), ask, self._check)

    def _columns(self, session: Session, ref: TableRef) -> Table:
        try:
            table = self._kind.columns(session, ref)
        except UnknownTable as exc:
            message = f"There is no table {str(ref)!r} in {self._name}."
            raise UnknownTable(message, hint=exc.hint) from exc
        if not _has_size(table) and self.size(ref) is None:
            table = replace(table, statistics=self._kind.statistics(session, ref))
        return table

    def _sized(self, ref: TableRef, table: Table) -> Table:
        size = None if _has_size(table) else self.size(ref)
        return table if size is None else replace(table, statistics=size)

    def _get(self, part: Hashable, work: Callable[[Session], T]) -> T:
        def ask() -> T:
            value: T = self._ask(work)
            return value

        if self._stamp is None:
            return ask()
        return self._cache.get(self._id, self._stamp, part, ask, self._check)

    def _fresh(self, part: Hashable) -> Any:
        return None if self._stamp is None else self._cache.fresh(self._id, self._stamp, part)


def _part(ref: TableRef) -> Hashable:
    return ("table", ref.catalog, ref.schema, ref.name)


def _has_size(table: Table) -> bool:
    return table.statistics.rows is not None or table.statistics.bytes is not None
