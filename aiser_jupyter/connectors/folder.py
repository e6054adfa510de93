"""The folder that a server lets DuckDB read and write: what a name means there, and what is refused.

DuckDB holds itself to the folder. This is for what we look at before it does: which files a statement reads,
a workbook, a listing. Outside, a file that is there and one that is not are refused in the same words.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NotPermitted
from ..models import ConnectionConfig
from . import files

if TYPE_CHECKING:
    from .sandbox import Sandbox

__all__ = ["Folder", "expand", "folder_of"]


def folder_of(config: ConnectionConfig) -> Path:
    """Return the folder that relative names of files mean, for a connection of DuckDB."""
    sandbox = _sandbox(config)
    return Path.cwd() if sandbox is None else sandbox.folder.path


def expand(config: ConnectionConfig, name: str) -> list[Path]:
    """Return the files that a name in FROM stands for; raises as `files.expand`, and `NotPermitted`."""
    sandbox = _sandbox(config)
    return files.expand(name, Path.cwd()) if sandbox is None else sandbox.folder.expand(name)


def _sandbox(config: ConnectionConfig) -> Sandbox | None:
    if not config.sandbox:
        return None
    from .sandbox import find

    return find(config.sandbox)


class Folder:
    """A folder and what is below it.

    Parameters
    ----------
    path : Path
        Links in it are followed, once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def expand(self, name: str) -> list[Path]:
        """Return the files that a name in FROM stands for.

        Raises
        ------
        UnknownTable, DataError
            As `files.expand`.
        NotPermitted
            One of them is not below the folder.
        """
        self.require(name)
        found = files.expand(name, self.path)
        for path in found:
            self._require(str(path), name)
        return found

    def require(self, name: str) -> None:
        """Refuse a name that leads out of the folder. Raises `NotPermitted`."""
        before, *after = re.split(r"([*?\[])", name, maxsplit=1)
        self._require(before, name)
        if ".." in re.split(r"[/\\]", "".join(after)):
            raise _outside(name)

    def _require(self, path: str, name: str) -> None:
        resolved = os.path.realpath(self.path / Path(path).expanduser())
        if os.path.commonpath([self.path, resolved]) != str(self.path):
            raise _outside(name)


def _outside(name: str) -> NotPermitted:
    return NotPermitted(
        f"{name!r} is not below the server's folder.",
        hint="On a server files are read below its folder only; a notebook reads others.",
    )
