"""From an upgrade request to a session that picows carries."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web
from multidict import MultiMapping
from picows import WSListener

from wslink.backends import deflate
from wslink.backends.engine import Carriage, Decide, Engine, Refusal
from wslink.backends.picows.connection import PicowsConnection
from wslink.backends.picows.private import begin, take_over

_EXTENSIONS = "Sec-WebSocket-Extensions"


async def carry(request: web.Request, carriage: Carriage) -> web.StreamResponse:
    """Hand the connection over and return: picows carries it from here on (engine.Engine)."""
    listener, headers = _accept(carriage, request.headers.getall(_EXTENSIONS, ()))
    return take_over(request, listener, carriage.max_frame, headers)


def adopt(transport: asyncio.Transport, head: bytes, max_frame: int, decide: Decide) -> None:
    """Let picows read the request, and carry what it upgrades (engine.Engine)."""

    def answer(headers: MultiMapping[str]) -> tuple[WSListener, dict[str, str]] | Refusal:
        decision = decide(headers)
        return decision if isinstance(decision, Refusal) else _accept(decision, headers.getall(_EXTENSIONS, ()))

    begin(transport, head, max_frame, answer)


def _accept(carriage: Carriage, offers: Sequence[str]) -> tuple[WSListener, dict[str, str]]:
    """What carries the session, and the headers of the answer."""
    accepted = deflate.negotiate(",".join(offers)) if offers and carriage.compress else None
    headers = {_EXTENSIONS: accepted[0]} if accepted else {}
    return PicowsConnection(carriage, accepted[1] if accepted else 0), headers


ENGINE = Engine(carry, adopt)
