"""How a result is shown in this shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..config import AiserPreferences
    from ..result import QueryResult

__all__ = ["has_front_end", "register", "unregister"]

RESULT = ("aiser_jupyter.result", "QueryResult")


def has_front_end(shell: InteractiveShell) -> bool:
    """Say whether a kernel runs this shell, so that outputs can be updated and widgets shown."""
    return getattr(shell, "kernel", None) is not None


def register(shell: InteractiveShell, preferences: AiserPreferences) -> None:
    """Show results by these preferences: the grid in a front end, else the static table."""

    def bundle(result: QueryResult) -> tuple[dict[str, Any], dict[str, Any]]:
        from ..render import has_rows, mimebundle, plan_text

        if preferences.grid and has_front_end(shell) and has_rows(result) and not plan_text(result.table):
            from ..widgets import ResultView

            shown = ResultView(result, rows=preferences.display_rows)._repr_mimebundle_()
            if shown is not None:
                return shown
        return dict(mimebundle(result, preferences.display_rows)), {}

    def nothing(result: QueryResult) -> None:
        if not result.quiet:
            raise NotImplementedError  # IPython's word for: not me, ask the next formatter

    formatter: Any = shell.display_formatter
    formatter.mimebundle_formatter.for_type_by_name(*RESULT, bundle)
    formatter.ipython_display_formatter.for_type_by_name(*RESULT, nothing)


def unregister(shell: InteractiveShell) -> None:
    """Let results show themselves again."""
    formatter: Any = shell.display_formatter
    for part in (formatter.mimebundle_formatter, formatter.ipython_display_formatter):
        part.pop(".".join(RESULT), None)
