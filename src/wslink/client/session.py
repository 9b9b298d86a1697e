"""The client's end of the protocol: encodes calls, takes frames, settles what waits for a response. No I/O."""

from __future__ import annotations

import itertools
import logging
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from wslink.client.outbox import Outbox
from wslink.client.settling import Settling
from wslink.client.transfers import OnTransfer, Receiving
from wslink.errors import CANCELLED, CallError, ConnectionClosed, PeerError
from wslink.rpc.pending import PendingCalls
from wslink.session.entries import Entry
from wslink.session.features.flow import FLOW
from wslink.session.flow import FlowControl
from wslink.session.sender import FrameSink
from wslink.version import __version__
from wslink.wire import messages as wire
from wslink.wire.codec import V2, V2_WITH_ARRAYS
from wslink.wire.extensions import ACKNOWLEDGEMENT, CANCEL, is_uncounted, number, pack_extension
from wslink.wire.frames import Buffer, Message
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE
from wslink.wire.show import shown
from wslink.wire.v2_msgpack import V2Decoder, V2Encoder
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink.client")

FIRST_FRAME_SIZE = 512 * 1024  # G2-5: until hello tells the server's
FEATURES = (wire.SUBSCRIPTIONS, wire.ARRAYS, FLOW, wire.CANCELLATION)
"""The features that the client announces (EXT-1)."""

PublicationHandler = Callable[[str, Mapping[str, Any]], None]


class OutgoingCall(NamedTuple):
    """A call that is to be sent, and the future of its result. Whoever gives up on it discards its id."""

    id: str
    message: Message
    result: Future[Value]


