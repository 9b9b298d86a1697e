"""The proxy file: the address of each session, for Apache's RewriteMap."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from wslink.launcher.ports import Address

logger: logging.Logger = logging.getLogger("wslink.launcher")


class ProxyFile:
    """Maintains a file with a line `id host:port` for each session. Readers see either the old file or the new one. An
    existing file keeps its mode and, where the launcher's user may set it, its group; a new one is readable only by its
    owner.

    Args:
        path: the file; nothing is written if it is empty.
        pattern: the format of a line, from id, host and port.

    Attributes:
        late: whether the last `publish` could not be written.
    """

    def __init__(self, path: str, pattern: str = "%s %s:%d\n") -> None:
        self._pattern = pattern
        self.late: bool = False
        # A link is kept: the file that it points to is replaced.
        self._path = Path(path).resolve() if path else None

    def publish(self, sessions: Mapping[str, Address]) -> None:
        """Replace the file, or try again later. A launcher that cannot write its file carries on: its own proxy still
        works."""
        try:
            self.write(sessions)
        except OSError as error:
            if not self.late:
                logger.error("the proxy file cannot be written: %s", error)
            self.late = True
        else:
            self.late = False

    def write(self, sessions: Mapping[str, Address]) -> None:
        """Replace the file.

        Raises:
            OSError: its directory is not writable.
        """
        if self._path is None:
            return
        text = "".join(self._pattern % (session, *address) for session, address in sessions.items())
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            # It contains complete ids, which give access to sessions: a new file is only for its owner.
            draft.unlink(missing_ok=True)
            with open(draft, "x", encoding="utf-8", opener=_private) as file:
                file.write(text)
            _adopt_owner(self._path, draft)
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _adopt_owner(old: Path, new: Path) -> None:
    """Give `new` the mode and, if permitted, the group of `old`, which let the web server read it."""
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    with contextlib.suppress(OSError, AttributeError):
        os.chown(new, -1, status.st_gid)
    if new.stat().st_gid != status.st_gid:
        logger.warning(
            "the proxy file %s loses its group, of which the launcher's user is no member: the web server may not be "
            "able to read it. Let its directory pass on the group (chgrp and chmod g+s)",
            old,
        )
    new.chmod(status.st_mode & 0o777)
