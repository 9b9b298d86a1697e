"""The state needed to resume a session: numbers, tokens, and messages that the client may have missed (RES)."""

from __future__ import annotations

import secrets

import msgspec

from wslink.session.numbering import Received
from wslink.session.repeatable import Repeatable
from wslink.session.send_queue import Ledger
from wslink.wire.partial import Partial

EXPIRED, OVERFLOW, RESTARTED, REFUSED = "expired", "overflow", "restarted", "refused"
"""The reasons why a client cannot return (RES-1)."""
TOKEN_BYTES = 16


class Return(msgspec.Struct, frozen=True):
    """The part of a hello that concerns resumption (RES-1).

    Attributes:
        token: the client's newest token; "" at its first hello.
        received: the highest message number that has arrived.
        missing: the numbers below it that have not arrived.
        begun: the messages that have arrived in part, and how many bytes of each (RES-13).
    """

    token: str = ""
    received: int = 0
    missing: tuple[int, ...] = ()
    begun: tuple[tuple[int, int], ...] = ()


class Resumption(Repeatable):
    """The resumption state of one session.

    Args:
        limit: bytes that are kept (RES-4).
        max_missing: see Received.
        ledger: counts what is kept (LIM-6, `max_server_backlog`).

    Attributes:
        epoch: changes exactly when the state that the server keeps for the client becomes void (RES-10).
        token: the newest token; "" before the first.
        previous: the token before it, as long as it is valid; "" if none is.
        foreign: digests of valid tokens that another worker issued before the session moved here.
        received: the numbers of messages from the client.
        begun: bytes of partly received messages that are kept while the client is away (RES-13).
        lacks_from: what the client has reported on its return; see `offsets`.
    """

    __slots__ = ("_beginnings", "begun", "epoch", "foreign", "lacks_from", "previous", "received", "token")

    def __init__(self, limit: int, max_missing: int, ledger: Ledger) -> None:
        super().__init__(limit, ledger)
        self.epoch: str = secrets.token_hex(8)
        self.token: str = secrets.token_hex(TOKEN_BYTES)
        self.previous: str = ""
        self.foreign: frozenset[bytes] = frozenset()
        self.received: Received = Received(max_missing)
        self.begun: int = 0
        self.lacks_from: tuple[tuple[int, int], ...] = ()
        self._beginnings: dict[int, Partial] | None = None

    def keep_beginnings(self, begun: dict[int, Partial]) -> None:
        """Keep partly received messages: the connection has ended."""
        self._beginnings = begun or None
        self.begun = sum(partial.held for partial in begun.values())
        if begun:
            self._ledger.hold(self)

    def take_beginnings(self) -> dict[int, Partial]:
        """Return the partly received messages that were kept, and keep them no longer."""
        begun, self._beginnings = self._beginnings, None
        if begun:
            self._ledger.release(self)
        self.begun = 0
        return begun or {}

    def forget_beginnings(self) -> None:
        """Drop the partly received messages that were kept."""
        self.take_beginnings()

    def report_beginnings(self) -> list[list[int]]:
        """Return what the client is told about them (RES-13)."""
        return [[number, partial.reached] for number, partial in (self._beginnings or {}).items()]

    def give_up(self) -> None:
        super().give_up()
        self.take_beginnings()

    def renew(self) -> None:
        """Issue the next token. The newest so far stays valid as the previous one (RES-7)."""
        self.token, self.previous = secrets.token_hex(TOKEN_BYTES), self.token
