"""From an upgrade request to a session that picows carries."""

from __future__ import annotations

from aiohttp import web

from wslink.backends import deflate
from wslink.backends.engine import Carriage
from wslink.backends.picows.connection import PicowsConnection
from wslink.backends.picows.private import take_over


async def carry(request: web.Request, carriage: Carriage) -> web.StreamResponse:
    """Hand the connection over and return: picows carries it from here on (engine.Carry)."""
    offers = ",".join(request.headers.getall("Sec-WebSocket-Extensions", ()))
    accepted = deflate.negotiate(offers) if carriage.compress and offers else None
    headers = {"Sec-WebSocket-Extensions": accepted[0]} if accepted else {}
    connection = PicowsConnection(carriage, accepted[1] if accepted else 0)
    return take_over(request, connection, carriage.max_frame, headers)
