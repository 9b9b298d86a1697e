"""The launcher over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from wslink.errors import LaunchError, RequestRefused, StartFailed, UsageError
from wslink.http import origin
from wslink.http.run import add_pages
from wslink.launcher.admin import Administration
from wslink.launcher.authentication import client_of, find_authenticator, is_in, networks
from wslink.launcher.configuration import Configuration, Settings
from wslink.launcher.events import failure, stream, wants_events
from wslink.launcher.forwarding import Forwarding
from wslink.launcher.launcher import Launcher
from wslink.launcher.metrics import Metrics
from wslink.launcher.proxy import SessionProxy
from wslink.launcher.readiness import Waits
from wslink.launcher.session import Session

logger = logging.getLogger("wslink.launcher")

CLIENT = Path(__file__).parent.parent / "static"
"""Where the built JavaScript client is."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """Routes of a launcher: POST, GET and DELETE of its endpoint, the administrator's, the session proxy, `/health`,
    `/metrics`, the JavaScript client at `/wslink/`, and the folder `content`.

    Raises:
        UsageError: if a setting cannot be followed.
    """

    def __init__(self, launcher: Launcher) -> None:
        settings = launcher.configuration.settings
        self._launcher = launcher
        self._settings = settings
        try:
            self._proxies = networks(settings.trusted_proxies)
        except ValueError as error:
            raise UsageError(f"configuration.trusted_proxies: {error}") from error
        self._hosts = _own_names(settings)
        self._authenticate = find_authenticator(settings.authentication, settings.trusted_proxies)
        self._administration = Administration(launcher)
        self._proxy = SessionProxy(launcher, settings.origins, Forwarding(settings, self._proxies))
        self._metrics = None
        with contextlib.suppress(ImportError):
            self._metrics = Metrics(launcher)

    def application(self) -> web.Application:
        """The aiohttp application. It opens the launcher when it starts and closes it when it ends."""
        application = web.Application(middlewares=[self._guard], client_max_size=self._settings.max_body)
        endpoint = self._launcher.configuration.endpoint
        router = application.router
        self._administration.add_to(application)
        router.add_post(endpoint, self._post)
        router.add_post(f"{endpoint}/", self._post)
        router.add_get(f"{endpoint}/{{id}}", self._get)
        router.add_delete(f"{endpoint}/{{id}}", self._delete)
        router.add_get("/health", self._health)
        router.add_get("/metrics", self._tell_metrics)
        router.add_get("/wslink/{file:client[.]js([.]map)?}", _client)
        application.on_startup.append(lambda _: self._launcher.open())
        self._proxy.add_to(application)
        add_pages(application, self._settings.content)
        application.on_shutdown.append(lambda _: self._launcher.close())
        return application

    # Requests ---------------------------------------------------------------

    async def _post(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request)
        payload = await self._payload(request)
        application = payload.pop("application", None)
        if not isinstance(application, str):
            raise RequestRefused("The request is not complete")
        client = user or client_of(request, self._proxies)
        if wants_events(request):
            return await self._stream(request, application, payload, client)
        session = await self._launcher.launch(application, payload, client)
        if request.transport is None or request.transport.is_closing():
            # Nobody is left to be told of it, and nobody could ever end it.
            await self._launcher.stop(session.id, "its client left before it was ready")
        response = web.json_response(session.public, headers={"Cache-Control": "no-store"})
        self._proxy.set_cookie(response, session, request.headers.get("X-Forwarded-Proto", request.scheme) == "https")
        return response

    async def _stream(
        self, request: web.Request, application: str, payload: dict[str, Any], client: str
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        self._allow_page(request, response)
        headers = {**response.headers, "Cache-Control": "no-store"}

        async def start(waits: Waits) -> Session:
            return await self._launcher.launch(application, payload, client, waits)

        async def abandon(session: Session) -> None:
            await self._launcher.stop(session.id, "its client left before it was ready")

        return await stream(request, headers, start, abandon)

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})

    async def _tell_metrics(self, request: web.Request) -> web.StreamResponse:
        """For the administrator, and for programs of this machine that no proxy speaks for."""
        local = is_in(request.remote, networks(("127.0.0.0/8", "::1"))) and "X-Forwarded-For" not in request.headers
        if self._metrics is None or not (local or self._administration.is_admin(request)):
            raise web.HTTPNotFound
        return self._metrics.response()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        session = self._found(request, self._settings.get)
        if session is None:
            # The status that released launchers answer with.
            raise RequestRefused("No such session")
        return web.json_response(session.public, headers={"Cache-Control": "no-store"})

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        session = self._found(request, self._settings.delete)
        if session is None:
            raise RequestRefused("No such session", 404)
        asker = "the administrator" if self._administration.is_admin(request) else "its client"
        await self._launcher.stop(session.id, f"{asker} asked for it")
        return web.json_response(session.public)

    # Who may ----------------------------------------------------------------

    def _found(self, request: web.Request, enabled: bool) -> Session | None:
        """The session that a request names, if it may have it: the id opens it, to its user where users are known."""
        if self._administration.is_admin(request):
            return self._launcher.sessions.get(request.match_info["id"])
        if not enabled:
            raise web.HTTPNotFound
        user = self._user(request)
        session = self._launcher.get(request.match_info["id"])
        return session if session is not None and user in (None, session.client) else None

    def _user(self, request: web.Request) -> str | None:
        """The user's name; None where everybody may come in."""
        if self._authenticate is None:
            return None
        user = self._authenticate(request)
        if user is None:
            raise RequestRefused("Authentication is needed", 401)
        return user

    async def _payload(self, request: web.Request) -> dict[str, Any]:
        # Released clients send JSON as text/plain: the type says nothing.
        try:
            text = await asyncio.wait_for(request.text(), self._settings.body_timeout)
            payload = json.loads(text)
        except asyncio.TimeoutError:
            raise RequestRefused("The request did not arrive in time", 408) from None
        except (ValueError, RecursionError, LookupError):
            raise RequestRefused("The request is no JSON") from None
        if not isinstance(payload, dict):
            raise RequestRefused("The request is no JSON object")
        return payload

    # Around every request ---------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what pages of other origins ask for, and turn errors into answers."""
        if not origin.is_asked_by(request.headers, self._hosts):
            logger.warning("a request by the name %.200s was refused: name it in configuration.hosts", request.host)
            return _failure("The launcher is not known by this name; its setting hosts lists its names.", 421)
        reading = request.method in ("GET", "HEAD")
        if not reading and not origin.is_allowed(request.headers, self._settings.origins):
            logger.warning("a page of origin %s was refused", request.headers.get("Origin"))
            return _failure("Pages of this origin may not do that.", 403)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response: web.StreamResponse = web.Response(status=204)
        else:
            response = await self._answered(request, handler)
        self._allow_page(request, response)
        return response

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except LaunchError as error:
            if isinstance(error, StartFailed):
                logger.warning("a session did not start: %s", error.message)
            response = web.json_response(failure(error), status=error.status)
            if error.status == 408:
                await _send_and_close(request, response)
            return response
        except web.HTTPRequestEntityTooLarge:
            return _failure(f"At most {self._settings.max_body} bytes are allowed", 413)
        except (web.HTTPException, asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            logger.exception("a request failed")
            return _failure("Something went wrong. The launcher's log tells more.", 500)

    def _allow_page(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let an allowed page of another origin read the answer."""
        page = request.headers.get("Origin")
        if page is None or response.prepared or origin.is_same_origin(request.headers):
            return
        if origin.is_allowed(request.headers, self._settings.origins):
            response.headers["Access-Control-Allow-Origin"] = page
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
            response.headers["Vary"] = "Origin"


def _own_names(settings: Settings) -> tuple[str, ...]:
    """The names that the launcher may be asked by: those of `hosts`, and those that its configuration tells clients."""
    told = urlsplit(settings.session_url).hostname or ""
    return (*settings.hosts, settings.host.lower(), *(() if "$" in told or told.startswith("use_host") else (told,)))


def make_application(configuration: Configuration) -> web.Application:
    """A launcher's aiohttp application. Raises UsageError."""
    return Service(Launcher(configuration)).application()


async def _client(request: web.Request) -> web.StreamResponse:
    """The JavaScript client that belongs to this launcher."""
    return web.FileResponse(CLIENT / request.match_info["file"], headers={"Cache-Control": "no-cache"})


def _failure(message: str, status: int) -> web.Response:
    return web.json_response({"error": message}, status=status)


async def _send_and_close(request: web.Request, response: web.Response) -> None:
    """Do not wait for the rest of a body, which may never come."""
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    if request.transport is not None:
        request.transport.close()
