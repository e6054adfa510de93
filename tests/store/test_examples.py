"""The examples in the store's docstrings run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import aiser_jupyter.store

FOLDER = Path(aiser_jupyter.store.__file__).parent
STORE = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("module", STORE)
def test_examples_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = doctest.testmod(importlib.import_module(f"aiser_jupyter.store.{module}"))
    assert done.failed == 0


def test_there_are_examples_of_what_is_used_most() -> None:
    modules = [
        importlib.import_module(f"aiser_jupyter.store.{name}") for name in ("seal", "keys", "connections")
    ]
    finder = doctest.DocTestFinder()
    assert all(any(found.examples for found in finder.find(module)) for module in modules)
