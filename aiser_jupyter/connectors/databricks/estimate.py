"""What Databricks expects of a statement, read from EXPLAIN COST: which a running warehouse is needed for.

A plan's leaves say how much each table holds, as ANALYZE or the table's own log counted it; its first line
how much comes out. Where a table was never counted Spark writes 8.0 EiB: it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...models import Estimate
from ..state import WarehouseState

__all__ = ["estimate_asleep", "estimate_of"]

_FIGURES = re.compile(
    r"Statistics\(sizeInBytes=([\d.E+]+) (B|KiB|MiB|GiB|TiB|PiB|EiB|KB|MB|GB|TB|PB|EB)"
    r"(?:, rowCount=([\d.E+]+))?"
)
_UNITS = {letter: 1024**power for power, letter in enumerate("BKMGTPE")}
_COST = "what it costs: the warehouse is paid for by the time that it runs"
_UNKNOWN = 2.0**60
"""A size from which on it is no size."""
_LEAF = re.compile(r"[\s:|+-]*\b(Relation|HiveTableRelation|LocalRelation|Range|LogicalRDD)\b")


def estimate_asleep(state: WarehouseState) -> Estimate:
    """Return what is known where asking would start the warehouse, or would wait for it."""
    words = state.message[:1].lower() + state.message[1:].rstrip(".")
    read = "how much is read: the plan is made by a warehouse that runs"
    return Estimate(unknown=(f"how long it takes to start: {words}", read, _COST))


def estimate_of(plan: str) -> Estimate:
    """Return what a plan says, the text of EXPLAIN COST."""
    lines = list(_logical(plan))
    unknown = []
    sizes = [_figures(line)[0] for line in lines if _LEAF.match(line)]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or not lines:
        unknown.append("how much is read: a table was never counted (ANALYZE TABLE … COMPUTE STATISTICS)")
    rows = _figures(lines[0])[1] if lines else None
    if rows is None:
        unknown.append("how many rows come out")
    unknown.append(_COST)
    whole = None if len(known) < len(sizes) or not sizes else sum(known)
    return Estimate(rows=rows, bytes=whole, unknown=tuple(unknown))


def _logical(plan: str) -> Iterator[str]:
    """Yield the lines of the optimized plan that have figures."""
    inside = False
    for line in plan.splitlines():
        if line.startswith("=="):
            inside = line.startswith("== Optimized Logical Plan")
        elif inside and "Statistics(" in line:
            yield line


def _figures(line: str) -> tuple[int | None, int | None]:
    found = _FIGURES.search(line)
    if not found:
        return None, None
    size = float(found[1]) * _UNITS[found[2][0]]
    return (None if size >= _UNKNOWN else round(size)), (round(float(found[3])) if found[3] else None)
