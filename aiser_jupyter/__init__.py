"""SQL in Jupyter: which engine ran it, why, and how long each part took.

``%load_ext aiser_jupyter`` gives the magics; installing the package enables the server extension and the
JupyterLab panel. Nothing heavy is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%aiser`` and ``%%aiser``."""
    from .magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics away and give back what they hold."""
    from .magics import unload

    unload(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "aiser-jupyter"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .server.extension import AiserExtension

    return [{"module": "aiser_jupyter", "app": AiserExtension}]
