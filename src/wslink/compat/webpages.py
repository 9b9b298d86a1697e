"""The aiohttp application of the released API's server: loaded at the first request that is not a WebSocket, or when an
application asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from wslink.compat import aiohttp as settings
from wslink.http.endpoint import Endpoint
from wslink.http.middlewares import transparent
from wslink.http.static import is_hidden

STATE_KEY: web.AppKey[dict[str, Any]] = web.AppKey("state", dict)
"""Where software may keep what belongs to a server: `server.app[STATE_KEY]`."""


aiohttp_web = web
"""Its name in released packages."""


@transparent
@web.middleware
async def http_headers(request: web.Request, handler: Any) -> web.StreamResponse:
    """Give every response HTTP_HEADERS, where it has none of its own by these names."""
    response: web.StreamResponse = await handler(request)
    if isinstance(settings.HTTP_HEADERS, Mapping) and not response.prepared:
        for name, value in settings.HTTP_HEADERS.items():
            response.headers.setdefault(name, value)
    return response


LONGEST = 255
"""Bytes of the longest name that a file has."""
LONGEST_PATH = 4095
"""And of the longest path."""


class PublicResource(web.StaticResource):
    """aiohttp's static files, without those that `is_hidden` names, nor those that no file can have."""

    async def resolve(self, request: web.Request) -> Any:
        names = [name.encode(errors="replace") for name in request.path.split("/")]
        longest = LONGEST_PATH - len(str(self.get_info()["directory"]).encode(errors="replace"))
        nowhere = (
            is_hidden(request.path) or max(map(len, names)) > LONGEST or sum(map(len, names)) + len(names) > longest
        )
        return (None, set()) if nowhere else await super().resolve(request)


def make(endpoints: Iterable[tuple[str, Endpoint]]) -> web.Application:
    """An application with the routes of WebSockets."""
    application = web.Application(middlewares=[http_headers])
    application[STATE_KEY] = {}
    for path, endpoint in endpoints:
        endpoint.add_to(application, path)
    return application


def add_static(application: web.Application, directories: Iterable[tuple[str, str]], follow_symlinks: bool) -> None:
    """Serve directories, by their prefixes. Raises ValueError for one that there is not."""
    for index, (prefix, directory) in enumerate(directories):
        if not index:
            application.router.add_get("/", _root_handler)
        application.router.register_resource(
            PublicResource(prefix, directory, append_version=True, follow_symlinks=follow_symlinks)
        )


async def _root_handler(request: web.Request) -> web.StreamResponse:
    query = f"?{request.query_string}" if request.query_string else ""
    raise web.HTTPFound(f"index.html{query}")
