"""What Redshift's planner expects of a statement, read from the text of its EXPLAIN.

The first line is the whole plan: ``XN HashAggregate  (cost=0.00..4.35 rows=100 width=12)``. Its cost has no
unit that would be seconds or money, and is not passed on.
"""

from __future__ import annotations

import re
from typing import Any

from ...models import Estimate
from ..base import Parameters, Session
from ..pool import rows

__all__ = ["expect", "plan"]

_TOP = re.compile(r"\(cost=[\d.]+\.\.[\d.]+ rows=(\d+) width=(\d+)\)")
_DOUBTS = (
    ("missing statistics", "the number of rows: tables were never analyzed"),
    ("Seq Scan PartitionInfo", "what is read of external tables, which is paid by the byte"),
    ("S3 Query Scan", "what is read of external tables, which is paid by the byte"),
    ("DS_BCAST_INNER", "time: a table is copied to every node for a join"),
    ("DS_DIST_BOTH", "time: both tables of a join are moved between the nodes"),
)


def expect(session: Session, sql: str, parameters: Parameters) -> Estimate | None:
    """Ask for the plan of ``sql`` without running it. Raises `AiserError`."""
    return plan(rows(session, f"EXPLAIN {sql}", parameters))


def plan(lines: list[tuple[Any, ...]]) -> Estimate | None:
    """Read the lines of a plan; None where they are none.

    Examples
    --------
    >>> plan([("XN Seq Scan on orders  (cost=0.00..1.00 rows=100 width=8)",)]).bytes
    800
    """
    text = "\n".join(str(line) for (line,) in lines)
    found = _TOP.search(text)
    if found is None:
        return None
    count, width = int(found[1]), int(found[2])
    doubts = tuple(dict.fromkeys(doubt for sign, doubt in _DOUBTS if sign in text))
    return Estimate(rows=count, bytes=count * width, unknown=doubts)
