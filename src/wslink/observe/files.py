"""Files that are not for everybody."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from wslink.wire.frames import Buffer


def write_private(path: str | os.PathLike[str], pieces: Iterable[Buffer]) -> None:
    """Write a file that only its owner can read (0600), replacing one of that name: completely, or not at all.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    final = Path(path)
    beside = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
        os.replace(beside, final)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
