"""The launcher's page for people: a list of applications, each with a button that starts it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from aiohttp import web

from wslink.errors import RequestRefused
from wslink.http.pages import HEADERS, PRIVATE, page_file
from wslink.launcher.access import Access
from wslink.launcher.admin import PAGE
from wslink.launcher.launcher import Launcher
from wslink.launcher.sign_in import SignIn
from wslink.launcher.variables import postable

CLIENT = Path(__file__).parent.parent / "static"
"""Where the built JavaScript client is, which starts sessions for the page."""


class Home:
    """The list of applications: `<endpoint>/applications` as JSON, for users who may start them, and a page at `/`,
    which contains no data itself.

    Args:
        launcher: the launcher.
        access: identifies users.
        sign_in: where they sign in, if they can.
    """

    def __init__(self, launcher: Launcher, access: Access, sign_in: SignIn) -> None:
        self._sign_in = sign_in
        self._launcher = launcher
        self._access = access

    def add_to(self, application: web.Application) -> None:
        """Add the routes, before those that match anything below the endpoint."""
        configuration, router = self._launcher.configuration, application.router
        router.add_get(f"{configuration.endpoint}/applications", self._applications)
        router.add_get("/wslink/{file:client[.]js([.]map)?}", _client)
        router.add_get("/wslink/{file:(home|base)[.]css}", _file)  # error pages use them, too
        if not configuration.settings.content:
            router.add_get("/", self._page)
            router.add_get("/wslink/{file:home[.]js}", _file)

    def describe(self) -> dict[str, Any]:
        """The applications; JSON. Each has: `name`, and `values`, the keys that a client may post with it. `sessions`
        tells what users may do with their own sessions."""
        configuration = self._launcher.configuration
        settings = configuration.settings
        return {
            "applications": [
                {"name": name, "values": sorted(postable(configuration, app))}
                for name, app in configuration.apps.items()
            ],
            "sessions": {"get": self._access.has_users and settings.get, "delete": settings.delete},
        }

    async def _applications(self, request: web.Request) -> web.StreamResponse:
        self._access.user(request)
        return web.json_response(self.describe(), headers=PRIVATE)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        endpoint = self._launcher.configuration.endpoint.strip("/")
        if "text/html" not in request.headers.get("Accept", ""):
            text = f"Nothing is served here: content is not set. Sessions are started by POST of /{endpoint}/"
            raise RequestRefused(text, 404)
        page = (PAGE / "home.html").read_text(encoding="utf-8").replace("ENDPOINT", html.escape(endpoint))
        page = page.replace('data-sign-in=""', f'data-sign-in="{"offered" if self._sign_in.offered else ""}"')
        return web.Response(text=page, content_type="text/html", headers=HEADERS)


async def _client(request: web.Request) -> web.StreamResponse:
    """The JavaScript client that belongs to this launcher."""
    return web.FileResponse(CLIENT / request.match_info["file"], headers={"Cache-Control": "no-cache"})


async def _file(request: web.Request) -> web.StreamResponse:
    return page_file(PAGE, request.match_info["file"])
