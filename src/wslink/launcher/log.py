"""Logs of sessions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

TAIL = 4096
"""Bytes of a log's end that are shown."""
PIECE = 65536
"""Bytes that are read at once while a ready line is looked for."""


class LineWatch:
    """Looks for a text in a growing file. Each byte is read once.

    Args:
        path: the file. It need not exist yet.
        text: the text, which is on a single line.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text.encode()
        self._position = 0
        self._carried = b""
        self.found: bool = not text

    def look(self) -> bool:
        """Whether the text has been written."""
        try:
            size = 0 if self.found else os.stat(self._path).st_size
            if size < self._position:  # it was truncated
                self._position, self._carried = 0, b""
            if size > self._position:
                self._read()
        except FileNotFoundError:
            pass
        return self.found

    def _read(self) -> None:
        with open(self._path, "rb") as file:
            file.seek(self._position)
            while not self.found and (piece := file.read(PIECE)):
                self._position += len(piece)
                seen = self._carried + piece
                self.found = self._text in seen
                self._carried = seen[-len(self._text) :]


def tail(path: Path, secrets: Iterable[str] = (), size: int = TAIL) -> str:
    """The end of a log, from the beginning of a line, with each of `secrets` replaced by asterisks."""
    longest = max(map(len, secrets), default=0)
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            # A secret that is cut in two would not be recognised, so its first part is read, too.
            start = max(0, file.tell() - size - longest)
            file.seek(start)
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    text = without(text, secrets)[-size:]
    return text.partition("\n")[2] if start and "\n" in text else text


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` with each of `secrets` replaced by asterisks."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
