"""Errors in a notebook: a line that says what happened, one that says what to do, and the run's id if it ran.

IPython asks an exception itself how it wants to be shown (``_render_traceback_``). Ours answer with those
in every traceback mode, so that no local variable of ours is ever printed. They are still raised: a run of
all cells stops, and a program that drives the notebook sees the class and the words.

The answer is put on the class while the magics are loaded in at least one shell, because the words of
`AiserError` are arranged by ``render``, a layer above it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ..errors import AiserError
from ..words import short_id

__all__ = ["bugs_are_short", "install", "uninstall"]

HOOK = "_render_traceback_"


def install() -> None:
    """Show every `AiserError` in short, whoever raises it."""
    setattr(AiserError, HOOK, _text)


def uninstall() -> None:
    """Give IPython's tracebacks back."""
    if HOOK in vars(AiserError):
        delattr(AiserError, HOOK)


@contextmanager
def bugs_are_short() -> Iterator[None]:
    """Show an exception that should not have happened in two lines, once; ``%tb`` then shows all of it."""
    try:
        yield
    except AiserError:
        raise
    except Exception as exc:
        vars(exc)[HOOK] = partial(_bug_text, exc)
        raise


def _text(exc: AiserError) -> list[str]:
    from ..render import error_text

    return [error_text(exc)]  # one text: the modes join a list in different ways


def _bug_text(exc: Exception) -> list[str]:
    from ..render import visible

    vars(exc).pop(HOOK, None)
    first = str(exc).partition("\n")[0]
    words = visible(first if len(first) <= 300 else first[:299] + "…")
    hint = "This is a defect of aiser_jupyter. %tb shows where it happened."
    found = getattr(exc, "run_id", "")  # where a run failed with it
    return [f"{type(exc).__name__}: {words}\nHint: {hint}" + (f"\nRun: {short_id(found)}" if found else "")]
