"""Calls that the client of a session gives up (CAN)."""

from __future__ import annotations

import logging

from wslink.rpc.dispatcher import Dispatcher
from wslink.session.detachable import Detachable
from wslink.session.pace import Pace
from wslink.wire.codec import V2_WITH_ARRAYS, Encoder

logger: logging.Logger = logging.getLogger("wslink")


class Cancellable(Detachable):
    """What a session does with a call that is given up: it runs, waits for its turn, or its response waits."""

    encoder: Encoder
    __slots__ = ("_dispatcher", "_watched")

    _dispatcher: Dispatcher
    _watched: bool

    def accept_arrays(self) -> None:
        """Send and receive typed arrays from now on (ARR-1)."""
        assert self._decoder is not None
        self.encoder = V2_WITH_ARRAYS
        self._decoder.accept_arrays()

    def accept_ends(self) -> None:
        """Drop messages that the client ends before they are whole, from now on (CAN-3)."""
        assert self._decoder is not None
        self._decoder.accept_ends()

    def cancel(self, id_: str) -> None:
        """The client gave up a call of its own (CAN-1, CAN-2)."""
        if self._dispatcher.cancel(id_):
            return
        response = self.queue.named.response(id_)
        if response is not None:
            messages = len(self.queue)
            self.queue.give_up(response)
            self._settle(messages - len(self.queue))
            self._pump()
        self._watched = (self._pace is not None and self._pace.withdraw(id_)) or self._watched

    def _was_cancelled(self, pace: Pace, id_: str) -> bool:
        """Whether a call was cancelled before it was taken."""
        cancelled = pace.withdrew(id_)
        if not pace.withdraws:
            self._watched = logger.isEnabledFor(logging.DEBUG)
        return cancelled
