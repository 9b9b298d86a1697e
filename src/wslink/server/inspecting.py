"""The inspector's routes: a page that contains no data, and the data, which requires the server's secret."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import msgspec
from aiohttp import web

from wslink import observe
from wslink.http.pages import PRIVATE, STYLE, page_file
from wslink.hub import contract
from wslink.hub.hub import Hub
from wslink.observe.inspector import Inspector
from wslink.server.form import Calls, Told
from wslink.server.holders import Holders
from wslink.wire.value import Value

PAGE = Path(observe.__file__).parent / "page"
FILES = (STYLE, "inspector.css", *(f"{name}.js" for name in ("inspector", "asking", "dom", "form", "tables", "units")))
LISTENS_EVERY = 0.25
"""Seconds after which it is seen that whoever called has gone."""

Tell = Callable[[web.Request], Awaitable[Value]]


class Inspecting:
    """Serves the inspector.

    Args:
        hub: the server's.
        inspector: watches the hub.
        holders: checks the secret.
        route: the path of the page.
    """

    def __init__(self, hub: Hub, inspector: Inspector, holders: Holders, route: str) -> None:
        self._hub = hub
        self._inspector = inspector
        self._holders = holders
        self._route = route
        self._calls = Calls(hub.service)

    def add_to(self, application: web.Application) -> None:
        """Add the routes, in front of those of the client's files."""
        router, route = application.router, self._route
        router.add_get(route, self._page)
        router.add_get(f"{route}/", self._to_page)
        for name in FILES:
            router.add_get(f"{route}/{name}", self._file(name))
        router.add_get(f"{route}/overview", self._guarded(self._overview))
        router.add_get(f"{route}/log", self._guarded(self._log))
        router.add_get(f"{route}/contract", self._guarded(self._contract))
        router.add_post(f"{route}/call", self._guarded(self._call))

    # The page -------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return page_file(PAGE, "inspector.html")

    async def _to_page(self, request: web.Request) -> web.StreamResponse:
        # Relative, so that it holds below any path that a proxy puts before it.
        raise web.HTTPFound(f"../{self._route.rpartition('/')[2]}")

    def _file(self, name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            return page_file(PAGE, name)

        return serve

    # What the secret opens --------------------------------------------------------

    def _guarded(self, tell: Tell) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return a handler for requests that present the secret as a bearer token. It responds with the JSON of what
        `tell` returns, unless that is a response already."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if not await self._holders.admit_request(request, "inspector"):
                return web.json_response(
                    {"error": "the server's secret is needed, as a bearer token"},
                    status=401, headers={**PRIVATE, "WWW-Authenticate": "Bearer"},
                )  # fmt: skip
            told = await tell(request)
            return told if isinstance(told, web.StreamResponse) else web.json_response(told, headers=PRIVATE)

        return handle

    async def _overview(self, request: web.Request) -> Value:
        return self._inspector.overview()

    async def _log(self, request: web.Request) -> Value:
        since = request.query.get("since", "")
        return self._inspector.log(int(since) if since.isascii() and since.isdigit() and len(since) < 19 else None)

    async def _contract(self, request: web.Request) -> Value:
        hub = self._hub
        return contract.describe(dict(hub.service.methods), dict(hub.subscriptions.topics), {})

    async def _call(self, request: web.Request) -> web.StreamResponse:
        """Call a method like a client that authenticated by the secret. The response is JSON, one line for each item of
        a stream and for its end."""
        told = self._calls.perform(await request.read(), request.remote or "")
        response = web.StreamResponse(headers={**PRIVATE, "Content-Type": "application/json"})
        await response.prepare(request)
        async with contextlib.aclosing(told):
            with contextlib.suppress(ConnectionError):  # the caller has gone
                while (line := await self._next(told, request)) is not None:
                    await response.write(msgspec.json.encode(line) + b"\n")
                await response.write_eof()
        return response

    async def _next(self, told: AsyncGenerator[Told, None], request: web.Request) -> Told | None:
        """What is told next; None at the end, and where nobody listens any more."""
        step = asyncio.ensure_future(anext(told, None))
        try:
            while not step.done() and request.transport is not None and not request.transport.is_closing():
                await asyncio.wait({step}, timeout=LISTENS_EVERY)
            return step.result() if step.done() else None
        finally:
            if not step.done():
                step.cancel()
                await asyncio.wait({step})
