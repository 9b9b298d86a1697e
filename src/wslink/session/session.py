"""A client's session: from its first frame to the end of its connection."""

from __future__ import annotations

import asyncio
import enum
import functools
import inspect
import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from wslink import errors
from wslink.errors import (
    AuthenticationError,
    InvalidParams,
    InvalidRequest,
    LimitExceeded,
    MethodError,
    MethodNotFound,
    NotSerializable,
    ParseError,
    PeerError,
)
from wslink.rpc.call import Call, current_call
from wslink.rpc.methods import NEVER_AWAITABLE, Method
from wslink.session import hello as greeting
from wslink.session.congestion import MAX_CHUNK, ChunkSize
from wslink.session.hello import ARRAYS, SUBSCRIBE, Hello
from wslink.session.ports import Connection, Host
from wslink.session.send_queue import Entry, SendQueue
from wslink.wire import messages as wire
from wslink.wire.chunks import HEADER_LENGTH
from wslink.wire.codec import SECOND_WITH_ARRAYS, Decoder, Encoder, detect
from wslink.wire.frames import Buffer, Message
from wslink.wire.messages import CallEnvelope
from wslink.wire.v2_msgpack import INCOMPLETE

logger = logging.getLogger("wslink")
_shown = logger.isEnabledFor

MAX_PREFIX = 128
"""Characters of a client's ids, without the number, that are remembered; longer ones are checked each time."""


class State(enum.Enum):
    """NEW --good hello--> OPEN; either --connection ends--> CLOSED."""

    NEW = "new"
    OPEN = "open"
    CLOSED = "closed"


# Looked up once: in Python 3.11 each look at a member is a call.
_NEW, _OPEN, _CLOSED = State


