"""Rows of short texts in columns, for what commands answer with."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import Connection

__all__ = ["aligned", "place"]


def aligned(rows: Sequence[Sequence[str]], *, rule: bool = False) -> list[str]:
    """Return a line a row, its cells padded to their columns.

    Parameters
    ----------
    rule : bool
        Put a line under the first row.

    Examples
    --------
    >>> aligned([("name", "rows"), ("orders", "10")])
    ['name    rows', 'orders  10']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return [lines[0], "  ".join("─" * width for width in widths), *lines[1:]] if rule else lines


def place(connection: Connection, parts: Sequence[str] = ("host", "database")) -> str:
    """Say in a few words where a connection leads, and that it is not encrypted.

    Parameters
    ----------
    parts : sequence of str
        The connector's ``url_parts``.

    Examples
    --------
    >>> from aiser_jupyter.models import ConnectionConfig
    >>> values = {"host": "db", "port": 5432, "database": "shop", "ssl_enabled": False}
    >>> place(Connection("1", "ann", ConnectionConfig("postgresql", "w", values)))
    'db:5432/shop (no TLS)'
    """
    values = connection.config.values
    first, *others = parts
    if first not in values:
        return str(values.get("database", ""))
    port = f":{values['port']}" if values.get("port") else ""
    path = "".join(f"/{values[part]}" for part in others if values.get(part))
    plain = "" if values.get("ssl_enabled", True) else " (no TLS)"
    return f"{values[first]}{port}{path}{plain}"
