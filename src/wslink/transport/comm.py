"""Sessions over Jupyter comm messages: the pages of one widget, and the connections that each of them opens.

The content of a message is a map with `kind`, and with `view` and `connection`, which the page has chosen.
docs/notebooks.md documents the kinds.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

from wslink.session.identity import Opening
from wslink.session.ports import FrameReceiver, HandshakeOwner
from wslink.session.session import Session
from wslink.session.state import CLOSED, State
from wslink.transport.base import CLOSE_TIMEOUT, close_reason, early_limit, too_large
from wslink.transport.heartbeat import Heartbeat
from wslink.transport.queued import PumpedConnection
from wslink.transport.tcp import Line
from wslink.wire.chunks import HEADER_LENGTH
from wslink.wire.frames import Buffer

logger: logging.Logger = logging.getLogger("wslink.transport.comm")

WINDOW = 1024 * 1024
"""Bytes that a page has not taken yet beyond which it is sent no more, and the other way round: what waits in Jupyter's
own queues can be neither replaced nor overtaken. A frame that is larger is sent by itself."""
INTERVAL = 0.005
"""Seconds between two messages of frames to a page: Jupyter's server drops what is over 1,000 messages in a second."""
MAX_BATCH = 256
"""Frames in a message."""
MAX_WAITING = WINDOW // HEADER_LENGTH
"""Frames of a page that may wait to be read: WINDOW holds no more of them that mean anything."""
ACKNOWLEDGE, ACKNOWLEDGE_TIME = WINDOW // 8, 0.1
"""Bytes taken, and seconds, after which the other end is told without a frame for it: every message costs Jupyter more
than a frame costs us."""
LOST, POLICY_VIOLATION, TOO_LARGE, TRY_AGAIN_LATER = 1006, 1008, 1009, 1013

Send = Callable[[dict[str, Any], list[Buffer]], None]
"""Sends a message's content and its buffers."""


class CommSocket:
    """The socket of a PumpedConnection. It sends frames in as few messages as possible, and no more than the page
    accepts.

    Args:
        send: sends a message to the page.
        closed: called once the server has closed the connection.
    """

    def __init__(self, send: Send, closed: Callable[[], None]) -> None:
        self._send = send
        self._closed = closed
        self._texts: list[str | None] = []
        self._buffers: list[Buffer] = []
        self._number = 0
        self._unacknowledged = 0
        self._room: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at = 0.0
        self._owed = 0
        self._due: asyncio.TimerHandle | None = None
        self._ended = False

    async def send_bytes(self, data: bytes) -> None:
        if not self._ended:
            self._buffers.append(data)
        await self._put(None, len(data))

    async def send_str(self, text: str) -> None:
        await self._put(text, size_of(text))

    async def close(self, code: int, message: bytes) -> None:
        if not self._ended:
            self._flush()
            self._send({"kind": "close", "code": code, "reason": message.decode()}, [])
        self._closed()

    def taken(self, size: int) -> None:
        """The page has accepted this many bytes."""
        self._unacknowledged = max(self._unacknowledged - size, 0)
        if self._unacknowledged < WINDOW and self._room is not None and not self._room.done():
            self._room.set_result(None)

    def acknowledge(self, size: int) -> None:
        """Report to the page soon that this many of its bytes were accepted."""
        self._owed += size
        if self._owed >= ACKNOWLEDGE:
            self._settle()
        elif self._due is None and not self._ended:
            self._due = asyncio.get_running_loop().call_later(ACKNOWLEDGE_TIME, self._settle)

    def end(self) -> None:
        """The page has gone: drop what is sent from now on."""
        self._ended = True
        self.taken(self._unacknowledged)
        for timer in (self._timer, self._due):
            if timer is not None:
                timer.cancel()

    def _settle(self) -> None:
        owed = self._take_owed()
        if owed and not self._ended:
            self._send({"kind": "taken", "taken": owed}, [])

    def _take_owed(self) -> int:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        owed, self._owed = self._owed, 0
        return owed

    async def _put(self, text: str | None, size: int) -> None:
        """Send a frame together with others; returns when the next may be sent."""
        if self._ended:
            return
        self._texts.append(text)
        self._unacknowledged += size
        if len(self._texts) >= MAX_BATCH:
            self._flush()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(self._sent_at + INTERVAL - monotonic(), 0), self._flush)
        while self._unacknowledged >= WINDOW and not self._ended:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        texts, buffers, self._texts, self._buffers = self._texts, self._buffers, [], []
        if texts and not self._ended:
            self._sent_at = monotonic()
            content = {"kind": "frames", "number": self._number, "texts": texts, "taken": self._take_owed()}
            self._send(content, buffers)
            self._number += 1


