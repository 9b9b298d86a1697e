"""A session's calls: their cancellation and progress, and the calls that the server makes of the client (CAN, PRG,
HND)."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping

from wslink.rpc.call import Call
from wslink.rpc.dispatcher import Dispatcher
from wslink.rpc.progress import Reporter
from wslink.session.client_calls import ClientCalls
from wslink.session.detachable import Detachable
from wslink.session.entries import Entry
from wslink.session.pace import Pace
from wslink.wire.codec import V2_WITH_ARRAYS, Encoder
from wslink.wire.extensions import PROGRESS
from wslink.wire.frames import Message
from wslink.wire.messages import PROGRESSES
from wslink.wire.v2_msgpack import V2Encoder
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")


class Cancellable(Detachable):
    """Adds to a session that calls can be cancelled while they run, wait for their turn, or wait to be answered, that
    they report progress, and that the server calls the client. Takes the arguments of Detachable."""

    encoder: Encoder
    __slots__ = ("_dispatcher", "_watched")

    _dispatcher: Dispatcher
    _watched: bool

    def accept_arrays(self) -> None:
        """Send and receive typed arrays from now on (ARR-1)."""
        assert self._decoder is not None
        self.encoder = V2_WITH_ARRAYS
        self._decoder.accept_arrays()

    def accept_calls(self) -> None:
        """Allow the server to call the client's methods from now on (HND)."""
        self.calls: ClientCalls | None = ClientCalls(self, self._max_frame, self._owner.limits.max_calls)

    def asks(self, id_: str, method: str, message: Message) -> None:
        """Notify observers that the server calls a method of the client."""
        for notify in self._owner.observers.asked:
            notify(self, id_, method, message)

    def replies(self, message: Mapping[str, Value]) -> None:
        """Notify observers that the client has responded to such a call."""
        for notify in self._owner.observers.replied:
            notify(self, message)

    @property
    def awaits_response(self) -> bool:
        """Whether the server is waiting for a response from the client."""
        return self.calls is not None and len(self.calls) > 0

    def read_on(self) -> None:
        """Read on past calls that wait for their turn, since a response is expected behind them."""
        if self._pace is not None:
            self._pace.intake.read_on()

    def accept_ends(self) -> None:
        """Drop messages that the client aborts before they are complete, from now on (CAN-3)."""
        assert self._decoder is not None
        self._decoder.accept_ends()

    def reporter(self, call: Call) -> Callable[[Value], None] | None:
        """Return a function that sends the progress of `call`; None if the client did not negotiate it (PRG-1)."""
        return Reporter(call, self._progress) if PROGRESSES in self.features else None

    def _progress(self, id_: str, value: Value) -> Callable[[], None]:
        """Encode a progress message. It waits only for earlier messages of its call, and never for the response
        (LANE-4)."""
        assert isinstance(self.encoder, V2Encoder)
        message = self.encoder.extension([PROGRESS, id_, value], self._max_frame)
        key = PROGRESS, id_
        return functools.partial(self.send, message, key, (id_, key))

    def cancel(self, id_: str) -> None:
        """Cancel one of the client's calls, at its request (CAN-1, CAN-2)."""
        is_running = self._dispatcher.cancel(id_)
        progress, entries = self.queue.newest((PROGRESS, id_)), self.queue.named.entries(id_)
        self.withdraw([entry for entry in entries if entry.names == (id_,) or entry is progress])
        if not is_running:
            self._watched = (self._pace is not None and self._pace.intake.cancel(id_)) or self._watched

    def withdraw(self, entries: list[Entry]) -> None:
        """Stop sending messages that are queued or partly sent."""
        if entries:
            messages = len(self.queue)
            for entry in entries:
                self.queue.give_up(entry)
            self._settle(messages - len(self.queue))
            self._pump()

    def _was_cancelled(self, pace: Pace, id_: str) -> bool:
        """Whether a call was cancelled while it waited for its turn."""
        cancelled = pace.intake.was_cancelled(id_)
        if not pace.intake.has_cancelled:
            self._watched = logger.isEnabledFor(logging.DEBUG)
        return cancelled
