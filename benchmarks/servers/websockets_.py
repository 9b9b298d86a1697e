"""The websockets library and the standard library's json."""

from __future__ import annotations

import asyncio
import json

import common
from websockets.asyncio.server import ServerConnection, serve

options = common.options()


async def handle(connection: ServerConnection) -> None:
    async for message in connection:
        call = json.loads(message)
        await connection.send(json.dumps({"id": call["id"], "result": sum(call["args"])}))


async def main() -> None:
    async with serve(handle, "127.0.0.1", options.port, compression=None) as server:
        await server.serve_forever()


asyncio.run(main())
