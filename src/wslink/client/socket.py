"""A WebSocket that the client dialled, carried by aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import aiohttp

from wslink.errors import ConnectionClosed
from wslink.wire.chunks import Cutter
from wslink.wire.frames import Buffer, Frame, Message

if TYPE_CHECKING:
    WebSocket = aiohttp.ClientWebSocketResponse[bool]

CLOSE_TIMEOUT = 2.0
"""Seconds that the server has to answer the closing handshake."""

_DATA = (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)


class Socket:
    """Sends messages and reads frames.

    Args:
        http: what the connection was made with; it is closed with it.
        socket: the WebSocket, open.
    """

    def __init__(self, http: aiohttp.ClientSession, socket: WebSocket) -> None:
        self._http = http
        self._socket = socket
        self._chunking = asyncio.Lock()

    async def send(self, message: Message, is_wanted: Callable[[], bool] = lambda: True) -> bool:
        """Send all frames of a message; whether that was done. Raises ConnectionError.

        Args:
            is_wanted: asked before each chunk of a large message; where it says no, the message is ended (CAN-3).
        """
        if message.source is None:
            for frame in message.frames:
                await self._send(frame)
            return True
        async with self._chunking:  # one after another, for the server bounds how many are under way (LIM-4)
            cutter = Cutter(message.source)
            while cutter.left and is_wanted():
                await self._send(cutter.next(message.source.max_frame))
            whole = not cutter.left
            if cutter.offset and not whole:
                await self._send(cutter.end())
            return whole

    async def _send(self, frame: Frame) -> None:
        await self._socket.send_bytes(bytes(frame.joined()))

    async def read(self, take: Callable[[bool, Buffer | str], Awaitable[None]]) -> ConnectionClosed:
        """Hand frames to `take`, one after another, until the connection ends; how it ended. Closes what belongs to
        it."""
        end = ConnectionClosed(1006, "the connection was lost")
        try:
            while (frame := await self._socket.receive()).type in _DATA:
                await take(frame.type is aiohttp.WSMsgType.BINARY, frame.data)
            if frame.type is aiohttp.WSMsgType.CLOSE:
                end = ConnectionClosed(frame.data, str(frame.extra or ""))
            elif frame.type is aiohttp.WSMsgType.ERROR:
                end = ConnectionClosed(1006, str(frame.data))
        except ConnectionError as error:
            end = ConnectionClosed(1006, str(error))
        return end

    async def keep_alive(self) -> None:
        """Give a sign of life. Raises ConnectionError: the only way to learn that a connection has ended that nobody
        reads."""
        await self._socket.pong()

    async def close(self) -> None:
        """Close the connection, with 1000."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._socket.close(), CLOSE_TIMEOUT)

    async def release(self) -> None:
        """Let go of what the connection was made with."""
        await self._http.close()
