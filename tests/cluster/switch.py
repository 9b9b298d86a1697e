"""A TCP proxy whose connections can be cut, stopped, and led elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit


class Switch:
    """Leads connections to `target`, a port of this machine.

    Attributes:
        port: where it listens.
        down: whether it refuses connections.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.down = False
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()

    async def start(self) -> Switch:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def lead_to(self, url: str) -> None:
        """Lead connections from now on to the server of a URL."""
        self.target = urlsplit(url).port or 0

    def cut(self) -> None:
        """End every connection, without a word."""
        for writer in tuple(self._open):
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing pass until `release`: packets are lost, and nobody is told."""
        self._flows.clear()

    def release(self) -> None:
        self._flows.set()

    async def stop(self) -> None:
        self.release()
        self.cut()
        if self._server is not None:
            self._server.close()
        for _ in range(100):
            if self._open:
                await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        try:
            upstream, out = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, out}
        try:
            await asyncio.gather(self._pipe(reader, out), self._pipe(upstream, writer))
        finally:
            self._open -= {writer, out}
            writer.transport.abort()
            out.transport.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()
