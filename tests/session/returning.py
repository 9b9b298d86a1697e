"""A client that returns to its session, message by message (RES)."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable
from typing import Any

import aiohttp
import msgpack

from wslink import App

HEADER = struct.Struct("<III")
FEATURES = ["subscribe", "resume"]


class Returning:
    """A raw client of protocol version 2 that returns, written against the rules alone."""

    def __init__(self, url: str, features: list[str] = FEATURES, secret: str = "secret") -> None:
        self.url = url
        self.features = features
        self.secret = secret
        self.token = ""
        self.answer: dict[str, Any] = {}
        self.client_id = ""
        self.last = 0
        """The largest number that has arrived."""
        self.missing: set[int] = set()
        self.doubles = 0
        self.numbers: list[int] = []
        """Of messages in the order of their arrival, on this connection."""
        self.sent: dict[int, bytes] = {}
        """What the server has not acknowledged, by number."""
        self.sent_number = 0
        self.acknowledgements: list[list[Any]] = []
        self.results: dict[str, Any] = {}
        self.publications: list[Any] = []
        self.requests: list[Any] = []
        """Calls of the server, and what it says of them (HND)."""
        self.counted = 0
        self.acknowledges = False
        """Whether it acknowledges each frame at once."""
        self.http = aiohttp.ClientSession()
        self.socket: aiohttp.ClientWebSocketResponse
        self.reader: asyncio.Task[None] | None = None
        self.ready = False
        """Whether what is sent goes out at once."""
        self.news = asyncio.Event()
        self._ids = 0
        self._partial: dict[int, dict[int, bytes]] = {}

    # Connections

    async def connect(self, **changes: Any) -> dict[str, Any]:
        """Connect and say hello; `changes` to what it says of resumption. Its response, or error."""
        self.ready = False
        self.socket = await self.http.ws_connect(self.url, max_msg_size=0)
        self._partial.clear()
        self.numbers.clear()
        self.counted = 0
        await self.say_hello(**changes)
        frame = await asyncio.wait_for(self.socket.receive(), 5)
        if frame.type is not aiohttp.WSMsgType.BINARY:
            raise ConnectionError("hello was not answered")
        message = msgpack.unpackb(frame.data[12:], strict_map_key=False)
        self.answer = message.get("result") or {}
        assert HEADER.unpack_from(frame.data)[0] == 0 or "resume" not in self.answer
        if not self.answer:
            return message
        resume = self.answer.get("resume", {})
        if not resume.get("resumed"):
            self.last, self.missing, self.sent_number = 0, set(), 0
            self.sent.clear()
        self.token = resume.get("token", "")
        self.client_id = self.answer["clientID"]
        self.reader = asyncio.create_task(self._read(self.socket))
        if resume.get("resumed"):
            self._acknowledged(resume["received"], resume["missing"])
            again = 0
            while more := sorted(number for number in self.sent if number > again):
                again = more[0]
                await self._send(again, self.sent[again])
        self.ready = True
        return self.answer

    async def say_hello(self, **changes: Any) -> None:
        known = {"token": self.token, "received": self.last, "missing": sorted(self.missing)} if self.token else {}
        hello = {"secret": self.secret, "features": self.features, "resume": {**known, **changes}}
        envelope = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [hello]}
        text = msgpack.packb(envelope)
        await self.socket.send_bytes(HEADER.pack(0, 0, len(text)) + text)

    async def cut(self, how: str = "reset") -> None:
        """Lose the connection."""
        transport = self.socket._response.connection.transport  # type: ignore[union-attr]
        assert transport is not None
        if how == "half" and transport.can_write_eof():
            transport.write_eof()
        if how == "frame":
            transport.write(b"\x82\xfe\x01\x00")
        transport.abort()
        await self._stop_reading()

    async def leave(self, code: int = 1000) -> None:
        await self._stop_reading()
        await self.socket.close(code=code)

    async def close(self) -> None:
        await self._stop_reading()
        await self.http.close()

    async def _stop_reading(self) -> None:
        self.ready = False
        if self.reader is not None:
            self.reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await self.reader
            self.reader = None

    # Sending

    async def start(self, method: str, *args: Any) -> str:
        self._ids += 1
        return await self.send_call(f"rpc:{self.client_id}:{self._ids}", method, list(args))

    async def send_call(self, id_: str, method: str, args: list[Any]) -> str:
        await self.send_message({"wslink": "1.0", "id": id_, "method": method, "args": args, "kwargs": {}})
        return id_

    async def send_message(self, message: Any) -> None:
        self.sent_number += 1
        self.sent[self.sent_number] = text = msgpack.packb(message)
        if self.ready:
            await self._send(self.sent_number, text)

    async def subscribe(self, number: int, topic: str, **more: Any) -> Any:
        self._ids += 1
        request = {"subscription": number, "topic": topic, **more}
        id_ = await self.send_call(f"system:test:{self._ids}", "wslink.subscribe", [request])
        return await self.result(id_)

    async def _send(self, number: int, text: bytes) -> None:
        size = 100_000
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            for offset in range(0, len(text), size):
                await self.socket.send_bytes(HEADER.pack(number, offset, len(text)) + text[offset : offset + size])

    async def extension(self, *items: Any) -> None:
        text = msgpack.packb(items)
        if self.ready:
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                await self.socket.send_bytes(HEADER.pack(0, 0, len(text)) + text)

    async def acknowledge(self, *more: Any) -> None:
        await self.extension(1, self.counted, 0, self.last, sorted(self.missing), *more)

    # Receiving

    async def result(self, id_: str, timeout: float = 5) -> Any:
        await self.until(lambda: id_ in self.results, timeout)
        return self.results[id_]

    async def call(self, method: str, *args: Any) -> Any:
        return await self.result(await self.start(method, *args))

    async def until(self, condition: Callable[[], bool], timeout: float = 5) -> None:
        async def wait() -> None:
            while not condition():
                self.news.clear()
                await self.news.wait()

        await asyncio.wait_for(wait(), timeout)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            frame = await socket.receive()
            if frame.type is not aiohttp.WSMsgType.BINARY:
                self.news.set()
                return
            self._receive(frame.data)
            self.news.set()
            if self.acknowledges:
                await self.acknowledge()

    def _receive(self, data: bytes) -> None:
        number, offset, total = HEADER.unpack_from(data)
        chunks = self._partial.setdefault(number, {})
        chunks[offset] = data[12:]
        complete = sum(map(len, chunks.values())) >= total
        text = b"".join(chunks[key] for key in sorted(chunks)) if complete else b""
        message = msgpack.unpackb(text, strict_map_key=False) if complete else None
        if complete:
            del self._partial[number]
        if not (isinstance(message, list) and message[0] in (1, 2)):
            self.counted += len(data)
        if isinstance(message, list) and message[0] == 1:
            assert number == 0
            self.acknowledgements.append(message)
            self._acknowledged(message[3], message[4])
        elif message is not None and self._is_new(number):
            if isinstance(message, list) or "method" in message:
                self.requests.append(message)
            elif message["id"].startswith("publish:"):
                self.publications.append(message["result"])
            else:
                assert message["id"] not in self.results
                self.results[message["id"]] = message.get("result", message.get("error"))

    def _is_new(self, number: int) -> bool:
        assert number > 0
        self.numbers.append(number)
        if number > self.last:
            self.missing.update(range(self.last + 1, number))
            self.last = number
            return True
        if number in self.missing:
            self.missing.discard(number)
            return True
        self.doubles += 1
        return False

    def _acknowledged(self, received: int, missing: list[int]) -> None:
        for number in [number for number in self.sent if number <= received and number not in missing]:
            del self.sent[number]


Clients = Callable[..., Returning]


async def gone(app: App) -> None:
    """Wait until the server has seen that connections were lost."""
    for _ in range(200):
        if all(session.state.value != "open" for session in app._hub.connected):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the server still has a connection")