class ClientSession:
    """One connection's state.

    Args:
        limits: bounds on what the server may make grow.
        publish: called with the topic and the message of each publication.
        sink: takes the frames that cannot be written by the caller at once.

    Attributes:
        client_id: see Link.
        server: see Link.
        features: see Link.
        max_frame: the most bytes in a frame, header included (G2-5).
        pending: the calls that wait for their response.
        outbox: the messages that wait to be sent.
    """

    def __init__(self, limits: Limits, publish: PublicationHandler, sink: FrameSink) -> None:
        self.client_id: str = ""
        self.server: dict[str, Value] = {}
        self.features: tuple[str, ...] = ()
        self.max_frame: int = FIRST_FRAME_SIZE
        self.pending: PendingCalls = PendingCalls()
        self.outbox: Outbox = Outbox(sink)
        self._publish = publish
        self._flow: FlowControl | None = None
        self._settling = Settling(self.outbox.notify)
        self._receiving = Receiving()
        self._encoder: V2Encoder = V2
        self._decoder = V2Decoder(limits)
        self._numbers = itertools.count()

    # Outgoing -----------------------------------------------------------------

    def hello(self, secret: str | None) -> OutgoingCall:
        """The first call (HELLO-1, EXT-1)."""
        token: dict[str, Value] = {} if secret is None else {"secret": secret}
        token.update(features=FEATURES, client={"name": "wslink-python", "version": __version__})
        return self._call(wire.HELLO_ID, wire.HELLO, [token], {})

    def call(self, method: str, args: Sequence[Value], kwargs: dict[str, Value]) -> OutgoingCall:
        """A call (MSG-3). Raises NotSerializable."""
        return self._call(f"rpc:{self.client_id}:{next(self._numbers)}", method, args, kwargs)

    def system(self, method: str, argument: Mapping[str, Value]) -> OutgoingCall:
        """A system call, of a feature. Raises NotSerializable."""
        return self._call(f"system:{method}:{next(self._numbers)}", method, [argument], {})

    def _call(self, id_: str, method: str, args: Sequence[Value], kwargs: dict[str, Value]) -> OutgoingCall:
        message = self._encoder.call(id_, method, args, kwargs, self.max_frame)
        return OutgoingCall(id_, message, self.pending.add(id_))

    def post(self, call: OutgoingCall, on_transfer: OnTransfer | None) -> Entry:
        """Send a call when it is its turn; what waits until then is for `over`."""
        if on_transfer is not None:
            self._receiving.add(call.id, on_transfer)
        return self.outbox.post(call.message, on_transfer)

    def over(self, call: OutgoingCall, entry: Entry | None) -> None:
        """Nobody waits for a call any more: because of its response, or because its caller gave it up (CAN-1)."""
        self.pending.discard(call.id)
        is_sent = entry is None or entry.over
        if entry is not None:
            self.outbox.give_up(entry)
            self._receiving.remove(call.id)
        if is_sent and (call.result.cancelled() or not call.result.done()):
            self._cancel(call.id)

    def _cancel(self, id_: str) -> None:
        if wire.CANCELLATION in self.features and not id_.startswith("system:"):
            self.outbox.urge(pack_extension((CANCEL, id_)))

    def settle(self, subscription: int, count: int, duration: float) -> None:
        """A subscriber has dealt with `count` publications so far, the last in `duration` seconds (FLOW-5)."""
        if self._flow is not None:
            self._settling.settle(subscription, count, duration)

    def end(self, error: ConnectionClosed) -> None:
        """The connection has ended: nothing is sent any more, and what waits fails with `error`."""
        self._flow = None
        self._settling.stop()
        self.outbox.clear()
        self.pending.fail(error)

    def _welcome(self, result: Value) -> None:
        """Take the result of hello (HELLO-2, EXT-2), before the frame that follows it (FLOW-1).

        Raises:
            ConnectionClosed: if it cannot be understood.
        """
        try:
            self.client_id = str(result["clientID"])
            self.max_frame = int(result.get("maxMsgSize", self.max_frame))
            self.features = tuple(result.get("features", ()))
            self.server = dict(result.get("server", {}))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConnectionClosed(1006, f"the server's answer to hello makes no sense: {shown(result)}") from error
        if wire.ARRAYS in self.features:
            self._encoder = V2_WITH_ARRAYS
            self._decoder.accept_arrays()
        if FLOW in self.features:
            self._flow = self.outbox.start_flow()
        if wire.CANCELLATION in self.features:
            self._decoder.accept_ends()
            self.outbox.sends_ends = True

    # Incoming -----------------------------------------------------------------

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one frame. Never raises: what is wrong with it is logged, or fails the call that it answers."""
        try:
            message = self._decoder.receive(binary, data)
        except PeerError as error:
            if self._flow is not None:
                self._flow.received.count(len(data))
            self._refuse(error)
            return
        is_extension = type(message) is list
        if self._flow is not None and not (is_extension and is_uncounted(message)):
            self._flow.received.count(len(data))
        if message is INCOMPLETE:
            if self._receiving and not isinstance(data, str):
                self._receiving.arrived(data)
        elif is_extension:
            self._take_extension(message)
        else:
            self._take(message, data)

    def _take(self, message: Any, data: Buffer | str) -> None:
        id_ = message.get("id") if isinstance(message, dict) else None
        if not isinstance(id_, str):
            logger.warning("the server sent a message without an id")
        elif id_.startswith("publish:"):
            self._publish(id_[len("publish:") :].rpartition(":")[0], message)
        else:
            if self._receiving and not isinstance(data, str):
                self._receiving.completed(id_, data)
            self._take_response(id_, message)

    def _take_response(self, id_: str, message: dict[str, Any]) -> None:
        if id_ == wire.HELLO_ID and message.get("error") is None and self.pending.waits(id_):
            try:
                self._welcome(message.get("result"))
            except ConnectionClosed as error:
                self.pending.reject(id_, error)
        if not self.pending.settle(id_, message) and not _is_harmless(message.get("error")):
            logger.warning("the server reports an error: %s", message["error"])

    def _take_extension(self, items: list[Any]) -> None:
        if self._flow is None or not items or items[0] != ACKNOWLEDGEMENT:
            logger.warning("the server sent a message of no extension that is in use: %s", shown(items))
            return
        try:
            total, held = number(items, 1, "bytes received"), number(items, 2, "milliseconds held")
        except PeerError as error:
            logger.warning("the server sent an acknowledgement that is refused: %s", error.message)
        else:
            self._flow.acknowledged(total, held)

    def _refuse(self, error: PeerError) -> None:
        """A message cannot be read. The call that it answers fails, if there is one; others are for the log."""
        refusal = CallError(error.code, f"the server's response is refused: {error.message}")
        if error.id is None or not self.pending.reject(error.id, refusal):
            logger.warning("the server sent a message (%s) that is refused: %s", error.id, error.message)


def _is_harmless(error: Value) -> bool:
    """Whether there is no error, or it says that a call which was given up is cancelled."""
    return error is None or (isinstance(error, dict) and error.get("code") == CANCELLED)
