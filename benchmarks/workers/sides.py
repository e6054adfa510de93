"""The same thing said to either magic: load it, and get ``select 42`` as a pandas DataFrame ``x``."""

from __future__ import annotations

from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell

STATEMENT = "select 42"
LOAD = {"aiser": "aiser_jupyter", "jupysql": "sql"}


def shell() -> InteractiveShell:
    """Return a started shell that keeps no history of its own."""
    from traitlets.config import Config

    return InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))


def aiser(ip: InteractiveShell) -> None:
    ip.run_cell_magic("aiser", "-o x --quiet", STATEMENT)


def jupysql(ip: InteractiveShell) -> None:
    ip.run_cell_magic("sql", "x <<", STATEMENT)


def first_jupysql(ip: InteractiveShell) -> None:
    """Connect and set what the comparison needs: a DataFrame, and nothing printed."""
    for setting in ("autopandas = True", "feedback = 0", "displaycon = False"):
        ip.run_line_magic("config", f"SqlMagic.{setting}")
    ip.run_line_magic("sql", "duckdb://")
    jupysql(ip)


FIRST: dict[str, Callable[[InteractiveShell], None]] = {"aiser": aiser, "jupysql": first_jupysql}
CALL: dict[str, Callable[[InteractiveShell], None]] = {"aiser": aiser, "jupysql": jupysql}
