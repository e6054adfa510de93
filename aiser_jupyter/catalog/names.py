"""Names of tables as people write them: ``orders``, ``sales.orders``, ``"odd name"``, ``sales."a.b"``."""

from __future__ import annotations

import re

from ..models import TableRef

__all__ = ["table_ref"]

_PART = re.compile(r"\s*(?:\"((?:[^\"]|\"\")*)\"|`((?:[^`]|``)*)`|([^.\"`]+?))\s*(\.|$)")


def table_ref(name: str) -> TableRef:
    """Read a name of up to three parts; what cannot be read so is the name of one table, as it stands.

    Examples
    --------
    >>> table_ref('sales."odd.name"')
    TableRef(name='odd.name', schema='sales', catalog=None, is_file=False)
    >>> table_ref("a.b.c.d").name
    'a.b.c.d'
    """
    parts: list[str] = []
    position = 0
    while match := _PART.match(name, position):
        double, back, plain, end = match.groups()
        if double is not None:
            parts.append(double.replace('""', '"'))
        else:
            parts.append(back.replace("``", "`") if back is not None else plain)
        position = match.end()
        if not end:
            break
    if position < len(name) or not 0 < len(parts) <= 3 or "" in parts or name.rstrip().endswith("."):
        return TableRef(name)
    catalog, schema, table = [None] * (3 - len(parts)) + parts
    return TableRef(str(table), schema, catalog)
