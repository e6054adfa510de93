from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from aiser_jupyter.errors import AiserError, UnknownTable
from aiser_jupyter.magics import errors

MODES = ("Plain", "Context", "Verbose", "Minimal", "Docs")


def shown(shell: InteractiveShell, source: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a cell prints."""
    capsys.readouterr()
    shell.run_cell(source)
    return capsys.readouterr().out


@pytest.mark.parametrize("mode", MODES)
def test_an_error_is_two_lines_in_every_mode_and_shows_no_variable(shell, mode, capsys):
    shell.run_line_magic("xmode", mode)
    shell.user_ns["secret"] = "hunter2-in-a-variable"
    printed = shown(shell, "%aiser --param p='hunter2-on-the-line' --limit x SELECT 1", capsys)
    assert printed.splitlines() == [
        "UsageError: --limit takes a whole number, not 'x'.",
        "Hint: --limit 1000",
    ]


@pytest.mark.parametrize("mode", MODES)
def test_an_error_from_any_code_is_short(shell, mode, capsys):
    shell.run_line_magic("xmode", mode)
    source = (
        "from aiser_jupyter.errors import UnknownTable\n"
        "password = 'hunter2'\n"
        "raise UnknownTable('There is no table \\x1b[31mred.', hint='Look.')"
    )
    assert shown(shell, source, capsys).splitlines() == [
        "UnknownTable: There is no table ␛[31mred.",
        "Hint: Look.",
    ]


def test_the_error_itself_is_raised(shell, run):
    with pytest.raises(AiserError) as caught:
        run("%%aiser nowhere\nSELECT 1")
    assert type(caught.value).__name__ == "UnknownConnection"
    assert "nowhere" in str(caught.value)


@pytest.mark.parametrize("mode", MODES)
def test_a_defect_is_short_once_and_then_whole(shell, magics, mode, monkeypatch, capsys):
    shell.run_line_magic("xmode", mode)
    monkeypatch.delattr(type(magics), "connection_name")  # a defect of ours
    first = shown(shell, "%%aiser local\nSELECT 1", capsys)
    assert len(first.splitlines()) == 2
    assert first.startswith("AttributeError: ")
    assert "%tb" in first
    whole = shown(shell, "%tb", capsys)
    assert "AttributeError" in whole
    assert "defect of aiser_jupyter" not in whole
    assert mode in ("Minimal", "Docs") or "magics.py" in whole  # those two leave frames out


def test_the_hook_is_there_only_while_loaded():
    errors.install()
    assert UnknownTable("x", hint="y")._render_traceback_() == ["UnknownTable: x\nHint: y"]  # type: ignore[attr-defined]
    errors.uninstall()
    assert not hasattr(UnknownTable("x"), "_render_traceback_")
