"""aiohttp's WebSocket and the standard library's json."""

from __future__ import annotations

import json

import common
from aiohttp import WSMsgType, web

options = common.options()


async def handle(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            call = json.loads(message.data)
            await socket.send_str(json.dumps({"id": call["id"], "result": sum(call["args"])}))
    return socket


application = web.Application()
application.router.add_get("/ws", handle)
web.run_app(application, host="127.0.0.1", port=options.port, access_log=None, print=None)
