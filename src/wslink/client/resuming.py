"""Resumption at the client's end (RES)."""

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
    """Whether a connection resumes the session of the one before.

    Attributes:
        resumed: whether the session goes on.
        reason: why it does not: "expired", "overflow", "restarted", "refused", or "unsupported" where the server never
            could.
    """

    resumed: bool
    reason: str | None


UNRESUMED = Verdict(False, UNSUPPORTED)


class Resuming:
    """The token, what has arrived, and the signs of life.

    Args:
        max_missing: see Received.
        ask: asks the server for a sign of life.
        lost: there is none: the connection is to be given up.

    Attributes:
        received: the numbers of the server's messages; None where it does not resume.
        life: see SignOfLife.
        epoch: the server's; "" where it has none.
    """

    def __init__(self, max_missing: int, ask: Callable[[], None], lost: Callable[[], None]) -> None:
        self.received: Received | None = None
        self.life: SignOfLife = SignOfLife(ask, lost)
        self.epoch: str = ""
        self._max_missing = max_missing
        self._token = ""
        self._begun: dict[int, Partial] = {}
        self._taken = 0  # connections one after another that ended because the session was resumed elsewhere

    def ended(self, code: int) -> None:
        """A connection has ended, with that close code."""
        self.life.stop()
        self._taken = self._taken + 1 if code == RESUMED_ELSEWHERE else 0

    @property
    def _is_contested(self) -> bool:
        """Whether another client has the token, too: the two would take the session from one another for ever
        (RES-9). Once, it may be this client's own hello that was late."""
        return self._taken > 1

    def request(self, overflowed: bool, decoder: V2Decoder) -> dict[str, Value]:
        """What hello says; without a token, or where too much was sent, it asks for a new session."""
        if self.received is None or overflowed or self._is_contested:
            return {}
        self._begun.update(decoder.take_beginnings())
        received, missing = self.received.report()
        begun = [[number, partial.reached] for number, partial in self._begun.items()]
        known: dict[str, Value] = {"token": self._token, "received": received, "missing": missing}
        return {**known, "begun": begun} if begun else known

    def welcome(self, resumed: Resumed | None, overflowed: bool, decoder: V2Decoder) -> Verdict:
        """The server has accepted hello; `decoder` reads what follows."""
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
