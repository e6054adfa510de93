"""One login to MySQL or MariaDB.

The driver escapes parameters, sends the statement and reads the description of the result; `rows` reads
the rows. What is on a session besides its login is little: it commits by itself, or only reads, and has the
zone that the connection names. Everything else a statement may leave behind goes with COM_RESET_CONNECTION.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from ...errors import QuerySyntaxError, UsageError
from ...models import ConnectionConfig, Notice
from ...run import Run
from ...sql.scan import survey
from ...sql.values import plain
from ..base import Parameters
from ..network import STOP_SECONDS, NetworkSession
from ..sockets import Cut
from .rows import ResultRows
from .types import Column, Zone, column_of, zone_of

if TYPE_CHECKING:
    import pyarrow as pa

    from ..network import NetworkConnector

__all__ = ["MySQLSession", "Server", "server_of"]

_RESET_CONNECTION = 0x1F
_MORE_RESULTS = 8
_STOPPED = (1317, 1969, 3024)
"""Interrupted; past MariaDB's limit of time; past MySQL's."""
_GRACE = 5
"""Seconds that the server's own limit comes after ours: it is for the case that nobody is left to ask."""
_WARNINGS = 5
_OWN_ZONE = (("CALL",), ("EXECUTE",), ("BEGIN",))
"""Statements that may set the zone of the session before they print an instant."""


@dataclass(frozen=True, slots=True)
class Server:
    """What a login learns of its server. ``started`` is in seconds of the server's own clock."""

    mariadb: bool
    version: tuple[int, ...]
    started: int = 0
    zone: Zone = Zone("")
    state: tuple[Any, ...] = ()

    @property
    def resets(self) -> bool:
        """Whether it knows COM_RESET_CONNECTION."""
        return self.version >= ((10, 2, 4) if self.mariadb else (5, 7, 3))


def server_of(greeting: str) -> Server:
    """Read the server's version.

    Examples
    --------
    >>> server_of("5.5.5-10.11.18-MariaDB-0+deb12u1").version
    (10, 11, 18)
    """
    mariadb = "mariadb" in greeting.casefold()
    text = greeting.removeprefix("5.5.5-") if mariadb else greeting
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    return Server(mariadb, tuple(map(int, found.groups())) if found else ())


