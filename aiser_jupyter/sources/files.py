"""Small files that a source names: read whole, once, and only if they are what they should be.

A secret's file is read when the secret is revealed, so that a rotated one is found and a list of connections
needs no right to read it.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError, SecretError
from ..secret import Secret

__all__ = ["Content", "absolute", "read", "read_certificates", "secret_in"]

LIMIT = 1024 * 1024
"""Bytes that a file may have."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Content:
    """Text of a file, and of its state when it was read: permission bits, last change in ms since 1970."""

    text: str = field(repr=False)
    mode: int
    changed: int


def read(path: Path) -> Content:
    """Read a file that others may not change.

    Raises
    ------
    FileNotFoundError
        There is none.
    ConfigError
        It cannot be read, is too large, not UTF-8, not a file, or may be written by anyone.
    """
    try:
        data, found = _bytes(path)
        text = data.decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise FileNotFoundError(str(path)) from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError:  # the exception holds the file's bytes, a password may be among them
        raise ConfigError(f"{path} is not UTF-8 text.") from None
    if found.st_mode & stat.S_IWOTH:
        raise ConfigError(f"Anyone may change {path}: it is not read.", hint=f"chmod o-w {path}")
    return Content(text, stat.S_IMODE(found.st_mode), found.st_mtime_ns // 1_000_000)


def read_certificates(name: str) -> str:
    """Return the certificates in a PEM file; whatever else stands in it, as a private key, is left out.

    Raises
    ------
    ConfigError
    """
    path = absolute(name, "A certificate's file")
    try:
        found = _CERTIFICATE.findall(read(path).text)
    except FileNotFoundError as exc:
        raise ConfigError(f"There is no file {path}.") from exc
    if not found:
        raise ConfigError(
            f"There is no certificate in {path}.", hint="It begins with -----BEGIN CERTIFICATE-----."
        )
    return "\n".join(found) + "\n"


def secret_in(name: str, label: str) -> Secret:
    """Return the secret that the file holds; one line end after it is not part of it.

    Parameters
    ----------
    name : str
        An absolute path; the file is read each time the secret is revealed, and may be missing until then.
    label : str
        What it is, for the message of the `SecretError` that revealing may raise.

    Raises
    ------
    ConfigError
        The path is not absolute.
    """
    path = absolute(name, f"{label}_file")

    def text() -> str:
        hint = f"It should hold the {label} and nothing else, and be readable by this user."
        try:
            secret = _bytes(path)[0].decode()
        except OSError as exc:
            raise SecretError(f"The file {path} cannot be read: {exc.strerror}.", hint=hint) from exc
        except UnicodeDecodeError:  # the exception holds the secret
            raise SecretError(f"The file {path} is not UTF-8 text.", hint=hint) from None
        secret = secret.removesuffix("\n").removesuffix("\r")
        if not secret or "\0" in secret:
            raise SecretError(f"The file {path} holds no {label}.", hint=hint)
        return secret

    return Secret(text)


def absolute(name: object, what: str) -> Path:
    """Return ``name`` as a path that means the same file in every folder.

    Raises
    ------
    ConfigError
        It is relative, or no path. The message does not show it: it may be a secret in the wrong place.
    """
    if isinstance(name, str) and "\0" not in name:
        try:
            path = Path(name).expanduser()
        except RuntimeError:  # ~nobody-of-that-name
            path = Path()
        if path.is_absolute():
            return path
    raise ConfigError(f"{what} needs the absolute path of a file.", hint="It begins with / or ~/.")


def _bytes(path: Path) -> tuple[bytes, os.stat_result]:
    # Not blocking: a named pipe in place of the file would be waited for without end.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(LIMIT + 1)
    finally:
        os.close(descriptor)
    if len(data) > LIMIT:
        raise OSError(0, f"it has more than {LIMIT // 1024:,} KiB")
    return data, found
