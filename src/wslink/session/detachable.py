"""Sessions that outlive their connections (RES)."""

from __future__ import annotations

import asyncio
import logging

from wslink.session.acknowledgements import SELDOM, Acknowledgements
from wslink.session.identity import Identity, Opening
from wslink.session.intake import CLIENT_TIME, CREDIT
from wslink.session.notices import MAX_UNREAD
from wslink.session.nowhere import Departed, Nowhere
from wslink.session.ports import SessionOwner, Transport
from wslink.session.refusals import Refusals
from wslink.session.resumption import EXPIRED, OVERFLOW, REFUSED, Resumption, Return
from wslink.session.state import CLOSED, DETACHED, OPEN, Event
from wslink.session.tokens import digest
from wslink.wire.chunks import numbered
from wslink.wire.codec import Decoder
from wslink.wire.frames import Message
from wslink.wire.messages import ARRAYS, CANCELLATION
from wslink.wire.v2_msgpack import V2Decoder
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")

RESUMED_ELSEWHERE = 4001
"""The close code of a connection whose client has resumed over another one (RES-9)."""


class Detachable(Refusals):
    """Adds to a session that it can wait for its client to return. Takes the arguments of Outgoing."""

    resumption: Resumption | None
    acknowledgements: Acknowledgements | None
    credit: int
    __slots__ = ("_decoder", "_opening", "_window", "resumable", "verdict")

    def __init__(
        self, owner: SessionOwner, transport: Transport, opening: Opening, client_id: str, route: Value
    ) -> None:
        super().__init__(owner, transport, client_id, route)
        self._opening = opening
        self._decoder: Decoder | None = None
        self._window: asyncio.TimerHandle | None = None
        self.resumable: bool = True
        """Whether `resume` is offered, that is, whether the connection can be handed to another session."""
        self.verdict: str = EXPIRED
        """The reason why the client cannot return, once the session has ended."""

    def closed(self, asked: bool = False) -> None:
        """The connection has ended. `asked` means that the client closed it. Safe to call more than once."""
        if self.resumption is not None and not asked and self.state is OPEN:
            self.detach()
        elif self.state is not DETACHED:
            self._end()

    def _end(self, stops: bool = False) -> None:
        """End the session for good."""
        raise NotImplementedError

    def begin_resumption(self) -> Resumption:
        """Number and keep all messages from now on, except for the response to hello, which is still to be sent without
        a number."""
        limits = self._owner.limits
        self.resumption = found = Resumption(limits.max_resume, limits.max_partial, self._owner.backlog)
        self.queue.numbers = found
        return found

    def answer_hello(self, id_: str, result: dict[str, Value]) -> None:
        """Send the response to a hello."""
        if self.resumption is None:
            self.result(id_, result)
            return
        response = self.encoder.result(id_, result, self._max_frame)
        if not self._send_now(Message(tuple(numbered(response, 0)), response.size)):
            self.close(1008, f"it says hello again and again, and has read none of {MAX_UNREAD} responses")

    def start_resume(self) -> None:
        """Acknowledge received messages from now on (RES-5)."""
        assert self.resumption is not None
        for each in self.resumption.foreign:
            self._owner.tokens.adopt(each, self)
        if self.resumption.token:
            self._owner.tokens.add(self.resumption.token, self)
        if self.acknowledgements is None:
            self.acknowledgements = Acknowledgements(self._send_now, SELDOM, self.resumption.received)

    @property
    def chunked(self) -> bool:
        """Whether binary frames are chunks of messages (G2-2)."""
        return self.encoder.version == 2

    def uncount(self, size: int) -> None:
        """What comes next begins with `size` bytes that the client has not sent (FLOW-1)."""
        if self.acknowledgements is not None:
            self.acknowledgements.received -= size

    def void_previous_token(self) -> None:
        """Void the previous token: by acknowledging messages the client has shown that it knows its newest one
        (RES-7)."""
        resumption = self.resumption
        if resumption is not None:
            self._owner.tokens.void(resumption.previous)
            self._void_foreign(resumption)
            resumption.previous = ""

    def _void_foreign(self, resumption: Resumption, verdict: str = EXPIRED) -> None:
        """Void the tokens that a previous worker issued."""
        for each in resumption.foreign:
            self._owner.tokens.void_digest(each, verdict)
        resumption.foreign = frozenset()

    # Going ------------------------------------------------------------------------

    def detach(self) -> None:
        """The connection is lost: wait for the client to return (RES-6)."""
        self.advance(Event.DETACHED)
        if self.resumption is not None and isinstance(self._decoder, V2Decoder):
            self.resumption.keep_beginnings(self._decoder.take_beginnings())
        self._decoder = None
        self._move(Nowhere())
        if self._is_over_limit():
            return
        loop = asyncio.get_running_loop()
        self._window = loop.call_later(self._owner.limits.resume_window, self._expire)
        self._owner.detached(self)

    def stalled(self, reason: str) -> None:
        """The client has accepted nothing for too long (LIM-6). The connection ends, and with it the session unless it
        can be resumed: the line may be dead without either end having noticed."""
        if self.resumption is None or self.state is not OPEN:
            self.close(1008, reason)
            return
        logger.warning("client %s is disconnected: %s", self.client_id, reason)
        self._transport.close(1008, reason)
        self.detach()

    def check_kept(self) -> None:
        """More messages are waiting for a client that is away."""
        self._is_over_limit()

    def _is_over_limit(self) -> bool:
        """Check the bound on what is kept for a client that is away (RES-4). Exceeding it ends the session."""
        resumption = self.resumption
        if resumption is None:
            return False
        room = self._owner.backlog.kept_share - resumption.size - self.queue.waiting
        if resumption.begun > room:
            resumption.take_beginnings()
        if room < 0:
            self._give_up(OVERFLOW)
        return room < 0

    def _expire(self) -> None:
        self._give_up(EXPIRED)

    def _give_up(self, verdict: str) -> None:
        """End the session: the client cannot return any more."""
        if self.state is not CLOSED:
            self.verdict = verdict
            self._end()

    def _move(self, transport: Transport) -> None:
        """Replace the transport."""
        self._transport.carry(Departed(self.client_id))
        if self._pace is not None:
            self._pace.stop()
            self._pace = None
        self._transport = transport
        if self.acknowledgements is not None:
            self.acknowledgements.restart()
        self._settle(self._sender.move(transport))

    def stop_resumption(self) -> None:
        """Void the session's tokens: it has ended."""
        if self._window is not None:
            self._window.cancel()
        if self.resumption is not None:
            for token in (self.resumption.token, self.resumption.previous):
                self._owner.tokens.void(token, self.verdict)
            self._void_foreign(self.resumption, self.verdict)
            self.resumption.give_up()

    # Returning ----------------------------------------------------------------------

    def refuses(self, back: Return, features: tuple[str, ...], identity: Identity) -> str:
        """Check whether a client that has authenticated can return. Returns the reason why not, or "" after renewing
        its token."""
        client, resumption = self.client, self.resumption
        assert client is not None
        assert resumption is not None
        if client.user != identity.user or set(features) != set(self.features):
            return REFUSED
        if self.state is OPEN:
            self._transport.close(RESUMED_ELSEWHERE, "resumed elsewhere")
            self.detach()
        if self.state is DETACHED:
            resumption.acknowledge(back.received, frozenset(back.missing))
            resumption.lacks_from = back.begun
            if resumption.lost:
                self._give_up(OVERFLOW)
        if self.state is not DETACHED:
            return self.verdict
        self._renew_token(resumption, back.token)
        return ""

    def _renew_token(self, resumption: Resumption, used: str) -> None:
        """Issue the next token. A client that presents the newest one again gets it again, since it may have missed it
        on one of two connections only (RES-7)."""
        if not resumption.token and digest(used) in resumption.foreign:
            resumption.token = used
        if used == resumption.token:
            self._owner.tokens.void(resumption.previous)
            resumption.renew()
            self._owner.tokens.add(resumption.token, self)

    def charge(self, seconds: float) -> None:
        self.credit -= int(seconds * CREDIT / CLIENT_TIME)

    def take_up(self, transport: Transport, decoder: Decoder, opening: Opening) -> None:
        """Continue over a new connection, after the client was notified (RES-6)."""
        resumption = self.resumption
        assert resumption is not None
        self.advance(Event.RESUMED)
        if self._window is not None:
            self._window.cancel()
        self._decoder = decoder
        self._opening = opening
        decoder.raise_limits(self._owner.limits.max_message)
        if ARRAYS in self.features:
            decoder.accept_arrays()
        if CANCELLATION in self.features:
            decoder.accept_ends()
        if isinstance(decoder, V2Decoder):
            decoder.go_on(resumption.take_beginnings())
        self._malformed = self._refused = 0
        self._move(transport)
        transport.carry(self)
        resumption.prefer_newest(self.queue)
        again = ((number, kept.message) for number, kept in resumption)
        self.queue.repeat(again, resumption.offsets(resumption.lacks_from))
        self.credit = -1 if self.has_many_calls() else CREDIT
        self._owner.resumed(self, opening)
        self._pump()
        if self.queue.waiting:
            self.paced().watch()
