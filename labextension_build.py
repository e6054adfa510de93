"""Build hook: the JupyterLab side is built when its sources differ from what was built last.

The built assets are not in version control. A stamp beside them holds the hash of their sources, so a build
from the sdist, which carries assets and stamp, needs no Node.js, and an install from a changed checkout does.
Also a script: ``python labextension_build.py [--check | --force]``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "labextension"
ASSETS = ROOT / "aiser_jupyter" / "labextension"
STAMP = ASSETS / "source.sha256"
INPUTS = ("src", "style", "stubs", "package.json", "tsconfig.json", "yarn.lock", ".yarnrc.yml")
BUILDER = "jupyter-builder>=1.2,<2"  # brings jlpm, JupyterLab's pinned Yarn


def source_hash() -> str:
    """Return the hash of everything the assets are made from; line ends do not count."""
    digest = hashlib.sha256()
    paths = [ROOT / "install.json"]
    for name in INPUTS:
        path = SOURCE / name
        paths += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    for path in sorted(paths):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def is_current() -> bool:
    """Say whether the assets were built from the sources as they are now."""
    return STAMP.is_file() and STAMP.read_text().strip() == source_hash()


def build(*, force: bool = False) -> None:
    """Build the assets unless they are current.

    Raises
    ------
    RuntimeError
        They must be built, and Node.js or jlpm is missing.
    """
    if is_current() and not force:
        return
    # jlpm and jupyter-builder stand beside the interpreter, which need not be on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    jlpm, node = shutil.which("jlpm", path=path), shutil.which("node", path=path)
    if jlpm is None or node is None:
        raise RuntimeError(
            "The JupyterLab extension must be built from labextension/, and "
            f"{'Node.js' if node is None else 'jlpm'} is missing. Install Node.js 20.19 or later and "
            f'`pip install "{BUILDER}"`, or install aiser-jupyter from a wheel or an sdist.'
        )
    env = {**os.environ, "PATH": path}
    for step in (["install", "--immutable"], ["build"]):
        subprocess.check_call([jlpm, *step], cwd=SOURCE, env=env)  # noqa: S603  # our own words
    shutil.copy(ROOT / "install.json", ASSETS / "install.json")  # tells JupyterLab that pip owns it
    STAMP.write_text(source_hash() + "\n")


class LabExtensionHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before hatchling collects the files of a wheel or an sdist."""

    def dependencies(self) -> list[str]:
        return [] if is_current() else [BUILDER]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build()


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if is_current() else "The built JupyterLab extension is older than labextension/.")
    build(force="--force" in sys.argv)
