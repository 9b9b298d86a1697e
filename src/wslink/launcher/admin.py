"""The administrator's view: sessions with their resource use, the ends of their logs, and a page that shows them."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

from wslink.errors import RequestRefused, StartFailed
from wslink.http.pages import PRIVATE, STYLE, page_file
from wslink.launcher.access import Access
from wslink.launcher.launcher import Launcher
from wslink.launcher.session import Session, State
from wslink.launcher.usage import connections, memory

PAGE = Path(__file__).parent / "page"
FILES = {"": "admin.html", "admin.css": "admin.css", "admin.js": "admin.js", STYLE: STYLE}
"""What the page is made of, by path below `<endpoint>/admin/`."""


class Administration:
    """The administrator's routes: `<endpoint>/admin/` is the page, and `<endpoint>/<id>/log` the end of a log.
    Everything requires the token, except for the page, which contains no data.

    Args:
        launcher: the launcher.
        access: identifies the administrator. Without one, there is no page.
    """

    def __init__(self, launcher: Launcher, access: Access) -> None:
        self._launcher = launcher
        self._access = access
        self._starts = self._failures = 0
        launcher.on_started.append(self._count)

    def add_to(self, application: web.Application) -> None:
        """Add the routes, before those that match anything below the endpoint."""
        endpoint, router = self._launcher.configuration.endpoint, application.router
        router.add_get(f"{endpoint}/admin", self._to_page)
        router.add_get(f"{endpoint}/admin/{{file:[^/]*}}", self._page)
        router.add_get(f"{endpoint}/{{id}}/log", self._log)

    async def describe(self) -> dict[str, Any]:
        """All sessions, and the launcher's counters; JSON.

        `starts` and `failures` count from the launcher's start. Each session has: `id`, `application`, `state`
        ("standby": it waits for a client), `waits` (for what, while it starts), `created` (seconds since the epoch),
        `age` (seconds), `client`, `address`, `clients` (its connections) and `memory` (bytes of all its processes; None
        if it runs on another machine).
        """
        sessions = list(self._launcher.sessions.values())
        leaders = {pid: one.id for one in sessions if (pid := _pid(one)) is not None}
        clients, held = await asyncio.to_thread(lambda: (connections(), memory(leaders) if leaders else Counter[str]()))
        return {
            "sessions": [_told(one, clients, held) for one in sessions],
            "free_ports": self._launcher.free_ports,
            "starts": self._starts,
            "failures": self._failures,
        }

    async def overview(self, request: web.Request) -> web.StreamResponse:
        """Respond to the administrator. Raises RequestRefused, like `Access.admit_admin`."""
        self._access.admit_admin(request)
        return web.json_response(await self.describe(), headers=PRIVATE)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        self._access.admit_admin(request)
        session = self._launcher.sessions.get(request.match_info["id"])
        if session is None:
            raise RequestRefused("No such session", 404)
        return web.Response(text=self._launcher.log_of(session), headers=PRIVATE)

    async def _to_page(self, request: web.Request) -> web.StreamResponse:
        if not self._access.has_admin:
            raise web.HTTPNotFound
        # Relative, so that it holds below any path that a proxy puts before it.
        raise web.HTTPFound("admin/")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        name = FILES.get(request.match_info["file"])
        if name is None or not self._access.has_admin:
            raise web.HTTPNotFound
        return page_file(PAGE, name)

    def _count(self, session: Session, error: BaseException | None) -> None:
        self._starts += 1
        self._failures += isinstance(error, StartFailed)


def _told(session: Session, clients: Counter[int], held: Counter[str]) -> dict[str, Any]:
    starting = session.spawner if session.state is State.STARTING else None
    return {
        "id": session.id,
        "application": session.application,
        "state": "standby" if session.standby and session.state is State.READY else session.state.value,
        "waits": starting.progress() if starting is not None else "",
        "created": session.created,
        "age": session.age,
        "address": ":".join(map(str, session.address)),
        "client": session.client,
        # One counts connections through the launcher's proxy, the other those through any web server on this machine.
        "clients": max(session.connections, clients[session.address[1]]),
        "memory": held.get(session.id),
    }


def _pid(session: Session) -> int | None:
    return session.spawner.pid() if session.spawner is not None else None
