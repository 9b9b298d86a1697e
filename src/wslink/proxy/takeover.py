"""Taking the connection of a request out of aiohttp's hands: the one place here that uses names which aiohttp does not
promise. tests/transport/test_tunnel.py notices when they move."""

from __future__ import annotations

import asyncio

from aiohttp import web


class ConnectionPassed(web.StreamResponse):
    """The response to a request whose connection was passed on: nothing is sent."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


def take_over(request: web.Request, protocol: asyncio.Protocol) -> bool:
    """Give the connection of an upgrade request to `protocol`; False if it has been lost.

    For aiohttp the connection is lost from now on. Nothing of a valid client is lost with it: it sends nothing before
    it has its answer (RFC 6455, 4.1).
    """
    http, transport = request.protocol, request.transport
    if transport is None or transport.is_closing():
        return False
    http.transport = None  # or it would be closed
    http.connection_lost(None)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return True
