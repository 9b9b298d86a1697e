"""A line between the two ends of a session in one process, which may be cut after any byte."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from wslink.errors import ConnectionClosed
from wslink.hub.hub import Hub
from wslink.session.identity import Opening
from wslink.session.ports import FrameReceiver
from wslink.session.session import Session
from wslink.session.stall import Progress
from wslink.session.state import CLOSED
from wslink.wire.frames import Buffer, Frame

HIGH_WATER = 64 * 1024
LOST = (1006, "the connection was lost")
TO_CLIENT, TO_SERVER = 0, 1
End = tuple[int, str]


class Wire:
    """One connection.

    Args:
        hub: the server.
        room: bytes towards the client, and towards the server, after which it is cut. A frame of which a part has
            passed by then is lost.

    Attributes:
        room: what is left of them.
        stands: whether nothing passes, and nobody is told.
        client: its end at the client.
        server: its end at the server.
    """

    def __init__(self, hub: Hub, room: tuple[float, float]) -> None:
        self.room = list(room)
        self.stands = False
        self._waiting: tuple[deque[Frame | End], deque[Frame | End]] = (deque(), deque())
        self._turn: asyncio.Handle | None = None
        self.client = ClientEnd(self)
        self.server = ServerEnd(self)
        self.server.receiver = Session(hub, self.server, Opening())

    @property
    def open(self) -> bool:
        """Whether neither end knows of its end."""
        return not self.client.ended.done() and not self.server.ended

    def put(self, way: int, what: Frame | End) -> None:
        self._waiting[way].append(what)
        self.move()

    def waits(self, way: int) -> int:
        return sum(one.size for one in self._waiting[way] if isinstance(one, Frame))

    def move(self) -> None:
        """Let something pass in the event loop's next turn."""
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._move)

    def _move(self) -> None:
        self._turn = None
        for way in (TO_CLIENT, TO_SERVER):
            if self._waiting[way] and not self.stands and not (way == TO_SERVER and self.server.paused):
                self._pass(way)
        if any(self._waiting) and not self.stands:
            self.move()

    def _pass(self, way: int) -> None:
        what = self._waiting[way].popleft()
        if not isinstance(what, Frame):
            self.client.end(what)
            self.server.end()
            return
        self.room[way] -= what.size
        if self.room[way] < 0:
            self.cut(True, True)
        elif way == TO_CLIENT:
            self.client.frames.put_nowait(what)
            self.server.took(what.size)
        else:
            self.server.take(what)
            if self.client.resume is not None and self.client.writable:
                self.client.resume()

    def cut(self, client_is_told: bool, server_is_told: bool) -> None:
        """What is under way is lost."""
        self.stands = True
        for waiting in self._waiting:
            waiting.clear()
        if client_is_told:
            self.client.end(LOST)
        if server_is_told:
            self.server.end()


class ServerEnd:
    """What the server sends over (session.ports.Transport)."""

    def __init__(self, wire: Wire) -> None:
        self.receiver: FrameReceiver
        self.ended = False
        self.paused = False
        self._wire = wire
        self._taken = 0

    @property
    def writable(self) -> bool:
        return self._wire.waits(TO_CLIENT) < HIGH_WATER

    @property
    def progress(self) -> Progress:
        return Progress(self._taken)

    def carry(self, receiver: FrameReceiver) -> None:
        self.receiver = receiver

    def send(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if not self.ended and not self._wire.stands:
                self._wire.put(TO_CLIENT, frame)

    def cork(self) -> None: ...

    def uncork(self) -> None: ...

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        self._wire.move()

    def limit_unsent(self, limit: int) -> None: ...

    def close(self, code: int, reason: str) -> None:
        if not self.ended and not self._wire.stands:
            self._wire.put(TO_CLIENT, (code, reason))

    def take(self, frame: Frame) -> None:
        if not self.ended and self.receiver.state is not CLOSED:
            self.receiver.receive(frame.binary, bytes(frame.joined()))

    def took(self, size: int) -> None:
        self._taken += size
        if self.writable:
            self.receiver.resume()

    def end(self, asked: bool = False) -> None:
        if not self.ended:
            self.ended = True
            self.receiver.closed(asked)


class ClientEnd:
    """What the client sends over (client.ports.ClientSocket)."""

    behind = 0

    def __init__(self, wire: Wire) -> None:
        self.resume: Callable[[], None] | None = None
        self.frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self.ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._wire = wire

    @property
    def writable(self) -> bool:
        return self._wire.waits(TO_SERVER) < HIGH_WATER

    async def write(self, frame: Frame) -> None:
        if self.ended.done():
            raise ConnectionError(LOST[1])
        self.send((frame,))

    def send(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if not self.ended.done() and not self._wire.stands:
                self._wire.put(TO_SERVER, frame)

    def limit_unsent(self, limit: int) -> None: ...

    async def keep_alive(self) -> None:
        if self.ended.done():
            raise ConnectionError(LOST[1])

    async def read(self, take: Callable[[bool, Buffer | str], Awaitable[None]]) -> ConnectionClosed:
        while (frame := await self.frames.get()) is not None:
            await take(frame.binary, bytes(frame.joined()))
        return ConnectionClosed(*self.ended.result())

    def end(self, how: End) -> None:
        """It is told of the end, after what has passed before."""
        if not self.ended.done():
            self.ended.set_result(how)
            self.frames.put_nowait(None)

    async def close(self) -> None:
        self.end((1000, ""))
        self._wire.server.end(asked=True)

    def abort(self) -> None:
        self.end(LOST)

    async def release(self) -> None:
        """The server is told, unless the line is dead."""
        self.end(LOST)
        if not self._wire.stands:
            self._wire.server.end()


NO_END = (math.inf, math.inf)
