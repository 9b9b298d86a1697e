"""Static files."""

from __future__ import annotations

import os
from pathlib import Path

from wslink.errors import UsageError

CLIENT = Path(__file__).parent.parent / "static"
"""The directory of the JavaScript client that matches this server."""


class StaticFiles:
    """Finds the files to serve below a directory. A directory is served as its index.html.

    Args:
        root: the directory.
        headers: added to every response.
        follow_symlinks: whether symbolic links may lead out of `root`.

    Attributes:
        headers: see above.

    Raises:
        UsageError: `root` is not a directory.
    """

    def __init__(self, root: str | Path, headers: dict[str, str] | None = None, follow_symlinks: bool = False) -> None:
        try:
            self._root = Path(root).resolve()
            exists = root != "" and self._root.is_dir()  # of a variable that is not set: not the working directory
        except (OSError, ValueError):  # not a valid name
            exists = False
        if not exists:
            raise UsageError(f"static files: {str(root)!r} is not a directory")
        self.headers: dict[str, str] = headers or {}
        self._follow_symlinks = follow_symlinks

    def __contains__(self, name: str) -> bool:
        """Whether there is something to serve at `name`."""
        return self.find(name) is not None

    def find(self, relative: str) -> Path | None:
        """The file for `relative`, if there is one."""
        if "\0" in relative or is_hidden(relative):
            return None
        path = Path(os.path.normpath(self._root / relative.lstrip("/")))
        try:
            if path.is_dir():
                path /= "index.html"
            inside = path if self._follow_symlinks else path.resolve()
            if not inside.is_relative_to(self._root) or is_hidden(str(inside.relative_to(self._root))):
                return None
            return path if path.is_file() else None
        except OSError:  # the name is too long
            return None


def is_hidden(path: str) -> bool:
    """Whether a name in `path` begins with a dot, as for settings, secrets and histories (`.env`, `.git`), which are
    never part of a page. `.well-known` is an exception (RFC 8615)."""
    return any(
        name.startswith(".") and name not in (".", "..", ".well-known") for name in path.replace("\\", "/").split("/")
    )
