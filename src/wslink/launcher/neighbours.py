"""Requests for sessions of other launchers, which are forwarded to these.

To such a launcher this one is a proxy like any other: it has to be among its `trusted_proxies`, or what it reports
about the client is ignored.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit

from aiohttp import web
from multidict import CIMultiDict

from wslink.errors import RequestRefused
from wslink.launcher.carrying import Carrier
from wslink.launcher.forwarding import Forwarding
from wslink.launcher.guard import Handler
from wslink.launcher.launcher import Launcher
from wslink.launcher.proxy import asked_id, is_websocket
from wslink.proxy.upstream import Target, request_head, tunnel

logger: logging.Logger = logging.getLogger("wslink.launcher")

CARRIED = "X-Wslink-Carried"
"""The header of a request that another launcher carried here: it is carried no further."""
RETRY = 5
"""Seconds after which a client may ask again for a session whose launcher does not answer."""
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Neighbours:
    """Forwards requests to other launchers.

    Args:
        launcher: this launcher.
        forwarding: creates the headers for them.
    """

    def __init__(self, launcher: Launcher, forwarding: Forwarding) -> None:
        self._launcher = launcher
        self._forwarding = forwarding
        self._carrier = Carrier()

    def change(self, forwarding: Forwarding) -> None:
        """Use other settings from now on."""
        self._forwarding = forwarding

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Forward requests for another launcher's session.

        Raises:
            RequestRefused: with 503, if that launcher does not respond.
            NoResources: it is unknown whose session it is now.
        """
        session_id = request.match_info.get("id") or asked_id(request)
        here = session_id in self._launcher.sessions
        if here or CARRIED in request.headers or not _ID.fullmatch(session_id):
            return await handler(request)
        place = await self._launcher.store.find(session_id)
        # It may have been taken over while the store was queried.
        if place is None or session_id in self._launcher.sessions:
            return await handler(request)
        if not place.alive:
            logger.info("session %s is asked for; its launcher %s does not answer", session_id[:8], place.launcher)
            raise RequestRefused("The launcher of this session does not answer; try again later", 503, RETRY)
        return await self._carry(request, place.url)

    async def close(self, application: web.Application) -> None:
        await self._carrier.close()

    async def _carry(self, request: web.Request, url: str) -> web.StreamResponse:
        parts = urlsplit(url)
        target = Target(parts.hostname or "", parts.port or 80, request.raw_path)
        try:
            headers = self._headers(request, target)
            request_head(target, headers)
        except ValueError as error:
            return web.json_response({"error": f"The request cannot be passed on: {error}"}, status=400)
        if is_websocket(request):
            return await tunnel(request, target, headers)
        return await self._carrier.carry(request, target, headers)

    def _headers(self, request: web.Request, target: Target) -> CIMultiDict[str]:
        """The headers that the other launcher would have received from the client, including its own cookies."""
        headers = self._forwarding.headers(request, target)
        headers.popall("Cookie", None)
        headers.extend(("Cookie", one) for one in request.headers.getall("Cookie", ()))
        headers["Host"] = request.host
        headers[CARRIED] = "1"
        return headers
