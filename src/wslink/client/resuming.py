"""Resumption on the client's side (RES)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wslink.client.hello import Resumed
from wslink.client.sign_of_life import SignOfLife
from wslink.session.numbering import Received
from wslink.wire.partial import Partial
from wslink.wire.v2_msgpack import V2Decoder
from wslink.wire.value import Value

OVERFLOW, REFUSED, UNSUPPORTED = "overflow", "refused", "unsupported"
RESUMED_ELSEWHERE = 4001


class Verdict(NamedTuple):
    """Whether a connection resumes the session of the previous one.

    Attributes:
        resumed: whether the session continues.
        reason: why it does not: "expired", "overflow", "restarted", "refused", or "unsupported" by the server.
    """

    resumed: bool
    reason: str | None


UNRESUMED = Verdict(False, UNSUPPORTED)


class Resuming:
    """The resumption token, the received messages, and signs of life.

    Args:
        max_missing: see Received.
        ask: requests a sign of life from the server.
        lost: called if there is none: the connection is to be aborted.

    Attributes:
        received: the numbers of the server's messages; None if the server does not support resumption.
        life: see SignOfLife.
        epoch: the server's epoch; "" if it has none.
    """

    def __init__(self, max_missing: int, ask: Callable[[], None], lost: Callable[[], None]) -> None:
        self.received: Received | None = None
        self.life: SignOfLife = SignOfLife(ask, lost)
        self.epoch: str = ""
        self._max_missing = max_missing
        self._token = ""
        self._begun: dict[int, Partial] = {}
        self._taken = 0  # successive connections that ended because the session was resumed elsewhere

    def ended(self, code: int) -> None:
        """A connection has ended with this close code."""
        self.life.stop()
        self._taken = self._taken + 1 if code == RESUMED_ELSEWHERE else 0

    @property
    def _is_contested(self) -> bool:
        """Whether another client has the same token: the two would take the session from each other for ever (RES-9).
        Once, the other one may be a late hello of this client itself."""
        return self._taken > 1

    def request(self, overflowed: bool, decoder: V2Decoder) -> dict[str, Value]:
        """The resumption data for hello. Without a token, or if too much was sent, it requests a new session."""
        if self.received is None or overflowed or self._is_contested:
            return {}
        self._begun.update(decoder.take_beginnings())
        received, missing = self.received.report()
        begun = [[number, partial.reached] for number, partial in self._begun.items()]
        known: dict[str, Value] = {"token": self._token, "received": received, "missing": missing}
        return {**known, "begun": begun} if begun else known

    def welcome(self, resumed: Resumed | None, overflowed: bool, decoder: V2Decoder) -> Verdict:
        """The server has accepted hello; `decoder` decodes what follows."""
        begun, self._begun = self._begun, {}
        self.life.watch(resumed.heartbeat if resumed is not None else 0.0)
        if resumed is None:
            self.received, self.epoch = None, ""
            return UNRESUMED
        self._token, self.epoch = resumed.token, resumed.epoch
        if resumed.resumed:
            decoder.go_on(begun)
            return Verdict(True, None)
        self.received = Received(self._max_missing)
        return Verdict(False, OVERFLOW if overflowed else REFUSED if self._is_contested else resumed.reason)
