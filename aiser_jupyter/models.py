"""The values that travel between the layers: frozen, small, and ignorant of every driver.

Times are seconds as ``float`` and sizes are bytes as ``int`` unless a name says otherwise. ``None`` stands
for *unknown* throughout: an unknown size is the usual case for a live database, and never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = [
    "LOCAL",
    "Availability",
    "Candidate",
    "Check",
    "Column",
    "Connection",
    "ConnectionConfig",
    "Estimate",
    "HistoryEntry",
    "Identity",
    "Notice",
    "Query",
    "Remote",
    "Route",
    "RunState",
    "Scope",
    "StatementKind",
    "Statistics",
    "Support",
    "Table",
    "TableRef",
    "Timings",
]

LOCAL = "local"
"""Name and id of the connection that is always there: files and the kernel's own DataFrames."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking. ``source`` is ``os``, ``configured`` or ``hub``."""

    name: str
    source: str = "os"


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """How to reach one database: a connector type and that connector's own, allow-listed fields.

    ``sandbox`` is the id of the sandbox that DuckDB runs in for whoever opens it; "" is this process.
    """

    type: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    sandbox: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """A ``ConnectionConfig`` with an id and an owner.

    ``source`` is ``builtin`` (local), ``store`` (saved by the owner), ``admin`` (from the administrator's
    file), ``environment`` (from a file that a variable names) or ``object`` (a Python object of the notebook;
    ``handle`` holds it and it is never saved). Only the saved ones can be changed and removed. Values of
    secret fields are `Secret`. ``version`` grows with every change. ``problem`` says why it cannot be used;
    "" where nothing is known against it.
    """

    id: str
    owner: str
    config: ConnectionConfig
    source: str = "store"
    created_at: datetime | None = None
    version: int = 1
    problem: str = ""
    handle: object | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def type(self) -> str:
        return self.config.type