class Session:
    """One client.

    Args:
        host: the server it belongs to.
        connection: what carries its frames.
        same_origin: whether the connection comes from a page of the server's own origin (HELLO-7).
        client_id: 32 hexadecimal digits; a new random id unless given.
        request: what opened the connection, such as an HTTP request; the host is told of it.
        route: what the connection came in by. The session keeps it for its host.
        hello_timeout: whether the client has to say hello in time (LIM-8).
    """

    __slots__ = (
        "__weakref__",
        "_calls",
        "_chunk",
        "_decoder",
        "_features",
        "_hello_timer",
        "_host",
        "_id_prefix",
        "_malformed",
        "_same_origin",
        "_unsent",
        "client_id",
        "connection",
        "encoder",
        "outbox",
        "renew",
        "route",
        "state",
        "subscribing",
    )  # fmt: skip

    def __init__(
        self,
        host: Host,
        connection: Connection,
        *,
        same_origin: bool = False,
        client_id: str | None = None,
        request: Any = None,
        route: Any = None,
        hello_timeout: bool = True,
    ) -> None:
        self.client_id = client_id or secrets.token_hex(16)
        self.connection = connection
        self.route = route
        self.state = _NEW
        self.subscribing = False
        """Whether it subscribes explicitly (SUB-1); a released client is sent everything (ORD-4)."""
        self.outbox = SendQueue(host.limits.max_outbox)
        self._chunk = ChunkSize()
        self.encoder: Encoder = SECOND_WITH_ARRAYS
        self._decoder: Decoder | None = None
        self.renew: Callable[[CallEnvelope], None] | None = None
        """Takes each hello after a good one, in place of HELLO-6: where several clients share a connection one after
        another, a hello is the next one's first word."""
        self._host = host
        self._same_origin = same_origin
        self._features: tuple[str, ...] = ()
        self._calls = 0
        self._id_prefix: str | None = None
        self._malformed = 0
        self._hello_timer: asyncio.TimerHandle | None = None
        if hello_timeout:
            self._hello_timer = asyncio.get_running_loop().call_later(host.limits.hello_timeout, self._hello_late)
        self._unsent = 0
        self._limit_unsent()
        host.opened(self, request)

    # Incoming ---------------------------------------------------------------

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one data frame from the connection. Never raises: what is wrong is told to the client (ERR-5).

        A memoryview needs to be valid until this returns, not longer.
        """
        if self.state is not _OPEN and not self._admit(binary, data):
            return
        try:
            message = self._decoder.receive(binary, data)  # type: ignore[union-attr]
        except PeerError as error:
            if isinstance(error, LimitExceeded) and self.state is _NEW:  # LIM-2
                self._close_early()
            else:
                self._refuse(wire.MALFORMED_ID, error)
            return
        if message is not INCOMPLETE:
            self.take(message)

    def take(self, message: Any) -> None:
        """Take one decoded message. Never raises, as `receive`."""
        if type(message) is not CallEnvelope or not self._is_usual(message.id):
            try:
                message = wire.parse_call(message)
            except PeerError as error:
                self._refuse(wire.answerable_id(message), error)
                return
        self._handle(message)

    def _is_usual(self, id_: str) -> bool:
        """Whether an id differs from one that was checked in its number alone, as a client's ids do."""
        prefix, _, number = id_.rpartition(":")
        if prefix == self._id_prefix:
            return number.isdecimal() and number.isascii()
        if wire.match_id(id_) is None:
            return False
        if len(prefix) <= MAX_PREFIX:
            self._id_prefix = prefix
        return True

    def _admit(self, binary: bool, data: Buffer | str) -> bool:
        """Whether to look at a frame that comes before a good hello, or after the end."""
        if self.state is _CLOSED:
            return False
        if len(data) > self._host.limits.auth_msg_size + HEADER_LENGTH:
            self._close_early()
            return False
        if self._decoder is None:
            self.encoder, self._decoder = detect(binary, self._host.limits)
        return True

    def _close_early(self) -> None:
        limit = self._host.limits.auth_msg_size
        self.close(1009, f"a message before hello is at most auth_msg_size ({limit}) bytes")

    def _refuse(self, id_: str, error: PeerError) -> None:
        self._malformed += 1
        self._fail(id_, error.code, error.message, error.data)
        if isinstance(error, (ParseError, InvalidRequest)):
            logger.warning("client %s: %s", self.client_id, error.message)
        if self._malformed > self._host.limits.max_malformed:
            self.close(1008, f"over max_malformed ({self._host.limits.max_malformed}) malformed messages")

    def succeed(self, predecessor: Session, hello: CallEnvelope) -> None:
        """Take the place of `predecessor` on a connection that they share, beginning with `hello`."""
        self.encoder, self._decoder = detect(predecessor.encoder.generation == 2, self._host.limits)
        self._handle(hello)

    def _handle(self, call: CallEnvelope) -> None:
        if _shown(logging.DEBUG):
            logger.debug("client %s calls %s (%s)", self.client_id, call.method, call.id)
        if self._host.watch is not None:
            self._host.watch.received(call)
        try:
            if call.id.startswith("system:"):
                self._handle_system(call)
            elif self.state is not _OPEN:
                raise AuthenticationError("Unauthorized: Skip message processing")
            else:
                self._start(self._host.methods.find(call.method), call)
        except PeerError as error:
            self._fail(call.id, error.code, error.message, error.data)
        except Exception:  # ours, or a hook's: it must not end the connection
            logger.exception("client %s: the call %s of %s failed", self.client_id, call.id, call.method)
            self._fail(call.id, errors.INTERNAL_ERROR, "Internal error")

    def _handle_system(self, call: CallEnvelope) -> None:
        if call.method == wire.HELLO:
            self._handle_hello(call)
        elif self.state is not _OPEN:
            raise AuthenticationError("Unauthorized: Skip message processing")
        elif call.method == wire.SUBSCRIBE and self.subscribing:
            request = _one_map(call)
            announce = self._host.subscribe(
                self, request.get("subscription"), request.get("topic"), request.get("filter")
            )
            self._result(call.id, {"delivery": self._host.delivery(request["topic"])})
            announce()
        elif call.method == wire.UNSUBSCRIBE and self.subscribing:
            self._host.unsubscribe(self, _one_map(call).get("subscription"))
            self._result(call.id, None)
        else:
            raise MethodNotFound("Unknown system method called", call.method)

    # Hello ------------------------------------------------------------------

    def _handle_hello(self, call: CallEnvelope) -> None:
        if self.renew is not None and self.state is _OPEN:
            self.renew(call)
            return
        hello = greeting.parse_hello(call, self._same_origin)
        greeting.ask(self._host, self, hello, functools.partial(self._finish_hello, call.id, hello))

    def _finish_hello(self, id_: str, hello: Hello, accepted: bool) -> None:
        if self.state is _CLOSED:
            return
        if not accepted:
            self._fail(id_, errors.AUTHENTICATION_ERROR, "Authentication failed")
            return
        features = greeting.granted(hello, self.encoder.generation)
        if self.state is _OPEN:  # a second hello changes nothing (HELLO-6), and so is granted nothing new
            features = tuple(name for name in features if name in self._features)
        self._result(id_, greeting.result(hello, self, self._host.limits.max_msg_size, features))
        if self.state is _NEW:
            self._open(features)

    def _open(self, features: tuple[str, ...]) -> None:
        assert self._decoder is not None
        self.state = _OPEN
        self._cancel_hello_timer()
        self._decoder.raise_limits(self._host.limits.max_message)
        self._features = features
        self.subscribing = SUBSCRIBE in features
        if ARRAYS in features:
            self.encoder = SECOND_WITH_ARRAYS
            self._decoder.accept_arrays()
        self._host.welcome(self)

    def _hello_late(self) -> None:
        self.close(1008, f"no good hello within hello_timeout ({self._host.limits.hello_timeout:g} s)")

    # Calls ------------------------------------------------------------------

    def _start(self, method: Method, envelope: CallEnvelope) -> None:
        """Run a method's first step, which for most is all of it."""
        host = self._host
        if host.calls:
            self._refuse_excess(method)
        call = Call(self.client_id, method.name, host.owner, envelope.id)
        token = current_call.set(call)
        try:
            args, kwargs = method.bind(envelope.args, envelope.kwargs, call)
            if method.thread:
                result: Any = host.run_in_thread(functools.partial(method.function, *args, **kwargs))
            else:
                result = method.function(*args, **kwargs)
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                self._calls += 1
                host.calls += 1
                host.spawn(self._finish(call, result))  # the task copies this context, and current_call with it
                return
        except asyncio.CancelledError:
            self._cancelled(call)
            return
        except Exception as error:
            self._failed(call, error)
            return
        finally:
            current_call.reset(token)
        self._answer(call, result)

    def _refuse_excess(self, method: Method) -> None:
        """Raise LimitExceeded where too many calls are under way (LIM-10)."""
        limits = self._host.limits
        if self._calls >= limits.max_calls:
            raise LimitExceeded(f"over max_calls ({limits.max_calls}) calls are under way", method.name)
        if self._host.calls >= limits.max_server_calls:
            limit = limits.max_server_calls
            raise LimitExceeded(f"over max_server_calls ({limit}) calls are under way on the server", method.name)

    async def _finish(self, call: Call, awaitable: Awaitable[Any]) -> None:
        try:
            self._answer(call, await awaitable)
        except asyncio.CancelledError:
            self._cancelled(call)
        except Exception as error:
            self._failed(call, error)
        finally:
            self._calls -= 1
            self._host.calls -= 1

    def _answer(self, call: Call, result: Any) -> None:
        call.answered = True
        self._result(call.id, result, call.method)
        if self._host.ordering.holding:
            self._host.ordering.release()

    def _failed(self, call: Call, error: Exception) -> None:
        call.answered = True
        if isinstance(error, (MethodError, PeerError)):
            self._fail(call.id, error.code, error.message, error.data)
        else:
            logger.error("method %s of client %s raised", call.method, call.client_id, exc_info=error)
            data = {"method": call.method, "exception": _safe_repr(error)}
            if self._host.debug:  # ERR-2
                data["trace"] = "".join(traceback.format_exception(error))
            self._fail(call.id, errors.EXCEPTION_ERROR, "Exception raised", data)
        self._host.ordering.release()

    def _cancelled(self, call: Call) -> None:
        call.answered = True
        data = {"method": call.method, "exception": "cancelled"}
        self._fail(call.id, errors.EXCEPTION_ERROR, "Exception raised", data)
        self._host.ordering.release()

    # Outgoing ---------------------------------------------------------------

    def _result(self, id_: str, result: Any, method: str | None = None) -> None:
        try:
            message = self.encoder.result(id_, result, self._host.limits.max_sent_frame)
        except NotSerializable as error:
            logger.error("the result of %s cannot be sent: %s", method, error)
            self._fail(id_, errors.RESULT_SERIALIZE_ERROR, "Method result cannot be serialized", method)
            return
        self.send(message, None, (id_,))

    def _fail(self, id_: str, code: int, message: str, data: Any = None) -> None:
        error: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            error["data"] = data
        limit = self._host.limits.max_sent_frame
        try:
            self.send(self.encoder.failure(id_, error, limit))
        except NotSerializable:
            self.send(self.encoder.failure(id_, {"code": code, "message": ascii(message)}, limit))

    def send(self, message: Message, key: Any = None, names: tuple[Any, ...] = ()) -> None:
        """Send `message` as soon as the connection takes it; see send_queue.Entry for `key` and `names`. A client over
        its bound is disconnected (LIM-6)."""
        if self.state is _CLOSED:
            return
        if not self.outbox.waiting and self.connection.writable and message.source is None:
            self.connection.send(message.frames)
            return
        try:
            added = self.outbox.put(Entry(message, key, names))
        except LimitExceeded as error:
            self.close(1008, error.message)
            return
        if added and self._host.watch is not None:
            self._host.watch.queued()
        if self.connection.writable:
            self._pump()

    def resume(self) -> None:
        """The connection is writable again."""
        if self.outbox.waiting:
            self._chunk.resumed(monotonic())
            self._limit_unsent()
            self._pump()

    def _limit_unsent(self) -> None:
        limit = self._chunk.unsent
        if limit != self._unsent:
            self._unsent = limit
            self.connection.limit_unsent(limit)

    def _pump(self) -> None:
        """Hand frames to the connection for as long as it is writable."""
        connection, outbox, chunk = self.connection, self.outbox, self._chunk
        waiting = len(outbox)
        while connection.writable and (frame := outbox.next(chunk.size)) is not None:
            connection.send((frame,))
            chunk.given(frame.size, connection.writable)
        if self._host.watch is not None:
            for _ in range(waiting - len(outbox)):
                self._host.watch.settled()
        if not outbox.waiting:
            chunk.idle()

    # End --------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection. What waits in the outbox is dropped unless the code is 1000 or
        1001."""
        if self.state is _CLOSED:
            return
        if code in (1000, 1001):
            while (frame := self.outbox.next(MAX_CHUNK)) is not None:
                self.connection.send((frame,))
        if code not in (1000, 1001):
            logger.warning("client %s is disconnected: %s", self.client_id, reason)
        self.connection.close(code, reason)
        self.closed()

    def closed(self) -> None:
        """The connection has ended. Safe to call more than once."""
        if self.state is _CLOSED:
            return
        self.state = _CLOSED
        self._cancel_hello_timer()
        if self._host.watch is not None:
            for _ in range(len(self.outbox)):
                self._host.watch.settled()
        self.outbox.clear()
        self._host.farewell(self)

    def _cancel_hello_timer(self) -> None:
        if self._hello_timer is not None:
            self._hello_timer.cancel()


def _one_map(call: CallEnvelope) -> dict[str, Any]:
    if len(call.args) != 1 or not isinstance(call.args[0], dict):
        raise InvalidParams(f"{call.method} takes one map", call.method)
    return call.args[0]


def _safe_repr(error: Exception) -> str:
    try:
        return repr(error)
    except Exception:
        return f"<{type(error).__name__}>"
