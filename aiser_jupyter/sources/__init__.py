"""Where connections come from besides the store: URLs, files of other tools, the administrator, a variable.

Rules:

- whatever the source, only the connector's own fields come out, checked; no text is passed on to a driver;
- a password is a `Secret` as soon as it is cut out of the text around it, and stands in no message;
- one entry that is wrong never takes another one with it: it is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..connectors.base import Connector
    from ..models import Connection

__all__ = ["listed"]


def listed(kinds: Mapping[str, Connector] | None = None) -> list[Connection]:
    """Return the connections of the environment, then the administrator's; the first of a name is stronger.

    A name may be there twice, and entries with a ``problem`` are among them.

    Parameters
    ----------
    kinds : mapping, optional
        Connectors by type; the installed ones by default.
    """
    from .admin import admin_connections
    from .environment import environment_connections

    return [*environment_connections(kinds=kinds), *admin_connections(kinds=kinds)]
