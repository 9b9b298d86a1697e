"""Flow control of one session: what its client has, and what may go (FLOW)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from wslink.session.acknowledgements import OFTEN, Acknowledgements
from wslink.session.congestion import CongestionController
from wslink.session.entries import Entry
from wslink.session.numbering import Received
from wslink.session.send_queue import SendQueue
from wslink.session.window import DeliveryWindow, Settled
from wslink.wire.frames import Frame, Message

LOOK_EVERY = 32
"""Frames that are handed over before the clock is asked."""
TURN_TIME = 0.002
"""Seconds of a turn of the event loop in which frames are handed over for one client (TURN-1)."""
MAX_HELD = 60_000
"""Milliseconds of holding an acknowledgement back that a peer is believed."""


class Sink(Protocol):
    """The destination of frames: the part of session.ports.Transport that matters here."""

    @property
    def writable(self) -> bool: ...

    def send(self, frames: Sequence[Frame]) -> None: ...


class FlowControl:
    """Flow control of one session, by its client's acknowledgements.

    Args:
        queue: what waits.
        sink: what it goes to.
        send: see Acknowledgements.
        resume: called when more of the queue may go than before; it calls `pump`.
        numbers: those of the messages that have arrived, with `resume`.

    Attributes:
        received: what has arrived, and its acknowledgements.
        line: what is known of the line.
        windows: of the client's subscriptions, by number.
        deaf: whether nothing is read from the connection, and so no acknowledgement arrives: all goes then that the
            sink takes. To wait for one would be for ever where nothing is read until what waits has gone (TURN-2).
    """

    def __init__(
        self,
        queue: SendQueue,
        sink: Sink,
        send: Callable[[Message], bool],
        resume: Callable[[], None],
        numbers: Received | None = None,
    ) -> None:
        self.line: CongestionController = CongestionController(monotonic())
        self.windows: dict[int, DeliveryWindow] = {}
        self.received: Acknowledgements = Acknowledgements(send, OFTEN, numbers)
        self.deaf: bool = False
        self._queue = queue
        self._sink = sink
        self._resume = resume
        self._timer: asyncio.TimerHandle | None = None

    # Sending ------------------------------------------------------------------

    def takes(self, size: int) -> bool:
        """Whether a small message may pass the queue, in which nothing waits; if so, it counts as sent."""
        line = self.line
        if line.in_flight >= line.window:
            return False
        line.sent(monotonic(), size, not self._queue.waiting)
        return True

    def pump(self) -> None:
        """Hand what may go to the sink, and see to it that what may not is looked at again. Where nothing is on its way
        nothing queues, however slow a busy moment has made the line look: a chunk goes at once."""
        queue, sink, line = self._queue, self._sink, self.line
        now = monotonic()
        delay = 0.0
        frames, late = 0, False
        while not late and sink.writable and (self.deaf or not (delay := line.delay(now)) or not line.in_flight):
            frame = queue.next(line.chunk_size)
            if frame is None:
                break
            sink.send((frame,))
            line.sent(now, frame.size)
            frames += 1
            late = not frames % LOOK_EVERY and monotonic() - now > TURN_TIME
        if not queue.waiting:
            line.idle()
        elif (late or 0 < delay < math.inf) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._again)

    def _again(self) -> None:
        self._timer = None
        self._resume()

    def acknowledged(self, total: int, held: int) -> None:
        """The client has received `total` bytes, and held that back for `held` milliseconds."""
        self.line.acknowledged(monotonic(), total, min(held, MAX_HELD) / 1000)
        if self._queue.waiting:
            self._resume()

    def move(self, sink: Sink) -> None:
        """Another connection begins: nothing is known of its line (RES-6)."""
        self.stop()
        self.received.restart()
        self._sink = sink
        self.line = CongestionController(monotonic())
        self.deaf = False

    def stop(self) -> None:
        """The connection has ended."""
        self.received.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Windows --------------------------------------------------------------------

    def open_window(self, subscription: int, window: int | None, max_rate: float | None) -> DeliveryWindow:
        """The window of a subscription that begins, or has a new filter."""
        found = self.windows.get(subscription)
        if found is None:
            found = self.windows[subscription] = DeliveryWindow(window, max_rate)
        return found

    def close_window(self, subscription: int) -> None:
        """A subscription has ended: what waits for it may go to others that share it."""
        window = self.windows.pop(subscription, None)
        if window is not None:
            window.end()

    def gates(self, subscriptions: tuple[int, ...]) -> tuple[DeliveryWindow, ...]:
        """What a publication for `subscriptions` waits for."""
        windows = self.windows
        return tuple(windows[id_] for id_ in subscriptions if id_ in windows)

    def begin(self, entry: Entry, published: float, label: object) -> None:
        """A publication begins to be sent."""
        now = monotonic()
        for gate in entry.gates:
            if isinstance(gate, DeliveryWindow):
                gate.sent(now, published, entry.message.size, label)
                if gate.interval:
                    asyncio.get_running_loop().call_later(gate.interval, self._reopen, gate)

    def _reopen(self, window: DeliveryWindow) -> None:
        window.resting = False
        window.opened()
        if self._queue.waiting:
            self._resume()

    def settled(self, subscription: int, count: int, duration: int) -> Settled | None:
        """The client's callback has dealt with `count` publications of a subscription, the last in `duration` ms."""
        window = self.windows.get(subscription)
        if window is None:
            return None
        line = self.line
        floor = line.min_rtt + window.next_size / line.rate + duration / 1000 if line.rate else 0.0
        found = window.settle(monotonic(), count, floor)
        if found is not None and self._queue.waiting:
            self._resume()
        return found
