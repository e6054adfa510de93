"""What a file of another tool says of one connection, before it is checked: made by the formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError

__all__ = ["Draft"]


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry of a file.

    ``name`` is the entry's own, any text. ``type`` is a connector's, an alias of it, or SQLAlchemy's word.
    ``values`` are fields of the connector, secrets among them as `Secret`. ``options`` are in the words of
    libpq or MySQL and still to be translated. ``notices`` say what of the entry is not used, in sentences;
    ``problem`` says why it cannot be imported, and then there are no values.
    """

    name: str
    type: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    problem: ConfigError | None = None
