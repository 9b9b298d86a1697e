"""The start of a session as server-sent events, for clients that post with `Accept: text/event-stream`.

`starting` and `waiting` tell what the session waits for. Then `ready` has the response for other clients, or `failed`
the reason why it did not start, with the status of that response.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from wslink.errors import LaunchError, StartFailed
from wslink.launcher.session import Session

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent, so that no proxy takes the connection for dead."""

INTERVAL = 0.25
"""Seconds between two looks at whether there is something to tell, and somebody to tell it."""

Abandon = Callable[[Session], Awaitable[None]]
"""Ends a session that nobody was told of."""
Start = Callable[[Callable[[str], None]], Awaitable[Session]]
"""Starts a session, and tells its argument what it waits for."""


def wants_events(request: web.Request) -> bool:
    return "text/event-stream" in request.headers.get("Accept", "")


def failure(error: LaunchError) -> dict[str, Any]:
    """What a client is told about an error."""
    told: dict[str, Any] = {"error": error.message}
    if isinstance(error, StartFailed):
        told.update({"exitCode": error.exit_code} if error.exit_code is not None else {})
        told.update({"log": error.log} if error.log else {})
    return told


async def stream(request: web.Request, headers: dict[str, str], start: Start, abandon: Abandon) -> web.StreamResponse:
    """Respond to a request with the events of a start.

    If the client leaves in the meantime, the start is cancelled; a session that cannot be reported to it is abandoned.
    """
    response = web.StreamResponse(headers={**headers, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    waits: asyncio.Queue[str] = asyncio.Queue()
    starting = asyncio.ensure_future(start(waits.put_nowait))
    try:
        await _send(response, "starting", {})
        await _follow(request, response, waits, starting)
        await _send(response, "ready", (await starting).public)
    except LaunchError as error:
        await _send(response, "failed", {**failure(error), "status": error.status})
    except BaseException as error:
        starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await abandon(starting.result())
        if isinstance(error, ConnectionError):  # the client has gone
            return response
        raise
    await response.write_eof()
    return response


async def _follow(
    request: web.Request, response: web.StreamResponse, waits: asyncio.Queue[str], starting: asyncio.Future[Session]
) -> None:
    """Send what the session waits for, until its start is over. Raises ConnectionError if the client leaves."""
    silent = 0.0
    while not starting.done():
        await asyncio.wait([starting], timeout=INTERVAL)
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError("the client has left")
        silent += INTERVAL
        if not waits.empty():
            await _send(response, "waiting", {"for": waits.get_nowait()})
            silent = 0.0
        elif silent > KEEP_ALIVE:
            await response.write(b":\n\n")
            silent = 0.0


async def _send(response: web.StreamResponse, event: str, data: Any) -> None:
    await response.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
