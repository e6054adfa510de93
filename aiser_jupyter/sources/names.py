"""Names of connections: the store's pattern, and a name for what was not named for us."""

from __future__ import annotations

import re
from collections.abc import Container

from ..models import LOCAL, ConnectionConfig
from ..store.records import NAME, check

__all__ = ["check_name", "free_name", "is_name"]

LENGTH = 63


def is_name(name: str) -> bool:
    """Say whether ``name`` can name a connection; ``local`` cannot, it is there already."""
    return NAME.fullmatch(name) is not None and name.casefold() != LOCAL


def check_name(name: str) -> None:
    """Refuse what cannot name a connection.

    Raises
    ------
    ConfigError
    """
    check(ConnectionConfig("duckdb", name))


def free_name(words: str, taken: Container[str]) -> str:
    """Return the name nearest to ``words`` that is allowed and not taken.

    Parameters
    ----------
    words : str
        Any text.
    taken : container of str
        Names that are in use, in `str.casefold` form.

    Examples
    --------
    >>> free_name("sales (new)", set()), free_name("shop", {"shop"}), free_name("2024", set())
    ('sales_new', 'shop_2', '_2024')
    """
    base = re.sub(r"[^A-Za-z0-9_-]+", "_", words).strip("_-") or "connection"
    base = (base if NAME.fullmatch(base[0]) else f"_{base}")[:LENGTH]
    name, number = base, 1
    while name.casefold() in taken or not is_name(name):
        number += 1
        suffix = f"_{number}"
        name = base[: LENGTH - len(suffix)] + suffix
    return name
