"""The rows of a result, answer by answer: while one is read, the next one is asked for.

The driver asks for an answer when the one before is used up, and downloads its files then. Here the request
is on its way by then, in a thread of its own; two answers are held at most. A reader who wants no more than
the first few rows costs no such request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ROWS", "Answers"]

ROWS = 100_000
"""Of one answer; a server gives no more whatever it is asked for."""


class Answers:
    """Takes the rows of one result; used in the session's thread alone.

    Parameters
    ----------
    result : databricks.sql.result_set.ThriftResultSet
        With its first answer, and nothing read.
    """

    def __init__(self, result: Any) -> None:
        self._result = result
        self._answer = result.results
        self._received = _rows(self._answer)
        self._next: Future[Any] | None = None
        self._begun = self._left = False

    def take(self, size: int) -> pa.Table | None:
        """Return ``size`` rows, or fewer where an answer ends; None where there are no more.

        Raises what the driver raises.
        """
        while True:
            if self._begun and self._result.has_more_rows:
                self._ask()
            table: pa.Table = self._answer.next_n_rows(size)
            self._begun = True
            if table.num_rows:
                return table
            if not self._more():
                return None

    def leave(self) -> None:
        """Fetch nothing more; what is on its way is dropped when it comes."""
        self._left = True
        self._answer.close()
        self._result.results.close()

    def _more(self) -> bool:
        """Go on to the next answer, if there is one.

        Where the last one was full the server is asked once more: some stop there, and call it the end.
        """
        if self._next is None:
            full = type(self._answer).__name__ == "ArrowQueue" and _rows(self._answer) > 0
            if not self._result.has_more_rows and not (full and self._received % ROWS == 0):
                return False
            self._ask()
        assert self._next is not None
        self._answer, self._next = self._next.result(), None
        return True

    def _ask(self) -> None:
        if self._next is None:
            self._next = _begun(self._fetch)

    def _fetch(self) -> Any:
        self._result._next_row_index = self._received  # the driver holds it against what the server sends
        self._result._fill_results_buffer()
        answer = self._result.results
        self._received += _rows(answer)
        if self._left:
            answer.close()
        return answer


def _begun(work: Callable[[], Any]) -> Future[Any]:
    """Run ``work`` in a thread, which ends with the process."""
    found: Future[Any] = Future()

    def run() -> None:
        try:
            found.set_result(work())
        except BaseException as exc:  # raised again where the answer is due
            found.set_exception(exc)

    threading.Thread(target=run, name="aiser-databricks-ahead", daemon=True).start()
    return found


def _rows(answer: Any) -> int:
    """Return how many rows are in an answer, or in the files that it names."""
    links = getattr(answer, "result_links", None)
    return int(answer.n_valid_rows) if links is None else sum(link.rowCount for link in links)
