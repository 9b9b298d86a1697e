"""aiohttp handlers for files that StaticFiles and ClientFiles find."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from yarl import URL

from wslink.http.client_files import ClientFiles
from wslink.http.static import StaticFiles

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def static_handler(files: StaticFiles) -> Handler:
    """Return a handler of requests for the directory itself, or for routes that end in `{path:.*}`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        path = files.find(request.match_info.get("path", ""))
        if path is None:
            raise web.HTTPNotFound
        if path.name == "index.html" and not request.path.endswith(("/", "index.html")):
            raise web.HTTPMovedPermanently(below(request.raw_path))
        return web.FileResponse(path, headers={"Cache-Control": "no-cache", **files.headers})

    return handle


def client_handler(files: ClientFiles) -> Handler:
    """Return a handler of requests for routes that end in `{path:.*}`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = files.answer(request.match_info["path"], request.headers)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    return handle


def below(raw_path: str) -> URL:
    """The location of a directory that was requested without the final slash, relative to the request. It is right
    behind a proxy that serves this server below another path, and cannot lead to another host."""
    path, _, query = raw_path.partition("?")
    name = path.rstrip("/").rpartition("/")[2]
    return URL(f"./{name}/{'?' if query else ''}{query}", encoded=True)
