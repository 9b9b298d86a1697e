"""A connection that aiohttp has led to an endpoint, taken over by picows. Apart from the rest, which does without
aiohttp."""

from __future__ import annotations

from aiohttp import web

from wslink.proxy.takeover import ConnectionPassed
from wslink.transport.picows.private import Gated, begin


def take_over(request: web.Request, listener: Gated, max_frame: int, headers: dict[str, str]) -> ConnectionPassed:
    """Give the connection of a valid upgrade request to picows; `headers` are added to the 101 answer.

    For aiohttp the connection is lost from now on: it forgets it, and all that it had for it.
    """
    http, transport = request.protocol, request.transport
    if transport is None:
        return ConnectionPassed()
    http.transport = None  # or it would be closed
    http.connection_lost(None)
    begin(transport, request.headers["Sec-WebSocket-Key"], max_frame, listener, headers)
    return ConnectionPassed()
