"""The seam to a place of computation: ``Engine`` says whether it can, what it would cost, and does it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ..models import Availability, Estimate, Scope, Statistics, Support

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from ..run import Run
    from ..sql import Statement

__all__ = ["Engine"]


class Engine(ABC):
    """Where a query is computed. One instance serves every run of a process; methods are thread-safe."""

    name: ClassVar[str]
    label: ClassVar[str]

    @abstractmethod
    def available(self) -> Availability:
        """Say whether it is installed and reachable; if not, why, and the next step."""

    @abstractmethod
    def supports(self, statement: Statement, scope: Scope) -> Support:
        """Say whether it can run ``statement`` with equal results, and the reason in plain words."""

    @abstractmethod
    def estimate(self, statement: Statement, scope: Scope, statistics: Mapping[str, Statistics]) -> Estimate:
        """Expect seconds, rows and bytes.

        Parameters
        ----------
        statistics : mapping
            Size by table, keyed by ``str(TableRef)``. A table that is missing is of unknown size.
        """

    @abstractmethod
    def execute(self, statement: Statement, scope: Scope, run: Run) -> pa.RecordBatchReader:
        """Run it and stream Arrow batches.

        The reader owns what it needs: closing it, or reading it to its end, frees the session.

        Raises
        ------
        AiserError
            From this call or from the reader.
        """
