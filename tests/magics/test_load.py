from __future__ import annotations

import subprocess
import sys

from aiser_jupyter.errors import AiserError
from aiser_jupyter.magics import load, unload

HEAVY = (
    "duckdb",
    "pandas",
    "pyarrow",
    "sqlglot",
    "ipywidgets",
    "anywidget",
    "polars",
    "numpy",
    "aiser_jupyter.services",
)

PROGRAM = f"""
from IPython.core.interactiveshell import InteractiveShell
import sys
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "aiser_jupyter")
assert shell.find_line_magic("aiser") and shell.find_cell_magic("aiser")
print([name for name in {HEAVY!r} if name in sys.modules])
print(len(set(sys.modules) - before))
"""


def test_loading_imports_nothing_heavy(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    heavy, count = done.stdout.splitlines()[-2:]
    assert heavy == "[]"
    assert int(count) < 40


def test_loading_twice_is_loading_once(shell):
    before = (len(shell.configurables), len(shell.Completer.custom_matchers))
    magics = shell.magics_manager.registry["AiserMagics"]
    load(shell)
    assert shell.magics_manager.registry["AiserMagics"] is magics
    assert (len(shell.configurables), len(shell.Completer.custom_matchers)) == before


def test_unloading_leaves_nothing(bare_shell):
    def state():
        formatter = bare_shell.display_formatter
        return (
            list(bare_shell.configurables),
            list(bare_shell.Completer.custom_matchers),
            {kind: set(names) for kind, names in bare_shell.magics_manager.magics.items()},
            set(bare_shell.magics_manager.registry),
            {event: list(hooks) for event, hooks in bare_shell.events.callbacks.items()},
            dict(formatter.mimebundle_formatter.deferred_printers),
            dict(formatter.ipython_display_formatter.deferred_printers),
            hasattr(AiserError, "_render_traceback_"),
        )

    before = state()
    load(bare_shell)
    assert state() != before
    unload(bare_shell)
    assert state() == before
    unload(bare_shell)
    load(bare_shell)
    assert bare_shell.find_cell_magic("aiser") is not None
    unload(bare_shell)


def test_preferences_are_set_with_config(shell, magics, capsys):
    shell.run_cell("%config AiserPreferences.row_limit = 10").raise_error()
    assert magics.services.settings.preferences.row_limit == 10
    shell.run_cell("%config AiserPreferences.row_limit = -1")
    assert magics.services.settings.preferences.row_limit == 10
    shell.run_cell("%config AiserPreferences")
    assert "output_type" in capsys.readouterr().out
