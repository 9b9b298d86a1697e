"""python-socketio on aiohttp: an event with an acknowledgement."""

from __future__ import annotations

import common
import socketio
from aiohttp import web

options = common.options()
server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
application = web.Application()
server.attach(application)


@server.event
async def bench_add(sid: str, a: int, b: int, c: int) -> int:
    return a + b + c


web.run_app(application, host="127.0.0.1", port=options.port, access_log=None, print=None)
