"""Static files over HTTP."""

from __future__ import annotations

import os
from pathlib import Path

from aiohttp import web
from yarl import URL

from wslink.errors import UsageError


class StaticFiles:
    """Serves the files below a folder. A folder is served as its index.html.

    Args:
        root: the folder.
        headers: added to every response.
        follow_symlinks: whether a symbolic link may lead out of `root`.

    Raises:
        UsageError: if `root` is not a folder.
    """

    def __init__(self, root: str | Path, headers: dict[str, str] | None = None, follow_symlinks: bool = False) -> None:
        self._root = Path(root).resolve()
        if not self._root.is_dir():
            raise UsageError(f"static files: {str(root)!r} is not a folder")
        self._headers = headers or {}
        self._follow_symlinks = follow_symlinks

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request whose route ends in `{path:.*}`."""
        path = self._find(request.match_info["path"])
        if path is None:
            raise web.HTTPNotFound
        if path.name == "index.html" and not request.path.endswith(("/", "index.html")):
            # One slash before the path: with two, a browser would take what follows for a host.
            raise web.HTTPMovedPermanently(URL.build(path=f"/{request.path.strip('/')}/", query=request.query))
        return web.FileResponse(path, headers={"Cache-Control": "no-cache", **self._headers})

    def _find(self, relative: str) -> Path | None:
        if "\0" in relative:
            return None
        path = Path(os.path.normpath(self._root / relative.lstrip("/")))
        try:
            if path.is_dir():
                path /= "index.html"
            inside = path if self._follow_symlinks else path.resolve()
            return path if inside.is_relative_to(self._root) and path.is_file() else None
        except OSError:  # no file has so long a name
            return None
