"""A server that does what a test says, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack
from aiohttp import web

from tests.messages import HEADER
from tests.waiting import until
from wslink import Link

KIB, MIB = 1024, 1024 * 1024
FEATURES = ["subscribe", "arrays", "flow"]


class Scripted:
    """A server that answers hello and nothing else by itself.

    Attributes:
        calls: that are complete, as (method, id), in the order in which they were.
        extensions: messages of extensions.
        responses: to calls of its own.
        counted: bytes of frames that FLOW-1 counts.
        chunks: the sizes of those frames.
        hello: as the client said it.
        acknowledges: whether each frame is acknowledged at once.
        features: those that are accepted.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.extensions: list[Any] = []
        self.responses: list[Any] = []
        self.counted = 0
        self.chunks: list[int] = []
        self.hello: dict[str, Any] = {}
        self.acknowledges = False
        self.features = FEATURES
        self.socket = web.WebSocketResponse(max_msg_size=8 * MIB)
        self._partial: dict[int, bytearray] = {}
        self._greeted = False

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        await self.socket.prepare(request)
        async for frame in self.socket:
            await self._take(frame.data)
        return self.socket

    async def _take(self, data: bytes) -> None:
        id_, _, total = HEADER.unpack_from(data)
        partial = self._partial.setdefault(id_, bytearray())
        partial += data[12:]
        message = msgpack.unpackb(self._partial.pop(id_)) if len(partial) == total else None
        if isinstance(message, list):
            self.extensions.append(message)
            return
        if self._greeted:
            self.counted += len(data)
            self.chunks.append(len(data))
        if message is not None and message.get("method") == "wslink.hello":
            self._greeted = True
            self.hello = message
            hello = {"clientID": "c1", "maxMsgSize": 4 * MIB, "features": self.features}
            await self.send({"id": message["id"], "result": hello})
        elif message is not None and "method" not in message:
            self.responses.append(message)
        elif message is not None:
            self.calls.append((message["method"], message["id"]))
            if message["method"] == "wslink.subscribe":
                await self.send({"id": message["id"], "result": {"delivery": "latest"}})
        if self.acknowledges:
            await self.send([1, self.counted, 0])

    async def send(self, message: Any) -> None:
        text = msgpack.packb(message)
        await self.socket.send_bytes(HEADER.pack(1, 0, len(text)) + text)

    async def called(self, method: str) -> str:
        """The id of a call that has arrived whole."""
        await until(lambda: any(name == method for name, _ in self.calls))
        return next(id_ for name, id_ in self.calls if name == method)

    async def answer(self, method: str, result: Any) -> None:
        await self.send({"id": await self.called(method), "result": result})

    async def publish(self, payload: Any, *subscriptions: int) -> None:
        await self.send({"id": "publish:a.topic:1", "result": payload, "subscriptions": list(subscriptions)})

    def said(self, kind: int) -> list[Any]:
        return [message for message in self.extensions if message[0] == kind]


Connected = Callable[..., Awaitable[tuple[Link, Scripted]]]


def start(link: Link, method: str, *args: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(link.call(method, *args))


async def finish(*calls: asyncio.Task[Any]) -> None:
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
