"""Where the key ring lies: a file of the user's own, or the keyring of the operating system.

Rules of the file:

- 0600 in a 0700 folder, made with ``O_EXCL`` under another name and linked to its own when it is whole: of
  two processes that make it at once one wins, and both use its key;
- made when the first secret is saved, and only where nobody named a key file: one that policy or
  ``AISER_KEY_FILE`` names has to be there;
- never repaired: a key that others could read is refused, since tightening it now would not undo that.

Whoever saves a ring holds the write transaction of the store, which is what keeps two rotations apart. A ring
belongs to one store: rotated for one, it no longer opens what it sealed in another.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets as random
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..errors import SecretError, StoreError
from ..secret import Secret
from . import files
from .ring import Ring

if TYPE_CHECKING:
    from ..config import AiserStore

__all__ = ["KeyFile", "Keys", "keys_of"]

LARGEST = 64 * 1024  # bytes of a key file
OWN_FILE = "Name a file of your own in AiserStore.key_file or AISER_KEY_FILE."


class Keys(ABC):
    """Where the ring of one store is kept."""

    @abstractmethod
    def load(self) -> Ring:
        """Return the ring. Raises `SecretError` where there is none, or none that may be used."""

    @abstractmethod
    def unmade(self) -> bool:
        """Say whether there is no ring yet, and `make` would make one. Raises `SecretError`."""

    @abstractmethod
    def make(self) -> Ring:
        """Return the ring; where there is none yet and none was named, a new one."""

    @abstractmethod
    def save(self, ring: Ring) -> None:
        """Put a ring in the place of the one that is there, at once and whole."""


class KeyFile(Keys):
    """A ring in a file.

    Parameters
    ----------
    path : Path
    named : bool
        Somebody said that the key is there: then `make` makes none.

    Examples
    --------
    >>> import tempfile
    >>> keys = KeyFile(Path(tempfile.mkdtemp()) / "aiser" / "key")
    >>> made = keys.make()
    >>> keys.load() == made == keys.make()
    True
    """

    def __init__(self, path: Path, *, named: bool = False) -> None:
        self.path = path
        self._named = named

    def load(self) -> Ring:
        """Read the file.

        Raises
        ------
        SecretError
            It is missing, a symbolic link, another user's, open to others, malformed, or holds a weak key.
        """
        return Ring.parse(self._text(), f"The key file {self.path}")

    def unmade(self) -> bool:
        """Say whether there is no file, and nobody said that there is."""
        return not self._named and not os.path.lexists(self.path)

    def make(self) -> Ring:
        """Return the ring of the file, which is made if nobody named it."""
        if self.unmade():
            self.create()
        return self.load()

    def create(self) -> None:
        """Make the file with a new key, unless there is one, whoever named it.

        Its folder is made 0700 if it is not there, and becomes that where nobody named the file.
        """
        self._require_absolute()
        try:
            if not (self._named and self.path.parent.is_dir()):
                files.make_folder(self.path.parent)
            with self._written(Ring.new()) as temporary, suppress(FileExistsError):
                os.link(temporary, self.path)  # fails where another process was first: then theirs is used
            files.sync_folder(self.path.parent)
        except StoreError as exc:
            raise SecretError(exc.message, hint=OWN_FILE) from exc
        except OSError as exc:
            self._failed(exc, "made")

    def save(self, ring: Ring) -> None:
        """Replace the file.

        Raises
        ------
        SecretError
            Its folder cannot be written, or the disk is full.
        """
        try:
            # What a process that was killed has left behind.
            for left in self.path.parent.glob(f"{glob.escape(self.path.name)}.*.tmp"):
                left.unlink(missing_ok=True)
            with self._written(ring) as temporary:
                temporary.replace(self.path)
            files.sync_folder(self.path.parent)
        except OSError as exc:
            self._failed(exc, "written")

    @contextmanager
    def _written(self, ring: Ring) -> Iterator[Path]:
        temporary = self.path.with_name(f"{self.path.name}.{random.token_hex(8)}.tmp")
        files.create(temporary)
        try:
            with temporary.open("wb") as file:
                file.write(ring.text().reveal().encode())
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _text(self) -> Secret:
        self._require_absolute()
        try:
            # Not blocking, for a pipe that somebody put there.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                _require_private(os.fstat(descriptor), self.path)
                return Secret(os.read(descriptor, LARGEST).decode("utf-8", "replace"))
            finally:
                os.close(descriptor)
        except FileNotFoundError as exc:
            raise self._missing() from exc
        except OSError as exc:
            self._failed(exc, "read")

    def _missing(self) -> SecretError:
        if self._named:
            # Without its path: somebody may have put the key itself where its file is to be named.
            return SecretError(
                "The key file that AiserStore.key_file or AISER_KEY_FILE names is not there.",
                hint="Put it there, 0600 and your own; a named key file is never made by itself.",
            )
        return SecretError(
            f"There is no key file {self.path}.",
            hint="It is made when the first secret is saved. If one was, put the file back.",
        )

    def _require_absolute(self) -> None:
        if not self.path.is_absolute():
            raise SecretError(
                "AiserStore.key_file and AISER_KEY_FILE take the absolute path of a file.", hint=OWN_FILE
            )

    def _failed(self, exc: OSError, done: str) -> NoReturn:
        if exc.errno == errno.ELOOP:
            raise SecretError(f"The key file {self.path} is a symbolic link.", hint=OWN_FILE) from exc
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "The disk is full: free some space there."
        else:
            hint = OWN_FILE
        raise SecretError(f"The key file {self.path} cannot be {done}: {exc.strerror}.", hint=hint) from exc


def keys_of(settings: AiserStore) -> Keys:
    """Return the place of the ring that the settings name; nothing is opened or made.

    Examples
    --------
    >>> from aiser_jupyter.config import Settings
    >>> type(keys_of(Settings().store)).__name__
    'KeyFile'
    """
    if settings.key_source == "keyring":
        from .os_keyring import SystemKeyring

        return SystemKeyring(os.path.abspath(settings.path()), required=settings.key_required)
    return KeyFile(settings.key_path(), named=settings.key_required or bool(settings.named_key_file()))


def _require_private(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SecretError(f"The key file {path} is not a file.", hint=OWN_FILE)
    if found.st_uid != os.geteuid():
        raise SecretError(f"The key file {path} belongs to another user (uid {found.st_uid}).", hint=OWN_FILE)
    if found.st_mode & 0o077:
        raise SecretError(
            f"The key file {path} is open to others (mode {stat.S_IMODE(found.st_mode):04o}).",
            hint="Make it 0600 and begin a new key (rotate): others may have read this one.",
        )
