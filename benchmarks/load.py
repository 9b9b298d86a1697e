"""The load: picows clients that send pre-built frames and count the messages that come back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.frames import HEADER, Dialect, Flowing, FrameOut

WAIT = 60.0
"""Seconds after which a message that does not come is given up."""
AT_ONCE = 20
"""Connections that are opened together."""


class Client(WSListener):
    """One connection. `on_message` is called for every message that is complete, with its last frame's payload."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.messages = 0
        self.bytes = 0
        self.open = False
        """Whether hello has been answered: frames are acknowledged from then on."""
        self.counted = 0
        """Bytes of the frames that are acknowledged."""
        self.on_message: Callable[[memoryview], None] | None = None
        self.on_part: Callable[[memoryview], None] | None = None
        """Called for every frame that completes no message."""
        self.ended: float | None = None
        """When the connection ended (`time.monotonic`)."""
        self._wanted = 0
        self._arrived: asyncio.Future[None] | None = None
        self.transport: WSTransport

    @classmethod
    async def open(cls, url: str, dialect: Dialect, hello: bool = True, **options: Any) -> Client:
        """Connect, and say hello where the dialect has one."""
        _, client = await ws_connect(lambda: cls(dialect), url, max_frame_size=512 * 1024 * 1024, **options)
        assert isinstance(client, Client)
        if hello and (frames := dialect.hello()):
            client.send(frames)
            await client.wait(1)
            client.open = True
        return client

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            if frame.msg_type is WSMsgType.CLOSE:
                transport.disconnect()
            return
        payload = frame.get_payload_as_memoryview()
        self.bytes += len(payload)
        if isinstance(self.dialect, Flowing) and not self._acknowledge(payload):
            return
        if not self.dialect.completes(frame.msg_type == WSMsgType.BINARY, payload):
            if self.on_part is not None:
                self.on_part(payload)
            self.send(self.dialect.reply(payload))
            return
        self.messages += 1
        if self.on_message is not None:
            self.on_message(payload)
        if self._arrived is not None and self.messages >= self._wanted and not self._arrived.done():
            self._arrived.set_result(None)

    def _acknowledge(self, payload: memoryview) -> bool:
        """Acknowledge a frame; False for one that is itself an acknowledgement."""
        assert isinstance(self.dialect, Flowing)
        if payload[HEADER.size] & 0xF0 == 0x90 and HEADER.unpack_from(payload)[1] == 0:
            return False
        if self.open:
            self.counted += len(payload)
            self.send([self.dialect.acknowledgement(self.counted)])
        return True

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.ended = time.monotonic()
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_exception(ConnectionError("the server closed the connection"))

    def pause_writing(self) -> None:
        """What is sent is small, or waited for."""

    resume_writing = pause_writing

    def send(self, frames: Sequence[FrameOut]) -> None:
        for binary, payload in frames:
            self.transport.send(WSMsgType.BINARY if binary else WSMsgType.TEXT, payload)

    async def wait(self, messages: int, timeout: float = WAIT) -> None:
        """Wait until `messages` have arrived since the connection began."""
        if self.messages < messages:
            self._wanted = messages
            self._arrived = asyncio.get_running_loop().create_future()
            await asyncio.wait_for(self._arrived, timeout)
            self._arrived = None


@contextlib.asynccontextmanager
async def clients(url: str, dialect: Dialect, count: int, **options: Any) -> AsyncIterator[list[Client]]:
    """`count` connections that have said hello."""
    opened: list[Client] = []
    try:
        while len(opened) < count:
            together = min(AT_ONCE, count - len(opened))
            opened += await asyncio.gather(*(Client.open(url, dialect, **options) for _ in range(together)))
        yield opened
    finally:
        for client in opened:
            client.transport.disconnect(graceful=False)
        await asyncio.sleep(0.05)


async def pump(client: Client, frames: Sequence[FrameOut], in_flight: int, total: int) -> None:
    """Send `frames` `total` times, never more than `in_flight` of them unanswered."""
    start = client.messages
    left = total - in_flight

    def again(payload: memoryview) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            client.send(frames)

    client.on_message = again
    for _ in range(in_flight):
        client.send(frames)
    await client.wait(start + total)
    client.on_message = None
