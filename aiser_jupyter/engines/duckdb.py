"""``duckdb``: files, DataFrames and DuckDB databases, computed in this process.

A frame is visible to a statement that uses its name, and to no other. A table of the connection wins over a
frame of the same name, with a `Notice`. A file that is written to while it is read fails the run: half of it
would be of one version and half of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..connectors import files
from ..connectors.base import Parameters, Session
from ..connectors.duckdb import DuckDBConnector
from ..connectors.duckdb.frames import unread_index
from ..connectors.duckdb.instance import configure
from ..connectors.folder import folder_of
from ..errors import DataError, QuerySyntaxError, UnknownTable, UsageError
from ..models import (
    LOCAL,
    Availability,
    ConnectionConfig,
    Estimate,
    Notice,
    Scope,
    StatementKind,
    Statistics,
    Support,
)
from ..run import Phase
from ..sql.source_map import Written
from .base import Engine
from .federation import plan
from .joined import JoinedSession
from .stream import stream

if TYPE_CHECKING:
    import pyarrow as pa

    from ..config import Settings
    from ..connectors.duckdb import AnySession
    from ..run import Run
    from ..sql import Statement

__all__ = ["DuckDBEngine"]

STARTUP_SECONDS = {True: 0.002, False: 0.02}
"""Opening a session, by whether it is ``local``; a file is opened and checked."""
BYTES_PER_SECOND = {"parquet": 400e6, "csv": 200e6, "json": 200e6, "workbook": 2e6, "remote": 15e6, "": 2e9}
"""Reading, by file format; "" is memory, ``remote`` another database over a network."""
ROWS_PER_SECOND = {"aggregates": 100e6, "joins": 10e6, "windows": 4e6, "distinct": 5e6, "ordered": 6e6}
"""Computing, by what a statement does, once each. Orders of magnitude, of 5 million rows on two cores."""

_TEMPORARY = re.compile(r"\s*CREATE\s+(OR\s+REPLACE\s+)?TEMP", re.IGNORECASE)


class DuckDBEngine(Engine):
    """Reads files and frames in this process, and DuckDB databases where they are.

    Parameters
    ----------
    settings : Settings
        Memory, threads and spill space of every DuckDB instance opened from here on.
    """

    name = "duckdb"
    label = "DuckDB"

    def __init__(self, settings: Settings) -> None:
        self._connector = DuckDBConnector()
        configure(settings.duckdb)

    def available(self) -> Availability:
        return self._connector.available()

    def supports(self, statement: Statement, scope: Scope) -> Support:
        if scope.remotes:
            return _supports_remotes(statement, scope)
        if scope.connection.id == LOCAL:
            return Support(True, "files and DataFrames are read where they are")
        if statement.kind is not StatementKind.READ:
            return Support(False, "not provably one read: it runs on its own connection only")
        if scope.connection.type != self._connector.type:
            name = scope.connection.name
            return Support(False, f"the tables of {name} would have to be fetched: --engine duckdb does that")
        return Support(True, "the database file is read in this process")

    def estimate(self, statement: Statement, scope: Scope, statistics: Mapping[str, Statistics]) -> Estimate:
        known = {str(table): statistics.get(str(table), Statistics()) for table in statement.tables}
        fetched = plan(statement, scope).sizes() if scope.remotes else {}
        known = {**known, **fetched} if scope.connection.id == LOCAL or not fetched else fetched
        terms = {"startup": STARTUP_SECONDS[scope.connection.id == LOCAL]}
        if fetched:
            terms["transfer"] = sum((one.bytes or 0) / BYTES_PER_SECOND["remote"] for one in fetched.values())
        rows, size = _total(known, "rows"), _total(known, "bytes")
        terms["scan"] = sum(
            (one.bytes or 0) / BYTES_PER_SECOND["" if name in fetched else files.format_of(name)]
            for name, one in known.items()
        )
        done = {name: getattr(statement.features, name) for name in ROWS_PER_SECOND}
        counted = sum(one.rows or 0 for one in known.values())
        terms["compute"] = sum(int(times) * counted / ROWS_PER_SECOND[name] for name, times in done.items())
        unsized = tuple(f"size of {name}" for name, one in known.items() if one.rows is None)
        if not statement.parsed:
            unsized = ("what the statement reads",)
        return Estimate(sum(terms.values()), rows, size, terms, unsized)

    def execute(self, statement: Statement, scope: Scope, run: Run) -> pa.RecordBatchReader:
        run.emit(Phase("connect"))
        reads = statement.kind is StatementKind.READ
        session = self._connector.open(_home(scope), read_only=reads)
        try:
            fetched = plan(statement, scope, texts=not _collates(session)) if scope.remotes else None
            if fetched is not None:
                fetched.require_room(scope.transfer_bytes)
            with run.on_cancel(session.cancel):
                before: tuple[files.Stamp, ...] = ()
                if scope.connection.id == LOCAL or fetched is None:
                    taken = _register_frames(session, statement, scope, run)
                    before = _register_files(session, statement, scope, taken, run)
            session.offer(scope.frames)
            if statement.kind is StatementKind.SESSION or _TEMPORARY.match(statement.text):
                run.emit(Notice("session", _SESSION_ENDS))
            run.check()
        except BaseException:
            session.close()
            raise
        if fetched is not None:
            if fetched.doubt:
                run.emit(Notice("differs", f"DuckDB may answer differently: {fetched.doubt}."))
            joined: Session = JoinedSession(session, fetched, scope.transfer_bytes, run)
            joined = _UnchangedFiles(joined, before) if reads and before else joined
            return stream(joined, fetched.text, fetched.parameters, run, fetched.written)
        own = _UnchangedFiles(session, before) if reads and before else session
        written = Written(statement.text, statement.sources)
        return stream(own, statement.text, statement.parameters, run, written)


_SESSION_ENDS = (
    "Each statement has a session of its own: SET, USE, transactions, prepared statements and temporary "
    "tables end with it. SET GLOBAL keeps a setting, CREATE TABLE a table."
)


class _UnchangedFiles(Session):
    """A session that fails at the end of the rows if a file was written to since they began."""

    def __init__(self, session: Session, before: tuple[files.Stamp, ...]) -> None:
        self._session = session
        self._before = before

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        import pyarrow as pa

        reader = self._session.execute(sql, parameters, run)

        def batches() -> Iterator[pa.RecordBatch]:
            yield from reader
            for stamp, now in zip(self._before, files.stamps(Path(s[0]) for s in self._before), strict=True):
                if stamp != now:
                    error = DataError(f"{stamp[0]} changed while it was read.", hint="Run the cell again.")
                    error.retryable = True
                    raise error

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    def cancel(self) -> None:
        self._session.cancel()

    def close(self) -> None:
        self._session.close()


def _home(scope: Scope) -> ConnectionConfig:
    """Return where a statement is computed: tables of another database are fetched into ``local``."""
    config = scope.connection.config
    return ConnectionConfig("duckdb", LOCAL, sandbox=config.sandbox) if scope.remotes else config


def _collates(session: AnySession) -> bool:
    return bool(session.rows("SELECT current_setting('default_collation')")[0][0])


def _supports_remotes(statement: Statement, scope: Scope) -> Support:
    """Say whether the remote tables can be fetched, and the statement computed over them."""
    try:
        fetched = plan(statement, scope)
    except QuerySyntaxError as exc:
        return Support(False, exc.message)
    if fetched.doubt:
        return Support(False, fetched.doubt, overridable=True, plan=fetched.lines())
    return Support(True, fetched.reason(), plan=fetched.lines())


def _total(known: Mapping[str, Statistics], what: str) -> int | None:
    """Sum of ``what`` over the tables; None where one of them is unknown."""
    values = [getattr(one, what) for one in known.values()]
    return sum(values) if values and None not in values else None


def _register_frames(session: AnySession, statement: Statement, scope: Scope, run: Run) -> set[str]:
    """Register the frames that the statement may mean; return the names they go by, folded."""
    named = {table.name.casefold() for table in statement.tables if table.schema is None}
    taken: set[str] = set()
    for name in _mentioned(statement, scope.frames):
        if session.defines(name):
            if name.casefold() in named or not statement.parsed:
                run.emit(
                    Notice(
                        "hidden_frame", f"{name} is the table of {scope.connection.name}, not the DataFrame."
                    )
                )
            continue
        frame = scope.frames[name]
        for notice in (*session.register(name, frame), *unread_index(name, frame)):
            run.emit(notice)
        taken.add(name.casefold())
    return taken


def _mentioned(statement: Statement, frames: Mapping[str, object]) -> list[str]:
    """Frames whose name the text uses; of two that differ only in case, the one as written."""
    words = {word.casefold() for word in statement.identifiers}
    groups: dict[str, list[str]] = {}
    for name in frames:
        if name.casefold() in words:
            groups.setdefault(name.casefold(), []).append(name)
    chosen = []
    for group in groups.values():
        written = group if len(group) == 1 else [name for name in group if name in statement.identifiers]
        if len(written) != 1:
            raise UsageError(
                f"{' and '.join(sorted(group))} differ only in case, which SQL does not tell apart.",
                hint="Give one of them another name.",
            )
        chosen += written
    return chosen


def _register_files(
    session: AnySession, statement: Statement, scope: Scope, taken: set[str], run: Run
) -> tuple[files.Stamp, ...]:
    """Register what DuckDB does not read by itself; return the stamps of all files the statement reads."""
    paths: list[Path] = []
    for name in dict.fromkeys(_file_names(statement)):
        if name.casefold() in taken or session.defines(name):
            continue
        try:
            paths += session.expand(name)
        except UnknownTable:
            folder = folder_of(scope.connection.config) / Path(name).expanduser()
            ours = files.format_of(name) == "workbook" or folder.is_dir()
            if statement.kind is StatementKind.READ and ours:
                raise
            continue  # DuckDB says so itself; and a write may be about to make it
        before = files.stamps(paths)
        for notice in session.register_file(name):
            run.emit(notice)
        if before != files.stamps(paths):
            raise DataError(f"{name!r} changed while it was read.", hint="Run the cell again.")
    return files.stamps(paths)


def _file_names(statement: Statement) -> list[str]:
    """Names in FROM that are files: what the parser says is one, and what is quoted and is a folder."""
    if not statement.parsed:
        return [name for name in re.findall(r"'([^'\n]+)'", statement.text) if files.is_data_file(name)]
    return [
        table.name
        for table in statement.tables
        if table.is_file or (table.schema is None and files.quoted(table.name) in statement.text)
    ]
