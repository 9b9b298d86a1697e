"""The way out of a session: what the transport takes goes at once, the rest waits in the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from wslink.session.congestion import MAX_CHUNK, UNSENT, ChunkSize
from wslink.session.entries import Entry
from wslink.session.flow import LOOK_EVERY, TURN_TIME, FlowControl
from wslink.session.nowhere import Nowhere
from wslink.session.send_queue import QueueLedger, SendQueue
from wslink.wire.chunks import whole_source
from wslink.wire.frames import Frame, Message


class FrameSink(Protocol):
    """A sender's interface to its transport; see ports.Transport."""

    @property
    def writable(self) -> bool: ...

    def send(self, frames: Sequence[Frame]) -> None: ...

    def limit_unsent(self, limit: int) -> None: ...


class Sender:
    """Hands the frames of a queue to a transport for as long as that is writable, in chunks of what the line takes.

    Args:
        transport: takes the frames.
        limit: see SendQueue (LIM-6).
        ledger: see SendQueue.
        again: calls `pump`; asked for in the event loop's next turn where more can go than is handed over in one.
            Everything goes in one unless given.

    Attributes:
        queue: what waits.
        flow: decides what goes, for a client that acknowledges; None for others.
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
        """Queue a message, and send what may go.

        Returns:
            Whether one message more waited than before, and how many have gone out or never will.

        Raises:
            LimitExceeded: if it does not fit; see SendQueue.put.
        """
        added = self.queue.put(entry, lane)
        return added, self.pump() if self._transport.writable else 0

    def send_whole(self, message: Message) -> bool:
        """Send a large message as one chunk without a place in the queue, where nothing waits and a chunk may be so
        large; whether that was so. Not for a client that acknowledges."""
        source, size = message.source, message.size
        if source is None or self.queue.waiting or not self._transport.writable:
            return False
        if size >= self._chunk.size or size > source.max_frame:
            return False
        self._transport.send((whole_source(source),))
        return True

    def resume(self) -> int:
        """The transport is writable again; how many messages have gone out."""
        if not self.queue.waiting:
            return 0
        self._chunk.resumed(monotonic())
        self._limit_unsent()
        return self.pump()

    def pump(self) -> int:
        """Hand frames to the transport for as long as it is writable; how many messages have gone out."""
        transport, queue, chunk = self._transport, self.queue, self._chunk
        waiting = len(queue)
        if self.flow is not None:
            self.flow.pump()
            return waiting - len(queue)
        frames, start = 0, 0.0
        while transport.writable and (frame := queue.next(chunk.size)) is not None:
            transport.send((frame,))
            chunk.given(frame.size)
            if frame.size >= chunk.size and transport.writable:
                chunk.taken(monotonic())
            frames += 1
            if not frames % LOOK_EVERY:
                start = start or monotonic()
                if self._again is not None and monotonic() - start > TURN_TIME:
                    self._wait_for_turn(self._again)
                    break
        if not queue.waiting:
            chunk.idle()
        return waiting - len(queue)

    def _wait_for_turn(self, again: Callable[[], object]) -> None:
        """Go on in the event loop's next turn (TURN-1)."""

        def go_on() -> None:
            self._turn = None
            again()

        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(go_on)

    def move(self, transport: FrameSink) -> int:
        """The connection is lost, or another one takes its place; how many messages will be repeated instead."""
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
        """Hand everything to the transport, whether or not it is writable."""
        while (frame := self.queue.next(MAX_CHUNK)) is not None:
            self._transport.send((frame,))

    def clear(self) -> int:
        """Forget what waits, for good; how many messages that were."""
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
