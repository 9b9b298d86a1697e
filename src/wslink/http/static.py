"""Static files over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aiohttp import web
from yarl import URL

from wslink.errors import UsageError


class StaticFiles:
    """Serves the files below a directory. A directory is served as its index.html.

    Args:
        root: the directory.
        headers: added to every response.
        follow_symlinks: whether a symbolic link may lead out of `root`.

    Raises:
        UsageError: if `root` is not a directory.
    """

    def __init__(self, root: str | Path, headers: dict[str, str] | None = None, follow_symlinks: bool = False) -> None:
        self._root = Path(root).resolve()
        if not self._root.is_dir():
            raise UsageError(f"static files: {str(root)!r} is not a directory")
        self._headers = headers or {}
        self._follow_symlinks = follow_symlinks

    def __contains__(self, name: str) -> bool:
        """Whether there is something to serve at `name`."""
        return self.find(name) is not None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for the directory itself, or one whose route ends in `{path:.*}`."""
        path = self.find(request.match_info.get("path", ""))
        if path is None:
            raise web.HTTPNotFound
        if path.name == "index.html" and not request.path.endswith(("/", "index.html")):
            raise web.HTTPMovedPermanently(below(request.raw_path))
        return web.FileResponse(path, headers={"Cache-Control": "no-cache", **self._headers})

    def find(self, relative: str) -> Path | None:
        """The file that is served at `relative`, if there is one."""
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
        except OSError:  # no file has so long a name
            return None


class PublicResource(web.StaticResource):
    """aiohttp's static files, without those that `is_hidden` names."""

    async def resolve(self, request: web.Request) -> Any:
        return (None, set()) if is_hidden(request.path) else await super().resolve(request)


def is_hidden(path: str) -> bool:
    """Whether a name in `path` begins with a dot: settings, secrets and histories (`.env`, `.git`), which no page is
    made of. `.well-known` is (RFC 8615)."""
    return any(
        name.startswith(".") and name not in (".", "..", ".well-known") for name in path.replace("\\", "/").split("/")
    )


def below(raw_path: str) -> URL:
    """The location of a directory that was requested without its last slash, relative to the request: so it is right
    behind a proxy that serves this server below a path of its own, and leads to no other host."""
    path, _, query = raw_path.partition("?")
    name = path.rstrip("/").rpartition("/")[2]
    return URL(f"./{name}/{'?' if query else ''}{query}", encoded=True)