class StatementKind(StrEnum):
    """What running a statement may do. Only ``READ`` is ever routed, cached or limited."""

    READ = "read"
    WRITE = "write"
    DDL = "ddl"
    SESSION = "session"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TableRef:
    """A name in a FROM clause; ``is_file`` marks a path or a glob (``'orders/*.parquet'``)."""

    name: str
    schema: str | None = None
    catalog: str | None = None
    is_file: bool = False

    def __str__(self) -> str:
        return ".".join(part for part in (self.catalog, self.schema, self.name) if part)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its database declares it; ``type`` is the database's own word.

    ``references`` is the column that a foreign key points to (``sales.customers.id``), or "".
    """

    name: str
    type: str
    nullable: bool | None = None
    comment: str | None = None
    primary_key: bool = False
    references: str = ""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Size of a table. ``source`` says who counted: ``parquet footer``, ``file size``, ``DataFrame``,
    ``pg_class``. ``rows`` of a live database is its own estimate."""

    rows: int | None = None
    bytes: int | None = None
    source: str = "unknown"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, view, file or DataFrame. ``columns`` is None until somebody asked for them."""

    name: str
    kind: str = "table"
    schema: str | None = None
    columns: tuple[Column, ...] | None = None
    statistics: Statistics = Statistics()
    comment: str | None = None
    catalog: str | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """A table that a statement reads from another database than the one it is computed in.

    ``ref`` is the table as its own database names it; ``table`` has its columns with their declared types,
    and its size where that is known.
    """

    connection: Connection
    ref: TableRef
    table: Table


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names in a statement may mean: tables of ``connection``, and ``frames`` of the notebook.

    ``remotes`` are the tables that would be fetched, by ``str(TableRef)`` as written; ``tables`` describes
    the others, where there are remotes. ``transfer_bytes`` is how much may be fetched; None is no limit.
    """

    connection: Connection
    frames: Mapping[str, object] = field(default_factory=dict)
    remotes: Mapping[str, Remote] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    transfer_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What a person asked for, before anything was understood of it.

    Parameters
    ----------
    text : str
        The statement as written, with its ``{{ x }}`` and ``:x`` in place.
    connection : str
        Name of a connection; ``local`` by default.
    engine : str, optional
        A pinned engine. None leaves the choice to the router.
    variables : mapping
        Where parameters are looked up: explicit ones first, then the notebook's.
    limit : int, optional
        Rows at most; 0 is no limit; None is the preference.
    timeout : float, optional
        Seconds until the run is cancelled; None is the preference.
    max_age : float
        Seconds a cached answer of a live source may be old. 0 asks the source.
    use_cache : bool
        False neither reads nor fills the cache.
    max_bytes : int, optional
        Bytes of result at most; None is the configured cap.
    whole : bool
        True where the caller keeps the data (``-o``): past a cap the run fails and nothing is cut.
    with_ : tuple of str
        Names of saved queries to put in front as CTEs; those that the text names are found without it.
    save : str
        Name to keep the text under once it has run, or "". The run itself reads a table of that name.
    cell : str
        Where the statement stands, for the history: a cell id, or "".
    """

    text: str
    connection: str = LOCAL
    engine: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    timeout: float | None = None
    max_age: float = 0.0
    use_cache: bool = True
    max_bytes: int | None = None
    whole: bool = False
    with_: tuple[str, ...] = ()
    save: str = ""
    cell: str = ""


@dataclass(frozen=True, slots=True)
class Support:
    """Whether an engine can run a statement, and the reason in plain words either way.

    ``overridable`` marks a no that is a doubt: whoever pins the engine gets its answer, and the doubt.
    ``plan`` has a line for each part that runs elsewhere.
    """

    ok: bool
    reason: str
    overridable: bool = False
    plan: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether an engine is installed and reachable; ``hint`` is the pip line, or the next step."""

    ok: bool
    reason: str
    hint: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One step of a connection test: what was tried, whether it worked, how long it took."""

    name: str
    ok: bool
    seconds: float
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to take. ``unknown`` names what had to be guessed, in plain words.

    ``money`` is what the database's owner pays, in ``currency``, where a price is configured.
    """

    seconds: float | None = None
    rows: int | None = None
    bytes: int | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    money: float | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One engine the router looked at: feasible or not, why, and at what expected cost.

    ``overridable`` and ``plan`` are those of its `Support`.
    """

    engine: str
    feasible: bool
    reason: str
    estimate: Estimate | None = None
    overridable: bool = False
    plan: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Every candidate, the one chosen, and why."""

    engine: str
    reason: str
    candidates: tuple[Candidate, ...] = ()
    pinned: bool = False

    @property
    def estimate(self) -> Estimate | None:
        """The chosen candidate's estimate."""
        return next((c.estimate for c in self.candidates if c.engine == self.engine), None)

    @property
    def plan(self) -> tuple[str, ...]:
        """What the chosen candidate sends to other databases, a line each."""
        return next((c.plan for c in self.candidates if c.engine == self.engine), ())


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of a run's parts, on one monotonic clock; they add up to ``total``.

    ``plan``: parse, bind and route. ``queue``: waiting for a worker. ``connect``: opening a session and
    handing it the frames. ``execute``: until the first batch. ``fetch``: reading the batches. ``convert``:
    making Arrow types exact, and the DataFrame where one was asked for.
    """

    plan: float = 0.0
    queue: float = 0.0
    connect: float = 0.0
    execute: float = 0.0
    fetch: float = 0.0
    convert: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.as_dict().values())

    def as_dict(self) -> dict[str, float]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader of a result must know: a lossy type, a cut, a name that hid another."""

    code: str
    message: str


class RunState(StrEnum):
    """Where a run is on its way; from ``DONE`` on it stays."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # its process died


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One run as the store keeps it. ``sql`` has its secrets removed; ``started_at`` is UTC.

    ``handle`` has a line for each database the run speaks to: the connection's name, and that database's own
    name of the statement, for `Connector.stop` from another process.
    """

    id: str
    started_at: datetime
    user: str
    connection: str
    state: RunState
    sql: str
    fingerprint: str = ""
    kind: StatementKind = StatementKind.UNKNOWN
    engine: str = ""
    reason: str = ""
    pinned: bool = False
    cached: bool = False
    estimated_seconds: float | None = None
    seconds: float | None = None
    timings: Timings = Timings()
    rows: int | None = None
    bytes: int | None = None
    truncated: bool = False
    error_code: str = ""
    error: str = ""
    cell: str = ""
    pid: int | None = None
    connection_id: str = ""
    handle: str = ""
