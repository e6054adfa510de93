"""``Secret``: a value that is used and never shown.

Everything that prints, logs, compares or copies values handles a secret like any other value and shows
``***``. Its text is read by ``reveal()`` alone, which only ``connectors`` (to log in) and ``store`` (to seal
it) may call; a test of the source holds them to it. A secret from the store is opened when it is first
revealed, so that listing connections needs no key.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["Secret"]


class Secret:
    """A password, token or key.

    Parameters
    ----------
    value : str or callable
        The text, or what returns it; a callable is asked again each time and may raise `SecretError`.

    Examples
    --------
    >>> password = Secret("correct horse")
    >>> print(password, [password], f"{password:>5}")
    *** [***]   ***
    >>> password.reveal()
    'correct horse'
    """

    __slots__ = ("_open",)

    def __init__(self, value: str | Callable[[], str]) -> None:
        # A closure, so that a traceback that prints local variables and attributes shows no text.
        self._open = value if callable(value) else lambda: value

    def reveal(self) -> str:
        """Return the text. Whoever calls keeps it out of variables that outlive the call."""
        return self._open()

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self is other or hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of it would be a hint of it

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A secret is not copied into a file or another process.")

    def __deepcopy__(self, memo: Any) -> Secret:
        return self
