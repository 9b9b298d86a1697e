"""What a client sends: small messages at once, large ones by what the line and the server take (LANE, FLOW-4)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from time import monotonic

from wslink.client.transfers import OnTransfer, Sending
from wslink.session.entries import Entry
from wslink.session.flow import FlowControl
from wslink.session.sender import FrameSink, Sender
from wslink.wire.frames import Frame, Message

NO_LIMIT = 1 << 62
"""What waits is the application's own."""


class Outbox:
    """The messages of one client that wait to be sent. It stands before their sink.

    Args:
        sink: takes frames; it is to call `resume` when it becomes writable again.

    Attributes:
        flow: see FlowControl; None for a server that acknowledges nothing.
        sends_ends: whether a message of which no more is sent is ended by a chunk that says so (CAN-3).
    """

    def __init__(self, sink: FrameSink) -> None:
        self.flow: FlowControl | None = None
        self.sends_ends: bool = False
        self._sink = sink
        self._watched: dict[Entry, Sending] = {}
        self._small = 0  # messages that wait
        self._sender = Sender(self, NO_LIMIT)
        self._queue = self._sender.queue

    def takes(self, message: Message) -> bool:
        """Whether a message is small, and its caller may send it at once, past large ones; it counts as sent then. It
        need not wait for the time that the last chunk of a large one takes."""
        if message.source is not None or self._small or not self._sink.writable:
            return False
        return self.flow is None or self.flow.takes(message.size)

    def post(self, message: Message, on_transfer: OnTransfer | None = None) -> Entry:
        """Send a message when it is its turn."""
        if message.source is None:
            self._small += 1
        entry = Entry(message, names=self._names(message), on_begin=self._begun)
        if on_transfer is not None:
            self._watched[entry] = Sending(entry, on_transfer)
        self._sender.put(entry)
        return entry

    def _names(self, message: Message) -> tuple[Hashable, ...]:
        """Large messages of about one size go one after another, so that few are under way (LIM-4, LANE-5); to a
        server that acknowledges nothing, all do."""
        if message.source is None:
            return ()
        return (message.size.bit_length() // 2 if self.flow is not None else 0,)

    def give_up(self, entry: Entry) -> None:
        """Nobody waits for a message any more: it is not sent, nor is the rest of it to a server that knows ends."""
        self._watched.pop(entry, None)
        if entry.over:
            return
        if self._queue.drop(entry):
            self._begun(entry)
        elif self.sends_ends:
            self._queue.give_up(entry)
        self._pump()

    def _begun(self, entry: Entry) -> None:
        if entry.message.source is None:
            self._small -= 1

    def start_flow(self) -> FlowControl:
        """Acknowledge what arrives, and send by what the server acknowledges, from now on."""
        self.flow = self._sender.flow = FlowControl(self._queue, self, self.notify, self._pump)
        return self.flow

    def notify(self, message: Message) -> bool:
        """Send a small message ahead of all that waits; True, since it does."""
        self._sink.send(message.frames)
        return True

    def urge(self, message: Message) -> None:
        """As `notify`, a message that is acknowledged."""
        if self.flow is not None:
            self.flow.line.sent(monotonic(), message.size)
        self._sink.send(message.frames)

    def resume(self) -> None:
        """The sink is writable again."""
        self._sender.resume()

    def _pump(self) -> None:
        self._sender.pump()

    def clear(self) -> None:
        """Forget what waits."""
        self._sender.clear()
        self._watched.clear()

    # What its sender sends to ---------------------------------------------------

    @property
    def writable(self) -> bool:
        return self._sink.writable

    def send(self, frames: Sequence[Frame]) -> None:
        self._sink.send(frames)
        for entry, sending in tuple(self._watched.items()) if self._watched else ():
            if sending.look():
                self._watched.pop(entry, None)

    def limit_unsent(self, limit: int) -> None:
        self._sink.limit_unsent(limit)
