"""State for the resumption of a session: numbers, tokens, and messages that the client may lack (RES)."""

from __future__ import annotations

import secrets

import msgspec

from wslink.session.numbering import Received
from wslink.session.repeatable import Repeatable
from wslink.session.send_queue import Ledger
from wslink.wire.partial import Partial

EXPIRED, OVERFLOW, RESTARTED, REFUSED = "expired", "overflow", "restarted", "refused"
"""Why a client cannot return (RES-1)."""
TOKEN_BYTES = 16


class Return(msgspec.Struct, frozen=True):
    """The part of a hello about resumption (RES-1).

    Attributes:
        token: the client's newest; "" at its first hello.
        received: the largest number that has arrived.
        missing: those below it that have not.
        begun: messages of which the beginning has arrived, and how many bytes of it (RES-13).
    """

    token: str = ""
    received: int = 0
    missing: tuple[int, ...] = ()
    begun: tuple[tuple[int, int], ...] = ()


class Resumption(Repeatable):
    """One session's.

    Args:
        limit: bytes that are kept (RES-4).
        max_missing: see Received.
        ledger: counts what is kept (LIM-6, `max_server_backlog`).

    Attributes:
        epoch: changes exactly when the state that the server keeps for the client is void (RES-10).
        token: the newest; "" before the first.
        previous: the one before it, for as long as it counts; "" if none does.
        foreign: digests of tokens that count and that another worker gave, before the session moved here.
        received: the numbers of messages from the client.
        begun: bytes that it takes to keep what has arrived of those that are not whole, while it is away (RES-13).
        lacks_from: what it has said at its return of what it has; see `offsets`.
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
        """The connection has ended: keep what has arrived of messages."""
        self._beginnings = begun or None
        self.begun = sum(partial.held for partial in begun.values())
        if begun:
            self._ledger.hold(self)

    def take_beginnings(self) -> dict[int, Partial]:
        """What was kept of them; it is not kept any longer."""
        begun, self._beginnings = self._beginnings, None
        if begun:
            self._ledger.release(self)
        self.begun = 0
        return begun or {}

    def forget_beginnings(self) -> None:
        """Keep what was kept of them no longer."""
        self.take_beginnings()

    def report_beginnings(self) -> list[list[int]]:
        """What the client is told of them (RES-13)."""
        return [[number, partial.reached] for number, partial in (self._beginnings or {}).items()]

    def give_up(self) -> None:
        super().give_up()
        self.take_beginnings()

    def renew(self) -> None:
        """Let the next token count, beside the newest so far (RES-7)."""
        self.token, self.previous = secrets.token_hex(TOKEN_BYTES), self.token
