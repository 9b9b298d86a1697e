"""Middleware for every request: checks of host names and origins, and error responses."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from wslink.errors import LaunchError, RequestRefused
from wslink.http import origin
from wslink.http.sparse import sparse_logger
from wslink.launcher.access import Access
from wslink.launcher.configuration import Settings
from wslink.launcher.events import failure
from wslink.launcher.refusal import refusal
from wslink.settings import check_name

logger: logging.Logger = logging.getLogger("wslink.launcher")
refusals: logging.Logger = sparse_logger("wslink.launcher.refused")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Refuses requests for foreign names and from foreign pages, and turns exceptions into responses.

    Args:
        settings: the launcher's.
        access: determines where requests come from.
    """

    def __init__(self, settings: Settings, access: Access) -> None:
        self._access = access
        self.change(settings)

    def change(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._settings = settings
        self._hosts = _own_names(settings)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests from pages of other origins, and turn exceptions into responses."""
        if not origin.is_asked_by(request.headers, self._hosts):
            refusals.warning("a request by the name %.200s was refused: name it in configuration.hosts", request.host)
            return _failure("The launcher is not known by this name; its setting hosts lists its names.", 421)
        reading = request.method in ("GET", "HEAD")
        if not reading and not origin.is_allowed(request.headers, self._settings.origins):
            page = request.headers.get("Origin")
            refusals.warning("a page of origin %.200s was refused: name it in configuration.origins", page)
            return _failure("Pages of this origin may not do that.", 403)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response: web.StreamResponse = web.Response(status=204)
        else:
            response = await self._answered(request, handler)
        self.allow_page(request, response)
        return response

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except LaunchError as error:
            return await self._explained(request, error)
        except web.HTTPRequestEntityTooLarge:
            return _failure(f"At most {self._settings.max_body} bytes are allowed", 413)
        except (web.HTTPException, asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            logger.exception("a request failed")
            return _failure("Something went wrong. The launcher's log tells more.", 500)

    async def _explained(self, request: web.Request, error: LaunchError) -> web.StreamResponse:
        if error.status not in (401, 404):  # these are logged elsewhere, or not worth logging
            address = self._access.address(request)
            refusals.warning(
                "%s %.80r from %s got %d: %s", request.method, request.path, address, error.status, error.message
            )
        response = refusal(request, failure(error), error.status)
        if isinstance(error, RequestRefused) and error.retry_after:
            response.headers["Retry-After"] = str(math.ceil(error.retry_after))
        if error.status == 408:
            await _send_and_close(request, response)
        return response

    def allow_page(self, request: web.Request, response: web.StreamResponse) -> None:
        """Allow a listed page of another origin to read the response."""
        page = request.headers.get("Origin")
        if page is None or response.prepared or origin.is_same_origin(request.headers):
            return
        if origin.is_allowed(request.headers, self._settings.origins):
            response.headers["Access-Control-Allow-Origin"] = page
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
            response.headers["Vary"] = "Origin"


def _own_names(settings: Settings) -> tuple[str, ...]:
    """The names by which the launcher may be reached: those in `hosts`, and those that its configuration tells
    clients."""
    told = urlsplit(settings.session_url).hostname or ""
    return (
        *map(check_name, settings.hosts),
        settings.host.lower(),
        *(() if "$" in told or told.startswith("use_host") else (told,)),
    )


def _failure(message: str, status: int) -> web.Response:
    return web.json_response({"error": message}, status=status)


async def _send_and_close(request: web.Request, response: web.Response) -> None:
    """Do not wait for the rest of a request's body, which may never arrive."""
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    if request.transport is not None:
        request.transport.close()
