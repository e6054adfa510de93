"""The key ring in the keyring of the operating system, through the ``keyring`` package.

One entry a store, named by the store's folder. Backends that keep their entries in the open, or nowhere,
are refused: ``keyring`` marks them with a priority below 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SecretError
from ..secret import Secret
from .keys import Keys
from .ring import Ring

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["SystemKeyring"]

SERVICE = "aiser_jupyter"
RECOMMENDED = 1.0
OR_FILE = 'or set AiserStore.key_source to "file".'


class SystemKeyring(Keys):
    """A ring in the operating system's keyring.

    Parameters
    ----------
    entry : str
        Name of the entry: the folder of the store that it belongs to.
    required : bool
        The key has to be there: then `make` makes none.
    """

    def __init__(self, entry: str, *, required: bool = False) -> None:
        self._entry = entry
        self._required = required

    def load(self) -> Ring:
        """Read the entry. Raises `SecretError` where there is none, or no keyring that can be used."""
        text = self._get()
        if text is None:
            raise SecretError(
                f"The keyring has no key for the store {self._entry}.",
                hint="It is made when the first secret is saved. If one was, put the entry back.",
            )
        return Ring.parse(text, f"The entry {self._entry} of {SERVICE} in the keyring")

    def unmade(self) -> bool:
        """Say whether there is no entry, and none is required."""
        return not self._required and self._get() is None

    def make(self) -> Ring:
        """Return the ring of the entry; a new one where there is none yet and none is required."""
        if self.unmade():
            self.save(Ring.new())
        return self.load()

    def save(self, ring: Ring) -> None:
        """Replace the entry. Raises `SecretError`."""
        backend = _backend()
        from keyring.errors import KeyringError

        try:
            backend.set_password(SERVICE, self._entry, ring.text().reveal())
        except KeyringError as exc:
            raise _refused(exc) from exc

    def _get(self) -> Secret | None:
        backend = _backend()
        from keyring.errors import KeyringError

        try:
            # Only ever in a Secret: a local variable would stand in a traceback.
            found = _wrapped(backend.get_password(SERVICE, self._entry))
        except KeyringError as exc:
            raise _refused(exc) from exc
        return found


def _wrapped(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _backend() -> KeyringBackend:
    try:
        import keyring
    except ImportError as exc:
        raise SecretError(
            "AiserStore.key_source is keyring, and the keyring package is not installed.",
            hint=f"pip install 'aiser-jupyter[keyring]', {OR_FILE}",
        ) from exc
    backend = keyring.get_keyring()
    chained = list(getattr(backend, "backends", ()))  # a chain writes to the first of them
    if float((chained or [backend])[0].priority) < RECOMMENDED:
        kind = type(backend)
        raise SecretError(
            f"There is no keyring here that keeps a secret ({kind.__module__}.{kind.__qualname__}).",
            hint=f"Unlock or install one (Secret Service, KWallet, Keychain), {OR_FILE}",
        )
    return backend


def _refused(exc: Exception) -> SecretError:
    return SecretError(
        f"The keyring of the operating system refused: {type(exc).__name__}.", hint=f"Unlock it, {OR_FILE}"
    )
