"""The client's outbox: small messages are sent at once, large ones as fast as the line and the server accept them
(LANE, FLOW-4)."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence
from time import monotonic

from wslink.client.transfers import OnTransfer, Sending
from wslink.errors import ConnectionClosed
from wslink.session.entries import Entry
from wslink.session.flow import FlowControl
from wslink.session.nowhere import Nowhere
from wslink.session.numbering import Received
from wslink.session.repeatable import Repeatable, Uncounted
from wslink.session.sender import FrameSink, Sender
from wslink.wire.chunks import next_message_id
from wslink.wire.frames import Frame, Message

NO_LIMIT = 1 << 62
"""What waits is the application's own."""
ROOM = 1024 * 1024
"""Bytes that wait above which no further items of streams are made."""
NOWHERE = Nowhere()
"""What frames go to between connections."""


class Outbox:
    """The outgoing messages of one client, over successive connections. Between connections, all of them wait.

    Args:
        limit: bytes that are kept until the server has received them (RES-4).

    Attributes:
        flow: see FlowControl; None for a server that does not acknowledge.
        sent: messages that were sent and that the server may not have received; None if the session cannot be resumed.
        sends_ends: whether a partly sent message is aborted by a chunk that says so (CAN-3).
    """

    def __init__(self, limit: int) -> None:
        self.flow: FlowControl | None = None
        self.sent: Repeatable | None = None
        self.sends_ends: bool = False
        self._limit = limit
        self._sink: FrameSink = NOWHERE
        self._watched: dict[Entry, Sending] = {}
        self._small = 0  # waiting messages
        self._ended = False
        self._room = asyncio.Event()
        self._sender = Sender(self, NO_LIMIT)
        self._queue = self._sender.queue

    # Connections ----------------------------------------------------------------

    def disconnect(self) -> None:
        """The connection has ended. Messages that have not begun wait for the next one."""
        self._sink = NOWHERE
        self._sender.move(self)

    def begin(self, numbered: bool) -> None:
        """A session begins: nothing that was sent before counts. With `numbered`, it can be resumed."""
        self.flow = self._sender.flow = None
        self.sent = self._queue.numbers = Repeatable(self._limit, Uncounted()) if numbered else None

    def restore(self, messages: Iterable[Message]) -> None:
        """Send messages of the previous session in this one, ahead of what is waiting."""
        self._queue.repeat((self._number(message), message) for message in messages)

    def repeat(self, received: int, missing: frozenset[int], begun: Mapping[int, int]) -> None:
        """The session continues: send what the server is missing again, ahead of what is waiting (RES-6, RES-13)."""
        if self.sent is not None:
            self.sent.acknowledge(received, missing)
            again = ((number, kept.message) for number, kept in self.sent)
            self._queue.repeat(again, self.sent.offsets(begun.items()))

    def open(self, sink: FrameSink) -> None:
        """The server has accepted hello. Send what is waiting to `sink`, which calls `resume` when it is writable
        again."""
        self._sink = sink
        self._sender.move(self)

    def pump(self) -> None:
        """Send what may be sent."""
        self._sender.pump()

    def _number(self, message: Message) -> int:
        return self.sent.begin(Entry(message)) if self.sent is not None else next_message_id()

    @property
    def overflowed(self) -> bool:
        """Whether the server may be missing something that is not kept, so that the session cannot be resumed
        (RES-4)."""
        return self.sent is not None and self.sent.lost > 0

    def check_room(self, size: int) -> None:
        """Raise ConnectionClosed if there is no connection, and too much would wait for one."""
        waiting = self._queue.waiting
        if self._sink is NOWHERE and waiting and waiting + size > self._limit:
            raise ConnectionClosed(1006, f"over max_resume ({self._limit} bytes) would wait for a connection")

    # Messages -------------------------------------------------------------------

    def takes(self, message: Message) -> bool:
        """Whether a message is small, and may be sent at once, past large ones; it is counted as sent then. It need not
        wait for the last chunk of a large one to be transmitted."""
        if message.source is not None or self._small or self._queue.repeats or not self._sink.writable:
            return False
        return self.flow is None or self.flow.takes(message.size)

    def post(self, message: Message, on_transfer: OnTransfer | None = None, after: Entry | None = None) -> Entry:
        """Send a message when it is its turn, and when `after` is finished."""
        if message.source is None:
            self._small += 1
        entry = Entry(message, names=self._names(message), on_begin=self._begun)
        entry.after = after
        if on_transfer is not None:
            self._watched[entry] = Sending(entry, on_transfer)
        self._sender.put(entry)
        return entry

    def _names(self, message: Message) -> tuple[Hashable, ...]:
        """Large messages of about the same size are sent one after another, so that few are incomplete at a time
        (LIM-4, LANE-5). To a server that does not acknowledge, all of them are."""
        if message.source is None:
            return ()
        return (message.size.bit_length() // 2 if self.flow is not None else 0,)

    def give_up(self, entry: Entry) -> None:
        """A message is no longer needed. It is not sent, or aborted if the server supports that."""
        self._watched.pop(entry, None)
        if entry.over or self._ended:
            return
        if self._queue.drop(entry):
            self._begun(entry)
        elif self.sends_ends:
            self._queue.give_up(entry)
        self.pump()

    def _begun(self, entry: Entry) -> None:
        if entry.message.source is None:
            self._small -= 1

    def start_flow(self, numbers: Received | None) -> FlowControl:
        """Acknowledge received data, and send at the rate of the server's acknowledgements, from now on."""
        self.flow = self._sender.flow = FlowControl(self._queue, self, self.notify, self.pump, numbers)
        return self.flow

    @property
    def has_room(self) -> bool:
        """Whether little is waiting."""
        return self._queue.waiting <= ROOM

    async def room_again(self) -> None:
        """Wait until `has_room` may be true."""
        self._room.clear()
        await self._room.wait()

    def notify(self, message: Message) -> bool:
        """Send a small message with the number 0 ahead of everything that is waiting; it is not repeated (RES-2)."""
        self._sink.send(message.frames)
        return True

    def urge(self, message: Message) -> None:
        """Like `notify`, for a message that is acknowledged; with `resume` it is guaranteed to arrive."""
        if self.sent is not None:
            self.post(message)
            return
        if self.flow is not None:
            self.flow.line.sent(monotonic(), message.size)
        self._sink.send(message.frames)

    def resume(self) -> None:
        """The sink is writable again."""
        self._sender.resume()

    def clear(self) -> None:
        """Drop everything that is waiting, for good."""
        self._ended = True
        self._sender.clear()
        self._room.set()
        self._watched.clear()

    # What its sender sends to ---------------------------------------------------

    @property
    def writable(self) -> bool:
        return self._sink.writable

    def send(self, frames: Sequence[Frame]) -> None:
        self._sink.send(frames)
        if self._queue.waiting <= ROOM:
            self._room.set()
        for entry, sending in tuple(self._watched.items()) if self._watched else ():
            if sending.look():
                self._watched.pop(entry, None)

    def limit_unsent(self, limit: int) -> None:
        self._sink.limit_unsent(limit)
