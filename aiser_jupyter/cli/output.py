"""What the commands print besides a result's rows."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["print_aligned"]


def print_aligned(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Print rows of cells in columns."""
    from ..render import aligned

    for line in aligned(rows):
        print((indent + line).rstrip())
