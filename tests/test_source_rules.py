"""Rules of the source that no linter knows: size, names, who reads a secret, what turns data into code."""

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
SECRET_READERS = {"connectors", "store", "secret.py"}
CODE_LOADERS = {
    "pickle",
    "_pickle",
    "cPickle",
    "shelve",
    "marshal",
    "joblib",
    "dill",
    "cloudpickle",
    "jsonpickle",
}
YAML_LOADERS = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}
CODE_NAMES = {"numpy.load", "np.load", "pandas.read_pickle", "pd.read_pickle"}
CODE_BUILTINS = {"eval", "exec", "compile", "__import__"}
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


def is_loader(name: str) -> bool:
    """Whether ``module.name`` makes an object, or runs code, of data."""
    module, _, rest = name.partition(".")
    return module in CODE_LOADERS or name in CODE_NAMES or (module == "yaml" and rest in YAML_LOADERS)


def violations(source: str) -> list[str]:
    """What in a module of the package could turn data into markup or code."""
    tree = ast.parse(source)
    found = []
    for module, name in imports(tree):
        if is_loader(f"{module}.{name}" if name else module):
            found.append(f"imports {module}")
        if module.startswith("IPython") and name in MARKUP:
            found.append(f"imports {module}.{name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_loader(dotted(node)):
            found.append(f"names {dotted(node)}")
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            if called in CODE_BUILTINS:
                found.append(f"calls {called}")
            if "." in called and "display" in called.split(".") and called.rpartition(".")[2] in MARKUP:
                found.append(f"calls {called}")
    return found


def reveals(source: str) -> list[int]:
    """Lines that name ``reveal`` of anything, called or passed on."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr == "reveal")
        or (isinstance(node, ast.Constant) and node.value == "reveal")
    ]


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
        ("import pickle as p", 1),
        ("from marshal import loads", 1),
        ("import shelve, json", 1),
        ("import joblib.memory", 1),
        ("eval(x)", 1),
        ("exec(x)", 1),
        ("__import__(x)", 1),
        ("compile(x)", 1),
        ("pd.read_pickle(x)", 1),
        ("from yaml import load", 1),
        ("import yaml\nyaml.load(x)", 1),
        ("import yaml\nyaml.full_load(x)", 1),
        ("loader = yaml.unsafe_load", 1),
        ("re.compile(x)", 0),
        ("json.loads(x)", 0),
        ("from IPython.display import display\ndisplay(x, raw=True)", 0),
        ("import yaml\nyaml.safe_load(x)", 0),
        ("connection.exec(x)", 0),
    ],
)
def test_the_lint_sees_what_it_should(source: str, count: int) -> None:
    assert len(violations(source)) == count


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


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_secrets_are_read_where_they_are_used_and_sealed_only(path: Path) -> None:
    if path.relative_to(ROOT / "aiser_jupyter").parts[0] not in SECRET_READERS:
        assert reveals(path.read_text()) == []


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
