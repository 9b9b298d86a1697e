"""aiohttp middlewares of servers."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from wslink.http.origin import is_asked_by, refusals

_transparent: WeakSet[object] = WeakSet()


def transparent(middleware: Middleware) -> Middleware:
    """Mark a middleware that does nothing for WebSocket requests, which may therefore bypass it."""
    _transparent.add(middleware)
    return middleware


def is_transparent(middleware: object) -> bool:
    """Whether a middleware is marked as `transparent`."""
    return middleware in _transparent


def surround(request: web.Request) -> bool:
    """Whether a middleware that is not `transparent` runs around the handler of a request."""
    return not all(is_transparent(one) for app in request.match_info.apps for one in app.middlewares)


def only_asked_by(names: Iterable[str]) -> Middleware:
    """Return a middleware that answers requests for names that `is_asked_by` does not allow with 421. Endpoints check
    this themselves."""
    known = tuple(names)

    @transparent
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_asked_by(request.headers, known):
            refusals.warning("a request by the name %.200s was refused: name it in hosts", request.headers["Host"])
            return web.Response(
                status=421, text="The server is not known by this name; its setting hosts lists them.\n"
            )
        return await handler(request)

    return check
