"""``%aiser`` and ``%%aiser``: a front door to the services for people who write SQL in a notebook.

``grammar`` reads what was written, ``magics`` does it, ``commands`` are the things beside queries,
``display`` shows results and progress, ``completion`` and ``comm`` serve the editor. Loading is not felt:
nothing is imported here that a kernel has not imported already, and the services are built at the first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Register the magics in ``shell``. A second call does nothing.

    Raises
    ------
    ConfigError
        A configuration file is malformed; nothing is registered then.
    """
    from . import errors
    from .magics import AiserMagics

    if AiserMagics.__name__ in shell.magics_manager.registry:
        return
    errors.install()
    from ..config import load as load_settings

    AiserMagics(shell, load_settings()).attach()


def unload(shell: InteractiveShell) -> None:
    """Take everything away that `load` put into ``shell``, and close the services."""
    from .magics import AiserMagics

    magics = shell.magics_manager.registry.get(AiserMagics.__name__)
    if magics is not None:
        magics.detach()
