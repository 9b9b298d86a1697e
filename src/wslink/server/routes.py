"""The HTTP routes of a server. Loaded together with aiohttp, at the first request that is not a WebSocket."""

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
    """Create the application of a server.

    Args:
        endpoint: the WebSocket endpoint, and its route.
        observing: the observers that have routes.
        headers: added to every file's response.
        directories: directories of static files with their routes, the most specific first.
        hosts: the names by which the server may be reached; any if empty.
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
