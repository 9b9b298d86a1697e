"""Sends what the transport accepts, and queues the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from wslink.session.chunk_size import UNSENT, ChunkSize
from wslink.session.congestion import MAX_CHUNK
from wslink.session.entries import Entry
from wslink.session.flow import LOOK_EVERY, TURN_TIME, FlowControl
from wslink.session.nowhere import Nowhere
from wslink.session.send_queue import QueueLedger, SendQueue
from wslink.wire.chunks import SMALL_MESSAGE, whole_source
from wslink.wire.frames import Frame, Message


class FrameSink(Protocol):
    """The part of session.ports.Transport that a sender needs."""

    @property
    def writable(self) -> bool: ...

    def send(self, frames: Sequence[Frame]) -> None: ...

    def limit_unsent(self, limit: int) -> None: ...


class Sender:
    """Hands the frames of a queue to a transport while it is writable, in chunks that fit the line.

    Args:
        transport: accepts the frames.
        limit: see SendQueue (LIM-6).
        ledger: see SendQueue.
        again: calls `pump`. It is scheduled for the next turn of the event loop if more can be sent than one turn
            allows. By default everything is sent in one turn.

    Attributes:
        queue: the waiting messages.
        flow: decides what may be sent, for clients that acknowledge; None for others.
    """

    __slots__ = ("_again", "_chunk", "_transport", "_turn", "_unsent", "flow", "queue")

    def __init__(
        self,
        transport: FrameSink,
        limit: int,
        ledger: QueueLedger | None = None,
        again: Callable[[], object] | None = None,
    ) -> None:
        self.queue: SendQueue = SendQueue(limit, ledger=ledger)
        self.flow: FlowControl | None = None
        self._transport = transport
        self._again = again
        self._turn: asyncio.Handle | None = None
        self._chunk = ChunkSize()
        self._unsent = UNSENT
        transport.limit_unsent(UNSENT)

    def put(self, entry: Entry, lane: int | None = None) -> tuple[bool, int]:
        """Queue a message, and send what may be sent.

        Returns:
            Whether one more message was waiting, and how many have been sent or dropped.

        Raises:
            LimitExceeded: the message does not fit; see SendQueue.put.
        """
        added = self.queue.put(entry, lane)
        return added, self.pump() if self._transport.writable else 0

    def send_whole(self, message: Message) -> bool:
        """Send a large message as one chunk, bypassing the queue, if nothing is waiting and a chunk may be that large.
        Returns whether it was sent. Not for clients that acknowledge."""
        source, size = message.source, message.size
        if source is None or self.queue.waiting or not self._transport.writable:
            return False
        if size >= self._chunk.size or size > source.max_frame:
            return False
        self._transport.send((whole_source(source),))
        return True

    def resume(self) -> int:
        """The transport is writable again. Returns how many messages have been sent."""
        if not self.queue.waiting:
            return 0
        self._chunk.resumed(monotonic())
        self._limit_unsent()
        return self.pump()

    def pump(self) -> int:
        """Send while the transport is writable. Returns how many messages have been sent."""
        transport, queue, chunk = self._transport, self.queue, self._chunk
        waiting = len(queue)
        if self.flow is not None:
            self.flow.pump()
            return waiting - len(queue)
        frames, start = 0, monotonic()
        while transport.writable and (frame := queue.next(chunk.size)) is not None:
            transport.send((frame,))
            chunk.given(frame.size)
            if frame.size >= chunk.size and transport.writable:
                chunk.taken(monotonic())
            frames += 1
            late = (not frames % LOOK_EVERY or frame.size > SMALL_MESSAGE) and monotonic() - start > TURN_TIME
            if late and self._again is not None:
                self._wait_for_turn(self._again)
                break
        if not queue.waiting:
            chunk.idle()
        return waiting - len(queue)

    def _wait_for_turn(self, again: Callable[[], object]) -> None:
        """Continue in the next turn of the event loop (TURN-1)."""

        def go_on() -> None:
            self._turn = None
            again()

        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(go_on)

    def move(self, transport: FrameSink) -> int:
        """Replace the transport, or lose it. Returns how many messages were dropped since they will be repeated."""
        waiting = len(self.queue)
        self._transport = transport
        self.queue.interrupt()
        self._chunk = ChunkSize()
        self._unsent = UNSENT
        transport.limit_unsent(UNSENT)
        if self.flow is not None:
            self.flow.move(transport)
        return waiting - len(self.queue)

    def flush(self) -> None:
        """Send everything, whether or not the transport is writable."""
        while (frame := self.queue.next(MAX_CHUNK)) is not None:
            self._transport.send((frame,))

    def clear(self) -> int:
        """Drop everything that is waiting, for good. Returns how many messages that were."""
        waiting = len(self.queue)
        self.queue.clear()
        if self._turn is not None:
            self._turn.cancel()
        if self.flow is not None:
            self.flow.stop()
        self._transport, self._again, self.flow = Nowhere(), None, None
        return waiting

    def _limit_unsent(self) -> None:
        limit = self._chunk.unsent
        if limit != self._unsent:
            self._unsent = limit
            self._transport.limit_unsent(limit)
