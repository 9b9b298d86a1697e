"""The client's WebSocket, using aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from socket import SHUT_RDWR
from typing import TYPE_CHECKING

import aiohttp

from wslink.errors import ConnectionClosed
from wslink.kernel import limit_unsent
from wslink.waiting import within
from wslink.wire.chunks import SMALL_MESSAGE
from wslink.wire.frames import Buffer, Frame

if TYPE_CHECKING:
    WebSocket = aiohttp.ClientWebSocketResponse[bool]

CLOSE_TIMEOUT = 2.0
"""Seconds that the server has to answer the closing handshake."""
UNWRITTEN = 64 * 1024
"""Bytes that may wait to be written: enough to have the next chunk ready when one has gone."""

_DATA = (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)


class Socket:
    """Writes and reads frames.

    Args:
        http: the aiohttp session that opened the connection; it is closed together with it.
        socket: the open WebSocket, created with `autoclose=False`.

    Attributes:
        resume: called when it is writable again.
        behind: the number of waiting small frames, which other small ones must not overtake (LANE-1).
    """

    def __init__(self, http: aiohttp.ClientSession, socket: WebSocket) -> None:
        self.resume: Callable[[], None] | None = None
        self._http = http
        self._socket = socket
        self.behind: int = 0
        self._frames: deque[Frame] = deque()
        self._unwritten = 0
        self._writer: asyncio.Task[None] | None = None
        self._broken = False

    # Writing --------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether few bytes are waiting."""
        return self._unwritten < UNWRITTEN

    async def write(self, frame: Frame) -> None:
        """Write a frame ahead of waiting ones. Raises ConnectionError; the reader notices the end, too."""
        await self._socket.send_bytes(bytes(frame.joined()))

    def send(self, frames: Sequence[Frame]) -> None:
        """Write frames as soon as possible. On a dead connection it does nothing: the reader notices the end."""
        if self._broken:
            return
        self._frames.extend(frames)
        self.behind += sum(frame.size <= SMALL_MESSAGE for frame in frames)
        self._unwritten += sum(frame.size for frame in frames)
        if self._writer is None or self._writer.done():  # an eager task may end before it is known
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._frames:
                frame = self._frames.popleft()
                self.behind -= frame.size <= SMALL_MESSAGE
                await self.write(frame)
                full = not self.writable
                self._unwritten -= frame.size
                if full and self.writable and self.resume is not None:
                    self.resume()
        except ConnectionError:
            self._broken = True
            self._frames.clear()
        finally:
            self._writer = None

    def limit_unsent(self, limit: int) -> None:
        """Let less than `limit` bytes wait in the kernel, where they can no longer be overtaken."""
        limit_unsent(self._socket, limit)

    async def keep_alive(self) -> None:
        """Send a sign of life. Raises ConnectionError: while nothing is read, this is the only way to notice that the
        connection has ended."""
        await self._socket.pong()

    # Reading --------------------------------------------------------------------

    async def read(self, take: Callable[[bool, Buffer | str], Awaitable[None]]) -> ConnectionClosed:
        """Pass frames to `take` until the connection ends, and close what belongs to it. Returns how it has ended."""
        end = ConnectionClosed(1006, "the connection was lost")
        try:
            while (frame := await self._socket.receive()).type in _DATA:
                await take(frame.type is aiohttp.WSMsgType.BINARY, frame.data)
                del frame  # which may be large: it is not to be kept while the next one is waited for
            if frame.type is aiohttp.WSMsgType.CLOSE:
                end = ConnectionClosed(frame.data, str(frame.extra or ""))
                await self._answer_close(frame.data)
            elif frame.type is aiohttp.WSMsgType.ERROR:
                end = ConnectionClosed(1006, str(frame.data))
        except ConnectionError as error:
            end = ConnectionClosed(1006, str(error))
        return end

    async def _answer_close(self, code: int) -> None:
        """Answer a close frame. A code that must not be sent violates the protocol (RFC 6455, 7.4.1), which aiohttp
        does not check."""
        wrong = code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        await self._socket.close(code=aiohttp.WSCloseCode.PROTOCOL_ERROR if wrong else aiohttp.WSCloseCode.OK)

    # End ------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the connection with code 1000."""
        with contextlib.suppress(asyncio.TimeoutError):
            await within(self._socket.close(), CLOSE_TIMEOUT)

    def abort(self) -> None:
        """Abort the connection without a sign of life: reading ends at once."""
        raw = self._socket.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.shutdown(SHUT_RDWR)

    async def release(self) -> None:
        """Drop what was needed to open the connection."""
        if self._writer is not None:
            self._writer.cancel()
        await self._http.close()