def size_of(frame: Buffer | str) -> int:
    """The size of a frame as both ends count it: bytes, or for text UTF-16 units, which JavaScript counts."""
    return len(frame) if not isinstance(frame, str) else len(frame.encode("utf-16-le", "surrogatepass")) // 2


class _Pump(PumpedConnection):
    """A PumpedConnection that reports when the server closes it: a page that reads nothing would never see the end
    behind what is waiting."""

    def __init__(self, socket: CommSocket, closing: Callable[[], object]) -> None:
        super().__init__(socket)
        self._closing_soon = closing

    def close(self, code: int, reason: str) -> None:
        super().close(code, close_reason(reason).decode())
        self._closing_soon()


class CommConnection:
    """A session over the messages of one page's connection.

    Args:
        host: the owner of the session.
        send: sends a message to the page.
        ended: called once, when the connection has ended.
    """

    def __init__(self, host: HandshakeOwner, send: Send, ended: Callable[[], None]) -> None:
        self._host = host
        self._send = send
        self._on_end = ended
        self._ended = False
        self._socket = CommSocket(send, lambda: self.end(False))
        self._connection = _Pump(self._socket, self._end_soon)
        self._session = Session(host, self._connection, Opening(vouched=True))
        self._connection.carry(self._session)
        self._expected = 0
        self._inbox: deque[Buffer | str] = deque()
        self._waiting = 0  # bytes
        self._reading: asyncio.Task[None] | None = None
        self._heartbeat = Heartbeat(host.heartbeat, self)

    @property
    def _receiver(self) -> FrameReceiver:
        return self._connection.receiver or self._session

    @property
    def is_stranger(self) -> bool:
        """Whether it has not completed hello."""
        return self._session.state is State.NEW

    def take(self, content: Mapping[str, Any], buffers: Sequence[Buffer]) -> None:
        """Handle a message from the page."""
        self._heartbeat.heard = True
        kind = content.get("kind")
        if isinstance(taken := content.get("taken"), int):
            self._socket.taken(taken)
        if kind == "frames":
            self._frames(content, buffers)
        elif kind == "close":
            self.end(content.get("code") in (1000, 1001))

    def refuse(self, code: int, reason: str) -> None:
        """Close the connection because of a violation by the page."""
        self._receiver.close(code, reason)

    def drop(self, code: int, reason: str) -> None:
        """End the connection at once."""
        self._send({"kind": "close", "code": code, "reason": reason}, [])
        self.end(False)

    def _end_soon(self) -> None:
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.end, False)

    def end(self, asked: bool) -> None:
        """The connection has ended. `asked` means that the page closed it. Safe to call more than once."""
        if not self._ended:
            self._ended = True
            self._heartbeat.stop()
            self._socket.end()
            self._inbox.clear()
            self._connection.resume_reading()
            self._receiver.closed(asked)
            self._on_end()

    # transport.heartbeat.Peer

    def beat(self) -> None:
        self._send({"kind": "ping"}, [])

    def dead(self, reason: str) -> None:
        logger.info("client %s: %s", self._session.client_id, reason)
        self.drop(LOST, reason)

    def arrived(self) -> int:
        return 0

    def line(self) -> Line:
        return Line(0, math.inf)

    def _frames(self, content: Mapping[str, Any], buffers: Sequence[Buffer]) -> None:
        texts = content.get("texts")
        if self._receiver.state is CLOSED:
            return
        if content.get("number") != self._expected or not isinstance(texts, list):
            self.refuse(POLICY_VIOLATION, "messages of the page were lost on their way")
        elif len(texts) + len(self._inbox) > MAX_WAITING:
            self.refuse(POLICY_VIOLATION, f"of a page, at most {MAX_WAITING} frames wait")
        else:
            self._expected += 1
            self._queue(texts, iter(buffers))

    def _queue(self, texts: Sequence[object], buffers: Iterator[Buffer]) -> None:
        """Queue frames for reading, unless one of them, or their sum, is too large."""
        limits = self._host.limits
        for text in texts:
            frame = next(buffers, b"") if text is None else str(text)
            size = size_of(frame)
            if size > (early_limit(limits) if self.is_stranger else limits.max_frame):
                self.refuse(TOO_LARGE, too_large(limits, not self.is_stranger))
                return
            self._inbox.append(frame)
            self._waiting += size
        if self._waiting > WINDOW + limits.max_frame:
            self.refuse(POLICY_VIOLATION, f"a page sends {WINDOW} bytes at most before they are taken")
        elif self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        """Pass what has arrived to the session, one frame per turn of the event loop, and acknowledge it."""
        while self._inbox and self._receiver.state is not CLOSED:
            if self._connection.gate.closed:
                await self._connection.gate.wait()
                continue
            frame = self._inbox.popleft()
            self._waiting -= size_of(frame)
            self._socket.acknowledge(size_of(frame))
            self._receiver.receive(not isinstance(frame, str), frame)
            await asyncio.sleep(0)


