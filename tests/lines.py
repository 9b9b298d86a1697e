"""A line between a client and a server that is cut in every way that lines are."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from typing import Literal
from urllib.parse import urlsplit

Way = Literal["reset", "half", "far", "stall", "frame", "hello"]
WAYS: tuple[Way, ...] = ("reset", "half", "far", "frame", "hello")
"""Those that both ends learn of soon, or at the next return."""


class Connection:
    """One connection over a line.

    Attributes:
        passed: bytes towards the client and towards the server, and `limits`, after how many of them it is cut.
    """

    def __init__(self, near: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.near_reader, self.near = near
        self.far: asyncio.StreamWriter | None = None
        self.silent = False
        self.passed = [0, 0]
        self.limits: list[float] = [float("inf"), float("inf")]

    async def run(self, host: str, port: int) -> None:
        far_reader, self.far = await asyncio.open_connection(host, port)
        pumps = [
            asyncio.ensure_future(self._pump(far_reader, self.near, 0)),
            asyncio.ensure_future(self._pump(self.near_reader, self.far, 1)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(pumps, timeout=None if self.silent else 1)
        finally:
            for pump in pumps:
                pump.cancel()
            self.reset()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: int) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await reader.read(65536):
                if self.silent:
                    continue
                room = self.limits[way] - self.passed[way]
                if len(data) > room:
                    writer.write(data[: int(room)])
                    self.reset()
                    return
                self.passed[way] += len(data)
                writer.write(data)
                await writer.drain()
            if not self.silent:
                writer.close()

    def reset(self) -> None:
        """Both ends learn of it at once."""
        for writer in (self.near, self.far):
            abort(writer)

    def half(self) -> None:
        """The client learns of it, the server does not."""
        self.silent = True
        abort(self.near)

    def far_end(self) -> None:
        """The server learns of it, the client does not: at its next word, or when it asks for a sign of life."""
        self.silent = True
        abort(self.far)

    def stop_after(self, to_client: float, to_server: float) -> None:
        """Cut it after so many bytes more."""
        self.limits = [self.passed[0] + to_client, self.passed[1] + to_server]


def abort(writer: asyncio.StreamWriter | None) -> None:
    if writer is not None and not writer.transport.is_closing():
        raw = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


class Line:
    """Leads to a server.

    Args:
        url: of its WebSocket.
        chance: decides where a frame or a hello is cut.

    Attributes:
        url: that leads over the line.
        connections: how many there have been.
        refusing: whether new ones are refused.
        every: bytes towards the client and towards the server after which each new one is cut.
    """

    def __init__(self, url: str, chance: random.Random | None = None) -> None:
        self.connections = 0
        self.refusing = False
        self.every: tuple[float, float] | None = None
        self._parts = urlsplit(url)
        self._chance = chance or random.Random(1)
        self._server: asyncio.Server
        self._open: list[Connection] = []
        self._next: tuple[float, float] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def to(cls, url: str, chance: random.Random | None = None) -> Line:
        line = cls(url, chance)
        line._server = await asyncio.start_server(line._accept, "127.0.0.1", 0)
        return line

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return self._parts._replace(netloc=f"127.0.0.1:{port}").geturl()

    @property
    def is_open(self) -> bool:
        """Whether a connection carries what is sent."""
        return any(not connection.silent for connection in self._open)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            abort(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        connection = Connection((reader, writer))
        if self._next is not None:
            connection.stop_after(*self._next)
            self._next = None
        elif self.every is not None:
            connection.stop_after(*self.every)
        self._open.append(connection)
        try:
            await connection.run(self._parts.hostname or "", self._parts.port or 80)
        except (ConnectionError, OSError, asyncio.CancelledError):
            abort(writer)
        finally:
            self._open.remove(connection)
            self._tasks.discard(task)

    def cut(self, way: Way = "reset") -> None:
        """Cut what is open."""
        for connection in [connection for connection in self._open if not connection.silent]:
            if way == "half":
                connection.half()
            elif way == "far":
                connection.far_end()
            elif way == "stall":
                connection.silent = True
            elif way == "frame":  # in the middle of what comes next
                connection.stop_after(self._chance.randrange(1, 3000), self._chance.randrange(1, 3000))
            else:
                connection.reset()
        if way == "hello":  # the next connection is cut in its handshake or in hello, on either side
            self._next = self._chance.randrange(1, 700), self._chance.randrange(1, 900)

    async def close(self) -> None:
        self._server.close()
        for connection in list(self._open):
            connection.reset()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
