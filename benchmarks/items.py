"""The items of the benchmark: what is measured, against whom, and the target."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from processes import OURS, Worker, ask, peer_python, tpch_files

from aiser_jupyter.config import Settings

STARTS = 9  # fresh processes a side
BLOCKS, CALLS = 40, 10  # blocks a side, calls in a block
ROUNDS = 3
ROWS = 3_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One figure beside its peer's; ``target`` is its upper bound, None where there is none.

    ``measure`` says what is held to the target: the ``ratio`` ``ours / peer``, what is ``added`` to the
    peer's, or the ``value`` itself.
    """

    what: str
    ours: float
    peer: float
    unit: str
    target: float | None
    note: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    measure: str = "ratio"

    @property
    def figure(self) -> float:
        """What is held to the target."""
        return {
            "ratio": self.ours / self.peer,
            "added": self.ours - self.peer,
            "value": self.ours,
        }[self.measure]


def load_ext() -> list[Line]:
    """``%load_ext`` in a fresh shell, and the first query after it, beside JupySQL."""
    sides = {"aiser": OURS, "jupysql": peer_python()}
    for side, python in sides.items():  # files into the page cache
        ask(python, "load_ext", side)
    samples: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for turn in range(STARTS):
        for side in _order(sides, turn):
            samples[side].append(ask(sides[side], "load_ext", side))
    return [
        _against(
            "jupysql",
            "%load_ext",
            {side: [sample["load"] for sample in samples[side]] for side in sides},
            0.15,
            f"around the call, in a fresh process with IPython started; median of {STARTS}",
        ),
        _against(
            "jupysql",
            "%load_ext and a first select 42",
            {side: [sample["load"] + sample["first"] for sample in samples[side]] for side in sides},
            None,
            "the same processes; what is imported later is counted here",
        ),
    ]


def select_42() -> list[Line]:
    """``select 42`` to a pandas DataFrame by the magic in a warm shell, beside JupySQL on DuckDB."""
    samples: dict[str, list[float]] = {"aiser": [], "jupysql": []}
    with Worker(OURS, "select_42", "aiser") as ours, Worker(peer_python(), "select_42", "jupysql") as peer:
        workers = {"aiser": ours, "jupysql": peer}
        for turn in range(BLOCKS):
            for side in _order(workers, turn):
                samples[side] += workers[side].call(CALLS)
    return [
        _against(
            "jupysql",
            "select 42 to pandas",
            samples,
            0.6,
            f"run_cell_magic in two warm shells, {CALLS} calls at a time in turn; "
            f"median of {BLOCKS * CALLS}; JupySQL with autopandas and feedback off",
        )
    ]


def tpch() -> list[Line]:
    """The 22 TPC-H queries at scale factor 1 on Parquet, to Arrow, beside bare DuckDB."""
    folder, memory = str(tpch_files("1")), str(Settings().duckdb.memory_bytes())
    samples: dict[str, list[float]] = {}
    for turn in range(ROUNDS):
        for side in _order(("aiser", "duckdb"), turn):
            found = ask(OURS, "tpch", side, folder, str(os.cpu_count()), memory)
            samples.setdefault(side, []).append(sum(found["seconds"].values()))
            samples.setdefault(f"{side} cpu", []).append(found["cpu"])
            for query, seconds in found["seconds"].items():
                samples.setdefault(f"{side} q{query}", []).append(seconds)
    note = f"fresh process a round, warmed by select 42; same threads and memory; median of {ROUNDS} rounds"
    return [
        _against("duckdb", "TPC-H SF1, Parquet to Arrow", samples, 1.05, note),
        _against(
            "duckdb cpu", "TPC-H SF1: processor time", samples, None, f"{note}; steadier on a busy machine"
        ),
    ]


def stream() -> list[Line]:
    """Time and peak memory of a streamed result of ten times the rows."""
    samples: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for rows in (ROWS, 10 * ROWS):
            found = ask(OURS, "stream", str(rows))
            for what in ("seconds", "peak"):
                samples.setdefault(f"{what} {rows}", []).append(found[what])
    small, large = (
        {what: median(samples[f"{what} {rows}"]) for what in ("seconds", "peak")}
        for rows in (ROWS, 10 * ROWS)
    )
    note = f"the engine's reader, read and let go: {10 * ROWS:,} rows beside {ROWS:,}; median of {ROUNDS}"
    mb = 1e6
    return [
        Line("10x the rows: time", 1000 * large["seconds"], 1000 * small["seconds"], "ms", 11, note, samples),
        Line("10x the rows: peak memory", large["peak"] / mb, small["peak"] / mb, "MB", 1.2, note, samples),
    ]


ITEMS: dict[str, Callable[[], list[Line]]] = {
    "load_ext": load_ext,
    "select_42": select_42,
    "tpch": tpch,
    "stream": stream,
}


def _order(sides: object, turn: int) -> list[str]:
    """Return the sides, first one first in even turns and last in odd ones."""
    names = list(sides)  # type: ignore[call-overload]
    return names if turn % 2 == 0 else names[::-1]


def _against(
    peer_side: str, what: str, samples: dict[str, list[float]], target: float | None, note: str
) -> Line:
    """Make the line of our median beside that of ``peer_side``; its second word, if any, is ours too."""
    ours_side = " ".join(["aiser", *peer_side.split()[1:]])
    ours, peer = (1000 * median(samples[side]) for side in (ours_side, peer_side))
    return Line(what, ours, peer, "ms", target, note, samples)
