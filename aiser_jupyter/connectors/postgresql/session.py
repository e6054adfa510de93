"""One logged-in connection to PostgreSQL: one statement at a time, by the extended protocol.

A statement goes in two steps. The first parses and describes it, and sets the server's own time limit beside
it, so that a statement ends there even where this process is gone. The second binds and runs it, each column
in the form that it is read in. There is no transaction around it: what it wrote is kept.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import (
    AiserError,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    QueryCancelled,
    StatementError,
    UnknownTable,
    nearest,
)
from ...models import ConnectionConfig, Notice
from ...run import Run
from ..arrow_types import SOURCE_TYPE
from ..base import Parameters
from ..dbapi import no_rows
from ..network import PATIENCE, STOP_SECONDS, NetworkSession
from ..sockets import Cut
from . import wire
from .errors import fields_of, no_copy, translated
from .parameters import Statement, encoded, numbered, statement_bytes
from .rows import Reader, arrays_of, settle
from .types import reader_of, source_type
from .wire import Column, columns_of, values_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pg8000.core import CoreConnection

    from . import PostgreSQLConnector

__all__ = ["TEMPORARY", "PostgreSQLSession"]

GRACE_SECONDS = 2.0
"""The server's own limit comes so much later than ours: it is for the case that we are gone."""
MOST_NOTICES = 100
_SESSION_ENDS = (
    "Each statement has a session of its own: SET, transactions, prepared statements and temporary tables "
    "end with it, and what stands in an open transaction is undone."
)
_SESSION_TAGS = frozenset(
    {"BEGIN", "START TRANSACTION", "SET", "PREPARE", "LISTEN", "DECLARE CURSOR", "LOAD"}
)
TEMPORARY = re.compile(r"\s*CREATE\s+(?:(?:GLOBAL|LOCAL)\s+)?TEMP(?:ORARY)?\s", re.IGNORECASE)

# When a backend began is told to its own user only, and not to a role that was taken on.
_ABOUT = """
SET ROLE NONE;
SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint,
  (SELECT setting FROM pg_settings WHERE name = 'statement_timeout')
FROM pg_stat_get_activity(pg_backend_pid());
RESET ROLE"""

