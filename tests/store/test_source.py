"""Where a secret may be read in the source, that no stored data becomes an object, and that examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "aiser_jupyter"
SOURCES = sorted(PACKAGE.rglob("*.py"))
STORE = sorted(path.stem for path in (PACKAGE / "store").glob("*.py") if path.stem != "__init__")
READERS = {"connectors", "store", "secret.py"}
LOADERS = {"pickle", "_pickle", "cPickle", "shelve", "marshal", "joblib", "dill", "cloudpickle", "jsonpickle"}
YAML = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}
BUILTINS = {"eval", "exec", "compile", "__import__"}


def reveals(source: str) -> list[int]:
    """Lines that name ``reveal`` of anything, called or passed on."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr == "reveal")
        or (isinstance(node, ast.Constant) and node.value == "reveal")
    ]


def loads(source: str) -> list[int]:
    """Lines that could make an object, or run code, of data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [f"{node.value.id}.{node.attr}"]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names = [f"builtins.{node.func.id}"]
        if any(map(_is_loader, names)):
            found.append(node.lineno)
    return found


def _is_loader(name: str) -> bool:
    module, _, rest = name.partition(".")
    return (
        module in LOADERS
        or (module == "yaml" and rest in YAML)
        or (module == "builtins" and rest in BUILTINS)
        or name in ("numpy.load", "np.load", "pandas.read_pickle", "pd.read_pickle")
    )


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("secret.reveal()", 1),
        ("values['password'].reveal()", 1),
        ("read = secret.reveal", 1),
        ("getattr(secret, 'reveal')()", 1),
        ("'a secret is revealed'", 0),
    ],
)
def test_the_lint_of_secrets_sees_what_it_should(source: str, count: int) -> None:
    assert len(reveals(source)) == count


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import pickle", 1),
        ("import pickle as p", 1),
        ("from marshal import loads", 1),
        ("import shelve, json", 1),
        ("import joblib.memory", 1),
        ("from yaml import load", 1),
        ("import yaml\nyaml.full_load(x)", 1),
        ("loader = yaml.unsafe_load", 1),
        ("eval(x)", 1),
        ("exec(x)", 1),
        ("__import__(x)", 1),
        ("pd.read_pickle(x)", 1),
        ("import yaml\nyaml.safe_load(x)", 0),
        ("re.compile(x)", 0),
        ("json.loads(x)", 0),
    ],
)
def test_the_lint_of_loaders_sees_what_it_should(source: str, count: int) -> None:
    assert len(loads(source)) == count


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_secrets_are_read_where_they_are_used_and_sealed_only(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] not in READERS:
        assert reveals(path.read_text()) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_data_becomes_an_object_or_code(path: Path) -> None:
    assert loads(path.read_text()) == []


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
