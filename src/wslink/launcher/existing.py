"""Requests about existing sessions: their owners look them up, return to them, and end them."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from wslink.errors import RequestRefused
from wslink.http.pages import PRIVATE
from wslink.launcher.access import Access
from wslink.launcher.admin import Administration
from wslink.launcher.configuration import Settings
from wslink.launcher.launcher import Launcher
from wslink.launcher.proxy import SessionProxy
from wslink.launcher.session import Session, State


class Existing:
    """GET and DELETE of `<endpoint>/<id>`, POST of `<endpoint>/<id>/attach`, and GET of `<endpoint>/`, which lists a
    user's own sessions, or all to the administrator.

    Args:
        launcher: the launcher.
        access: identifies users.
        proxy: creates the cookie that gives a browser access.
        administration: responds to the administrator.
        settings: `get` and `delete` determine which requests are served.
    """

    def __init__(
        self,
        launcher: Launcher,
        access: Access,
        proxy: SessionProxy,
        administration: Administration,
        settings: Settings,
    ) -> None:
        self._launcher = launcher
        self._access = access
        self._proxy = proxy
        self._administration = administration
        self.change(settings)

    def change(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._settings = settings

    def add_to(self, application: web.Application) -> None:
        """Add the routes, after those of other names below the endpoint."""
        endpoint, router = self._launcher.configuration.endpoint, application.router
        router.add_get(endpoint, self._list)
        router.add_get(f"{endpoint}/", self._list)
        router.add_get(f"{endpoint}/{{id}}", self._get)
        router.add_delete(f"{endpoint}/{{id}}", self._delete)
        router.add_post(f"{endpoint}/{{id}}/attach", self._attach)

    async def describe(self, user: str) -> dict[str, Any]:
        """A user's sessions on all launchers, oldest first; JSON. Each has: `id`, `application`, `created` (seconds
        since the epoch) and `age` (seconds).

        Raises:
            NoResources: the state that launchers share is not available.
        """
        found = {
            session_id: {"application": record["application"], "created": record["created"]}
            for session_id, record in (await self._launcher.store.of_client(user)).items()
            if record["ready"] and not record["standby"]
        }
        for one in self._launcher.sessions.values():
            found.pop(one.id, None)
            if one.client == user and self._launcher.get(one.id) is one:
                found[one.id] = {"application": one.application, "created": one.created, "age": one.age}
        now = time.time()
        told = [
            {"id": session_id, **one, "age": round(max(one.get("age", now - one["created"]), 0.0), 1)}
            for session_id, one in found.items()
        ]
        return {"sessions": sorted(told, key=lambda one: float(one["created"]))}

    async def _list(self, request: web.Request) -> web.StreamResponse:
        user = self._access.known_user(request) if self._settings.get else ""
        if not user:
            return await self._administration.overview(request)
        return web.json_response(await self.describe(user), headers=PRIVATE)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        session = self._found(request, self._settings.get)
        if session is None:
            # The status of released launchers.
            raise RequestRefused("No such session")
        return web.json_response(session.public, headers={"Cache-Control": "no-store"})

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        """Respond like the POST that started the session, including its cookie. The session counts as used."""
        session = self._found(request, self._settings.get)
        if session is None or session.state is not State.READY:
            raise RequestRefused("No such session", 404)
        session.used = time.monotonic()
        response = web.json_response(session.public, headers={"Cache-Control": "no-store"})
        self._proxy.set_cookie(response, session, request)
        return response

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        session = self._found(request, self._settings.delete)
        if session is None:
            raise RequestRefused("No such session", 404)
        asker = "the administrator" if self._access.is_admin(request) else "its client"
        await self._launcher.stop(session.id, f"{asker} asked for it")
        return web.json_response(session.public)

    def _found(self, request: web.Request, enabled: bool) -> Session | None:
        """The session that a request names, if it may access it: the id gives access, to its user if users are
        authenticated."""
        if self._access.is_admin(request):
            return self._launcher.sessions.get(request.match_info["id"])
        if not enabled:
            raise web.HTTPNotFound
        user = self._access.user(request)
        session = self._launcher.get(request.match_info["id"])
        return session if session is not None and user in (None, session.client) else None