_VISIBLE = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN relname ELSE nspname || '.' || relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
LIMIT 10000"""


class PostgreSQLSession(NetworkSession):
    """A connection of pg8000's, with its messages written and read here.

    Parameters
    ----------
    core : pg8000.core.CoreConnection
        Logged in.
    """

    # What a database that speaks this protocol may do in its own way; the tail goes after a statement.
    _encoded = staticmethod(encoded)
    _reader = staticmethod(reader_of)
    _named = staticmethod(source_type)
    _meaning = staticmethod(translated)
    _visible = _VISIBLE
    _tail = b""

    def __init__(
        self, connector: PostgreSQLConnector, config: ConnectionConfig, cut: Cut, core: CoreConnection
    ) -> None:
        super().__init__(connector, config, cut)
        self._core = core
        self._kind = connector
        self._wire = wire.Wire(core._usock)
        self._status = b"I"
        self._unread = False
        self._run: Run | None = None
        self._sent = Statement("", [], [])
        self._written = ""
        self._began = 0.0
        self._noticed = 0
        self._tag = ""
        self._columns: list[Column] | None = None
        self._type_words: dict[tuple[int, int], str] = {}
        self._asking = threading.Lock()
        self._handle, self._most = self._about()
        self._limit = self._most

    def _about(self) -> tuple[str, int]:
        """Return the session's handle, and the milliseconds a statement may take; 0 is no limit."""
        ((pid, begun, limit),) = self.texts(_ABOUT)
        return f"{pid}:{begun}", int(limit or 0)

    @property
    def handle(self) -> str:
        return self._handle

    # -- a statement ----------------------------------------------------------------------------------

    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        import pyarrow as pa

        self._clear()
        self._run, self._noticed, self._began = run, 0, time.monotonic()
        self._written, self._sent = sql, numbered(sql, parameters, self._kind.dialect)
        types, values = self._encoded(self._sent.values)
        asked = wire.parse(statement_bytes(self._sent.text), types) + wire.describe() + wire.SYNC
        before = self._before(run)
        self._wire.send(b"".join(map(wire.query, before)) + asked)
        try:
            columns = self._answers(len(before) + 1)
        except UnknownTable as exc:
            raise self._nearest(exc) from exc
        readers = [self._reader(column.type, column.modifier) for column in columns or ()]
        if self._learn(columns or ()):
            self._wire.send(asked)  # the question took the place of the statement
            self._until_ready()
        self._unread = True
        bound = wire.bind(values, [each.format for each in readers])
        self._wire.send(bound + wire.execute() + wire.SYNC + self._tail)
        blocks = self._blocks(len(readers))
        first = next(blocks, None)
        if columns is None:
            return self._without_rows(sql, run)
        settle(readers, first, self._wire.complete)
        schema = pa.schema(
            pa.field(column.name, reader.type, metadata={SOURCE_TYPE: self._word(column)})
            for column, reader in zip(columns, readers, strict=True)
        )
        return schema, self._batches(first, blocks, schema, readers)

    def _before(self, run: Run) -> list[bytes]:
        """Return the statements that go before: the server's own time limit, where it has to change."""
        limit = self._most
        if run.remaining is not None:
            ours = int((run.remaining + GRACE_SECONDS) * 1000)
            limit = min(limit, ours) if limit else ours
        if limit == self._limit or self._status != b"I":
            return []
        self._limit = limit
        return [b"SET statement_timeout = %d" % limit]

    def _answers(self, count: int) -> Any:
        """Read so many answers, and return the last one's columns; raise what failed first."""
        failed: AiserError | None = None
        for _ in range(count):
            try:
                columns = self._until_ready()
            except ConnectionLost:
                raise
            except AiserError as exc:
                failed = failed or exc
        if failed is not None:
            raise failed
        return columns

    def _without_rows(self, sql: str, run: Run) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        """Say what a statement without a result did."""
        verb, _, count = self._tag.rpartition(" ")
        reader = no_rows(int(count) if verb and count.isdecimal() else -1, run)
        if self._tag in _SESSION_TAGS or TEMPORARY.match(sql.partition("*/")[2] or sql):
            run.emit(Notice("session", _SESSION_ENDS))
        return reader.schema, _nothing()

    def _batches(
        self,
        block: wire.Block | None,
        blocks: Generator[wire.Block],
        schema: pa.Schema,
        readers: Sequence[Reader],
    ) -> Generator[pa.RecordBatch]:
        """Yield the rows as Arrow, and say at the end what Arrow could not hold."""
        import pyarrow as pa

        run = self._run
        assert run is not None
        try:
            while block is not None:
                # What comes after a cancel is read and dropped, up to the server's word that it stopped.
                arrays = [] if run.cancelled else arrays_of(block, readers)
                if arrays:
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)
                block = next(blocks, None)
        except GeneratorExit:
            self._finish()  # what is unread is stopped and cleared away before the next statement
            raise
        if run.cancelled:
            raise run.stopped()
        for field, reader in zip(schema, readers, strict=True):
            for what, count in sorted(reader.lost.items()):
                values = f"{count:,} {what} value{'s' if count > 1 else ''}"
                keep = f'CAST("{field.name}" AS text) keeps them.'
                run.emit(Notice("lossy_type", f"Column {field.name!r}: {values} shown as NULL. {keep}"))
            if reader.told:
                run.emit(Notice("lossy_type", f"Column {field.name!r} {reader.told}"))

    def _blocks(self, columns: int) -> Generator[wire.Block]:
        """Yield rows until the server is ready again."""
        while True:
            block = self._wire.rows(columns)
            if block is not None:
                yield block
            elif self._until_ready(rows_too=False) is not _MORE:
                self._unread = False
                return

    def _until_ready(self, *, rows_too: bool = True) -> Any:
        """Read messages to the end of the answer; return the columns, None where there is no result.

        With ``rows_too`` false it returns `_MORE` where a row comes next.
        """
        failed: AiserError | None = None
        columns: list[Column] | None = None
        while True:
            if not rows_too and self._wire.next_is_row():
                return _MORE
            code, body = self._wire.message()
            if code == b"Z":
                self._status, self._unread = body, False
                if failed is not None:
                    raise failed
                return columns
            if code == b"T":
                columns = list(columns_of(body))
            elif code == b"E":
                failed = failed or self._error(fields_of(body))
            elif code == b"I":
                failed = StatementError("There is no statement to run.")
            elif code == b"C":
                self._tag = body[:-1].decode()
            elif code == b"N":
                self._notice(fields_of(body))
            elif code == b"G":  # COPY FROM STDIN: it waits for data, and forgot that we synchronise
                failed = no_copy()
                self._wire.send(wire.COPY_FAIL + wire.SYNC)
            elif code in (b"H", b"W"):
                raise no_copy()  # the data is left unread, and stopped before the next statement

    def _error(self, fields: dict[str, str]) -> AiserError:
        """Return what an error of the server means for this run."""
        if fields.get("C") == "57014" and self._run is not None:
            return self._stopped(self._run, fields.get("M", ""))
        place = fields.get("P", "")
        position = self._sent.place(int(place) - 1) if place.isdecimal() else None
        return self._meaning(fields, self._written, position)

    def _stopped(self, run: Run, message: str) -> AiserError:
        if not run.cancelled and run.remaining == 0:
            run.cancel(timed_out=True)
        if run.cancelled:
            return run.stopped()
        if self._limit and time.monotonic() - self._began >= self._limit / 1000:
            return DeadlineExceeded(
                f"The server's own limit (statement_timeout = {self._limit / 1000:g} s) ended it.",
                hint="Its administrator sets it; read less, or ask for more time there.",
            )
        return QueryCancelled(f"Somebody else stopped the statement: {message}.")

    def _nearest(self, error: UnknownTable) -> UnknownTable:
        """Return ``error`` with the name that was perhaps meant."""
        quoted = re.search(r'"([^"]+)"', error.message)
        if quoted is None or self._status == b"E":
            return error
        known = [str(name) for (name,) in self.texts(self._visible)]
        hint = nearest(quoted[1], known)
        return UnknownTable(error.message, hint=hint) if hint.startswith("Did") else error

    def _notice(self, fields: dict[str, str]) -> None:
        self._noticed += 1
        if self._run is None or self._noticed > MOST_NOTICES:
            return
        text = f"{fields.get('S', 'NOTICE')}: {fields.get('M', '')}"
        if self._noticed == MOST_NOTICES:
            text += " (more were sent, and are not shown)"
        self._run.emit(Notice("database", text))

    def _word(self, column: Column) -> str:
        """PostgreSQL's word for the type of ``column``."""
        kind = column.type, column.modifier
        return self._named(*kind) or self._type_words[kind]

    def _learn(self, columns: Sequence[Column]) -> bool:
        """Ask the server for the types that are not built in; True where it was asked."""
        kinds = {(column.type, column.modifier) for column in columns}
        unknown = sorted(kind for kind in kinds - self._type_words.keys() if not self._named(*kind))
        if not unknown:
            return False
        listed = ", ".join(f"format_type({oid}::oid, {modifier})" for oid, modifier in unknown)
        (words,) = self.texts(f"SELECT {listed}")
        self._type_words.update(zip(unknown, map(str, words), strict=True))
        return True

    # -- the connection -------------------------------------------------------------------------------

    def texts(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run a statement of our own and return its rows, each value as text."""
        self._wire.send(wire.query(sql.encode()))
        found = []
        while True:
            code, body = self._wire.message()
            if code == b"D":
                found.append(tuple(values_of(body)))
            elif code == b"E":
                error = self._meaning(fields_of(body), sql)
                if not isinstance(error, ConnectError):  # nothing comes after those
                    self._until_ready()
                raise error
            elif code == b"Z":
                self._status = body
                return found

    def ping(self) -> None:
        self._wire.send(wire.SYNC)
        self._until_ready()

    def reset(self) -> None:
        self._clear()
        with self._asking:  # a request to stop that is still on its way must not hit what comes next
            self.ping()
        self._run = None
        for statement in (b"ROLLBACK",) * (self._status != b"I") + (b"DISCARD ALL",):
            self._wire.send(wire.query(statement))
            self._until_ready()
        self._limit = self._most

    def _clear(self) -> None:
        """Read what an answer that was given up has left on the line."""
        if not self._unread:
            return
        self._run = None
        with self._cut.after(STOP_SECONDS):
            self._request_stop()
            try:
                self._until_ready()
            except ConnectionLost:
                raise
            except AiserError:  # that it was stopped, or what else became of it: nobody asks any more
                pass

    def _ask_to_stop(self) -> None:
        """Ask, and once more where the first request came before its statement."""
        for _ in range(2):
            with self._asking:
                if self._idle.is_set():
                    return
                self._request_stop()
            if self._idle.wait(PATIENCE):
                return

    def _request_stop(self) -> None:
        key = bytes(self._core._backend_key_data or b"")
        with contextlib.suppress(AiserError):  # not reached: then the connection is cut, and that is said
            self._kind.request_stop(self._config, key, STOP_SECONDS)

    def disconnect(self) -> None:
        sock, file = self._core._usock, self._core._sock
        self._core._usock = self._core._sock = None
        for each in (file, sock):
            if each is not None:
                with contextlib.suppress(OSError, ValueError):  # what is buffered has nowhere to go
                    each.close()


_MORE = object()


def _nothing() -> Generator[pa.RecordBatch]:
    yield from ()
