"""One logged-in connection to Redshift: PostgreSQL's messages, and what Redshift has in its own way.

- A session that only reads runs each statement in a transaction of its own that is READ ONLY. A statement
  that ends the transaction is the last one in it. What READ ONLY does not hold is refused here: UNLOAD, which
  writes files, and CALL, for a procedure may commit and go on. A query that calls a Lambda function runs it,
  whatever that does: its text does not tell it from any other function, and asking ``pg_proc`` of each name
  would be one more round trip a query. The right to EXECUTE the function decides; PUBLIC has it at first.
- Each statement carries a label (``query_group``) that says who runs it, and by which it is found and stopped
  from another process.
- Redshift has no DISCARD: a session that ran anything but a query is not used again.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...errors import AiserError, ConnectionLost, NotPermitted, UnknownTable
from ...models import ConnectionConfig
from ...run import Progress, Run
from ...sql.scan import significant
from ..base import Parameters
from ..postgresql.catalog import quoted_identifier
from ..postgresql.session import PostgreSQLSession
from ..postgresql.wire import query
from ..sockets import Cut
from .errors import translated
from .types import encoded, reader_of, source_type

if TYPE_CHECKING:
    import pyarrow as pa

    from . import RedshiftConnector

__all__ = ["RedshiftSession", "console"]

_QUERIES = frozenset({"SELECT", "WITH", "SHOW", "EXPLAIN", "("})
_NOT_HELD = frozenset({"UNLOAD", "CALL"})
_UNITS = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_LABEL_LENGTH = 320
_UNSAFE = re.compile(r"[^A-Za-z0-9_.@=: -]")
_HOST = re.compile(
    r"([a-z0-9-]+)\.[a-z0-9]+\.((?!us-gov)[a-z0-9-]+)\.redshift(-serverless)?\.amazonaws\.com(?:\.cn)?"
)
_VISIBLE = """
SELECT table_name FROM svv_all_tables WHERE database_name = current_database()
AND schema_name = ANY (current_schemas(false))
UNION ALL SELECT schema_name || '.' || table_name FROM svv_all_tables
WHERE database_name = current_database() AND schema_name <> 'information_schema' AND schema_name !~ '^pg_'
LIMIT 10000"""
_RUNNING = """
SELECT query_id FROM sys_query_history WHERE session_id = {pid} AND trim(query_label) LIKE '%#{token}'
AND trim(status) NOT IN ('success', 'failed', 'canceled')"""


class RedshiftSession(PostgreSQLSession):
    """A connection of the driver's, with its messages written and read here.

    Parameters
    ----------
    core : redshift_connector.Connection
        Logged in.
    read_only : bool
    """

    patience = 1.5  # a cluster asks its nodes
    _encoded = staticmethod(encoded)
    _reader = staticmethod(reader_of)
    _named = staticmethod(source_type)
    _meaning = staticmethod(translated)
    _visible = _VISIBLE

    def __init__(
        self,
        connector: RedshiftConnector,
        config: ConnectionConfig,
        cut: Cut,
        core: Any,
        *,
        read_only: bool,
    ) -> None:
        self._read_only = read_only
        self._token = secrets.token_hex(4)
        self._label = ""
        self._changed = False
        super().__init__(connector, config, cut, core)

    def _about(self) -> tuple[str, int]:
        self._settle()
        ((pid, limit),) = self.texts("SELECT pg_backend_pid(), current_setting('statement_timeout')")
        return f"{pid}:{self._token}", _milliseconds(str(limit))

    def _settle(self) -> None:
        """Set what every statement counts on."""
        self.texts("SET datestyle TO ISO")
        if schema := self._config.values.get("schema"):
            self.texts(f"SET search_path TO {quoted_identifier(str(schema))}")

    @property
    def clean(self) -> bool:
        return super().clean and not self._changed

    # -- a statement ----------------------------------------------------------------------------------

    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        first = next((token.text.upper() for token in significant(sql, "redshift")), "")
        if self._read_only and first in _NOT_HELD:
            raise NotPermitted(
                f"{first} does more than read, and this session only reads.",
                hint="Run it by itself, on the connection.",
            )
        self._changed |= first not in _QUERIES
        found = f"session {self.handle.partition(':')[0]}, label {self._labelled(run)!r}"
        place = console(self._config.values)
        run.emit(Progress(message=f"{found} · {place}" if place else found))
        schema, batches = super().start(sql, parameters, run)
        self._changed |= not len(schema)  # SELECT INTO makes a table
        return schema, batches

    def _before(self, run: Run) -> list[bytes]:
        """Return the statements that go before: the end of the last transaction, label, limit, a new one."""
        before = []
        if self._read_only and self._status != b"I":
            before.append(b"ROLLBACK")
            self._status = b"I"
        if self._status == b"I" and (label := self._labelled(run)) != self._label:
            before.append(b"SET query_group TO '%s'" % label.encode())
            self._label = label
        before += super()._before(run)
        return [*before, b"BEGIN READ ONLY"] if self._read_only else before

    def _labelled(self, run: Run) -> str:
        tag = _UNSAFE.sub("_", f"aiser {run.tag}".strip())
        return f"{tag[: _LABEL_LENGTH - len(self._token) - 2]} #{self._token}"

    def _nearest(self, error: UnknownTable) -> UnknownTable:
        try:
            if self._read_only and self._status == b"E":
                self.texts("ROLLBACK")  # nothing can be asked in a transaction that failed
            return super()._nearest(error)
        except ConnectionLost:
            raise
        except AiserError:  # what was to help must not stand in the way
            return error

    # -- the connection -------------------------------------------------------------------------------

    def reset(self) -> None:
        self._clear()
        with self._asking:  # a request to stop that is still on its way must not hit what comes next
            self.ping()
        self._run = None
        for statement in (b"ROLLBACK",) * (self._status != b"I") + (b"RESET ALL", b"RESET query_group"):
            self._wire.send(query(statement))
            self._until_ready()
        self._settle()
        self._label, self._limit = "", self._most

    def stop(self, pid: int, token: str, seconds: float) -> bool:
        """Stop the statement of another session of the same user; True where it is known to have ended."""
        end = time.monotonic() + seconds
        running = _RUNNING.format(pid=pid, token=token)
        if self.texts(running):
            self.texts(f"SELECT pg_cancel_backend({pid})")
        while self.texts(running):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True


def console(values: Mapping[str, Any]) -> str:
    """Return the page of a cluster or a workgroup in Amazon's console, from where its queries are reached.

    "" where the host does not tell which one it is: that of a VPC endpoint has a name of its own. There is
    no known address of one query; its label tells it from the others.

    Examples
    --------
    >>> console({"host": "shop.abc123.eu-west-1.redshift.amazonaws.com"})
    'https://eu-west-1.console.aws.amazon.com/redshiftv2/home?region=eu-west-1#cluster-details?cluster=shop'
    """
    found = _HOST.fullmatch(str(values["host"]).casefold().rstrip("."))
    if found is None:
        return ""
    name, region, serverless = found.groups()
    given = values.get("workgroup" if serverless else "cluster_identifier")
    if not given and "-endpoint-" in name:
        return ""
    vendor = "amazonaws.cn" if region.startswith("cn-") else "aws.amazon.com"
    page = "serverless-workgroup?workgroup=" if serverless else "cluster-details?cluster="
    home = f"https://{region}.console.{vendor}/redshiftv2/home?region={region}"
    return f"{home}#{page}{quote(str(given or name), safe='')}"


def _milliseconds(text: str) -> int:
    """Return a limit of time as a server writes it: a number of milliseconds, or one with a unit."""
    found = re.fullmatch(r"(\d+)\s*([a-z]*)", text)
    return int(found[1]) * _UNITS.get(found[2], 1) if found else 0
