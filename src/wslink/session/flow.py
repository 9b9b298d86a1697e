"""Flow control of one session: what its client has received, and what may be sent (FLOW)."""

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
from wslink.wire.chunks import SMALL_MESSAGE
from wslink.wire.frames import Frame, Message

LOOK_EVERY = 32
"""Small frames that are sent before the clock is read. It is read after each large one."""
TURN_TIME = 0.002
"""Seconds per turn of the event loop for sending one client's frames (TURN-1)."""
MAX_HELD = 60_000
"""The longest delay of an acknowledgement that a peer is believed, in milliseconds."""


class Sink(Protocol):
    """A destination of frames: the part of session.ports.Transport that flow control needs."""

    @property
    def writable(self) -> bool: ...

    def send(self, frames: Sequence[Frame]) -> None: ...


class FlowControl:
    """Flow control of one session, based on its client's acknowledgements.

    Args:
        queue: the waiting messages.
        sink: where they are sent.
        send: see Acknowledgements.
        resume: called when more of the queue may be sent than before; it calls `pump`.
        numbers: the numbers of the received messages, with `resume`.

    Attributes:
        received: what has arrived, and its acknowledgements.
        line: estimates of the line.
        windows: the windows of the client's subscriptions, by number.
        deaf: whether reading is paused, so that no acknowledgement can arrive. Everything that the sink accepts is sent
            then: waiting for acknowledgements would be a deadlock if reading resumes only after the queue has shrunk
            (TURN-2).
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
        self._rests: dict[DeliveryWindow, asyncio.TimerHandle] = {}
        self._gates: tuple[tuple[int, ...], tuple[DeliveryWindow, ...]] = (), ()  # the latest result of `gates`

    # Sending ------------------------------------------------------------------

    def takes(self, size: int) -> bool:
        """Whether a small message may be sent at once, with an empty queue. If so, it is counted as sent."""
        line = self.line
        if line.in_flight >= line.window:
            return False
        line.sent(monotonic(), size, not self._queue.waiting)
        return True

    def pump(self) -> None:
        """Send what may be sent, and schedule the rest. With nothing in flight there is no queue on the line, however
        slow a busy moment has made it look, so at least one chunk is sent."""
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
            late = (not frames % LOOK_EVERY or frame.size > SMALL_MESSAGE) and monotonic() - now > TURN_TIME
        if not queue.waiting:
            line.idle()
        elif (late or 0 < delay < math.inf) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._again)

    def _again(self) -> None:
        self._timer = None
        self._resume()

    def acknowledged(self, total: int, held: int) -> None:
        """The client has received `total` bytes, and delayed the acknowledgement for `held` milliseconds."""
        self.line.acknowledged(monotonic(), total, min(held, MAX_HELD) / 1000)
        if self._queue.waiting:
            self._resume()

    def move(self, sink: Sink) -> None:
        """Start again on a new connection, whose line is unknown (RES-6)."""
        self.stop()
        self.received.restart()
        self._sink = sink
        self.line = CongestionController(monotonic())
        self.deaf = False

    def stop(self) -> None:
        """Stop the timers: the connection has ended."""
        self.received.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Windows --------------------------------------------------------------------

    def open_window(self, subscription: int, window: int | None, max_rate: float | None) -> DeliveryWindow:
        """Return the window of a subscription that is new, or that has a new filter."""
        found = self.windows.get(subscription)
        if found is None:
            found = self.windows[subscription] = DeliveryWindow(window, max_rate)
            self._gates = (), ()
        return found

    def close_window(self, subscription: int) -> None:
        """A subscription has ended. Messages that waited for it may be sent to others that share them."""
        window = self.windows.pop(subscription, None)
        if window is not None:
            window.end()
            self._gates = (), ()
            if (timer := self._rests.pop(window, None)) is not None:
                timer.cancel()

    def gates(self, subscriptions: tuple[int, ...]) -> tuple[DeliveryWindow, ...]:
        """The windows that a publication for `subscriptions` has to wait for."""
        known, gates = self._gates
        if known != subscriptions:  # the publications that wait for many windows share the tuple of them
            gates = tuple(self.windows[id_] for id_ in subscriptions if id_ in self.windows)
            self._gates = subscriptions, gates
        return gates

    def begin(self, entry: Entry, published: float, label: object) -> None:
        """A publication begins to be sent."""
        now = monotonic()
        for gate in entry.gates:
            if isinstance(gate, DeliveryWindow):
                gate.sent(now, published, entry.message.size, label)
                if gate.interval:
                    loop = asyncio.get_running_loop()
                    self._rests[gate] = loop.call_later(gate.interval, self._reopen, gate)

    def _reopen(self, window: DeliveryWindow) -> None:
        del self._rests[window]
        window.resting = False
        window.opened()
        if self._queue.waiting:
            self._resume()

    def settled(self, subscription: int, count: int, duration: int) -> Settled | None:
        """The client's callback has handled `count` publications of a subscription, the last one in `duration` ms."""
        window = self.windows.get(subscription)
        if window is None:
            return None
        line = self.line
        floor = line.min_rtt + window.next_size / line.rate + duration / 1000 if line.rate else 0.0
        found = window.settle(monotonic(), count, floor)
        if found is not None and self._queue.waiting:
            self._resume()
        return found
