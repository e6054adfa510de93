"""Widgets: thin views whose rows stay in the kernel. Nothing is imported until one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .result_view import ResultView

__all__ = ["ResultView"]


def __getattr__(name: str) -> Any:
    if name == "ResultView":
        from .result_view import ResultView

        return ResultView
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
