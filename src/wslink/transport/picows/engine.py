"""Upgrade requests that lead to sessions over picows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wslink.session.identity import Opening
from wslink.transport import deflate
from wslink.transport.base import Engine, TransportOptions
from wslink.transport.picows.connection import PicowsConnection
from wslink.transport.picows.private import begin

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import MultiMapping

_EXTENSIONS = "Sec-WebSocket-Extensions"


async def serve_request(request: web.Request, options: TransportOptions, opening: Opening) -> web.StreamResponse:
    """Pass the connection to picows, and return (transport.base.Engine)."""
    from wslink.transport.picows.taking_over import take_over

    listener, headers = _accept(options, request.headers, opening)
    return take_over(request, listener, options.max_frame, headers)


def serve_connection(
    transport: asyncio.Transport, headers: MultiMapping[str], options: TransportOptions, opening: Opening
) -> None:
    """Let picows answer the request, and carry a session (transport.base.Engine)."""
    listener, answer = _accept(options, headers, opening)
    begin(transport, headers["Sec-WebSocket-Key"], options.max_frame, listener, answer)


def _accept(
    options: TransportOptions, headers: MultiMapping[str], opening: Opening
) -> tuple[PicowsConnection, dict[str, str]]:
    """What carries the session, and the headers of the answer."""
    offers = headers.getall(_EXTENSIONS, ())
    agreement = deflate.negotiate(",".join(offers)) if offers and options.compress else None
    return PicowsConnection(options, agreement, opening), {_EXTENSIONS: agreement.answer} if agreement else {}


ENGINE = Engine("picows", serve_request, serve_connection)
