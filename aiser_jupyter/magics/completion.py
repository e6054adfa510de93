"""Completion inside ``%aiser`` and ``%%aiser``, in the kernel: it works in every front end.

While somebody types, no database is asked over a network and nothing is waited for. The notebook's
DataFrames are looked at; the rest comes from memory. The local catalog (files, tables in memory) is read in a
thread, and its answer is taken if it comes at once; a saved connection is learnt after a query ran on it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from ..errors import AiserError

if TYPE_CHECKING:
    from ..models import Table
    from .cursor import Head
    from .magics import AiserMagics

__all__ = ["Completion"]

PATIENCE = 0.015
"""Seconds that a keystroke may wait for the local catalog."""
FRESH = 10.0
"""Seconds that an answer of the local catalog counts as new."""
CLOSING = 2.0
"""Seconds that unloading waits for a question that is being asked."""
MOST_TABLES = 30
"""Tables of a connection whose columns are learnt after a query on it."""

WORDS = """
SELECT FROM WHERE GROUP BY ORDER BY HAVING LIMIT JOIN LEFT JOIN ON USING AS AND OR NOT IN IS NULL BETWEEN LIKE
CASE WHEN THEN ELSE END DISTINCT UNION ALL EXCEPT INTERSECT WITH VALUES INSERT INTO UPDATE SET DELETE CREATE
TABLE VIEW DROP ALTER EXISTS CAST COUNT SUM AVG MIN MAX COALESCE OVER PARTITION BY ROW_NUMBER ASC DESC
INTERVAL EXTRACT TRUE FALSE OFFSET QUALIFY DESCRIBE SUMMARIZE EXPLAIN
"""
KEYWORDS = tuple(dict.fromkeys(WORDS.split()))

Found = list[tuple[str, str]]
"""Text to insert, and what it is."""


class Completion:
    """The matcher, and what it remembers of catalogs."""

    def __init__(self, magics: AiserMagics) -> None:
        self._magics = magics
        self._tables: dict[str, tuple[float, list[Table]]] = {}
        self._columns: dict[tuple[str, str], tuple[str, ...]] = {}
        self._asked: dict[tuple[str, str], threading.Thread] = {}
        self._closed = False

        # Before jedi, which takes seconds on SQL.
        decorate: Any = context_matcher(identifier="aiser_jupyter", priority=200)
        self.matcher: Any = decorate(lambda context: self.match(context))

    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return what fits at the cursor; outside our magics nothing, and nothing is suppressed."""
        from .cursor import read_head, region

        ours = region(context.full_text, context.cursor_line, context.cursor_position)
        if ours is None:
            return SimpleMatcherResult(completions=[], suppress=False)
        try:
            connections = self._connections()
            if ours.body_before is not None:
                line = read_head(ours.line + " ", True, connections)
                fragment, found = self._in_statement(ours.body_before, ours.body or "", line.connection)
            else:
                head = read_head(ours.before, ours.cell, connections)
                if head.sql is not None:
                    whole = ours.line[head.sql :]
                    fragment, found = self._in_statement(ours.before[head.sql :], whole, head.connection)
                else:
                    fragment, found = head.fragment, self._in_head(head, ours.cell, connections)
        except AiserError:
            fragment, found = "", []  # a store that cannot be read is said when something is run
        return _result(fragment, found)

    # -- the line ---------------------------------------------------------------------------------------

    def _in_head(self, head: Head, cell: bool, connections: Iterable[str]) -> Found:
        from .grammar import COMMANDS
        from .options import QUERY_OPTIONS

        if head.option is not None:
            return self._values(head.option.name, head.option.choices, connections)
        command = COMMANDS.get(head.command)
        allowed = QUERY_OPTIONS if command is None else command.options
        options = [(name, "option") for name in sorted(allowed) if _may_repeat(name, head.given)]
        if head.fragment.startswith("-"):
            return options
        named = [(name, "connection") for name in connections]
        if head.command in ("test", "tables"):
            return [*named, *options]
        if head.command in ("columns", "profile"):
            return [*self._table_names(self._default(head.connection), plain=True), *options]
        if head.command == "help":
            return [(name, "command") for name in COMMANDS]
        if head.command not in ("", "route"):
            return options
        first = not (head.command or head.words)
        commands = [(name, "command") for name in COMMANDS if first and (not cell or name == "route")]
        words = [] if cell else [(word, "keyword") for word in ("SELECT", "FROM", "WITH")]
        return [*(named if head.connection is None else []), *commands, *options, *words]

    def _values(self, option: str, choices: tuple[str, ...], connections: Iterable[str]) -> Found:
        if option == "--connection":
            return [(name, "connection") for name in connections]
        if option == "--engine":
            return [(name, "engine") for name in self._magics.services.engines]
        if option == "--with":
            return [(name, "query") for name in self._magics.services.queries.saved()]
        return [(choice, "value") for choice in choices]

    # -- the statement ----------------------------------------------------------------------------------

    def _in_statement(self, before: str, whole: str, connection: str | None) -> tuple[str, Found]:
        from .cursor import place, tables_named

        at = place(before)
        name = self._default(connection)
        if at.kind == "nothing":
            return "", []
        if at.kind == "file":
            files = [(t.name, "file") for t in self._known_tables(name) if t.kind == "file"]
            return at.fragment, files
        after = whole[len(before) :].removeprefix('"' if at.fragment.startswith('"') else "")
        named = tables_named(before.removesuffix(at.fragment) + after)
        if at.qualifier:
            table = named.get(at.qualifier.replace('"', ""), at.qualifier)
            inside = [t.name for t in self._known_tables(name) if t.schema == at.qualifier]
            return at.fragment, [*self._columns_of(name, table), *((_quoted(t), "table") for t in inside)]
        tables = self._table_names(name)
        if at.kind == "table":
            return at.fragment, [*tables, ("SELECT", "keyword"), ("VALUES", "keyword")]
        columns = [pair for table in dict.fromkeys(named.values()) for pair in self._columns_of(name, table)]
        aliases = [(alias, "alias") for alias, table in named.items() if alias != table]
        return at.fragment, [*columns, *aliases, *tables, *((word, "keyword") for word in KEYWORDS)]

    def _table_names(self, connection: str, plain: bool = False) -> Found:
        from ..models import LOCAL

        found = [(name, "frame") for name in sorted(self._magics.frames())] if connection == LOCAL else []
        for table in self._known_tables(connection):
            as_file = "'" + table.name.replace("'", "''") + "'"
            text = table.name if plain else as_file if table.kind == "file" else _quoted(table.name)
            found.append((text, table.kind))
        saved = [] if plain else [(name, "query") for name in self._magics.services.queries.saved()]
        return [*found, *saved]

    def _columns_of(self, connection: str, table: str) -> Found:
        from ..frames import frame_columns
        from ..models import LOCAL

        frame = self._magics.frames().get(table) if connection == LOCAL else None
        if frame is not None:
            return [(_quoted(column.name), "column") for column in frame_columns(frame)]
        key = (connection, table)
        if connection == LOCAL and key not in self._columns and "://" not in table:
            self._in_background(key, lambda: self._learn_columns(connection, table))
        return [(name, "column") for name in self._columns.get(key, ())]

    # -- memory -----------------------------------------------------------------------------------------

    def learn(self, connection: str, text: str) -> None:
        """Remember the catalog of a connection on which ``text`` has just run; returns at once."""
        from ..models import LOCAL
        from .cursor import tables_named

        if connection == LOCAL:
            self._columns.clear()  # a file or a table may have changed
            return
        if self._magics.services.connections.get(connection).source == "object":
            return  # its transaction is the notebook's: nothing is asked that was not asked for

        def work() -> None:
            self._learn_tables(connection)
            listed, named = self._tables[connection][1], set(tables_named(text).values())
            first = [table for table in listed if table.name in named]
            self._learn_described(connection, [*listed[:MOST_TABLES], *first])
            for name in named - {table.name for table in first}:
                if not self._closed:
                    self._learn_columns(connection, name)

        self._in_background((connection, ""), work, patience=0.0)

    def _known_tables(self, connection: str) -> list[Table]:
        from ..models import LOCAL

        learnt, tables = self._tables.get(connection, (0.0, []))
        if connection == LOCAL and time.monotonic() - learnt > FRESH:
            self._in_background((LOCAL, ""), lambda: self._learn_tables(LOCAL))
            tables = self._tables.get(LOCAL, (0.0, tables))[1]
        return tables

    def _learn_tables(self, connection: str) -> None:
        tables = self._magics.services.catalog.tables(connection, {})
        self._tables[connection] = (time.monotonic(), tables)

    def _learn_described(self, connection: str, tables: Iterable[Table]) -> None:
        """Learn the columns of listed tables, all in one session."""
        from ..models import TableRef
        from ..run import Run

        catalog, config = self._magics.services.catalog, self._magics.services.connections.get(connection)
        refs = list(dict.fromkeys(TableRef(table.name, table.schema) for table in tables))
        found = catalog.describe_tables(config, refs, Run("completion"))
        for ref in refs:
            columns = found[str(ref)].columns or ()
            self._columns[connection, ref.name] = tuple(_quoted(column.name) for column in columns)

    def _learn_columns(self, connection: str, table: str) -> None:
        found = self._magics.services.catalog.columns(connection, table, {})
        self._columns[connection, table] = tuple(_quoted(column.name) for column in found.columns or ())

    def _in_background(
        self, key: tuple[str, str], work: Callable[[], None], patience: float = PATIENCE
    ) -> None:
        if key in self._asked or self._closed:
            return

        def run() -> None:
            try:
                work()
            except AiserError:
                pass  # not known is an answer here; whoever runs a query is told why
            finally:
                self._asked.pop(key, None)

        thread = threading.Thread(target=run, name="aiser-completion", daemon=True)
        self._asked[key] = thread
        thread.start()
        thread.join(patience)

    def close(self) -> None:
        """Learn nothing more, and let what is being asked end: a driver does not survive its process."""
        self._closed = True
        for thread in list(self._asked.values()):
            thread.join(CLOSING)

    # -- names ------------------------------------------------------------------------------------------

    def _connections(self) -> dict[str, None]:
        return dict.fromkeys(c.name for c in self._magics.services.connections.list())

    def _default(self, connection: str | None) -> str:
        return connection or self._magics.settings.preferences.connection


def _may_repeat(name: str, given: Iterable[str]) -> bool:
    from .options import OPTIONS

    return OPTIONS[name].repeatable or name not in given


def _quoted(name: str) -> str:
    return (
        name
        if re.fullmatch(r"[a-z_][a-z0-9_]*", name, re.IGNORECASE)
        else '"' + name.replace('"', '""') + '"'
    )


def _result(fragment: str, found: Found) -> SimpleMatcherResult:
    """Keep what begins with ``fragment``, in order; a lower-case start wants lower-case keywords."""
    start, lower = fragment.casefold(), fragment.islower()
    kept = {
        (text.lower() if kind == "keyword" and lower else text): kind
        for text, kind in reversed(found)
        if text.casefold().startswith(start)
    }
    completions = [SimpleCompletion(text, type=kind) for text, kind in reversed(kept.items())]
    return SimpleMatcherResult(
        completions=completions, matched_fragment=fragment, suppress=True, ordered=True
    )