class CommEndpoint:
    """The connections of all pages of a widget. Use it on the event loop's thread.

    Args:
        host: the owner of the sessions.
        send: sends a message's content and buffers to every page.
    """

    def __init__(self, host: HandshakeOwner, send: Send) -> None:
        self._host = host
        self._send = send
        self._connections: dict[tuple[str, int], CommConnection] = {}

    def take(self, content: Mapping[str, Any], buffers: Sequence[Buffer]) -> None:
        """Handle a message from a page. Malformed ones are ignored."""
        view, number = content.get("view"), content.get("connection")
        if not isinstance(view, str):
            return
        if content.get("kind") == "leave":
            for key in [key for key in self._connections if key[0] == view]:
                self._connections[key].end(True)
        elif isinstance(number, int):
            known = self._connections.get((view, number))
            if known is not None:
                known.take(content, buffers)
            else:
                self._unknown(view, number, content.get("kind"))

    def _unknown(self, view: str, number: int, kind: object) -> None:
        """Handle a message of an unknown connection: its first, or one that has ended here."""

        def send(content: dict[str, Any], buffers: list[Buffer]) -> None:
            try:
                self._send({"view": view, "connection": number, **content}, buffers)
            except Exception:  # the page gives no sign of life then, or notices a gap
                logger.exception("a message to a page cannot be sent")

        if kind == "open" and self._has_room():
            send({"kind": "opened"}, [])
            key = view, number
            self._connections[key] = CommConnection(self._host, send, lambda: self._forget(key))
        elif kind == "open":
            most = self._host.limits.max_clients
            send({"kind": "close", "code": TRY_AGAIN_LATER, "reason": f"max_clients ({most}) are connected"}, [])
        elif kind == "frames":
            send({"kind": "close", "code": LOST, "reason": "the connection is not known here"}, [])

    def _has_room(self) -> bool:
        """Whether another connection is allowed, possibly in place of one that has not completed hello (LIM-11)."""
        if len(self._connections) < self._host.limits.max_clients:
            return True
        oldest = next((one for one in self._connections.values() if one.is_stranger), None)
        if oldest is not None:
            oldest.drop(TRY_AGAIN_LATER, "it has not said hello, and others wait")
        return oldest is not None

    def _forget(self, key: tuple[str, int]) -> None:
        self._connections.pop(key, None)
