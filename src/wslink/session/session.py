"""A client's session: from its first frame to the end of its connection."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from wslink import errors
from wslink.errors import AuthenticationError, InvalidRequest, LimitExceeded, NotSerializable, ParseError, PeerError
from wslink.rpc.call import Caller
from wslink.rpc.dispatcher import Dispatcher
from wslink.rpc.methods import MAX_NAME
from wslink.session.congestion import MAX_CHUNK, ChunkSize
from wslink.session.hello import Hello, answer, parse_hello
from wslink.session.identity import Credentials, Identity, Opening
from wslink.session.intake import CREDIT, UNITS
from wslink.session.pace import Pace
from wslink.session.ports import SessionOwner, Transport
from wslink.session.send_queue import Entry, SendQueue
from wslink.session.state import CLOSED, NEW, OPEN, Event, Stateful
from wslink.wire import messages as wire
from wslink.wire.chunks import HEADER_LENGTH
from wslink.wire.codec import SECOND_WITH_ARRAYS, Decoder, Encoder, detect
from wslink.wire.frames import Buffer, Message
from wslink.wire.messages import MAX_ID, NO_ID, Request
from wslink.wire.show import as_text
from wslink.wire.v2_msgpack import INCOMPLETE

logger = logging.getLogger("wslink")


Renew = Callable[[Request], None]


def new_client_id() -> str:
    """A random client id: "c" and 32 hexadecimal digits."""
    return f"c{secrets.token_hex(16)}"


class Session(Stateful):
    """One client (session.view.SessionView), carried by a transport (session.ports.FrameReceiver).

    Args:
        owner: the server it belongs to.
        transport: what carries its frames.
        opening: what opened the connection.
        client_id: a new random one unless given.
        route: what the connection came in by. The session keeps it for its owner.
        hello_timeout: whether the client has to say hello in time (LIM-8).
        renew: takes each hello after a good one, in place of HELLO-6: where several clients share a connection one
            after another, a hello is the next one's first word.
    """

    __slots__ = (
        "__weakref__", "_chunk", "_decoder", "_dispatcher", "_hello_timer", "_logged", "_malformed", "_max_frame",
        "_opening", "_owner", "_pace", "_received", "_refused", "_renew", "_transport", "_unsent", "client",
        "client_id", "credit", "encoder", "features", "queue", "route", "subscribing",
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
        super().__init__()
        self.client_id = client_id or new_client_id()
        self.client: Caller | None = None
        self.route = route
        self.features: tuple[str, ...] = ()
        self.subscribing = False
        self.credit = CREDIT
        self.queue = SendQueue(owner.limits.max_backlog, ledger=owner.backlog)
        self._pace: Pace | None = None
        self._refused = 0  # hellos
        self.encoder: Encoder = SECOND_WITH_ARRAYS
        self._chunk = ChunkSize()
        self._owner = owner
        self._transport = transport
        self._opening = dataclasses.replace(opening, request=None)  # a connection may outlive its request by days
        self._renew = renew
        self._received = owner.observers.received
        self._dispatcher = Dispatcher(owner.service, self)
        self._decoder: Decoder | None = None
        self._max_frame = owner.limits.max_sent_frame
        self._logged = True
        self._malformed = 0
        self._hello_timer: asyncio.TimerHandle | None = None
        if hello_timeout:
            self._hello_timer = asyncio.get_running_loop().call_later(owner.limits.hello_timeout, self._hello_late)
        self._unsent = 0
        self._limit_unsent()
        owner.opened(self, opening)

    # Incoming ---------------------------------------------------------------

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one data frame from the transport. Never raises: what is wrong is sent to the client (ERR-5).

        A memoryview needs to be valid until this returns, not longer.
        """
        self.credit -= 1 + (len(data) >> UNITS)
        if self.credit < 0 and self._paced().holds(binary, data):
            return
        if self.state is not OPEN and not self._admit(binary, data):
            return
        try:
            message = self._decoder.receive(binary, data)  # type: ignore[union-attr]
        except PeerError as error:
            self._malformed_frame(error)
            return
        if (
            type(message) is not Request
            or (id_ := message.id) is NO_ID
            or len(id_) > MAX_ID
            or id_.startswith("system")
            or self._logged
        ):
            if message is not INCOMPLETE:
                self.take(message)
            return
        try:
            for notify in self._received:
                notify(self, message)
            self._dispatcher.start(message, self.client)  # type: ignore[arg-type]
        except Exception:
            self._fail_unforeseen(message)

    def _paced(self) -> Pace:
        if self._pace is None:
            self._pace = Pace(self, self._transport, self._owner, self._dispatcher)
        return self._pace

    def full(self) -> None:
        """The dispatcher takes no further calls for a while."""
        self.credit = -1

    def room(self) -> None:
        """There may be room for calls that wait."""
        if self._pace is not None:
            self._pace.room()

    def take(self, message: Any) -> None:
        """Take one decoded message. Never raises, as `receive`."""
        try:
            request = wire.parse_call(message)
        except PeerError as error:
            self._refuse(wire.answerable_id(message), error)
            return
        logger.debug("client %s calls %r (%r)", self.client_id, request.method, request.id)
        try:
            for notify in self._received:
                notify(self, request)
            self._handle(request)
        except PeerError as error:
            self.error(request.id, error.code, error.message, error.data)
        except Exception:
            self._fail_unforeseen(request)

    def _fail_unforeseen(self, request: Request) -> None:
        """An exception of ours, or an observer's: it must not end the connection."""
        logger.exception("client %s: the call %s of %s failed", self.client_id, request.id, request.method)
        self.error(request.id, errors.INTERNAL_ERROR, "Internal error")

    def _admit(self, binary: bool, data: Buffer | str) -> bool:
        """Whether to look at a frame that comes before a good hello, or after the end."""
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

    def _malformed_frame(self, error: PeerError) -> None:
        if isinstance(error, LimitExceeded) and self.state is NEW:  # LIM-2
            self._close_early()
        else:
            self._refuse(wire.MALFORMED_ID if error.id is None else error.id, error)

    def _refuse(self, id_: str, error: PeerError) -> None:
        self._malformed += 1
        self.error(id_, error.code, error.message, error.data)
        if isinstance(error, (ParseError, InvalidRequest)):
            logger.warning("client %s: %s", self.client_id, error.message)
        if self._malformed > self._owner.limits.max_malformed:
            self.close(1008, f"over max_malformed ({self._owner.limits.max_malformed}) malformed messages")

    def _handle(self, request: Request) -> None:
        """Hand a request to hello, the dispatcher or its feature. Raises PeerError."""
        system = request.id.startswith("system:") or request.id == "system"
        if system and request.method == wire.HELLO:
            self._handle_hello(request)
        elif self.state is not OPEN or self.client is None:
            raise AuthenticationError("Unauthorized: Skip message processing")
        elif not system:
            self._dispatcher.start(request, self.client)
        elif (serve := self._owner.features.handler(request.method, self.features)) is not None:
            serve(self, request)
        else:
            raise errors.MethodNotFound("Unknown system method called", request.method[:MAX_NAME])

    # Hello ------------------------------------------------------------------

    def give_up_held(self) -> list[tuple[bool, Buffer | str]]:
        """Frames that wait for their turn, which are its successor's from now on."""
        return self._pace.stop() if self._pace is not None else []

    def succeed(self, predecessor: Session, hello: Request) -> None:
        """Take the place of `predecessor` on a connection that they share, beginning with `hello`."""
        self.encoder, self._decoder = detect(predecessor.encoder.generation == 2, self._owner.limits)
        self.take(hello)

    def _handle_hello(self, request: Request) -> None:
        if self._renew is not None and self.state is OPEN:
            self._renew(request)
            return
        hello = parse_hello(request)
        credentials = Credentials(hello.secret, hello.has_secret, self.client_id, hello.client, self._opening)
        try:
            identity = self._owner.authenticate(credentials)
        except Exception as error:
            identity = self._no_identity(error)
        if inspect.isawaitable(identity):
            self._owner.spawn(self._wait_for_identity(request.id, hello, identity))
        else:
            self._finish_hello(request.id, hello, identity)

    async def _wait_for_identity(self, id_: str, hello: Hello, verdict: Awaitable[Identity | None]) -> None:
        try:
            identity = await verdict
        except Exception as error:
            identity = self._no_identity(error)
        self._finish_hello(id_, hello, identity)

    def _no_identity(self, error: Exception) -> Identity | None:
        """What an authentication that raises comes to: the client is refused."""
        logger.error("client %s: its authentication raised", self.client_id, exc_info=error)
        return None

    def _finish_hello(self, id_: str, hello: Hello, identity: Identity | None) -> None:
        if self.state is CLOSED:
            return
        if identity is None:
            self._refuse_hello(id_)
            return
        version = self.encoder.generation
        features = self._owner.features.granted(hello.features, version)
        if self.state is OPEN:  # a second hello changes nothing (HELLO-6), and so is granted nothing new
            features = tuple(name for name in features if name in self.features)
        self.result(id_, answer(hello, self.client_id, version, self._owner.limits.max_msg_size, features))
        if self.state is NEW:
            self._open(features, identity)

    def _refuse_hello(self, id_: str) -> None:
        self._refused += 1
        self.error(id_, errors.AUTHENTICATION_ERROR, "Authentication failed")
        limit = self._owner.limits.max_hellos
        if self._refused >= limit:
            self.close(1008, f"{limit} hellos were refused (max_hellos)")

    def _open(self, features: tuple[str, ...], identity: Identity) -> None:
        assert self._decoder is not None
        self.client = self._owner.admit(self, identity, self._opening)
        self.advance(Event.AUTHENTICATED)
        self._logged = logger.isEnabledFor(logging.DEBUG)
        self._cancel_hello_timer()
        self._decoder.raise_limits(self._owner.limits.max_message)
        self.features = features
        self._owner.features.accept(self)
        self._owner.welcome(self)

    def accept_arrays(self) -> None:
        """Send and receive typed arrays from now on (ARR-1)."""
        assert self._decoder is not None
        self.encoder = SECOND_WITH_ARRAYS
        self._decoder.accept_arrays()

    def _hello_late(self) -> None:
        self.close(1008, f"no good hello within hello_timeout ({self._owner.limits.hello_timeout:g} s)")

    # Outgoing ---------------------------------------------------------------

    def result(self, id_: str, value: Any, method: str | None = None) -> None:
        """Send the result of a request; an error where it cannot be encoded."""
        try:
            message = self.encoder.result(id_, value, self._max_frame)
        except NotSerializable as error:
            logger.error("the result of %s cannot be sent: %s", method, error)
            self.error(id_, errors.RESULT_SERIALIZE_ERROR, "Method result cannot be serialized", method)
            return
        if self.queue.waiting or message.source is not None or self.state is CLOSED or not self._transport.writable:
            self.send(message, None, (id_,))
        else:  # as `send` does, which would be one more function on the path of every call
            self._transport.send(message.frames)

    def error(self, id_: str, code: int, message: str, data: Any = None) -> None:
        """Send the error of a request, with a word in place of data that cannot be encoded."""
        error: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            error["data"] = data
        try:
            self.send(self.encoder.failure(id_, error, self._max_frame))
        except NotSerializable as unsendable:
            logger.error("an error cannot be sent as it is: %s", unsendable)
            self.send(self.encoder.failure(id_, self._sendable(error), self._max_frame))

    def _sendable(self, error: dict[str, Any]) -> dict[str, Any]:
        """`error` with its message as text, and a word in place of data that cannot be sent."""
        plain = {**error, "message": as_text(error["message"])}
        try:
            self.encoder.pack(plain)
        except NotSerializable as unsendable:
            plain["data"] = as_text(f"the data of this error cannot be sent: {unsendable}")
        return plain

    def unknown(self, request: Request) -> None:
        """Send that there is no such method."""
        for notify in self._owner.observers.unknown:
            notify(self, request)
        # Released clients compare the message.
        hint = self._owner.service.methods.hint(request.method) if self.features else ""
        text = f"Unregistered method called{hint}"
        self.error(request.id, errors.METHOD_NOT_FOUND, text, request.method[:MAX_NAME])

    def send(self, message: Message, key: Any = None, names: tuple[Any, ...] = ()) -> None:
        """Send `message` once the transport takes it; see send_queue.Entry for `key` and `names`. A client over
        `max_backlog` is disconnected (LIM-6)."""
        if self.state is CLOSED:
            return
        before = self.queue.waiting
        if not before and self._transport.writable and message.source is None:
            self._transport.send(message.frames)
            return
        try:
            added = self.queue.put(Entry(message, key, names))
        except LimitExceeded as error:
            self.close(1008, error.message)
            return
        if added:
            for notify in self._owner.observers.queued:
                notify(self)
        if self._transport.writable:
            self._pump()
        if self.queue.waiting and (not before or self.queue.waiting > self._owner.limits.max_outbox):
            self._paced().watch()

    def resume(self) -> None:
        """The transport is writable again."""
        if self.queue.waiting:
            self._chunk.resumed(monotonic())
            self._limit_unsent()
            self._pump()

    def _limit_unsent(self) -> None:
        limit = self._chunk.unsent
        if limit != self._unsent:
            self._unsent = limit
            self._transport.limit_unsent(limit)

    def _pump(self) -> None:
        """Hand frames to the transport for as long as it is writable."""
        transport, queue, chunk = self._transport, self.queue, self._chunk
        waiting = len(queue)
        while transport.writable and (frame := queue.next(chunk.size)) is not None:
            transport.send((frame,))
            chunk.given(frame.size, transport.writable)
        self._settle(waiting - len(queue))
        if not queue.waiting:
            chunk.idle()
        if self.credit < 0:
            self.room()

    def _settle(self, messages: int) -> None:
        """So many messages that waited have gone out, or never will."""
        for notify in self._owner.observers.settled:
            for _ in range(messages):
                notify(self)

    @property
    def has_room(self) -> bool:
        return self.state is CLOSED or self.queue.waiting <= self._owner.limits.max_outbox

    async def room_again(self) -> None:
        await self._paced().room_again()

    # End --------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection. What waits in the queue is dropped unless the code is 1000 or
        1001."""
        if self.state is CLOSED:
            return
        if code in (1000, 1001):
            while (frame := self.queue.next(MAX_CHUNK)) is not None:
                self._transport.send((frame,))
        else:
            logger.warning("client %s is disconnected: %s", self.client_id, reason)
        self._transport.close(code, reason)
        self._end(stops=code == 1001)

    def closed(self) -> None:
        """The connection has ended. Safe to call more than once."""
        self._end()

    def _end(self, stops: bool = False) -> None:
        if self.state is CLOSED:
            return
        self.advance(Event.ENDED)
        self._cancel_hello_timer()
        if self._pace is not None:
            self._pace.stop()
        if not stops:  # a server that stops gives calls their time
            self._dispatcher.leave()
        self._settle(len(self.queue))
        self.queue.clear()
        self._owner.farewell(self)

    def _cancel_hello_timer(self) -> None:
        if self._hello_timer is not None:
            self._hello_timer.cancel()
