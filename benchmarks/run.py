"""Measure what the README says about speed, beside a peer and in one run.

``make bench`` runs every item, prints a table and writes ``results.json`` next to this file. Most items are a
ratio: ours over the peer's, measured in alternation on the same machine, each side in processes of its own.
Seconds differ from machine to machine, so they are a target only for the server, with room to spare, and no
test is timed. The first run makes the peer's environment and the data below ``.cache``.

Run some of the items with ``python benchmarks/run.py load_ext select_42``.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from items import ITEMS, Line

sys.path.insert(0, str(Path(__file__).parent.parent))  # the servers of the tests
import databases
import rest
import warehouses

ITEMS |= {each.__name__: each for each in (databases.mysql, databases.postgresql, databases.federated)}
ITEMS |= {each.__name__: each for each in (rest.rest, rest.event_loop)}

ITEMS |= {each.__name__: each for each in (warehouses.warehouses, warehouses.warehouses_jupysql)}

RESULTS = Path(__file__).with_name("results.json")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in ITEMS]
    if unknown:
        print(f"There is no item {unknown[0]!r}; there are {', '.join(ITEMS)}.", file=sys.stderr)
        return 2
    lines: list[Line] = []
    for name in names or ITEMS:
        print(f"{name} …", file=sys.stderr, flush=True)
        lines += ITEMS[name]()
    print(table(lines))
    RESULTS.write_text(
        json.dumps({"machine": machine(), "lines": [asdict(line) for line in lines]}, indent=1)
    )
    print(f"\n{machine()}\nEvery sample: {RESULTS}")
    return 0


def machine() -> str:
    """Say on what the figures were measured."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "pandas", "ipython"))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def table(lines: list[Line]) -> str:
    """Lay the lines out in columns."""
    head = ("what", "ours", "peer", "ratio", "target", "")
    rows = [head, *(_cells(line) for line in lines)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    notes = [f"  {line.what}: {line.note}" for line in lines]
    return "\n".join([*(line.rstrip() for line in text), "", *notes])


def _cells(line: Line) -> tuple[str, ...]:
    unit = "" if line.measure == "ratio" else f" {line.unit}"
    target = "-" if line.target is None else f"<= {line.target:g}{unit}"
    verdict = "" if line.target is None else "met" if line.figure <= line.target else "MISSED"
    shown = (f"{value:,.1f} {line.unit}" for value in (line.ours, line.peer))
    figure = f"{line.figure:.2f}" if line.measure == "ratio" else f"{line.figure:+,.1f} {line.unit}"
    return line.what, *shown, figure if line.measure != "value" else "", target, verdict


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
