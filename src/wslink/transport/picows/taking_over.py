"""Takeover of connections that aiohttp has routed to an endpoint. Separate from the rest, which does not need
aiohttp."""

from __future__ import annotations

from aiohttp import web

from wslink.proxy.takeover import ConnectionPassed
from wslink.transport.picows.private import Gated, begin


def take_over(request: web.Request, listener: Gated, max_frame: int, headers: dict[str, str]) -> ConnectionPassed:
    """Pass the connection of a valid upgrade request to picows; `headers` are added to the 101 response.

    To aiohttp, the connection appears lost, so that it drops everything that belongs to it.
    """
    http, transport = request.protocol, request.transport
    if transport is None:
        return ConnectionPassed()
    http.transport = None  # otherwise it would be closed
    http.connection_lost(None)
    begin(transport, request.headers["Sec-WebSocket-Key"], max_frame, listener, headers)
    return ConnectionPassed()
