"""`scripts/cuts --returns 2000`: so many clients of a server that is restarted, and when they are back."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections import Counter

import msgpack

from tests.history.roads import started
from tests.ports import free_port
from wslink import Reconnect
from wslink.client.backoff import Backoff

HELLO = {"secret": "history", "features": ["subscribe", "resume"], "resume": {}, "client": {"name": "raw" * 30}}
HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def _masked(payload: bytes) -> bytes:
    """A binary frame of a client whose mask is zero."""
    return struct.pack("!BBH4x", 0x82, 0x80 | 126, len(payload)) + payload


class Client:
    """A raw client with the schedule of our clients.

    Attributes:
        back_at: when it had its response to hello last.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._backoff = Backoff(Reconnect())
        self.back_at = 0.0
        self.connections = 0

    async def run(self) -> None:
        while True:
            code, before = 1006, self.connections
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                code = await self._connection()
            if self.connections != before:  # not an attempt that failed
                self._backoff.ended(code)
            await asyncio.sleep(self._backoff.delay())

    async def _connection(self) -> int:
        """One connection; its close code."""
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self._port), 10)
        try:
            writer.write(HANDSHAKE.format(port=self._port).encode())
            envelope = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [HELLO]}
            text = msgpack.packb(envelope)
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            writer.write(_masked(struct.pack("<III", 0, 0, len(text)) + text))
            await asyncio.wait_for(reader.readexactly(40), 10)
            self.back_at = time.monotonic()
            self.connections += 1
            self._backoff.opened()
            last = b""
            while data := await reader.read(4096):
                last = data
                if data[:1] == b"\x89":
                    writer.write(b"\x8a\x80\0\0\0\0")
            at = last.rfind(b"\x88")
            return int.from_bytes(last[at + 2 : at + 4], "big") if at >= 0 else 1006
        finally:
            writer.transport.abort()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel them until they have ended: before Python 3.12, `asyncio.wait_for` may lose a cancellation."""
    while tasks:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.5)
        tasks = [task for task in tasks if not task.done()]


WITHIN, SHARE = 10, 0.25
"""Seconds after which all clients of a restarted server are back, and how many of them come in any one."""


async def returns(count: int, away: float, kill: bool) -> tuple[str, bool]:
    """Restart a server of so many clients, which is away for so long; what came of it, and whether it is enough."""
    arguments = ("picows", "--port", str(port := free_port()), "--heart-beat", "30")
    clients = [Client(port) for _ in range(count)]
    tasks = []
    async with started(*arguments, stops=not kill):
        for number, client in enumerate(clients):
            tasks.append(asyncio.create_task(client.run()))
            if number % 50 == 49:
                await asyncio.sleep(0.05)
        while not all(client.connections for client in clients):
            await asyncio.sleep(0.05)
        await asyncio.sleep(2)
        before = [client.connections for client in clients]
    await asyncio.sleep(away)
    async with started(*arguments):
        up = time.monotonic()
        while time.monotonic() - up < 30 and any(c.connections == n for c, n in zip(clients, before, strict=True)):
            await asyncio.sleep(0.05)
    await _end(tasks)
    times = sorted(client.back_at - up for client in clients if client.back_at > up - 1)
    by_second = Counter(int(max(at, 0)) for at in times)
    seconds = [by_second[number] for number in range(11)]
    most = max(sum(at <= each < at + 1 for each in times) for at in times) / count
    enough = len(times) == count and times[-1] <= WITHIN and most <= SHARE
    return (
        f"{len(times)} of {count} back within {times[-1]:.1f} s of a server that was away for {away:g} s "
        f"({'killed' if kill else 'stopped'}); most in any one second: {most:.0%}; by seconds: {seconds}"
    ), enough
