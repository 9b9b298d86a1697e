"""Services that run until a signal ends them: the launcher and the relay."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from wslink.errors import UsageError

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that requests under way have to end."""


async def serve(application: web.Application, host: str, port: int) -> None:
    """Serve an application until SIGINT or SIGTERM.

    Raises:
        OSError: if the address cannot be had.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        addresses = ", ".join(f"{address[0]}:{address[1]}" for address in runner.addresses)
        sys.stdout.write(f"wslink: listening on {addresses}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await runner.cleanup()


def add_pages(application: web.Application, folder: str) -> None:
    """Serve a folder at /, after every route that was added before. Nothing if `folder` is empty.

    Raises:
        UsageError: if it is no folder.
    """
    if not folder:
        return
    if not Path(folder).is_dir():
        raise UsageError(f"{folder!r} is no folder")
    application.router.add_get("/", _root)
    application.router.add_static("/", folder)


async def _root(request: web.Request) -> web.StreamResponse:
    query = f"?{request.query_string}" if request.query_string else ""
    raise web.HTTPFound(f"index.html{query}")
