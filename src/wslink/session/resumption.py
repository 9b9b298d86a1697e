"""What a session keeps so that its client can return to it: numbers, tokens, and what the client may lack (RES)."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from wslink.session.numbering import Received
from wslink.session.repeatable import Repeatable
from wslink.session.send_queue import Ledger

EXPIRED, OVERFLOW, RESTARTED, REFUSED = "expired", "overflow", "restarted", "refused"
"""Why a client cannot return (RES-1)."""
TOKEN_BYTES = 16


class Return(NamedTuple):
    """What a hello says about resumption (RES-1).

    Attributes:
        token: the client's newest; "" at its first hello.
        received: the largest number that has arrived.
        missing: those below it that have not.
    """

    token: str = ""
    received: int = 0
    missing: tuple[int, ...] = ()


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
    """

    __slots__ = ("epoch", "foreign", "previous", "received", "token")

    def __init__(self, limit: int, max_missing: int, ledger: Ledger) -> None:
        super().__init__(limit, ledger)
        self.epoch: str = secrets.token_hex(8)
        self.token: str = secrets.token_hex(TOKEN_BYTES)
        self.previous: str = ""
        self.foreign: frozenset[bytes] = frozenset()
        self.received: Received = Received(max_missing)

    def renew(self) -> None:
        """Let the next token count, beside the newest so far (RES-7)."""
        self.token, self.previous = secrets.token_hex(TOKEN_BYTES), self.token
