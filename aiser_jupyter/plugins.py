"""Parts found by entry point, loaded when they are asked for.

A connector or an engine is a class that an entry point names. Listing the names imports nothing, and a part
that cannot be imported disables only itself: ``broken`` reports it, with the reason, and the others work.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

__all__ = ["Plugins"]

T = TypeVar("T")


class Plugins(Generic[T]):
    """The classes of one entry point group.

    Parameters
    ----------
    group : str
        Name of the entry point group.
    base : type
        What each of them must be a subclass of.
    found : iterable of EntryPoint, optional
        Used in place of what is installed.
    """

    def __init__(self, group: str, base: type[T], found: tuple[EntryPoint, ...] | None = None) -> None:
        self._group = group
        self._base = base
        self._found = found
        self._lock = threading.Lock()
        self._loaded: dict[str, type[T]] = {}
        self._broken: dict[str, str] = {}

    def get(self, name: str) -> type[T] | None:
        """Return the class of one entry point, and load no other; None where it cannot be loaded."""
        with self._lock:
            for point in self._points():
                if point.name == name:
                    self._load(point)
            return self._loaded.get(name)

    def classes(self) -> dict[str, type[T]]:
        """Return every class that could be loaded, by the name of its entry point."""
        with self._lock:
            for point in self._points():
                self._load(point)
            return dict(sorted(self._loaded.items()))

    def broken(self) -> dict[str, str]:
        """Return the entry points that could not be loaded, each with the reason."""
        self.classes()
        return dict(self._broken)

    def _points(self) -> Iterable[EntryPoint]:
        if self._found is None:
            self._found = tuple(entry_points(group=self._group))
        return self._found

    def _load(self, point: EntryPoint) -> None:
        """Lock held."""
        if point.name in self._loaded or point.name in self._broken:
            return
        try:
            part = point.load()
        except Exception as exc:  # a foreign module: its import may raise anything
            self._broken[point.name] = f"{point.value} cannot be imported: {type(exc).__name__}: {exc}"
            return
        if isinstance(part, type) and issubclass(part, self._base):
            self._loaded[point.name] = part
        else:
            self._broken[point.name] = f"{point.value} is not a class of {self._base.__name__}."
