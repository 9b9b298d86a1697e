"""Truncation of logs while other processes are writing them, keeping older parts.

Writers append to the file and do not notice. ext4 and XFS can remove blocks from the beginning of a file while it is
being written (fallocate(2), FALLOC_FL_COLLAPSE_RANGE), without any loss. Elsewhere the end is copied to the beginning,
and what is written between the last read and the truncation, some microseconds later, is lost.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_COLLAPSE_RANGE = 0x08
"""FALLOC_FL_COLLAPSE_RANGE of linux/falloc.h."""
_PARTIAL = 1024
"""Bytes of a cut line that are overwritten; of a longer one, the rest stays."""
_PIECE, _PIECES = 2**20, 16
"""Bytes that are read at once of what is appended meanwhile, and how often at most: a writer may be as fast as this."""
_MARK = b"[the launcher has left out %d bytes here: log_limit]"


def part_of(path: Path, number: int) -> Path:
    """The file with an older part of a log; 1 is the newest."""
    return path.with_suffix(f".{number}{path.suffix}")


def rotate(path: Path, limit: int, parts: int) -> None:
    """Halve a log that is longer than `limit` bytes, and keep the removed part in the first of at most `parts` older
    files, of which the oldest is removed. Raises OSError."""
    for number in range(parts - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            part_of(path, number).replace(part_of(path, number + 1))
    cut_log(path, limit // 2, part_of(path, 1) if parts else None, limit)


def cut_log(path: Path, keep: int, part: Path | None = None, most: int = 0) -> None:
    """Truncate a log in place to its last `keep` bytes, or up to a block of the file system more, from the beginning of
    a line. Its writers append, and continue at the new end.

    Args:
        path: the log.
        keep: bytes to keep in it.
        part: a file for the removed part; by default it is dropped.
        most: the most bytes of that file; of a longer part, the end is kept.

    Raises:
        OSError: a file cannot be read or written.
    """
    with open(path, "r+b", buffering=0) as file, open(path, "ab", buffering=0) as end:
        size = os.fstat(file.fileno()).st_size
        if not _collapse(file.fileno(), size - keep, part, most):
            _copy(file.fileno(), end.fileno(), size, keep, part, most)


def _collapse(descriptor: int, surplus: int, part: Path | None, most: int) -> bool:
    """Remove whole blocks from the beginning. Returns whether that was possible. The rest of the line that they end in
    is overwritten."""
    block = os.fstatvfs(descriptor).f_bsize
    length = surplus - surplus % block
    kept = os.pread(descriptor, _PARTIAL, length) if length > 0 else b""
    fallocate = _fallocate()
    if len(kept) < _PARTIAL or fallocate is None:
        return False
    space = len(_MARK % (length + _PARTIAL)) + 1
    line = kept.find(b"\n", space - 1) + 1 or space
    _keep_part(descriptor, length + line, part, most)
    if fallocate(descriptor, _COLLAPSE_RANGE, 0, length) != 0:
        return False
    os.pwrite(descriptor, (_MARK % (length + line)).ljust(line - 1) + b"\n", 0)
    return True


def _copy(descriptor: int, end: int, size: int, keep: int, part: Path | None, most: int) -> None:
    """Copy the end over the beginning. What is appended after the last read is lost, so nothing happens between that
    and the truncation, and as writers do not wait, what they have appended in the meantime is copied first."""
    start = max(0, size - keep)
    kept = os.pread(descriptor, size - start, start)
    line = kept.find(b"\n") + 1
    cut = start + line if line < len(kept) else start
    _keep_part(descriptor, cut, part, most)
    kept = kept[cut - start :]
    for _ in range(_PIECES):
        more = os.pread(descriptor, _PIECE, cut + len(kept))
        if not more:
            break
        kept += more
    os.ftruncate(descriptor, 0)
    os.write(end, _MARK % cut + b"\n" + kept)


def _keep_part(descriptor: int, end: int, part: Path | None, most: int) -> None:
    """Copy what precedes `end`."""
    if part is not None:
        start = max(0, end - most)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(os.pread(descriptor, end - start, start))


def _fallocate() -> Callable[[int, int, int, int], int] | None:
    """The C library's function, on Linux."""
    library = ctypes.CDLL(None)
    for name in ("fallocate64", "fallocate"):
        with contextlib.suppress(AttributeError):
            function = library[name]
            function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
            return function
    return None
