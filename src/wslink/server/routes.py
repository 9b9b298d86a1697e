"""The HTTP routes of a server. Loaded with aiohttp, at the first request that is not a WebSocket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiohttp import web

from wslink.http.client_files import ClientFiles
from wslink.http.endpoint import Endpoint
from wslink.http.files import client_handler, static_handler
from wslink.http.middlewares import only_asked_by
from wslink.http.static import CLIENT, StaticFiles
from wslink.server.observing import Observing

HEALTH = "health"
"""The path that says that the server runs, for load balancers and containers, unless a setting has something there."""


def make(
    endpoint: tuple[str, Endpoint] | None,
    observing: Observing,
    headers: dict[str, str],
    directories: Iterable[tuple[str, StaticFiles]],
    hosts: Sequence[str],
) -> web.Application:
    """The application of a server.

    Args:
        endpoint: for WebSockets, and its route.
        observing: what is told of the server itself.
        headers: of every file.
        directories: of static files, and the routes that they have, the more specific first.
        hosts: names by which it may be asked; any if there are none.
    """
    application = web.Application(middlewares=[only_asked_by(hosts)] if hosts else [])
    directories = list(directories)
    taken = [route for route, _ in directories if route] + ([endpoint[0]] if endpoint is not None else [])
    if endpoint is not None:
        route, taking = endpoint
        taking.add_to(application, route)
    observing.add_to(application)
    application.router.add_get("/wslink/{path:.*}", client_handler(ClientFiles(CLIENT, headers)))
    if f"/{HEALTH}" not in taken and not any(HEALTH in files for route, files in directories if not route):
        application.router.add_get(f"/{HEALTH}", _tell_health)
    for route, files in directories:
        handler = static_handler(files)
        if route:
            application.router.add_get(route, handler)
        application.router.add_get(f"{route}/{{path:.*}}", handler)
    return application


async def _tell_health(request: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "ok"})
