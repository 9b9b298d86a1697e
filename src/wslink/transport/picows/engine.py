"""From an upgrade request to a session that picows carries."""

from __future__ import annotations

import asyncio

from aiohttp import web
from multidict import MultiMapping

from wslink.transport import deflate
from wslink.transport.base import Carriage, Engine
from wslink.transport.picows.connection import PicowsConnection
from wslink.transport.picows.private import begin, take_over

_EXTENSIONS = "Sec-WebSocket-Extensions"


async def carry(request: web.Request, carriage: Carriage) -> web.StreamResponse:
    """Hand the connection over and return: picows carries it from here on (transport.base.Engine)."""
    listener, headers = _accept(carriage, request.headers)
    return take_over(request, listener, carriage.max_frame, headers)


def adopt(transport: asyncio.Transport, headers: MultiMapping[str], carriage: Carriage) -> None:
    """Let picows answer, and carry (transport.base.Engine)."""
    listener, answer = _accept(carriage, headers)
    begin(transport, headers["Sec-WebSocket-Key"], carriage.max_frame, listener, answer)


def _accept(carriage: Carriage, headers: MultiMapping[str]) -> tuple[PicowsConnection, dict[str, str]]:
    """What carries the session, and the headers of the answer."""
    offers = headers.getall(_EXTENSIONS, ())
    agreement = deflate.negotiate(",".join(offers)) if offers and carriage.compress else None
    return PicowsConnection(carriage, agreement), {_EXTENSIONS: agreement.answer} if agreement else {}


ENGINE = Engine("picows", carry, adopt)
