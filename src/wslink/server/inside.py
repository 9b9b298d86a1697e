"""Links within one process, without a port: for tests of applications, and for applications that call themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from wslink.client.connect import Connecting
from wslink.client.connections import Dialing
from wslink.errors import ConnectionClosed, UsageError
from wslink.hub.hub import Hub
from wslink.session.identity import Opening
from wslink.session.session import Session
from wslink.session.state import CLOSED
from wslink.transport.queued import PumpedConnection
from wslink.wire.frames import Buffer, Frame
from wslink.wire.limits import Limits

MAX_WAITING = 8
"""Frames that wait in each direction before its writer waits for its reader."""

End = tuple[int, str]


class _ServerEnd:
    """The socket of the server's session (transport.queued), from which the client reads."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Buffer | str | End] = asyncio.Queue(MAX_WAITING)

    async def send_bytes(self, data: bytes) -> None:
        await self.frames.put(data)

    async def send_str(self, data: str) -> None:
        await self.frames.put(data)

    async def close(self, code: int, message: bytes) -> None:
        await self.frames.put((code, message.decode()))


class InsideSocket:
    """A connection to `hub` in the running event loop (client.ports.ClientSocket).

    Attributes:
        resume: called when it becomes writable again.
        behind: always 0: frames are delivered in order.
    """

    behind = 0

    def __init__(self, hub: Hub) -> None:
        self.resume: Callable[[], None] | None = None
        self._hub = hub
        self._server = _ServerEnd()
        self._connection = PumpedConnection(self._server)
        self._session = Session(hub, self._connection, Opening())
        self._connection.carry(self._session)
        self._to_server: asyncio.Queue[Frame] = asyncio.Queue()
        self._feeding = asyncio.get_running_loop().create_task(self._feed())
        self._ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    @property
    def writable(self) -> bool:
        return self._to_server.qsize() < MAX_WAITING

    async def write(self, frame: Frame) -> None:
        if self._ended.done():
            raise ConnectionError("the connection was lost")
        self._to_server.put_nowait(frame)

    def send(self, frames: Sequence[Frame]) -> None:
        if not self._ended.done():
            for frame in frames:
                self._to_server.put_nowait(frame)

    async def _feed(self) -> None:
        """Hand the client's frames to its session, one per turn of the event loop."""
        while True:
            frame = await self._to_server.get()
            if self._connection.gate.closed:
                await self._connection.gate.wait()
            receiver = self._connection.receiver or self._session
            if receiver.state is not CLOSED:
                receiver.receive(frame.binary, frame.joined())
            if self.writable and self.resume is not None:
                self.resume()
            await asyncio.sleep(0)

    def limit_unsent(self, limit: int) -> None:
        """Does nothing: there is no kernel buffer."""

    async def keep_alive(self) -> None:
        if self._ended.done():
            raise ConnectionError("the connection was lost")

    async def read(self, take: Callable[[bool, Buffer | str], Awaitable[None]]) -> ConnectionClosed:
        while not self._ended.done():
            getting: asyncio.Future[Buffer | str | End] = asyncio.ensure_future(self._server.frames.get())
            either: set[asyncio.Future[Any]] = {getting, self._ended}
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:  # whoever reads may have been cancelled
                waits = getting.cancel()
            if waits:
                await asyncio.wait({getting})
                break
            frame = getting.result()
            if isinstance(frame, tuple):
                self._end(*frame)
                break
            await take(not isinstance(frame, str), frame)
        return ConnectionClosed(*self._ended.result())

    def _end(self, code: int, reason: str, asked: bool = False) -> None:
        """The connection has ended; `asked`: by the client."""
        if not self._ended.done():
            self._ended.set_result((code, reason))
            self._feeding.cancel()
            (self._connection.receiver or self._session).closed(asked)

    async def close(self) -> None:
        self._end(1000, "", True)

    def abort(self) -> None:
        self._end(1006, "the connection was lost")

    async def release(self) -> None:
        self._end(1006, "the connection was lost")


def connect_inside(hub: Hub, secret: str, timeout: float, handlers: Mapping[str, Callable[..., Any]]) -> Connecting:
    """Connect to `hub`; see App.connect."""

    async def dial() -> InsideSocket:
        if hub.application is not None:
            raise UsageError("application_thread=True serves clients in another event loop: connect to its port")
        return InsideSocket(hub)

    return Connecting(Dialing(dial, "the application", secret, timeout, None), Limits(), handlers)
