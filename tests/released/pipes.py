"""A connection of the generic backend in the shape of a websocket, so that a Peer can use it."""

import asyncio

import aiohttp


class Frame:
    """What `send` takes: anything with `data`."""

    def __init__(self, data, type=None):
        self.data, self.type = data, type


class Pipe:
    """A connection of the generic backend, in the shape of a websocket that a Peer can use."""

    closed, close_code = False, None

    def __init__(self, connection):
        self.connection, self.queue = connection, asyncio.Queue()
        connection.on_message(self.arrived)

    async def arrived(self, binary, content):
        kind = aiohttp.WSMsgType.BINARY if binary else aiohttp.WSMsgType.TEXT
        await self.queue.put(Frame(bytes(content) if binary else content, kind))

    async def send_bytes(self, data):
        await self.connection.send(True, Frame(data))

    async def send_str(self, data):
        await self.connection.send(False, Frame(data))

    async def receive(self):
        return await self.queue.get()
