"""The JavaScript client that comes with a server, compressed if the browser accepts that."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_GZIP = re.compile(r"\b(x-)?gzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)
"""Of an Accept-Encoding that takes it: not with a weight of 0 (RFC 9110, 12.5.3)."""


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Entry(NamedTuple):
    stamp: tuple[int, int]
    plain: bytes
    compressed: bytes
    tag: str


class ClientFiles:
    """The files of a directory, kept in memory: they are few, small, and the same for every page.

    Args:
        directory: the directory; it may be missing.
        headers: added to every response.
    """

    def __init__(self, directory: Path, headers: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._headers = headers or {}
        self._entries: dict[str, _Entry] = {}

    def answer(self, name: str, asked: Mapping[str, str]) -> Answer:
        """The response to a GET of the file `name` with the request headers `asked`: 200, 304 or 404."""
        entry = self._find(name)
        if entry is None:
            return Answer(404, {"Content-Type": "text/plain", "Cache-Control": "no-cache"}, b"Not found\n")
        headers = {"Cache-Control": "no-cache", "ETag": entry.tag, "Vary": "Accept-Encoding", **self._headers}
        if entry.tag in asked.get("If-None-Match", ""):
            return Answer(304, headers, b"")
        headers["Content-Type"] = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if _GZIP.search(asked.get("Accept-Encoding", "")) is None:
            return Answer(200, headers, entry.plain)
        return Answer(200, {**headers, "Content-Encoding": "gzip"}, entry.compressed)

    def _find(self, name: str) -> _Entry | None:
        if "/" in name or "\\" in name or name.startswith(".") or "\0" in name:
            return None
        path = self._directory / name
        try:
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
            entry = self._entries.get(name)
            if entry is None or entry.stamp != stamp:
                plain = path.read_bytes()
                tag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'
                entry = self._entries[name] = _Entry(stamp, plain, gzip.compress(plain, mtime=0), tag)
        except OSError:  # not found, or the name is too long
            return None
        return entry
