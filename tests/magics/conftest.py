from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from aiser_jupyter.magics import load, unload


@pytest.fixture
def bare_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """IPython in an empty folder, with a store of its own, without our magics."""
    monkeypatch.setenv("AISER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield shell
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    """The same with our magics loaded."""
    load(bare_shell)
    yield bare_shell
    unload(bare_shell)


@pytest.fixture
def magics(shell: InteractiveShell) -> Any:
    """The loaded ``AiserMagics``."""
    return shell.magics_manager.registry["AiserMagics"]


@pytest.fixture
def run(shell: InteractiveShell) -> Any:
    """Run a cell and return its value; what it raises is raised."""

    def run_cell(source: str) -> Any:
        outcome = shell.run_cell(source, silent=False)
        outcome.raise_error()
        return outcome.result

    return run_cell
