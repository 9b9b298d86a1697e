"""A client's session, from its first frame to the end of its connection."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any

import msgspec

from wslink import errors
from wslink.errors import RAISED, AuthenticationError, InvalidRequest, LimitExceeded, PeerError
from wslink.rpc.call import Caller
from wslink.rpc.dispatcher import Dispatcher
from wslink.rpc.methods import MAX_NAME
from wslink.session.deadlines import Deadline, deadline
from wslink.session.greeting import Greeting
from wslink.session.identity import Identity, Opening
from wslink.session.intake import UNITS
from wslink.session.moving import Moving
from wslink.session.ports import Returnable, SessionOwner, Transport
from wslink.session.state import CLOSED, NEW, OPEN, Event
from wslink.wire import messages as wire
from wslink.wire.chunks import HEADER_LENGTH, is_end, numbered
from wslink.wire.codec import detect
from wslink.wire.extensions import is_uncounted
from wslink.wire.frames import Buffer
from wslink.wire.messages import INCOMPLETE, MAX_ID, NO_ID, Request

logger: logging.Logger = logging.getLogger("wslink")


Renew = Callable[[Request], None]


def new_client_id() -> str:
    """A random client id: "c" and 32 hexadecimal digits."""
    return f"c{os.urandom(16).hex()}"


class Session(Moving):
    """The session of one client (session.view.SessionView), carried by a transport (session.ports.FrameReceiver).

    Args:
        owner: the server that it belongs to.
        transport: carries its frames.
        opening: how the connection was opened.
        client_id: by default a new, random one.
        route: where the connection was accepted, for the owner's use.
        hello_timeout: whether the client has to say hello in time (LIM-8).
        renew: handles every hello after a successful one, instead of HELLO-6. For connections that several clients use
            one after another: a hello is the next client's first message.
    """

    credit: int

    __slots__ = (
        "__weakref__", "_deadline", "_received", "renew",
    )  # fmt: skip

    def __init__(
        self,
        owner: SessionOwner,
        transport: Transport,
        opening: Opening,
        *,
        client_id: str | None = None,
        route: Any = None,
        hello_timeout: bool = True,
        renew: Renew | None = None,
    ) -> None:
        # The request is not kept: a connection may outlive it by days.
        kept = opening if opening.request is None else msgspec.structs.replace(opening, request=None)
        super().__init__(owner, transport, kept, client_id or new_client_id(), route)
        self.renew: Renew | None = renew
        self._received = owner.observers.received
        self._dispatcher = Dispatcher(owner.service, self)
        self._watched = True  # whether calls have to be logged, or checked for cancellation
        self._deadline: Deadline | None = None  # of its hello
        if hello_timeout:
            self.expect_hello()
        owner.opened(self, opening)

    # Incoming ---------------------------------------------------------------

    def receive(self, binary: bool, data: Buffer | str) -> None:  # noqa: C901 - splitting it would slow down every call
        """Handle one data frame; a memoryview is valid until this returns. Never raises: errors are sent to the client
        (ERR-5)."""
        self.credit -= 1 + (len(data) >> UNITS)
        if self.credit < 0 and self.paced().intake.holds(binary, data):
            return
        if self.state is not OPEN and not self._admit(binary, data):
            return
        try:
            message = self._decoder.receive(binary, data)  # type: ignore[union-attr]
        except PeerError as error:
            self._malformed_frame(data, error)
            return
        if self.acknowledgements is not None and not (type(message) is list and is_uncounted(message)):
            is_whole = type(message) is Request or message is not INCOMPLETE or is_end(data)  # type: ignore[arg-type]
            if type(message) is not Request and self._pace is not None and self.resumption is not None:
                self.resumption.received.held = self._pace.intake.held  # this message may have overtaken them
            try:
                if not self.acknowledgements.count(len(data), self._decoder.number if is_whole else 0):  # type: ignore[union-attr]
                    return  # it has arrived before (RES-3)
            except PeerError as error:
                self.refuse(wire.MALFORMED_ID, error)
                return
        if (
            type(message) is not Request
            or (id_ := message.id) is NO_ID
            or len(id_) > MAX_ID
            or id_.startswith("system")
            or self._watched
        ):
            if message is not INCOMPLETE:
                self.take(message)
            return
        try:
            for notify in self._received:
                notify(self, message)
            self._dispatcher.start(message, self.client)  # type: ignore[arg-type]
        except RAISED:
            self.fail_unforeseen(message)

    def take(self, message: Any) -> None:
        """Handle one decoded message. Never raises, like `receive`."""
        if type(message) is list and self.state is OPEN:
            self._take_extension(message)
            return
        if self.calls is not None and self.calls.is_response(message):
            self.calls.settle(message)
            return
        try:
            request = wire.parse_call(message)
        except PeerError as error:
            self.refuse(wire.answerable_id(message), error)
            return
        logger.debug("client %s calls %r (%r)", self.client_id, request.method, request.id)
        try:
            for notify in self._received:
                notify(self, request)
            if self._pace is not None and self._was_cancelled(self._pace, request.id):
                self.error(request.id, errors.CANCELLED, "Cancelled", request.method[:MAX_NAME], request.method)
            else:
                self._handle(request)
        except PeerError as error:
            self.error(request.id, error.code, error.message, error.data)
        except RAISED:
            self.fail_unforeseen(request)

    def _take_extension(self, items: list[Any]) -> None:
        """Pass an extension message to its feature (EXT-4)."""
        take = self._owner.features.message_handler(items[0] if items else None, self.features)
        try:
            if take is None:
                raise InvalidRequest("a message must be a map, or of an extension that was accepted")
            take(self, items)
        except PeerError as error:
            self.refuse(wire.MALFORMED_ID, error)

    def _admit(self, binary: bool, data: Buffer | str) -> bool:
        """Whether to handle a frame that arrives before a successful hello, or after the end."""
        if self.state is not NEW:
            return False
        if len(data) > self._owner.limits.auth_msg_size + HEADER_LENGTH:
            self._close_early()
            return False
        if self._decoder is None:
            self.encoder, self._decoder = detect(binary, self._owner.limits)
        return True

    def _close_early(self) -> None:
        limit = self._owner.limits.auth_msg_size
        self.close(1009, f"a message before hello is at most auth_msg_size ({limit}) bytes")

    def _malformed_frame(self, data: Buffer | str, error: PeerError) -> None:
        if self.acknowledgements is not None:
            with contextlib.suppress(PeerError):  # it has arrived, and must not be sent again
                number = 0 if self.resumption is None or isinstance(data, str) else int.from_bytes(data[:4], "little")
                self.acknowledgements.count(len(data), number)
        if self.calls is not None:
            self.calls.refuse(error)
        if isinstance(error, LimitExceeded) and self.state is NEW:  # LIM-2
            self._close_early()
        else:
            self.refuse(wire.MALFORMED_ID if error.id is None else error.id, error)

    def _handle(self, request: Request) -> None:
        """Pass a request to hello, the dispatcher or its feature. Raises PeerError."""
        system = request.id.startswith("system:") or request.id == "system"
        if system and request.method == wire.HELLO:
            if self.renew is not None and self.state is OPEN:
                self.renew(request)
            else:
                self._greet(request)
        elif self.state is not OPEN or self.client is None:
            raise AuthenticationError("Unauthorized: Skip message processing")
        elif not system:
            self._dispatcher.start(request, self.client)
        elif (serve := self._owner.features.handler(request.method, self.features)) is not None:
            serve(self, request)
        else:
            raise errors.MethodNotFound("Unknown system method called", request.method[:MAX_NAME])

    # Hello ------------------------------------------------------------------

    def _greet(self, request: Request) -> None:
        try:
            Greeting(self, self._owner, self._opening, request).answer()
        except (AuthenticationError, errors.InvalidParams) as error:
            logger.warning("client %s: its hello is malformed: %s", self.client_id, error.message)
            self.refuse_hello(request.id, error)

    def succeed(self, predecessor: Session, hello: Request) -> None:
        """Take over a connection that is shared with `predecessor`, beginning with `hello`."""
        self.encoder, self._decoder = detect(predecessor.encoder.version == 2, self._owner.limits)
        self.take(hello)

    def open(self, features: tuple[str, ...], identity: Identity) -> None:
        """The client has authenticated and was notified."""
        assert self._decoder is not None
        self.client: Caller | None = self._owner.admit(self, identity, self._opening)
        self.advance(Event.AUTHENTICATED)
        self._watched = logger.isEnabledFor(logging.DEBUG)
        self._expect_no_hello()
        self._decoder.raise_limits(self._owner.limits.max_message)
        self.features = features
        self._owner.features.accept(self)
        self._owner.welcome(self)

    def hand_over(self, session: Returnable, id_: str, result: dict[str, Any]) -> None:
        """Send the response to a hello, and move the connection to the session that the client returns to (RES-6)."""
        assert self._decoder is not None
        held = self.give_up_held()
        self._expect_no_hello()
        self._transport.send(numbered(self.encoder.result(id_, result, self._max_frame), 0))
        self.advance(Event.ENDED)
        self._settle(self._sender.clear())
        self._owner.merged(self)
        logger.info("client %s returns", session.client_id)
        session.take_up(self._transport, self._decoder, self._opening)
        for frame in held:
            session.receive(*frame)
        self.let_go()

    def expect_hello(self) -> None:
        """Give the client `hello_timeout` seconds for a successful hello (LIM-8)."""
        self._deadline = deadline(self._owner.limits.hello_timeout)
        self._deadline.add(self._hello_late)

    def _hello_late(self) -> None:
        if self.state is NEW:
            self.close(1008, f"no good hello within hello_timeout ({self._owner.limits.hello_timeout:g} s)")

    # End --------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection. Waiting messages are dropped, unless the code is 1000, 1001 or
        4002."""
        if self.state is CLOSED:
            return
        if code in (1000, 1001, wire.DISCONNECTED):
            self._sender.flush()
        else:
            logger.warning("client %s is disconnected: %s", self.client_id, reason)
        self._transport.close(code, reason)
        self._end(stops=code == 1001)

    def _end(self, stops: bool = False) -> None:
        if self.state is CLOSED:
            return
        self.advance(Event.ENDED)
        self._expect_no_hello()
        self.give_up_held()
        if not stops:  # a stopping server lets calls finish
            self._dispatcher.leave()
        self._settle(self._sender.clear())
        if self.acknowledgements is not None:
            self.acknowledgements.stop()
        self.stop_resumption()
        if self.calls is not None:
            self.calls.end()
        self._owner.farewell(self)
        self.let_go()

    def _expect_no_hello(self) -> None:
        if self._deadline is not None:
            self._deadline.discard(self._hello_late)
            self._deadline = None
