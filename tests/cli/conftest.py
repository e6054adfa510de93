"""The shell command in an empty folder, with a store of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aiser_jupyter.cli import main


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a store of its own."""
    monkeypatch.setenv("AISER_STORE", str(tmp_path / "store"))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def aiser(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, str, str]]:
    """Run one command here; give its exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        try:
            code = main(words)
        except SystemExit as exc:
            code = int(exc.code or 0)
        out, error = capfdbinary.readouterr()
        return code, out.decode(), error.decode()

    return run
