"""The launcher over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from wslink.errors import RequestRefused
from wslink.http.monitoring import HEALTH, METRICS, is_local_program
from wslink.http.run import add_pages
from wslink.http.sparse import sparse_logger
from wslink.launcher.access import Access
from wslink.launcher.admin import Administration
from wslink.launcher.configuration import Configuration
from wslink.launcher.events import stream, wants_events
from wslink.launcher.existing import Existing
from wslink.launcher.forwarding import Forwarding
from wslink.launcher.guard import Guard
from wslink.launcher.home import Home
from wslink.launcher.launcher import Launcher
from wslink.launcher.metrics import Metrics
from wslink.launcher.neighbours import Neighbours
from wslink.launcher.policy import Policy
from wslink.launcher.proxy import SessionProxy
from wslink.launcher.readiness import Waits
from wslink.launcher.reloading import followed
from wslink.launcher.session import Session
from wslink.launcher.sign_in import SignIn
from wslink.waiting import within

requests: logging.Logger = sparse_logger("wslink.launcher.requests")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """The routes of a launcher: POST, GET and DELETE of its endpoint, the administrator's, the session proxy,
    `/health`, `/metrics`, the JavaScript client at `/wslink/`, and the directory `content`.

    Raises:
        UsageError: a setting is not valid.
    """

    def __init__(self, launcher: Launcher) -> None:
        settings = launcher.configuration.settings
        self._launcher = launcher
        self._settings = settings
        policy = Policy.of(settings)
        self._access = Access(policy.authenticate, policy.admin_token, policy.proxies)
        self._guard = Guard(settings, self._access)
        self._administration = Administration(launcher, self._access)
        self._sign_in = SignIn(self._access)
        self._home = Home(launcher, self._access, self._sign_in)
        forwarding = Forwarding(settings, policy.proxies)
        self._proxy = SessionProxy(launcher, settings.origins, forwarding)
        self._neighbours = Neighbours(launcher, forwarding)
        self._existing = Existing(launcher, self._access, self._proxy, self._administration, settings)
        self._metrics = None
        with contextlib.suppress(ImportError):
            self._metrics = Metrics(launcher)

    def application(self) -> web.Application:
        """The aiohttp application. It opens the launcher at startup and closes it at the end."""
        middlewares = [self._guard.middleware, *([self._neighbours.middleware] if self._launcher.store.shared else ())]
        application = web.Application(middlewares=middlewares, client_max_size=self._settings.max_body)
        endpoint = self._launcher.configuration.endpoint
        router = application.router
        self._administration.add_to(application)
        self._home.add_to(application)
        self._sign_in.add_to(application, endpoint)
        router.add_post(endpoint, self._post)
        router.add_post(f"{endpoint}/", self._post)
        self._existing.add_to(application)
        router.add_get(HEALTH, self._health)
        router.add_get(METRICS, self._tell_metrics)
        application.on_startup.append(lambda _: self._launcher.open())
        self._proxy.add_to(application)
        add_pages(application, self._settings.content)
        application.on_cleanup.append(self._neighbours.close)
        application.on_shutdown.append(lambda _: self._launcher.close())
        return application

    def reload(self, configuration: Configuration) -> list[str]:
        """Use another configuration from now on: no session and no connection ends.

        Returns:
            The names of the settings that need a restart. Their previous values still apply.

        Raises:
            UsageError: it is not valid. Nothing has changed then.
        """
        wanted, late = followed(self._launcher.configuration, configuration)
        settings, policy = wanted.settings, Policy.of(wanted.settings)
        self._launcher.reload(wanted)
        self._settings = settings
        self._access.change(policy.authenticate, policy.admin_token, policy.proxies)
        self._guard.change(settings)
        self._existing.change(settings)
        forwarding = Forwarding(settings, policy.proxies)
        self._proxy.change(settings.origins, forwarding)
        self._neighbours.change(forwarding)
        return late

    # Requests ---------------------------------------------------------------

    async def _post(self, request: web.Request) -> web.StreamResponse:
        user = self._access.user(request)
        payload = await self._payload(request)
        application = payload.pop("application", None)
        if not isinstance(application, str):
            lacks = "is missing" if application is None else "is not a string"
            raise RequestRefused(f'The request is not complete: "application", the name of what to start, {lacks}')
        client = user or self._access.client(request)
        self._log(request, user, application)
        if wants_events(request):
            return await self._stream(request, application, payload, client)
        session = await self._launcher.launch(application, payload, client)
        if request.transport is None or request.transport.is_closing():
            # Its client does not know about it, so nobody could end it.
            await self._launcher.stop(session.id, "its client left before it was ready")
        response = web.json_response(session.public, headers={"Cache-Control": "no-store"})
        self._proxy.set_cookie(response, session, request)
        return response

    def _log(self, request: web.Request, user: str | None, application: str) -> None:
        by = f"{user} at " if user is not None else ""
        requests.info("a session of %.80r is asked for by %.80s%s", application, by, self._access.address(request))

    async def _stream(
        self, request: web.Request, application: str, payload: dict[str, Any], client: str
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        self._guard.allow_page(request, response)
        headers = {**response.headers, "Cache-Control": "no-store"}

        async def start(waits: Waits) -> Session:
            return await self._launcher.launch(application, payload, client, waits)

        async def abandon(session: Session) -> None:
            await self._launcher.stop(session.id, "its client left before it was ready")

        return await stream(request, headers, start, abandon)

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})

    async def _tell_metrics(self, request: web.Request) -> web.StreamResponse:
        """Served to the administrator, and to programs on this machine that connect directly."""
        local = is_local_program(request.headers, request.remote)
        if self._metrics is None or not (local or self._access.is_admin(request)):
            raise web.HTTPNotFound
        return self._metrics.response()

    async def _payload(self, request: web.Request) -> dict[str, Any]:
        # Released clients send JSON as text/plain: ignore the content type.
        try:
            text = await within(request.text(), self._settings.body_timeout)
            payload = json.loads(text.removeprefix("\ufeff"))
        except asyncio.TimeoutError:
            raise RequestRefused("The request did not arrive in time", 408) from None
        except (ValueError, RecursionError, LookupError, web.RequestPayloadError):
            raise RequestRefused("The request is not JSON") from None
        if not isinstance(payload, dict):
            raise RequestRefused("The request is not a JSON object")
        return payload


def make_application(configuration: Configuration) -> web.Application:
    """A launcher's aiohttp application. Raises UsageError."""
    return Service(Launcher(configuration)).application()
