"""What a connection begins with: nearly always it is aiohttp's, but a WebSocket for a route that aiohttp has led to an
endpoint before goes straight there. aiohttp's request, its tasks and its routing cost more than all the rest of a
connection's beginning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from aiohttp import web

_METHOD, _VERSION, _UPGRADE, _END = b"GET ", b" HTTP/1.1", b"\r\nupgrade: websocket\r\n", b"\r\n\r\n"
_PLAIN = (web.PlainResource, web.DynamicResource, web.StaticResource)


class Adopter(Protocol):
    """An endpoint that takes connections without aiohttp's request."""

    def adopt(self, transport: asyncio.Transport, head: bytes) -> bool:
        """Take a connection that begins with `head`, a GET request for it; False if aiohttp has to."""


class Arrivals:
    """Makes the protocols of a server's connections.

    Args:
        server: makes aiohttp's.
        application: what the server serves. Where it has middlewares, or chooses by more than the path, every request
            is aiohttp's.
        transparent: middlewares that do nothing to a WebSocket.
    """

    def __init__(
        self, server: Callable[[], asyncio.Protocol], application: web.Application, transparent: Iterable[Any] = ()
    ) -> None:
        self._server = server
        self._application = application
        self._transparent = tuple(transparent)
        self._endpoints: dict[bytes, Adopter] = {}
        self._waiting: set[_Arrival] = set()

    def __call__(self) -> asyncio.Protocol:
        return _Arrival(self)

    def learn(self, request: web.Request, endpoint: Adopter) -> None:
        """aiohttp led `request` to `endpoint`; others for the same path need not go through it. Other spellings of the
        path do: clients can make up any number of them."""
        resource, path = request.match_info.route.resource, request.raw_path.partition("?")[0]
        if request.app is self._application and type(resource) is web.PlainResource and path == resource.canonical:
            resources = self._application.router.resources()
            if all(one in self._transparent for one in self._application.middlewares) and all(
                isinstance(one, _PLAIN) for one in resources
            ):
                self._endpoints[path.encode()] = endpoint

    def close(self) -> None:
        """End the connections that have not sent anything yet."""
        for arrival in list(self._waiting):
            arrival.close()

    def _endpoint(self, data: bytes) -> Adopter | None:
        """Where a connection that begins with `data` may go at once."""
        if not self._endpoints or not data.startswith(_METHOD) or data.find(_END) != len(data) - len(_END):
            return None
        path, _, rest = data[len(_METHOD) :].partition(b" ")
        endpoint = self._endpoints.get(path.partition(b"?")[0])
        fit = endpoint is not None and rest.startswith(_VERSION[1:]) and _UPGRADE in data.lower()
        return endpoint if fit else None


class _Arrival(asyncio.Protocol):
    """A connection that has not sent anything yet."""

    __slots__ = ("_arrivals", "_transport")

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._arrivals._waiting.add(self)

    def data_received(self, data: bytes) -> None:
        self._arrivals._waiting.discard(self)
        endpoint = self._arrivals._endpoint(data)
        if endpoint is None or not endpoint.adopt(self._transport, data):
            protocol = self._arrivals._server()
            self._transport.set_protocol(protocol)
            protocol.connection_made(self._transport)
            protocol.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._arrivals._waiting.discard(self)

    def close(self) -> None:
        self._transport.close()


ARRIVALS: web.AppKey[Arrivals] = web.AppKey("arrivals", Arrivals)
"""Where an application holds those of the server that serves it."""
