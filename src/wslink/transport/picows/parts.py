"""Messages that are fragmented or compressed."""

from __future__ import annotations

import asyncio
import codecs
import zlib
from collections import deque
from typing import Protocol

from picows.picows import WSFrame, WSMsgType

from wslink.errors import LimitExceeded
from wslink.transport import deflate, framing
from wslink.wire.frames import Buffer
from wslink.wire.landing import Landing

NO_UTF8 = "a text is not UTF-8"

_TEXT, _BINARY, _CONTINUATION, _CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION, WSMsgType.CLOSE
_decoder = codecs.getincrementaldecoder("utf-8")


class Receiver(Protocol):
    """The receiver of the messages."""

    @property
    def max_size(self) -> int: ...

    def receive(self, binary: bool, data: Buffer | str) -> None: ...

    def receive_close(self, code: bytes) -> None: ...

    def fail(self, code: int, reason: str) -> None: ...

    def hold_reading(self, hold: bool) -> None: ...


MAX_EXPANDED = 512 * 1024
"""Bytes to which messages may be expanded in one turn of the event loop; more are expanded in a thread (TURN-1)."""


class _Fragments:
    """A fragmented message, assembled in one buffer.

    Args:
        kind: text or binary.
        compressed: whether it is compressed.
        announced: the announced number of bytes.
    """

    def __init__(self, kind: WSMsgType, compressed: bool, announced: int) -> None:
        self.kind = kind
        self.compressed = compressed
        self.size = 0
        self.count = 0
        self._data = Landing(announced)
        self._text = _decoder() if kind is _TEXT and not compressed else None

    def add(self, payload: memoryview, final: bool) -> None:
        """Raises UnicodeDecodeError as soon as text is not valid UTF-8."""
        self.size += self._data.write(payload)
        self.count += 1
        if self._text is not None:
            self._text.decode(payload, final)

    def joined(self) -> bytes:
        """The whole message, without a copy."""
        return self._data.value()


class MessageParts:
    """Assembles and expands messages.

    Args:
        receiver: receives them, in order.
        agreement: the negotiated compression.

    Attributes:
        announced: bytes of a frame that arrives in fragments.
        empty: whether no message is incomplete, so that a plain frame is the next message.
    """

    __slots__ = ("_expanded", "_fragments", "_inflater", "_receiver", "_task", "_waiting", "announced", "empty")

    def __init__(self, receiver: Receiver, agreement: deflate.Agreement | None) -> None:
        self.empty: bool = True
        self.announced: int = 0
        self._receiver = receiver
        self._inflater = deflate.Inflater(agreement.takeover) if agreement is not None else None
        self._fragments: _Fragments | None = None
        self._waiting: deque[tuple[WSMsgType, bytes, bool]] | None = None  # for a message that is being expanded
        self._task: asyncio.Task[None] | None = None
        self._expanded = 0  # bytes of messages that were expanded at once in this turn of the event loop

    def receive(self, kind: WSMsgType, frame: WSFrame) -> None:
        """Handle a data frame."""
        fragments, fail = self._fragments, self._receiver.fail
        if (fragments is None) is (kind is _CONTINUATION):
            fail(framing.PROTOCOL_ERROR, "a frame that has no place here")
            return
        if fragments is None:
            fragments = self._fragments = _Fragments(kind, bool(frame.rsv1), self.announced)
            self.empty = False
        size, limit = fragments.size + frame.payload_size, self._receiver.max_size
        if size > limit:
            fail(framing.TOO_BIG, f"a message is at most {limit} bytes")
        elif framing.too_many_fragments(fragments.count, size):
            fail(framing.POLICY_VIOLATION, "a message has too many fragments")
        else:
            self._add(fragments, frame)

    def close(self, code: bytes) -> None:
        """Pass on the peer's close, behind the messages that came before it."""
        self._take(_CLOSE, code, False)

    def stop(self) -> None:
        """Drop incomplete messages."""
        self._fragments = self._waiting = None

    def _add(self, fragments: _Fragments, frame: WSFrame) -> None:
        try:
            fragments.add(frame.get_payload_as_memoryview(), bool(frame.fin))
        except UnicodeDecodeError:
            self._receiver.fail(framing.INVALID_TEXT, NO_UTF8)
            return
        if frame.fin:
            self._fragments = None
            self.empty = self._waiting is None
            self._take(fragments.kind, fragments.joined(), fragments.compressed)

    def _take(self, kind: WSMsgType, data: bytes, compressed: bool) -> None:
        if self._waiting is not None:
            self._waiting.append((kind, data, compressed))
        elif not compressed:
            self._deliver(kind, data)
        elif len(data) <= deflate.THREAD_ABOVE // 16 and self._expanded <= MAX_EXPANDED:
            self._expand_now(kind, data)
        else:
            self._waiting, self.empty = deque(), False
            self._receiver.hold_reading(True)
            self._task = asyncio.get_running_loop().create_task(self._expand(kind, data))

    def _deliver(self, kind: WSMsgType, data: bytes) -> None:
        if kind is _CLOSE:
            self._receiver.receive_close(data)
            return
        try:
            message: Buffer | str = data if kind is _BINARY else data.decode()
        except UnicodeDecodeError:
            self._receiver.fail(framing.INVALID_TEXT, NO_UTF8)
        else:
            self._receiver.receive(kind is _BINARY, message)

    def _inflate(self, data: bytes, limit: int) -> bytes:
        """Raises LimitExceeded, zlib.error."""
        assert self._inflater is not None
        return self._inflater.inflate(data, limit)

    def _expand_now(self, kind: WSMsgType, data: bytes) -> None:
        try:
            message = self._inflate(data, self._receiver.max_size)
        except (LimitExceeded, zlib.error) as error:
            self._refuse(error)
            return
        if not self._expanded:
            asyncio.get_running_loop().call_soon(self._turned)
        self._expanded += len(message) or 1
        self._deliver(kind, message)

    def _turned(self) -> None:
        self._expanded = 0

    async def _expand(self, kind: WSMsgType, data: bytes) -> None:
        loop, refused = asyncio.get_running_loop(), False
        try:
            message = await loop.run_in_executor(None, self._inflate, data, self._receiver.max_size)
        except (LimitExceeded, zlib.error) as error:
            refused = True
            self._refuse(error)
        waiting, self._waiting = self._waiting, None
        if waiting is None:  # disconnected
            return
        if not refused:
            self.empty = self._fragments is None
            self._deliver(kind, message)
        for item in waiting:
            if item[0] is _CLOSE or not refused:
                self._take(*item)
            if item[0] is _CLOSE:
                break
        if self._waiting is None:
            self._receiver.hold_reading(False)

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, LimitExceeded):
            self._receiver.fail(framing.TOO_BIG, str(error))
        else:
            self._receiver.fail(framing.INVALID_TEXT, "malformed compressed data")
