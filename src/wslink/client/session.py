"""The client's end of the protocol, without I/O: successive connections, and the handling of what arrives on them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from wslink.client.calls import OutgoingCall
from wslink.client.handlers import Handlers
from wslink.client.hello import Resumed, Welcome, hello_of, read_welcome
from wslink.client.outbox import NOWHERE
from wslink.client.resuming import UNRESUMED, Resuming, Verdict
from wslink.client.settling import Settling
from wslink.client.streaming import StreamingCalls
from wslink.errors import CANCELLED, CallError, ConnectionClosed, PeerError
from wslink.session.acknowledgements import SELDOM, Acknowledgements
from wslink.session.features.acknowledgement import numbers_of
from wslink.session.features.flow import FLOW
from wslink.session.flow import FlowControl
from wslink.session.sender import FrameSink
from wslink.wire import messages as wire
from wslink.wire.chunks import is_end, numbered
from wslink.wire.extensions import ACKNOWLEDGEMENT, CANCEL, ITEM, ITEM_CREDIT, ITEM_END, PROGRESS, is_uncounted, number
from wslink.wire.frames import Buffer, Frame
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE
from wslink.wire.show import shown
from wslink.wire.v2_msgpack import V2Decoder
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink.client")

FEATURES = (wire.SUBSCRIPTIONS, wire.ARRAYS, FLOW, wire.CANCELLATION, wire.PROGRESSES, wire.HANDLES, wire.STREAM)
"""The features that the client announces (EXT-1), but for `resume`."""

PublicationHandler = Callable[[str, Mapping[str, Any]], None]
Renew = Callable[[], Iterable[OutgoingCall]]


class ClientSession(StreamingCalls):
    """The state of one client: its calls, the connections that carry them, and what arrives.

    Args:
        limits: limits on what the server may make grow, and on what is kept for it.
        publish: called with the topic and the message of each publication.
        renew: called when a session begins after another; returns the calls that renew its subscriptions.
        lost: aborts a connection without a sign of life; if None, hello does not ask for resumption.
        handlers: handle the server's calls.

    Attributes:
        verdict: how this connection continues the previous one.
        sessions: how many there have been.
    """

    _announced: tuple[str, ...] = FEATURES

    def __init__(
        self,
        limits: Limits,
        publish: PublicationHandler,
        renew: Renew,
        lost: Callable[[], None] | None,
        handlers: Handlers,
    ) -> None:
        super().__init__(limits)
        self._handlers = handlers
        self.verdict: Verdict = UNRESUMED
        self.sessions: int = 0
        self._limits = limits
        self._publish = publish
        self._renew = renew
        self._sink: FrameSink = NOWHERE
        self._resuming = Resuming(limits.max_partial, self._ask, lost) if lost is not None else None
        self._acknowledgements: Acknowledgements | None = None
        self._settling = Settling(self.outbox.notify)
        self._decoder = V2Decoder(self._limits)

    # Connections ----------------------------------------------------------------

    @property
    def epoch(self) -> str:
        """See Link."""
        known = self._resuming.epoch if self._resuming is not None else ""
        return known or f"{self.welcome.client_id}:{self.sessions}"

    def hello(self, sink: FrameSink, secret: str | None) -> tuple[OutgoingCall, tuple[Frame, ...]]:
        """Use a connection. Returns its first call (HELLO-1, EXT-1) and the message for it."""
        self._sink = sink
        resuming = self._resuming
        resume = resuming.request(self.outbox.overflowed, self._decoder) if resuming is not None else None
        self._decoder = V2Decoder(self._limits)
        features = self._announced if resuming is None else (*self._announced, wire.RESUME)
        call = self._call(wire.HELLO_ID, wire.HELLO, [hello_of(secret, features, resume)], {})
        return call, tuple(numbered(call.message, 0))

    def disconnect(self, error: ConnectionClosed) -> None:
        """The connection has ended, and there will be another. Calls wait for it, except for those that a server
        without resumption may have received."""
        self._rest(error)
        self.outbox.disconnect()
        self.pending.reject(wire.HELLO_ID, error)
        self._fates.error = error
        if self.outbox.sent is None or self.outbox.overflowed:
            self._fates.fail()

    def end(self, error: ConnectionClosed) -> None:
        """The last connection has ended: pending calls fail with `error`."""
        self._rest(error)
        self._handlers.end()
        self.streams.fail(error)
        self.outbox.clear()
        self.pending.fail(error)

    def _rest(self, error: ConnectionClosed) -> None:
        self._settling.stop()
        if self._acknowledgements is not None:
            self._acknowledgements.stop()
            self._acknowledgements = None
        if self._resuming is not None:
            self._resuming.ended(error.code)

    def _welcome(self, result: Value) -> None:
        """Handle the result of hello (HELLO-2, EXT-2), before the frame that follows it (FLOW-1).

        Raises:
            ConnectionClosed: it is malformed.
        """
        welcome = read_welcome(result)
        self.welcome: Welcome = welcome
        self._encoder = self._make_encoder(wire.ARRAYS in welcome.features)
        if wire.ARRAYS in welcome.features:
            self._decoder.accept_arrays()
        if wire.CANCELLATION in welcome.features:
            self._decoder.accept_ends()
        self.outbox.sends_ends = wire.CANCELLATION in welcome.features
        resumed, overflowed = welcome.resume if wire.RESUME in welcome.features else None, self.outbox.overflowed
        self.outbox.open(self._sink)
        if self._resuming is not None:
            self.verdict = self._resuming.welcome(resumed, overflowed, self._decoder)
        if resumed is not None and self.verdict.resumed:
            self._go_on(resumed)
        else:
            self._begin()
        self.outbox.pump()

    def _go_on(self, resumed: Resumed) -> None:
        self._acknowledge(self.outbox.flow)
        self._settling.resume()
        self.streams.renew()
        self.outbox.repeat(resumed.received, resumed.missing, resumed.begun)

    def _begin(self) -> None:
        """The server knows nothing of what was before. Renew the subscriptions, then retry calls that may run twice,
        then send what was waiting."""
        received = self._resuming.received if self._resuming is not None else None
        self._fates.fail()
        again = self._fates.again()
        self.sessions += 1
        self.outbox.begin(received is not None)
        self._acknowledge(self.outbox.start_flow(received) if FLOW in self.welcome.features else None)
        self._settling.begin()
        self._handlers.begin(self.outbox, self._encoder, self.welcome.max_frame, self.welcome.features)
        renewed = self._renew() if self.sessions > 1 else ()
        self.outbox.restore([*(call.message for call in renewed), *again])

    def _acknowledge(self, flow: FlowControl | None) -> None:
        """Acknowledge what arrives on this connection."""
        if flow is not None:
            self._acknowledgements = flow.received
        elif self._resuming is not None and self._resuming.received is not None:
            self._acknowledgements = Acknowledgements(self.outbox.notify, SELDOM, self._resuming.received)

    def _ask(self) -> None:
        """Request a sign of life from the server."""
        if self._acknowledgements is not None:
            self._acknowledgements.send(asks=True)

    def heard(self) -> None:
        """Reading is paused, so that nothing is heard from the server: it must not be asked for a sign of life."""
        if self._resuming is not None:
            self._resuming.life.heard_at = monotonic()

    def settle(self, subscription: int, count: int, duration: float) -> None:
        """A subscriber has handled `count` publications so far, the last one in `duration` seconds (FLOW-5)."""
        if FLOW in self.welcome.features:
            self._settling.settle(subscription, count, duration)

    def forget(self, subscription: int) -> None:
        """A subscription has ended, and the server knows it."""
        self._settling.forget(subscription)

    # Incoming -----------------------------------------------------------------

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Handle one frame. Never raises: errors are logged, or fail the call that the frame responds to."""
        if self._resuming is not None:
            self._resuming.life.heard_at = monotonic()
        try:
            message = self._decoder.receive(binary, data)
        except PeerError as error:
            self._refuse_frame(data, error)
            return
        is_extension = type(message) is list
        acknowledgements = self._acknowledgements
        if acknowledgements is not None and not (is_extension and is_uncounted(message)):
            is_whole = message is not INCOMPLETE or is_end(data)  # type: ignore[arg-type]
            try:
                if not acknowledgements.count(len(data), int.from_bytes(data[:4], "little") if is_whole else 0):  # type: ignore[arg-type]
                    return  # it has arrived before (RES-3)
            except PeerError as error:
                self._refuse(error)
                return
        if message is INCOMPLETE:
            if self._receiving and not isinstance(data, str):
                self._receiving.arrived(data)
        elif is_extension:
            self._take_extension(message)
        else:
            self._take(message, data)

    def _refuse_frame(self, data: Buffer | str, error: PeerError) -> None:
        if self._acknowledgements is not None:
            with contextlib.suppress(PeerError):  # it has arrived, and must not be sent again
                self._acknowledgements.count(
                    len(data), 0 if isinstance(data, str) else int.from_bytes(data[:4], "little")
                )
        self._refuse(error)

    def _take(self, message: Any, data: Buffer | str) -> None:
        id_ = message.get("id") if isinstance(message, dict) else None
        if not isinstance(id_, str):
            logger.warning("the server sent a message without an id")
        elif id_.startswith("publish:"):
            self._publish(id_[len("publish:") :].rpartition(":")[0], message)
        elif "method" in message:
            self._handlers.take(message)
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
        if message.get("error") is not None and self.interrupted(id_, message["error"]):
            return
        if not self.pending.settle(id_, message) and not _is_harmless(message.get("error")):
            logger.warning("the server reports an error: %s", message["error"])

    def _take_extension(self, items: list[Any]) -> None:
        kind = items[0] if items and type(items[0]) is int else None
        if kind == CANCEL and wire.HANDLES in self.welcome.features:
            self._handlers.cancel(items[1] if len(items) > 1 else None)
            return
        if kind in (ITEM, ITEM_END, ITEM_CREDIT) and wire.STREAM in self.welcome.features:
            self.take_stream(items, self._decoder.size)
            return
        if kind == PROGRESS and wire.PROGRESSES in self.welcome.features:
            self.take_progress(items)
            return
        if self._acknowledgements is None or kind != ACKNOWLEDGEMENT:
            logger.warning("the server sent a message of no extension that is in use: %s", shown(items))
            return
        try:
            self._take_acknowledgement(items)
        except PeerError as error:
            logger.warning("the server sent an acknowledgement that is refused: %s", error.message)

    def _take_acknowledgement(self, items: list[Any]) -> None:
        """Handle an acknowledgement of the server (FLOW-2, RES-5). Raises InvalidRequest."""
        total, held = number(items, 1, "bytes received"), number(items, 2, "milliseconds held")
        sent, flow = self.outbox.sent, self.outbox.flow
        if sent is not None:
            sent.acknowledge(*numbers_of(items))
        if flow is not None:
            flow.acknowledged(total, held)
        if len(items) > 5 and items[5] is True and self._acknowledgements is not None:
            self._acknowledgements.send()

    def _refuse(self, error: PeerError) -> None:
        """A message cannot be decoded. Fail the call that it responds to, if there is one; otherwise log it."""
        refusal = CallError(error.code, f"the server's response is refused: {error.message}")
        if error.id is None or not self.pending.reject(error.id, refusal):
            logger.warning("the server sent a message (%s) that is refused: %s", error.id, error.message)


def _is_harmless(error: Value) -> bool:
    """Whether there is no error, or only the confirmation that a call was cancelled."""
    return error is None or (isinstance(error, dict) and error.get("code") == CANCELLED)
