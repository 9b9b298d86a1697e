"""The directories in a host's shared memory through which its workers pass payloads; see cluster.host_memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from wslink.wire.frames import Buffer

MEMORY = Path("/dev/shm")  # noqa: S108 - in a directory of one's own, see `open_root`
"""A file system in memory."""
READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""How files are opened here."""
_DIRECTORY = READ | getattr(os, "O_DIRECTORY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_WORKER = re.compile(r"w[0-9a-f]{16}")
_TOKEN = "host"  # noqa: S105 - a name
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def open_root(memory: Path) -> int:
    """Open the directory of this user's workers, which is created on first use.

    Raises:
        OSError: there is no shared memory, or the directory is accessible to others.
    """
    if sys.platform != "linux":
        raise OSError("this system has none")
    path = memory / f"wslink-{os.geteuid()}"
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    root = os.open(path, _DIRECTORY)
    found = os.fstat(root)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        os.close(root)
        raise PermissionError(f"{path} is not this user's alone")
    return root


def identity(root: int) -> str:
    """An id of the host of the directory: the same for all processes that share it, and only for these. Raises
    OSError."""
    try:
        token = _read(root)
    except FileNotFoundError:
        fresh = f".{secrets.token_hex(8)}"
        write(root, fresh, [secrets.token_bytes(16)])
        with contextlib.suppress(FileExistsError):  # another worker was faster
            os.link(fresh, _TOKEN, src_dir_fd=root, dst_dir_fd=root)
        os.unlink(fresh, dir_fd=root)
        token = _read(root)
    with contextlib.suppress(OSError):
        token += _BOOT.read_bytes()
    return hashlib.sha256(token).hexdigest()[:32]


def _read(root: int) -> bytes:
    with os.fdopen(os.open(_TOKEN, READ, dir_fd=root), "rb") as file:
        return file.read(64)


def make(root: int, worker: str) -> int:
    """Create a worker's directory, open and locked. Raises OSError."""
    fresh = f".{secrets.token_hex(8)}"
    os.mkdir(fresh, 0o700, dir_fd=root)
    opened = os.open(fresh, _DIRECTORY, dir_fd=root)
    try:
        if not _lock(opened):
            raise OSError("it is locked")
        os.rename(fresh, worker, src_dir_fd=root, dst_dir_fd=root)  # so that it is never visible unlocked
    except OSError:
        os.close(opened)
        os.rmdir(fresh, dir_fd=root)
        raise
    return opened


def _lock(opened: int) -> bool:
    """Lock a directory until it is closed. Returns whether nobody else has locked it."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write(root: int, path: str, buffers: Sequence[Buffer]) -> None:
    """Write a new file. Raises OSError."""
    with os.fdopen(os.open(path, _NEW, 0o600, dir_fd=root), "wb", buffering=0) as file:
        for buffer in buffers:
            left = memoryview(buffer)
            while len(left):
                left = left[file.write(left) or 0 :]


def names(opened: int) -> Iterable[str]:
    """The names in a directory; none if it does not exist."""
    with contextlib.suppress(OSError):
        return os.listdir(opened)
    return ()


def remove(root: int, worker: str, opened: int) -> None:
    """Remove a worker's locked directory, and close it."""
    with contextlib.suppress(OSError):
        for name in os.listdir(opened):
            os.unlink(name, dir_fd=opened)
        os.rmdir(worker, dir_fd=root)
    os.close(opened)


def sweep(root: int) -> None:
    """Remove the directories of workers that are no longer running."""
    for worker in names(root):
        if _WORKER.fullmatch(worker):
            with contextlib.suppress(OSError):
                opened = os.open(worker, _DIRECTORY, dir_fd=root)
                if _lock(opened):
                    remove(root, worker, opened)
                else:
                    os.close(opened)