class MySQLSession(NetworkSession):
    """A session of its own; see `NetworkSession`.

    Parameters
    ----------
    connection : pymysql.Connection
        Logged in, on the socket that ``cut`` ends.
    read_only : bool
        Whether the server is told to refuse every write.
    """

    def __init__(
        self,
        connector: NetworkConnector,
        config: ConnectionConfig,
        cut: Cut,
        connection: Any,
        *,
        read_only: bool,
    ) -> None:
        super().__init__(connector, config, cut)
        self._connection = connection
        self._read_only = read_only
        self._limit: int | None = None
        self._broken = False
        self._asked = threading.Event()
        self._asked.set()
        self.server = server_of(connection.get_server_info())
        self._prepare()
        self.server = self._look_around()

    @property
    def handle(self) -> str:
        return f"{self._connection.thread_id()}@{self.server.started}"

    @property
    def clean(self) -> bool:
        return super().clean and not self._broken

    # -- one statement --------------------------------------------------------------------------------

    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        import pyarrow as pa

        found = survey(sql, "mysql")
        if not found.parts and not found.versioned:
            raise QuerySyntaxError("There is no statement to run.")
        # A request to stop the statement before this one must not reach this one.
        self._asked.wait(STOP_SECONDS + 1)
        connection = self._connection
        text = self._bound(sql, parameters)
        try:
            self._bound_time(run)
            changed = connection.query(text, unbuffered=True)
        except RuntimeError:  # the server asked for a file of this machine, and waits for it
            self._broken = True
            raise
        except Exception as exc:
            self._raise_stopped(exc, run)
            raise
        result = connection._result
        if result.description is None:
            return pa.schema([]), self._nothing(changed, result.warning_count, run)
        columns = [column_of(field, self._zone_in(sql)) for field in result.fields]
        for column in columns:
            if column.lossy:
                run.emit(column.loss())
        schema = pa.schema([column.field for column in columns])
        return schema, self._batches(columns, ResultRows(connection), run)

    def _batches(self, columns: list[Column], rows: ResultRows, run: Run) -> Generator[pa.RecordBatch]:
        counts = [0] * len(columns)
        try:
            yield from rows.batches(columns, counts)
            self._skip_results(rows, run)
            self._warn(rows.warnings, run)
        except GeneratorExit:
            self._broken = True  # unread rows are on the line
            raise
        except Exception as exc:
            self._broken = not _from_server(exc)
            self._raise_stopped(exc, run)
            raise
        finally:
            for column, count in zip(columns, counts, strict=True):
                if count:
                    run.emit(column.zero_dates(count))

    def _nothing(self, changed: int, warnings: int, run: Run) -> Generator[pa.RecordBatch]:
        text = f"{changed:,} rows changed." if changed != 1 else "1 row changed."
        run.emit(Notice("rows_changed", text))
        self._warn(warnings, run)
        yield from ()

    def _skip_results(self, rows: ResultRows, run: Run) -> None:
        """Read past the other results of a procedure, and say that there were some."""
        skipped = 0
        while rows.status & _MORE_RESULTS:
            self._connection.next_result(unbuffered=True)
            result = self._connection._result
            if result.description is None:
                if not result.has_next:
                    break
                continue
            skipped += 1
            rows = ResultRows(self._connection)
            rows.skip()
        if skipped:
            more = "one more result" if skipped == 1 else f"{skipped} more results"
            run.emit(Notice("more_results", f"The procedure gave {more}; only the first is read."))

    def _warn(self, count: int, run: Run) -> None:
        """Pass the server's warnings on; they are asked for only where there are any."""
        if not count:
            return
        for level, code, message in self.ask(f"SHOW WARNINGS LIMIT {_WARNINGS}"):
            run.emit(Notice("database_warning", f"{level} {code}: {message}"))
        if count > _WARNINGS:
            run.emit(Notice("database_warning", f"{count - _WARNINGS:,} more warnings."))

    def _raise_stopped(self, exc: Exception, run: Run) -> None:
        """Raise why ``run`` was stopped, where the server's error only says that it was."""
        if run.cancelled and exc.args and exc.args[0] in _STOPPED and not self._cut.done:
            raise run.stopped() from exc

    def _zone_in(self, sql: str) -> Zone:
        """The zone of the session, unless the statement brings its own."""
        words, folded = survey(sql, "mysql").words, sql.casefold()
        sets = words[:2] == ("SET", "STATEMENT") or "set_var" in folded
        if words[:1] in _OWN_ZONE or (sets and "time_zone" in folded):
            return Zone("that of the statement")
        return self.server.zone

    def _bound_time(self, run: Run) -> None:
        """Have the server itself end what runs much longer than it may; told only when that changes."""
        wanted = None if run.timeout is None else int(run.timeout) + _GRACE
        if wanted != self._limit:
            self._limit_to(wanted)

    def _limit_to(self, wanted: int | None) -> None:
        if self.server.mariadb:
            self.ask(f"SET SESSION max_statement_time = {wanted or 'DEFAULT'}")
        elif self.server.version >= (5, 7, 8):  # in milliseconds, and for SELECT alone
            self.ask(f"SET SESSION max_execution_time = {wanted * 1000 if wanted else 'DEFAULT'}")
        self._limit = wanted

    def _bound(self, sql: str, parameters: Parameters) -> str:
        """Write the values into the statement as the driver does it for this session."""
        if not parameters:
            return sql
        if isinstance(parameters, Mapping):
            return sql % {name: self._literal(name, value) for name, value in parameters.items()}
        return sql % tuple(self._literal(str(place), value) for place, value in enumerate(parameters, 1))

    def _literal(self, name: str, value: Any) -> str:
        value = plain(name, value)
        if isinstance(value, datetime | time) and value.tzinfo is not None:
            raise UsageError(
                f"Parameter {name!r} has a time zone, which MySQL does not take.",
                hint="Bring it to the zone of the column, and drop the zone: value.replace(tzinfo=None).",
            )
        try:
            text: str = self._connection.escape(value)
            text.encode()
        except Exception as exc:  # TypeError, ProgrammingError, UnicodeEncodeError
            raise UsageError(
                f"Parameter {name!r} cannot be bound: MySQL has no such value.",
                hint="Numbers that are finite, text, dates, times, bytes and None can be.",
            ) from exc
        return text

    # -- the login ------------------------------------------------------------------------------------

    def ask(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        """Run a small statement of our own and return its rows, read by the driver."""
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(sql)
            except RuntimeError:  # as in `start`
                self._broken = True
                raise
            return tuple(cursor.fetchall())

    def _prepare(self) -> None:
        if zone := self._config.values.get("time_zone"):
            self.ask(f"SET SESSION time_zone = {self._connection.escape(str(zone))}")
        if self._read_only:
            self.ask("SET SESSION TRANSACTION READ ONLY")

    def _look_around(self) -> Server:
        found = server_of(self._connection.get_server_info())
        ((zone, system, now, *state),) = self.ask(
            "SELECT @@session.time_zone, @@system_time_zone, UNIX_TIMESTAMP(), DATABASE(), CURRENT_USER()"
        )
        uptime = dict(self.ask("SHOW GLOBAL STATUS LIKE 'Uptime'")).get("Uptime", 0)
        return Server(
            found.mariadb,
            found.version,
            int(now) - int(uptime),
            zone_of(zone, system),
            (*state, self._roles()),
        )

    def _roles(self) -> Any:
        roles = self.server.mariadb or self.server.version >= (8,)
        return self.ask("SELECT CURRENT_ROLE()") if roles else None

    def ping(self) -> None:
        self._connection.ping(reconnect=False)

    def reset(self) -> None:
        if not self.server.resets:
            raise RuntimeError("this server cannot reset a session")
        connection = self._connection
        connection._execute_command(_RESET_CONNECTION, b"")
        connection._read_ok_packet()
        connection.set_character_set(connection.charset, connection.collation)
        connection.autocommit(True)
        if self._limit is not None:  # what runs next is most likely given the same time
            self._limit_to(self._limit)
        if database := self._config.values.get("database"):
            connection.select_db(str(database))
        self._prepare()
        # USE and SET ROLE are no settings: a session that is elsewhere now, or more, is not used again.
        state = (*self.ask("SELECT DATABASE(), CURRENT_USER()")[0], self._roles())
        if state != self.server.state:
            raise RuntimeError("the session is not where it was")

    def cancel(self) -> None:
        self._asked.clear()
        if self._idle.is_set():
            self._asked.set()
            return
        super().cancel()

    def _ask_to_stop(self) -> None:
        try:
            super()._ask_to_stop()
        finally:
            self._asked.set()

    def disconnect(self) -> None:
        import pymysql

        if self._broken:  # a word of goodbye could be taken for what the server waits for
            self._connection._force_close()
        with suppress(pymysql.Error):  # it was closed already, by a failure of its own
            self._connection.close()


def _from_server(exc: Exception) -> bool:
    """Whether ``exc`` is the server's word at the end of a result, after which the session goes on."""
    code = exc.args[0] if exc.args else None
    return isinstance(code, int) and not 2000 <= code < 3000 and code != 0
