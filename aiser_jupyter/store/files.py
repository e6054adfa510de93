"""The store's folder: who may read it, what it stands on, and how a file comes and goes there.

Rules:

- folders are 0700 and files 0600 whatever the umask; a new file is made with ``O_EXCL``;
- a folder or a file that is a symbolic link, or that belongs to another user, is refused;
- the file of an open database is never opened here: closing a second descriptor would drop the locks that
  SQLite holds in this process.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import StoreError

__all__ = [
    "OWN_FOLDER",
    "create",
    "file_system",
    "file_system_of",
    "folder_lock",
    "is_network",
    "make_folder",
    "protect",
    "sync_folder",
]

# File systems whose locks or shared memory do not reach the other machines (or the other guests) that
# may have the same folder open. Anything in user space (fuse.*) is counted among them.
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "auristorfs", "coda", "9p", "virtiofs"}
    | {"lustre", "gpfs", "beegfs", "ceph", "glusterfs", "pvfs2", "panfs", "ocfs2", "gfs2", "davfs"}
    | {"vboxsf", "vmhgfs", "prl_fs"}
)
OWN_FOLDER = "Set AiserStore.directory, or AISER_STORE, to a folder of your own."


def make_folder(folder: Path) -> None:
    """Create ``folder`` and what leads to it as 0700, or tighten the one that is there.

    Raises
    ------
    StoreError
        It is a symbolic link, not a folder, or another user's.
    OSError
        It cannot be made.
    """
    for parent in reversed([parent for parent in folder.parents if not parent.exists()]):
        with suppress(FileExistsError):  # not by `parents=True`, which leaves their mode to the umask
            parent.mkdir(mode=0o700)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        _refuse(folder, stat.S_ISDIR)
    folder.chmod(0o700)


def protect(path: Path) -> None:
    """Make the file 0600 where it is not; nothing where there is no file.

    Raises
    ------
    StoreError
        It is a symbolic link, not a file, or another user's.
    """
    try:
        mode = _refuse(path, stat.S_ISREG)
    except FileNotFoundError:
        return
    if stat.S_IMODE(mode) != 0o600:
        path.chmod(0o600)


def create(path: Path) -> None:
    """Create an empty file as 0600. Raises ``FileExistsError`` where anything has that name."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def folder_lock(folder: Path, timeout: float = 5.0, name: str = "aiser.lock") -> Iterator[None]:
    """Be the only process that opens, creates, sets aside or restores in ``folder``.

    With another ``name`` of the lock's file: that does what the name stands for.

    Raises
    ------
    StoreError
        Another process kept it for ``timeout`` seconds.
    """
    path = folder / name
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    protect(path)
    descriptor = os.open(path, flags, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        until = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoreError(
                        f"Another process has kept {path} locked for {timeout:g} s.",
                        hint="Try again; `fuser` on that file names the process.",
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)  # gives the lock back


def file_system(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds ``path``, or "" where it is unknown.

    Parameters
    ----------
    path : Path
        Absolute, without symbolic links.
    mounts : str
        Text of ``/proc/self/mounts``.

    Examples
    --------
    >>> mounts = "/dev/sda1 / ext4 rw 0 0\\nserver:/home /home nfs4 rw 0 0"
    >>> file_system(Path("/home/ann/aiser"), mounts)
    'nfs4'
    """
    best, found = "", ""
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        # The kernel writes blank, tab, newline and backslash as octal escapes.
        point = parts[1].encode("latin-1", "replace").decode("unicode_escape")
        # Of two mounts on one point the later hides the earlier.
        if path.is_relative_to(point) and len(point) >= len(best):
            best, found = point, parts[2]
    return found


def file_system_of(folder: Path) -> str:
    """Return the type of the file system that holds ``folder`` now, or "" where it is unknown."""
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace")
    except OSError:
        return ""
    return file_system(folder.resolve(), mounts)


def is_network(kind: str) -> bool:
    """Say whether a file system of this type may be shared between machines; an unknown one may."""
    return not kind or kind in NETWORK or kind.startswith("fuse.")


def _refuse(path: Path, wanted: object) -> int:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise StoreError(f"{path} is a symbolic link; the store does not follow it.", hint=OWN_FOLDER)
    if callable(wanted) and not wanted(found.st_mode):
        raise StoreError(f"{path} is not what the store expects there.", hint=OWN_FOLDER)
    if found.st_uid != os.geteuid():
        raise StoreError(f"{path} belongs to another user (uid {found.st_uid}).", hint=OWN_FOLDER)
    return found.st_mode
