"""Rules of the source that no linter knows: size, names, and the calls that turn data into code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "aiser_jupyter").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SCRIPTS = sorted((ROOT / "aiser_jupyter" / "widgets" / "static").glob("*.js"))

FILE_LINES = 400
FUNCTION_LINES = 40
MARKUP = {"HTML", "Markdown", "SVG", "Image", "Video", "Latex", "Math", "Javascript", "IFrame"}
"""``IPython.display`` takes a text for markup, a file to show or an address to fetch."""
CODE_LOADERS = {"pickle", "shelve", "joblib", "marshal", "dill", "cloudpickle"}
CODE_CALLS = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
EMPTY_WORDS = {"Enhanced", "Real", "Universal", "Enterprise", "Manager", "Helper", "Helpers", "Utils", "Util"}
SCRIPT_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|createContextual"
    r"|https?://|\bimport\b|\bfetch\(|XMLHttpRequest"
)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a name or an attribute; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else node.attr
    return ""


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and imported name; "" where the module itself is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module or "", alias.name) for alias in node.names)


def violations(source: str) -> list[str]:
    """What in a module of the package could turn data into markup or code."""
    tree = ast.parse(source)
    found = []
    for module, name in imports(tree):
        if module.partition(".")[0] in CODE_LOADERS:
            found.append(f"imports {module}")
        if module.startswith("IPython") and name in MARKUP:
            found.append(f"imports {module}.{name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            if called in CODE_CALLS:
                found.append(f"calls {called}")
            if "." in called and "display" in called.split(".") and called.rpartition(".")[2] in MARKUP:
                found.append(f"calls {called}")
    return found


def long_functions(source: str) -> list[str]:
    """Functions whose body, docstring aside, is too long."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
        lines = (node.body[-1].end_lineno or 0) - body[0].lineno + 1
        if lines > FUNCTION_LINES:
            found.append(f"{node.name}: {lines} lines")
    return found


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import pickle", 1),
        ("from joblib import load", 1),
        ("from IPython.display import HTML", 1),
        ("import IPython\nIPython.display.Image(x)", 1),
        ("from IPython import display\ndisplay.Markdown(x)", 1),
        ("eval(x)", 1),
        ("import yaml\nyaml.load(x)", 1),
        ("from IPython.display import display\ndisplay(x, raw=True)", 0),
        ("import yaml\nyaml.safe_load(x)", 0),
        ("connection.exec(x)", 0),
    ],
)
def test_the_lint_sees_what_it_should(source: str, count: int) -> None:
    assert len(violations(source)) == count


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_data_never_becomes_markup_or_code(path: Path) -> None:
    assert violations(path.read_text()) == []


@pytest.mark.parametrize("path", [*PACKAGE, *TESTS, *SCRIPTS], ids=relative)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", [*PACKAGE, *TESTS], ids=relative)
def test_functions_are_short(path: Path) -> None:
    assert long_functions(path.read_text()) == []


@pytest.mark.parametrize("path", [*PACKAGE, *TESTS], ids=relative)
def test_class_names_say_something(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            words = set(re.findall(r"[A-Z][a-z]+", node.name))
            assert not words & EMPTY_WORDS, node.name


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_what_is_public_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert ast.get_docstring(tree) or path.name == "_version.py"
    assert [node.name for node in public if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_tests_use_real_parts(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [name for name in imports(tree) if "mock" in f"{name[0]}.{name[1]}"]
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    assert "mocker" not in arguments


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_scripts_write_text_only_and_load_nothing(path: Path) -> None:
    assert SCRIPT_MARKUP.findall(path.read_text()) == []
