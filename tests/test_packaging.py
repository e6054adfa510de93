"""What is installed: the JupyterLab side and the server extension, built from the sources at hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import aiser_jupyter

ROOT = Path(__file__).parents[1]
LAB = "share/jupyter/labextensions/aiser-jupyter"
SERVER = "etc/jupyter/jupyter_server_config.d/aiser_jupyter.json"


def hatch_build(project: Path, target: str, folder: Path, **environment: str) -> Path:
    """Build one target as pip would, but with the build tools of this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    done = subprocess.run(
        command, cwd=project, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl" if target == "wheel" else "*.tar.gz"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    return hatch_build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(unpacked, tmp_path_factory) -> zipfile.ZipFile:
    """Built from the sdist, with nothing on PATH: no Node.js, no jlpm."""
    return zipfile.ZipFile(hatch_build(unpacked, "wheel", tmp_path_factory.mktemp("wheel"), PATH=""))


def names(wheel: zipfile.ZipFile) -> set[str]:
    """Where the files of the wheel are installed, below the environment or below site-packages."""
    data = f"aiser_jupyter-{aiser_jupyter.__version__}.data/data/"
    return {name.removeprefix(data) for name in wheel.namelist()}


def test_the_wheel_installs_both_extensions(wheel):
    installed = names(wheel)
    assert {SERVER, f"{LAB}/package.json", f"{LAB}/install.json", f"{LAB}/static/style.js"} <= installed
    data = f"aiser_jupyter-{aiser_jupyter.__version__}.data/data/"
    entry = json.loads(wheel.read(f"{data}{LAB}/package.json"))["jupyterlab"]["_build"]["load"]
    assert f"{LAB}/{entry}" in installed
    enabled = json.loads(wheel.read(data + SERVER))
    assert enabled == {"ServerApp": {"jpserver_extensions": {"aiser_jupyter": True}}}


def test_the_wheel_has_the_package_and_nothing_twice(wheel):
    installed = names(wheel)
    assert "aiser_jupyter/py.typed" in installed
    package = {p.relative_to(ROOT).as_posix() for p in (ROOT / "aiser_jupyter").rglob("*.py")}
    assert package <= installed
    assert not [name for name in installed if name.startswith(("aiser_jupyter/labextension", "tests"))]
    assert not [name for name in installed if "node_modules" in name]
    assert sum(info.compress_size for info in wheel.infolist()) < 1_000_000


def test_the_sdist_has_sources_and_built_assets(unpacked):
    for name in ("labextension/src/index.ts", "labextension/yarn.lock", "labextension_build.py"):
        assert (unpacked / name).is_file()
    assert (unpacked / "aiser_jupyter/labextension/static/style.js").is_file()
    assert not (unpacked / "labextension/node_modules").exists()
    assert not (unpacked / "labextension/lib").exists()


def test_a_changed_source_is_seen(unpacked):
    check = [sys.executable, "labextension_build.py", "--check"]
    assert subprocess.run(check, cwd=unpacked, capture_output=True).returncode == 0
    source = unpacked / "labextension/src/sql.ts"
    text = source.read_text()
    source.write_text(text.replace("LIMIT 100", "LIMIT 10"))
    try:
        assert subprocess.run(check, cwd=unpacked, capture_output=True).returncode == 1
        build = [sys.executable, "labextension_build.py"]
        done = subprocess.run(
            build, cwd=unpacked, capture_output=True, text=True, env={**os.environ, "PATH": ""}
        )
        assert done.returncode == 1
        assert "Node.js is missing" in done.stderr
    finally:
        source.write_text(text)


def test_the_built_assets_are_those_of_the_sources(sdist):
    check = [sys.executable, "labextension_build.py", "--check"]
    assert subprocess.run(check, cwd=ROOT, capture_output=True).returncode == 0


def test_versions_agree():
    version = json.loads((ROOT / "labextension/package.json").read_text())["version"]
    assert version == aiser_jupyter.__version__


def test_the_names_of_the_lab_side_agree():
    package = json.loads((ROOT / "labextension/package.json").read_text())
    (declared,) = aiser_jupyter._jupyter_labextension_paths()
    assert declared["dest"] == package["name"] == Path(LAB).name
    assert package["jupyterlab"]["outputDir"] == f"../aiser_jupyter/{declared['src']}"
