"""Every setting, one ``Configurable`` a part. The help text is the documentation.

Two kinds of setting, and the difference is a matter of security:

- **preferences** (tagged ``preference=True``) belong to the person: they are also read from ``[tool.aiser]``
  of the nearest ``pyproject.toml`` and changed with ``%config``;
- **policy**, everything else, belongs to the administrator: it is read from ``aiser_config.py`` or
  ``aiser_config.json`` in Jupyter's *system* and *environment* config folders only. The person's own folder
  and the folders of ``JUPYTER_CONFIG_PATH`` are not read.

What that holds against: a cloned repository, a notebook's metadata, a request to the server. What it does not
hold against: code that runs in the same process, which can change any object in it, and whoever may write to
the environment the process was started from (``sys.prefix``), which includes the owner of a virtual
environment. Limits that a person must not be able to lift belong to the operating system or the hub.
"""

from __future__ import annotations

from .files import load, policy_folders, sources
from .parts import (
    GIB,
    MIB,
    PARTS,
    AiserCache,
    AiserConnections,
    AiserDuckDB,
    AiserLimits,
    AiserPreferences,
    AiserResults,
    AiserRouter,
    AiserStore,
    Setting,
    Settings,
    describe,
    machine_memory,
)

__all__ = [
    "GIB",
    "MIB",
    "PARTS",
    "AiserCache",
    "AiserConnections",
    "AiserDuckDB",
    "AiserLimits",
    "AiserPreferences",
    "AiserResults",
    "AiserRouter",
    "AiserStore",
    "Setting",
    "Settings",
    "describe",
    "load",
    "machine_memory",
    "policy_folders",
    "sources",
]
