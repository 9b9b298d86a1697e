"""Calls that the client of a session gives up (CAN)."""

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
    """Cancellation of a session's calls: one that runs, that waits for its turn, or whose response waits."""

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
        """Let the server call methods of the client, from now on (HND)."""
        self.calls: ClientCalls | None = ClientCalls(self, self._max_frame, self._owner.limits.max_calls)

    def asks(self, id_: str, method: str, message: Message) -> None:
        """The server calls a method of the client."""
        for notify in self._owner.observers.asked:
            notify(self, id_, method, message)

    def replies(self, message: Mapping[str, Value]) -> None:
        """The client has responded to such a call."""
        for notify in self._owner.observers.replied:
            notify(self, message)

    @property
    def awaits_response(self) -> bool:
        """Whether the server waits for a response of the client's."""
        return self.calls is not None and len(self.calls) > 0

    def read_on(self) -> None:
        """A response is waited for, which must be read past what waits for its turn."""
        if self._pace is not None:
            self._pace.read_on()

    def accept_ends(self) -> None:
        """Drop messages that the client ends before they are whole, from now on (CAN-3)."""
        assert self._decoder is not None
        self._decoder.accept_ends()

    def reporter(self, call: Call) -> Callable[[Value], None] | None:
        """What sends the progress of a call whose caller asks for it; None where that was not agreed on (PRG-1)."""
        return Reporter(call, self._progress) if PROGRESSES in self.features else None

    def _progress(self, id_: str, value: Value) -> Callable[[], None]:
        """Encode the progress of a call. It waits behind none but what else of that call does, and never behind its
        response (LANE-4)."""
        assert isinstance(self.encoder, V2Encoder)
        message = self.encoder.extension([PROGRESS, id_, value], self._max_frame)
        key = PROGRESS, id_
        return functools.partial(self.send, message, key, (id_, key))

    def cancel(self, id_: str) -> None:
        """The client gave up a call of its own (CAN-1, CAN-2)."""
        is_running = self._dispatcher.cancel(id_)
        progress, entries = self.queue.newest((PROGRESS, id_)), self.queue.named.entries(id_)
        self.withdraw([entry for entry in entries if entry.names == (id_,) or entry is progress])
        if not is_running:
            self._watched = (self._pace is not None and self._pace.withdraw(id_)) or self._watched

    def withdraw(self, entries: list[Entry]) -> None:
        """Send no more of messages that wait."""
        if entries:
            messages = len(self.queue)
            for entry in entries:
                self.queue.give_up(entry)
            self._settle(messages - len(self.queue))
            self._pump()

    def _was_cancelled(self, pace: Pace, id_: str) -> bool:
        """Whether a call was cancelled before it was taken."""
        cancelled = pace.withdrew(id_)
        if not pace.withdraws:
            self._watched = logger.isEnabledFor(logging.DEBUG)
        return cancelled
