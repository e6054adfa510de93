"""``once``: a property that is made when first asked for, by one thread, and kept.

`functools.cached_property` has no lock from Python 3.12 on: two threads of the server could each
open a store.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, TypeVar, overload

__all__ = ["once"]

T = TypeVar("T")
_making = RLock()


class once(Generic[T]):  # noqa: N801 - used as a decorator, named like property
    """Make the value with the decorated method, once for each instance."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> once[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> once[T] | T:
        if instance is None:
            return self
        with _making:
            kept: dict[str, Any] = instance.__dict__
            if self._name not in kept:
                kept[self._name] = self._make(instance)
            return kept[self._name]  # type: ignore[no-any-return]

    @staticmethod
    def taken(instance: object, name: str) -> Any:
        """Take the value away again and return it; None where it was never made."""
        with _making:
            return instance.__dict__.pop(name, None)
