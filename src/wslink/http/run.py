"""Services that run until a signal ends them: the launcher and the relay."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

from aiohttp import web

from wslink.console import say
from wslink.http.files import static_handler
from wslink.http.site import Site
from wslink.http.static import StaticFiles


async def serve(
    application: web.Application,
    host: str,
    port: int,
    reload: Callable[[], None] = lambda: None,
) -> None:
    """Serve an application until SIGINT or SIGTERM.

    Args:
        reload: called at SIGHUP, which does not end the service.

    Raises:
        OSError: the address cannot be bound.
    """
    stop = asyncio.Event()
    _on_signals(stop.set, reload)
    site = Site(application, host, port, None)
    await site.start()
    try:
        say(f"wslink: listening on {', '.join(map(_address, site.addresses))}")
        await stop.wait()
    finally:
        await site.stop()


def _on_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError, AttributeError):  # on Windows: Ctrl+C ends it there
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, reload)


def _address(name: tuple[object, ...]) -> str:
    host, port = str(name[0]), name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def add_pages(application: web.Application, directory: str) -> None:
    """Serve a directory at /, after all routes that were added before. Does nothing if `directory` is empty.

    Raises:
        UsageError: it is not a directory.
    """
    if not directory:
        return
    files = StaticFiles(directory)
    application.router.add_get("/", _root)
    application.router.add_get("/{path:.*}", static_handler(files))


async def _root(request: web.Request) -> web.StreamResponse:
    query = f"?{request.query_string}" if request.query_string else ""
    raise web.HTTPFound(f"index.html{query}")
