"""Expansion of compressed messages, for WebSocket libraries that would expand them without a limit."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable

from wslink.errors import LimitExceeded
from wslink.session.ports import FrameReceiver
from wslink.transport.deflate import THREAD_ABOVE, Inflater
from wslink.transport.framing import INVALID_TEXT, TOO_BIG, BrokenFrame
from wslink.transport.private import PLAIN, TEXT

AT_ONCE = THREAD_ABOVE // 16
"""Bytes of a compressed message that is expanded on the event loop's thread; larger ones are in another."""
MAX_EXPANDED = 1024 * 1024
"""Bytes that are expanded there before others have their turn."""


class Expanding:
    """Expands the messages of one connection, up to a limit, in order.

    Args:
        forms: see GuardedParser.
        limit: the largest message, in bytes.
    """

    def __init__(self, forms: deque[int], limit: Callable[[], int]) -> None:
        self._forms = forms
        self._limit = limit
        self._form = PLAIN
        self._inflater = Inflater(takeover=True)  # aiohttp leaves that to the client
        self._expanded = 0
        self._failed = False

    @property
    def is_next(self) -> bool:
        """Whether the message that has arrived is compressed. Call it once for each message."""
        self._form = self._forms.popleft() if self._forms else PLAIN
        return self._form != PLAIN

    async def hand_on(self, data: bytes, receiver: FrameReceiver, fail: Callable[[int, str], None]) -> None:
        """Pass the expanded message to `receiver`. If it is malformed or too large, call `fail` with a close code and a
        reason."""
        try:
            message = await self._message(data)
        except BrokenFrame as error:
            fail(error.code, str(error))
        else:
            receiver.receive(not isinstance(message, str), message)

    async def _message(self, data: bytes) -> bytes | str:
        """Raises BrokenFrame, and for each message after that again."""
        is_text, limit = self._form == TEXT, self._limit()
        try:
            if self._failed:
                raise zlib.error
            message = await self._expand(data, limit)
            return message.decode() if is_text else message
        except LimitExceeded as error:
            self._failed = True
            raise BrokenFrame(TOO_BIG, str(error), 0) from error
        except (zlib.error, UnicodeDecodeError) as error:
            self._failed = True
            raise BrokenFrame(INVALID_TEXT, "malformed compressed data, or text", 0) from error

    async def _expand(self, data: bytes, limit: int) -> bytes:
        if len(data) > AT_ONCE:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, self._inflater.inflate, data, limit)
        if self._expanded > MAX_EXPANDED:
            self._expanded = 0
            await asyncio.sleep(0)
        message = self._inflater.inflate(data, limit)
        self._expanded += len(message)
        return message
