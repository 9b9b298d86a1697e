"""A client of either generation, written against docs/protocol/ with other libraries than the package's own."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

import aiohttp
import msgpack

from tests.messages import ATTACHMENT, Attachments, Chunks, chunk, chunks


class Peer:
    """A raw WebSocket client. `attachments` resolves version 1 keys in what it receives."""

    def __init__(
        self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, generation: int
    ) -> None:
        self.session = session
        self.socket = socket
        self.generation = generation
        self.client_id = "c0"
        self.publications: deque[dict[str, Any]] = deque()
        self.extensions: deque[list[Any]] = deque()
        """Messages of extensions that have arrived (EXT-4)."""
        self.early: deque[dict[str, Any]] = deque()
        """Messages that arrived while one of an extension was waited for."""
        self.answers: dict[str, dict[str, Any]] = {}
        """Responses that arrived while another one was waited for, by id."""
        self.acknowledges = False
        """Whether it acknowledges each frame at once (FLOW-2)."""
        self.counted = 0
        """Bytes of frames that have arrived, those of messages of types 1, 2 and 5 left out."""
        self._number = 0
        self.sizes: list[int] = []
        """Of the frames that have arrived, in bytes."""
        self._messages: Attachments | Chunks = Attachments() if generation == 1 else Chunks()

    @classmethod
    async def open(cls, url: str, generation: int = 2, **options: Any) -> Peer:
        session = aiohttp.ClientSession()
        try:
            socket = await session.ws_connect(url, max_msg_size=0, **options)
        except BaseException:
            await session.close()
            raise
        return cls(session, socket, generation)

    async def close(self) -> None:
        await self.socket.close()
        await self.session.close()

    async def __aenter__(self) -> Peer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Sending

    async def send(self, envelope: Any, max_frame: int = 512 * 1024) -> None:
        if self.generation == 1:
            await self.socket.send_str(json.dumps(envelope))
            return
        text = msgpack.packb(envelope)
        self._number += 1
        for frame in chunks(text, max_frame, self._number):
            await self.socket.send_bytes(frame)

    async def extension(self, *items: Any) -> None:
        """Send a message of an extension."""
        text = msgpack.packb(items)
        await self.socket.send_bytes(chunk(text, id_=0))

    async def attach(self, key: str, data: bytes) -> str:
        await self.socket.send_str(json.dumps({"wslink": "1.0", "method": ATTACHMENT, "args": [key]}))
        await self.socket.send_bytes(data)
        return key

    async def hello(self, secret: Any = "secret", **extra: Any) -> dict[str, Any]:
        token = {"secret": secret, **extra} if secret is not ... else extra
        await self.send({"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [token], "kwargs": {}})
        answer = await self.receive()
        if "result" in answer:
            self.client_id = answer["result"]["clientID"]
        self.counted = 0
        return answer

    async def call(self, method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The answer's envelope; publications that come before it are kept in `publications`."""
        id_ = await self.start(method, *args, **kwargs)
        return await self.answer(id_)

    async def start(self, method: str, *args: Any, **kwargs: Any) -> str:
        self._number += 1
        id_ = f"rpc:{self.client_id}:{self._number}"
        await self.send({"wslink": "1.0", "id": id_, "method": method, "args": list(args), "kwargs": kwargs})
        return id_

    async def system(self, method: str, argument: Any) -> dict[str, Any]:
        self._number += 1
        id_ = f"system:test:{self._number}"
        await self.send({"wslink": "1.0", "id": id_, "method": method, "args": [argument]})
        return await self.answer(id_)

    async def subscribe(self, number: int, topic: str, definition: Any = None) -> dict[str, Any]:
        return await self.system("wslink.subscribe", {"subscription": number, "topic": topic, "filter": definition})

    # Receiving

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        return await asyncio.wait_for(self._next(), 15)

    async def receive_extension(self) -> list[Any]:
        """The next message of an extension."""
        while not self.extensions:
            message = await asyncio.wait_for(self._next(True), 15)
            if isinstance(message, dict):
                self.early.append(message)
        return self.extensions.popleft()

    async def _next(self, extensions: bool = False) -> Any:
        if self.early and not extensions:
            return self.early.popleft()
        while True:
            frame = await self.socket.receive()
            if frame.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                raise ConnectionError(f"closed {self.socket.close_code} {frame.extra}")
            self.sizes.append(len(frame.data))
            message = self._messages.add(frame.data)
            if isinstance(message, list):
                self.extensions.append(message)
            if not (isinstance(message, list) and message[0] in (1, 2, 5)):
                self.counted += len(frame.data)
                if self.acknowledges:
                    await self.extension(1, self.counted, 0)
            if isinstance(message, dict) or (extensions and isinstance(message, list)):
                return message

    async def answer(self, id_: str) -> dict[str, Any]:
        while id_ not in self.answers:
            message = await self.receive()
            if message.get("id", "").startswith("publish:"):
                self.publications.append(message)
            else:
                self.answers[message.get("id", "")] = message
        return self.answers.pop(id_)

    async def publication(self) -> dict[str, Any]:
        if self.publications:
            return self.publications.popleft()
        while True:
            message = await self.receive()
            if message["id"].startswith("publish:"):
                return message

    async def closed(self) -> tuple[int | None, str]:
        """Read until the connection closes; its code and reason."""
        while True:
            frame = await asyncio.wait_for(self.socket.receive(), 15)
            if frame.type is aiohttp.WSMsgType.CLOSE:
                return frame.data, str(frame.extra or "")
            if frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                return self.socket.close_code, ""

    @property
    def ended(self) -> int:
        """Messages that the server ended before they were whole (CAN-3)."""
        return self._messages.ended if isinstance(self._messages, Chunks) else 0
