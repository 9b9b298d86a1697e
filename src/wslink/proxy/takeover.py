"""Taking the connection of a request over from aiohttp. The only module here that uses private names of aiohttp;
tests/transport/test_tunnel.py fails if they change."""

from __future__ import annotations

import asyncio

from aiohttp import web


class ConnectionPassed(web.StreamResponse):
    """The response to a request whose connection was passed on: nothing is sent."""

    def __init__(self) -> None:
        super().__init__(status=101)

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


def take_over(request: web.Request, protocol: asyncio.Protocol) -> bool:
    """Pass the connection of an upgrade request to `protocol`; False if it has been lost.

    To aiohttp, the connection appears lost. Nothing from a valid client is lost with it: clients send nothing before
    the response (RFC 6455, 4.1).
    """
    http, transport = request.protocol, request.transport
    if transport is None or transport.is_closing():
        return False
    http.transport = None  # otherwise it would be closed
    http.connection_lost(None)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return True
