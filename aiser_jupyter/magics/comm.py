"""The channel to the panel of the front end: what tables this kernel has, and when to ask again.

Only the kernel knows its DataFrames; they are not in the store that the server reads. Requests are
``{"id": n, "request": "tables"}`` and ``{"id": n, "request": "columns", "table": name}``, each with an
optional ``"connection"``; answers carry the same ``id``. Events are ``{"event": "changed"}`` after a cell
ran, and ``{"event": "history"}`` after a query. Messages may arrive in a thread of their own.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, UsageError

if TYPE_CHECKING:
    from comm.base_comm import BaseComm

    from .magics import AiserMagics

__all__ = ["CommTarget"]


class CommTarget:
    """Answers requests and pushes events on every open comm."""

    name = "aiser_jupyter"

    def __init__(self, magics: AiserMagics) -> None:
        self._magics = magics
        self._lock = threading.Lock()
        self._open: list[BaseComm] = []

    def opened(self, comm: BaseComm, message: dict[str, Any]) -> None:
        """Accept a comm that the front end opened."""
        with self._lock:
            self._open.append(comm)
        comm.on_msg(lambda request: comm.send(self.answer(request["content"]["data"])))
        comm.on_close(lambda closed: self._forget(comm))

    def answer(self, request: object) -> dict[str, Any]:
        """Return the answer to one request; an error is an answer too."""
        from ..wire import error_json

        number = None
        try:
            if not isinstance(request, dict):
                raise UsageError(
                    f"A request is an object, not {type(request).__name__}.",
                    hint='Send {"id": 1, "request": "tables"}.',
                )
            number = request.get("id")
            return {"id": number, **self._found(request)}
        except AiserError as exc:
            return {"id": number, "error": error_json(exc)}
        except Exception as exc:  # a defect of ours: without an answer the panel would wait for ever
            logging.getLogger(__name__).exception("A request of the panel failed")
            return {"id": number, "error": error_json(AiserError(f"{type(exc).__name__}: {exc}"))}

    def _found(self, request: dict[str, Any]) -> dict[str, Any]:
        from ..models import LOCAL
        from ..wire import table_json

        catalog, frames = self._magics.services.catalog, self._magics.frames()
        connection = str(request.get("connection") or LOCAL)
        match request.get("request"):
            case "tables":
                return {"tables": [table_json(table) for table in catalog.tables(connection, frames)]}
            case "columns":
                table = catalog.columns(connection, str(request.get("table", "")), frames)
                return {"table": table_json(table)}
        raise UsageError(
            f"There is no request {request.get('request')!r}.", hint="Ask for tables or columns."
        )

    def after_cell(self, result: object = None) -> None:
        """Tell the front end that names may have changed: IPython's hook after each cell."""
        self.push("changed")

    @property
    def is_open(self) -> bool:
        """Whether a front end listens."""
        return bool(self._open)

    def push(self, event: str) -> None:
        """Send an event to every open comm; without one, nothing happens."""
        with self._lock:
            comms = list(self._open)
        for comm in comms:
            comm.send({"event": event})

    def close(self) -> None:
        """Close every comm."""
        with self._lock:
            comms, self._open = self._open, []
        for comm in comms:
            comm.close()

    def _forget(self, comm: BaseComm) -> None:
        with self._lock:
            if comm in self._open:
                self._open.remove(comm)
