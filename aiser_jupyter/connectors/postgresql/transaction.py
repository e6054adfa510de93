"""A session through a pooler, such as PgBouncer: each statement is a transaction of its own.

A pooler may give each transaction another connection to the server. What a session sets at its login, or
between transactions, is then in force nowhere, or with somebody else, and no one is told: the limit of time,
the read-only mode, the role, the schema. So all of it is set in the transaction of the statement, and nothing
outside of one. This holds in session mode and in transaction mode, which a client cannot tell apart.

- What only reads is rolled back, so that it leaves nothing; so are a SET, and what else would last beyond its
  transaction: the connection to the server may be somebody else's next.
- What refuses to run in a transaction, as VACUUM, needs a connection past the pooler.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import AiserError, ConnectError, UnknownTable
from ...run import Handle, Run
from ...sql.scan import significant
from ..base import Parameters
from ..sockets import Cut
from . import wire
from .session import TEMPORARY, PostgreSQLSession

if TYPE_CHECKING:
    import pyarrow as pa
    from pg8000.core import CoreConnection

    from ...models import ConnectionConfig
    from . import PostgreSQLConnector

__all__ = ["TransactionSession"]

_LASTING = frozenset({"SET", "RESET", "PREPARE", "DECLARE", "LISTEN", "LOAD", "DISCARD"})
_SELF = "pg_backend_pid(), (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint"


class TransactionSession(PostgreSQLSession):
    """A connection whose other end may change between transactions.

    Parameters
    ----------
    settings : mapping
        What a session of the server's own begins with; here each transaction does.
    """

    def __init__(
        self,
        connector: PostgreSQLConnector,
        config: ConnectionConfig,
        cut: Cut,
        core: CoreConnection,
        settings: Mapping[str, str],
    ) -> None:
        self._settings = dict(settings)
        self._reads = settings.get("default_transaction_read_only") == "on"
        super().__init__(connector, config, cut, core)

    def _about(self) -> tuple[str, int]:
        about = super()._about()
        self._limit = about[1]
        self._begin()  # a role or a schema that cannot be taken is found at the login
        self.texts("ROLLBACK")
        return about

    @property
    def handle(self) -> str:
        return ""  # that of a transaction, which `start` reports

    @property
    def clean(self) -> bool:
        return super().clean and self._reads  # what wrote may have left something on the server's side

    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        self._clear()
        word = next((token.text.upper() for token in significant(sql, self._kind.dialect)), "")
        super()._before(run)  # settles the limit
        run.emit(Handle(self._begin(), self._config.name))
        lasting = self._reads or word in _LASTING or TEMPORARY.match(sql.partition("*/")[2] or sql)
        end = b"ROLLBACK" if lasting else b"COMMIT"
        # It goes with the statement, which so ends as it does without a pooler, whether its rows are read or
        # not. A COPY would take it for data.
        self._tail = b"" if word == "COPY" else wire.query(end)
        try:
            found = super().start(sql, parameters, run)
            if not self._tail:
                self.texts(end.decode())
            return found
        except ConnectError:
            raise
        except AiserError:
            if not self._unread and self._status != b"I":
                self.texts("ROLLBACK")
            raise

    def _begin(self) -> str:
        """Begin a transaction, put all settings in force, and return its handle."""
        settings = {**self._settings, "statement_timeout": str(self._limit)}
        listed = ", ".join(f"set_config('{name}', {_literal(to)}, true)" for name, to in settings.items())
        mode = "READ ONLY" if self._reads else "READ WRITE"
        if self._status != b"I":
            self.texts("ROLLBACK")  # what was given up
        try:
            ((pid, begun, *_),) = self.texts(f"BEGIN {mode}; SELECT {_SELF}, {listed}")
        except ConnectError:
            raise
        except AiserError:
            self.texts("ROLLBACK")
            raise
        return f"{pid}:{begun}"

    def _before(self, run: Run) -> list[bytes]:
        return []

    def _until_ready(self, *, rows_too: bool = True) -> Any:
        ran = self._unread
        try:
            return super()._until_ready(rows_too=rows_too)
        finally:
            if ran and not self._unread and self._tail:
                tag = self._tag
                super()._until_ready()  # a constraint that was deferred fails here
                self._tag = tag

    def _nearest(self, error: UnknownTable) -> UnknownTable:
        self._begin()  # anew: nothing can be asked in a transaction that failed
        return super()._nearest(error)

    def reset(self) -> None:
        self._clear()
        with self._asking:  # a request to stop that is still on its way must not hit what comes next
            self.ping()
        self._run = None
        if self._status != b"I":
            self.texts("ROLLBACK")


def _literal(text: str) -> str:
    """Write ``text`` so that it means the same whatever the session thinks of backslashes."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
