"""What a notebook's value is for a driver: plain Python values, and nothing that loses a digit.

numpy, pandas, polars and pyarrow are recognised by where a type is defined, so that none is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..errors import UsageError

__all__ = ["is_list", "plain"]

_PLAIN = (bool, int, float, str, bytes, Decimal, datetime, date, time, timedelta, UUID)
_LISTS = (list, tuple, set, frozenset, range)
_FOREIGN = ("numpy", "pandas", "polars", "pyarrow")
_FRAMES = ("DataFrame", "LazyFrame", "Table", "RecordBatch")


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def is_list(value: object) -> bool:
    """Say whether ``value`` holds several: a list, tuple, set, range, Series or array."""
    if isinstance(value, _LISTS):
        return True
    if _library(value) not in _FOREIGN or type(value).__name__ in _FRAMES:
        return False
    return hasattr(value, "__len__") and getattr(value, "ndim", 1) != 0 and not isinstance(value, _PLAIN)


def plain(name: str, value: Any) -> Any:
    """Return ``value`` as a driver takes it.

    Parameters
    ----------
    name : str
        Of the parameter, for the error.
    value : object
        numpy scalars become Python numbers, ``pandas.Timestamp`` a ``datetime``, ``NaT`` and ``NA`` None; a
        Series or array becomes a list.

    Raises
    ------
    UsageError
        For a DataFrame, a time with nanoseconds, or an object that no database takes.

    Examples
    --------
    >>> plain("days", range(3))
    [0, 1, 2]
    """
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {key: plain(name, item) for key, item in value.items()}
    if is_list(value):
        return [plain(name, item) for item in _items(name, value)]
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if _library(value) in _FOREIGN:
        return _foreign(name, value)
    if isinstance(value, _PLAIN):
        return value
    raise _refused(name, value)


def _items(name: str, value: Any) -> list[Any]:
    if isinstance(value, _LISTS):
        return list(value)
    if (
        str(getattr(value, "dtype", "")).startswith(("datetime64", "timedelta64"))
        and _library(value) == "numpy"
    ):
        return list(value)  # tolist() would make nanoseconds of them, as whole numbers
    for method in ("to_pylist", "tolist", "to_list"):
        if hasattr(value, method):
            return list(getattr(value, method)())
    raise _refused(name, value)


def _foreign(name: str, value: Any) -> Any:
    kind = type(value).__name__
    if kind in ("NaTType", "NAType"):
        return None
    if kind in ("datetime64", "timedelta64"):
        return _numpy_time(name, value)
    if kind in ("Timestamp", "Timedelta"):
        if value.nanosecond if kind == "Timestamp" else value.nanoseconds:
            raise _too_fine(name)
        return value.to_pydatetime() if kind == "Timestamp" else value.to_pytimedelta()
    for method in ("as_py", "item"):
        if hasattr(value, method) and kind not in _FRAMES and not hasattr(value, "columns"):
            found = getattr(value, method)()
            return plain(name, found) if type(found) is not type(value) else found
    raise _refused(name, value)


def _numpy_time(name: str, value: Any) -> Any:
    kind = type(value).__name__
    if str(value) == "NaT":
        return None
    found = value.item()  # a whole number where it is too fine or too far for Python
    if not isinstance(found, int):
        return found
    coarse = value.astype(f"{kind}[us]")
    if coarse != value:
        raise _too_fine(name)
    found = coarse.item()
    if isinstance(found, int):
        raise UsageError(
            f"Parameter {name!r} is {value}, outside the years 1 to 9999.", hint="Bind it as text."
        )
    return found


def _too_fine(name: str) -> UsageError:
    return UsageError(
        f"Parameter {name!r} has nanoseconds; a bound value carries microseconds.",
        hint="Round it to microseconds first.",
    )


def _refused(name: str, value: object) -> UsageError:
    kind = type(value).__name__
    if kind in _FRAMES:
        hint = f"A DataFrame is named in FROM, not bound: FROM {name}."
    else:
        hint = "Bind a number, text, date, time, bytes, None, or a list of them."
    return UsageError(f"Parameter {name!r} cannot be bound: it is of type {kind}.", hint=hint)
