"""One login to Snowflake.

A statement is sent, and its result asked for: so its name is known while it runs, it can be stopped by it,
and what it waits for (a warehouse that is started, a queue) can be told. The session's own settings stay as
they are: the tag of a statement, and the limit of its time at the server, belong to that statement alone.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ...errors import NotPermitted, QuerySyntaxError, UsageError
from ...models import ConnectionConfig, Notice
from ...run import Progress, Run
from ...sql.scan import significant, survey
from ...sql.values import is_list, plain
from ..base import Parameters
from ..driver_thread import DriverThread
from ..warehouse import WarehouseSession
from .ahead import read_ahead
from .driver import Result, abort, heartbeat, result_of, running_state, submit
from .storage import Storage
from .types import SnowflakeTypes, declared

if TYPE_CHECKING:
    import pyarrow as pa

    from ..warehouse import WarehouseConnector

__all__ = ["SnowflakeSession", "console"]

_FILES = frozenset({"PUT", "GET"})
_GRACE = 5
"""Seconds that the server's own limit comes after ours: it is for the case that nobody is left to ask."""
_AFTER_PATIENCE = 0.5
_BETWEEN = 0.05
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 2.0
"""Until it is asked, first and later, what a statement waits for."""
_TAG_LENGTH = 2000
_AHEAD = 4
"""Parts of a result, of up to 16 MB packed, that are fetched at once; ..."""
_SMALL = 8_000_000
"""... of parts whose bytes are no more, so many again are begun or kept ahead of whoever reads."""
_WAITS = {
    "RESUMING_WAREHOUSE": "Snowflake starts the warehouse",
    "QUEUED_REPARING_WAREHOUSE": "Snowflake repairs the warehouse",
    "QUEUED": "waits for room on the warehouse",
    "BLOCKED": "waits for a lock that another statement holds",
}
_SYSTEM, _TRANSACTION, _DDL, _DML, _FILE_TRANSFER = 0x4000, 0x5000, 0x6000, 0x3000, 0x7100
_LISTINGS = frozenset({0x4400, 0x4500, 0x4700})
_COPY = 0x3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SnowflakeSession(WarehouseSession):
    """A session of its own; see `WarehouseSession`.

    Parameters
    ----------
    connection : snowflake.connector.SnowflakeConnection
        Logged in by a call in ``thread``.
    """

    def __init__(
        self, connector: WarehouseConnector, config: ConnectionConfig, thread: DriverThread, connection: Any
    ) -> None:
        super().__init__(connector, config, thread)
        self._connection = connection
        self._storage: Storage | None = None

    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        _require_statement(sql)
        values = [_bound(place, value) for place, value in enumerate(_listed(parameters), 1)]
        settings = _settings(run)
        with self._bounded(run):
            id = self._thread.call(lambda: submit(self._connection, sql, values, settings))
            self.running(id, run)
            with self._told(id, run):
                result = self._result(id)
            storage = self._storage = Storage(self._config.values)
            try:
                return self._rows(result, storage, run)
            except BaseException:
                self._give_up(result, storage)
                raise

    def _result(self, id: str) -> Result:
        """Wait for the result. Word that the statement still runs is a result to the driver, too."""
        ended = False
        while True:
            result = self._thread.call(lambda: result_of(self._connection, id), undo=Result.release)
            if ended or not result.pending:
                return result
            self._thread.call(result.release)
            time.sleep(_BETWEEN)
            ended = not self.state(id)

    def _bounded(self, run: Run) -> AbstractContextManager[None]:
        """Cut the session some time after the run's deadline, whoever listens to that."""
        if run.remaining is None:
            return nullcontext()
        return self._cut.after(run.remaining + self.patience + _AFTER_PATIENCE)

    def _give_up(self, result: Result, storage: Storage) -> None:
        storage.close()
        if not self._cut.done:
            self._thread.call(result.release)

    @contextmanager
    def _told(self, id: str, run: Run) -> Generator[None]:
        """Tell meanwhile what the statement waits for, where it takes a while."""
        over = threading.Event()
        watch = threading.Thread(target=self._tell, args=(id, run, over), name="aiser-state", daemon=True)
        watch.start()
        try:
            yield
        finally:
            over.set()

    def _tell(self, id: str, run: Run, over: threading.Event) -> None:
        place = console(self._config.values, id) or f"query {id}"
        said, wait = "", _FIRST_WAIT
        while not over.wait(wait):
            try:
                state = running_state(self._connection, id)
            except Exception:  # the request for the result says what is wrong
                return
            words = _WAITS.get(state, "Snowflake runs it")
            if state and words != said and not over.is_set():
                run.emit(Progress(message=f"{words}: {place}"))
                said = words
            wait = min(2 * wait, _LONGEST_WAIT)

    def _rows(
        self, result: Result, storage: Storage, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        import pyarrow as pa

        if result.kind & 0xFF00 == _FILE_TRANSFER:
            raise _no_files()
        if _without_rows(result.kind):
            self._give_up(result, storage)
            if result.kind & 0xF000 == _DML and (count := result.changed) is not None:
                words = "1 row changed." if count == 1 else f"{count:,} rows changed."
                run.emit(Notice("rows_changed", words))
            return pa.schema([]), _none()
        schema, sent, parts = self._thread.call(lambda: _first_of(result, self._connection, storage))
        columns = [declared(column) for column in result.columns]
        types = SnowflakeTypes(schema, columns, sent=sent)
        return types.schema, self._batches(parts, types, run, partial(self._give_up, result, storage))

    def _batches(
        self,
        parts: Iterator[list[pa.RecordBatch]],
        types: SnowflakeTypes,
        run: Run,
        give_up: Callable[[], None],
    ) -> Generator[pa.RecordBatch]:
        try:
            with self._bounded(run):
                while (batches := self._thread.call(lambda: next(parts, None))) is not None:
                    for batch in batches:
                        run.check()
                        yield types.convert(batch)
            for notice in types.notices():
                run.emit(notice)
        finally:
            give_up()

    def state(self, id: str) -> str:
        """Return the state of any statement that has not ended; "" once it has."""
        return self._thread.call(lambda: running_state(self._connection, id))

    def freshen(self) -> None:
        heartbeat(self._connection)

    def disconnect(self) -> None:
        if self._storage is not None:  # whoever left a result may hold its reader still
            self._storage.close()
        super().disconnect()

    def request_stop(self, id: str) -> None:
        abort(self._connection, id)


def console(values: Mapping[str, Any], id: str) -> str:
    """Return the page of a query in Snowflake's console; "" where the account's own place is not known.

    Examples
    --------
    >>> console({"account": "myorg-shop"}, "01b2")
    'https://app.snowflake.com/myorg/shop/#/compute/history/queries/01b2/detail'
    """
    if values.get("host"):
        return ""
    name, _, region = str(values["account"]).partition(".")
    if region.endswith("privatelink"):
        return ""
    organization, _, account = name.partition("-")
    place = f"{region}/{name}" if region else f"{organization}/{account}" if account else ""
    return place and f"https://app.snowflake.com/{place}/#/compute/history/queries/{id}/detail"


def _settings(run: Run) -> dict[str, Any]:
    """The session's settings for one statement: who runs it, for how long, and that it is one."""
    settings: dict[str, Any] = {"MULTI_STATEMENT_COUNT": 1}
    if run.tag:
        settings["QUERY_TAG"] = f"aiser {run.tag}"[:_TAG_LENGTH]
    if run.remaining is not None:
        settings["STATEMENT_TIMEOUT_IN_SECONDS"] = math.ceil(run.remaining) + _GRACE
    return settings


def _require_statement(sql: str) -> None:
    if not survey(sql, "snowflake").parts:
        raise QuerySyntaxError("There is no statement to run.")
    if significant(sql, "snowflake")[0].text.upper() in _FILES:
        raise _no_files()


def _no_files() -> NotPermitted:
    return NotPermitted(
        "PUT and GET move files of this machine, which is not done here.",
        hint="Read the file with %%aiser and write its rows, or use Snowflake's own client for a stage.",
    )


def _without_rows(kind: int) -> bool:
    family = kind & 0xF000
    if family == _DML:
        return kind & 0xFF00 != _COPY
    return family in (_SYSTEM, _TRANSACTION, _DDL) and kind & 0xFF00 not in _LISTINGS


def _none() -> Generator[pa.RecordBatch]:
    yield from ()


def _first_of(
    result: Result, connection: Any, storage: Storage
) -> tuple[pa.Schema, bool, Iterator[list[pa.RecordBatch]]]:
    """Return the schema of the first part, if there is one, and the batches of all.

    The others are read ahead from before the first one is unpacked, which stands in the answer itself.
    """
    parts = result.parts()
    if not parts:
        return result.schema(), False, iter(())
    reads = [partial(part.read, connection, storage) for part in parts]
    most = 2 * _AHEAD if max(part.size for part in parts) <= _SMALL else _AHEAD
    others = read_ahead(reads[1:], _AHEAD, most)
    schema, first = reads[0]()
    return schema, True, chain([first], (found for _, found in others))


def _listed(parameters: Parameters) -> Sequence[Any]:
    if isinstance(parameters, Mapping):
        if parameters:
            raise UsageError("Snowflake binds by place.", hint="Write ? in the statement, and give a list.")
        return ()
    return parameters


def _bound(place: int, value: Any) -> Any:
    """Return a value as the driver binds it, exactly.

    The driver itself makes a float of a time, takes the zone from it, and reads a pair as a type and a value.
    """
    value = plain(f"parameter {place}", value)
    if is_list(value) or isinstance(value, Mapping):
        raise UsageError(f"Parameter {place} holds several values.", hint="Bind one for each place.")
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise UsageError(f"Parameter {place} is {value}, which no NUMBER is.", hint="Bind it as a float.")
        return ("FIXED", f"{value:f}")
    if isinstance(value, datetime):
        zone = value.utcoffset()
        moment = value.replace(tzinfo=UTC) if zone is None else value
        since = moment - _EPOCH
        nanoseconds = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
        if zone is None:
            return ("TIMESTAMP_NTZ", str(nanoseconds))
        return ("TIMESTAMP_TZ", f"{nanoseconds} {round(zone.total_seconds() / 60) + 1440}")
    return str(value) if isinstance(value, UUID) else value
