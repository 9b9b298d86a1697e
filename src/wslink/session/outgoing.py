"""The sending half of a session: results, errors and publications are encoded, and sent or queued."""

from __future__ import annotations

import logging
from time import monotonic

from wslink import errors
from wslink.errors import LimitExceeded, NotSerializable
from wslink.rpc.call import Caller
from wslink.rpc.streams import Streams
from wslink.session.acknowledgements import Acknowledgements
from wslink.session.client_calls import ClientCalls
from wslink.session.duties import Duties
from wslink.session.entries import Entry
from wslink.session.flow import FlowControl
from wslink.session.intake import CREDIT
from wslink.session.notices import Notices
from wslink.session.pace import Pace
from wslink.session.ports import SessionOwner, Transport
from wslink.session.repeatable import SMALL
from wslink.session.resumption import Resumption
from wslink.session.send_queue import SendQueue
from wslink.session.sender import Sender
from wslink.session.state import CLOSED, DETACHED
from wslink.session.window import DeliveryWindow
from wslink.wire.codec import V2_WITH_ARRAYS, Encoder
from wslink.wire.frames import Buffer, Message
from wslink.wire.show import as_text
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")


class Outgoing(Duties):
    """The sending half of a session (rpc.dispatcher.Responder, session.view.SessionView).

    Args:
        owner: the server that it belongs to.
        transport: carries its frames.
        client_id: the client's id.
        route: where the connection was accepted.
    """

    __slots__ = (
        "_max_frame", "_notices", "_owner", "_pace", "_responded", "_sender", "_transport", "acknowledgements", "calls",
        "client", "client_id", "credit", "encoder", "features", "flow", "queue", "resumption", "route", "streams",
        "subscribing",
    )  # fmt: skip

    def __init__(self, owner: SessionOwner, transport: Transport, client_id: str, route: Value) -> None:
        super().__init__()
        self.client_id: str = client_id
        self.client: Caller | None = None
        self.route: Value = route
        self.subscribing: bool = False
        self.encoder: Encoder = V2_WITH_ARRAYS
        self.features: tuple[str, ...] = ()
        self.flow: FlowControl | None = None
        self.acknowledgements: Acknowledgements | None = None
        self.resumption: Resumption | None = None
        self.streams: Streams | None = None
        self.calls: ClientCalls | None = None
        self._owner = owner
        self._responded = owner.observers.responded
        self._transport = transport
        self._sender = Sender(transport, owner.limits.max_backlog, owner.backlog, self._pump)
        self.queue: SendQueue = self._sender.queue
        self.credit: int = CREDIT
        self._pace: Pace | None = None
        self._notices = Notices()
        self._max_frame = owner.limits.max_sent_frame

    def start_flow(self) -> None:
        """Acknowledge received data, and send at the rate of the client's acknowledgements, from now on (FLOW)."""
        numbers = self.resumption.received if self.resumption is not None else None
        self.flow = flow = FlowControl(self.queue, self._transport, self._send_now, self._pump, numbers)
        self._sender.flow, self.acknowledgements = flow, flow.received

    def result(self, id_: str, value: Value, method: str | None = None) -> None:
        """Send the result of a request, or what `encoded` returned for it; an error if it cannot be encoded."""
        resumption, number = self.resumption, 0
        if type(value) is Message:
            message = value
        else:
            if resumption is not None:
                number = resumption.last + 1  # unless it is queued
            try:
                message = self.encoder.result(id_, value, self._max_frame, number)
            except NotSerializable as error:
                self.error(id_, *_unsendable(error, method), method)
                return
        if method is not None:
            for notify in self._responded:
                notify(self, id_, method, message)
        if (
            self.queue.waiting
            or message.source is not None
            or self.state is CLOSED
            or not self._transport.writable
            or (self.flow is not None and not self.flow.takes(message.size))
        ):
            self._put_result(message, id_, method)
        elif resumption is None:  # like `send`, inlined: every call passes here
            self._transport.send(message.frames)
        elif number > resumption.last:  # like `resumption.numbered`, inlined as well
            resumption.last = number
            resumption.keep(message.frames[0].parts[0])  # type: ignore[arg-type]
            if message.size > SMALL or number >= resumption.look_at:
                resumption.look(message.size)
            self._transport.send(message.frames)
        else:
            self._transport.send(resumption.numbered(message))

    def _put_result(self, message: Message, id_: str, method: str | None) -> None:
        """Queue a result."""
        if self.state is not CLOSED:
            self._put(Entry(message, None, (id_,)), self._owner.service.methods.lanes.get(method))
            self._notify_delayed(id_, method or "")

    def _notify_delayed(self, id_: str, method: str) -> None:
        """Notify observers if a response was queued."""
        for notify in self._owner.observers.delayed if self.queue.holds(id_) else ():
            notify(self, id_, method)

    def encoded(self, id_: str, value: Value, method: str | None) -> Message:
        """Encode the result of a request, unless it is encoded already; an error if it cannot be. May be called from
        any thread."""
        if type(value) is Message:
            return value
        try:
            return self.encoder.result(id_, value, self._max_frame)
        except NotSerializable as error:
            failure = dict(zip(("code", "message", "data"), _unsendable(error, method), strict=True))
            return self.encoder.failure(id_, failure, self._max_frame)

    def error(self, id_: str, code: int, message: str, data: Value = None, method: str | None = None) -> None:
        """Send the error of a request. `method` is given if the request is a call. Data that cannot be encoded is
        replaced by a description."""
        error: dict[str, Value] = {"code": errors.as_code(code), "message": message}
        if data is not None:
            error["data"] = data
        try:
            failure = self.encoder.failure(id_, error, self._max_frame)
        except NotSerializable as unsendable:
            logger.error("an error cannot be sent as it is: %s", unsendable)
            failure = self.encoder.failure(id_, _sendable(self.encoder, error), self._max_frame)
        for notify in self._owner.observers.errored:
            notify(self, id_, error["code"])
        for responded in self._responded if method is not None else ():
            responded(self, id_, method or "", failure)
        self.send(failure, None, (id_,))
        self._notify_delayed(id_, "")

    def send(self, message: Message, key: Value = None, names: tuple[Value, ...] = (), lane: int | None = None) -> None:
        """Send `message` as soon as the transport accepts it. For `key` and `names` see entries.Entry, for `lane`
        SendQueue.put. A client that exceeds `max_backlog` is disconnected (LIM-6)."""
        if self.state is CLOSED:
            return
        direct = not self.queue.waiting and self._transport.writable and message.source is None
        if direct and (self.flow is None or self.flow.takes(message.size)):
            resumption = self.resumption
            self._transport.send(message.frames if resumption is None else resumption.numbered(message, key))
        elif self.flow is not None or self.resumption is not None or not self._sender.send_whole(message):
            self._put(Entry(message, key, names), lane)

    def result_behind(self, id_: str, value: Value, topic: str) -> None:
        """Send the result of a request after the publications of a topic that precede it (SUB-3 to SUB-5).

        With `flow`, it does not wait for publications that wait for a window, but only for the one that is being sent:
        the page may wait for this result before it opens the window.
        """
        message = self.encoder.result(id_, value, self._max_frame)
        if not self.queue.waiting or self.state is CLOSED:
            self.send(message, None, (id_,))
            return
        entry = Entry(message, None, (id_, topic))
        if self.queue.named.is_gated(topic):
            entry.names = (id_,)
            entry.after = self.queue.begun(topic)
        self._put(entry)

    def send_within(
        self,
        message: Message,
        key: Value,
        names: tuple[Value, ...],
        gates: tuple[DeliveryWindow, ...],
        label: object,
        about: object,
        lane: int | None = None,
    ) -> None:
        """Send a publication to a client with `flow` once the windows `gates` are open; see entries.Entry."""
        flow = self.flow
        if self.state is CLOSED or flow is None:
            return
        published = monotonic()
        entry = Entry(message, key, names, gates, lambda entry: flow.begin(entry, published, label))
        entry.about = about
        dropped = self.queue.dropped
        self._put(entry, lane)
        if self.queue.dropped > dropped:
            for gate in gates:
                gate.dropped += 1

    def _send_now(self, message: Message) -> bool:
        """Send a small message with the number 0 ahead of the queue, never repeated (RES-2). Returns whether it was
        sent: a client that reads nothing is sent only few of these."""
        if not self._notices.may_go(self._transport):
            return False
        self._transport.send(message.frames)
        return True

    def _put(self, entry: Entry, lane: int | None = None) -> None:
        """Queue a message, and send what may be sent."""
        before = self.queue.waiting
        try:
            added, gone = self._sender.put(entry, lane)
        except LimitExceeded as error:
            self.close(1008, error.message)
            return
        if added:
            for notify in self._owner.observers.queued:
                notify(self)
        self._settle(gone)
        if self.state is DETACHED:
            self.check_kept()
        elif self.queue.waiting and (not before or self.queue.waiting + self.queue.taken > self._owner.backlog.share):
            self.paced().watch()

    def resume(self) -> None:
        """The transport is writable again."""
        self._settle(self._sender.resume())
        if self._pace is not None:
            self._pace.moved()

    # Pace -------------------------------------------------------------------

    def paced(self) -> Pace:
        """Return the client's pace, which is created on first use."""
        if self._pace is None:
            self._pace = Pace(self, self._transport, self.queue, self._owner, self.has_many_calls)
        return self._pace

    def full(self) -> None:
        """The client has as many calls running as it may: accept no more."""
        self.credit = -1

    def room(self) -> None:
        """There may be room for waiting calls, and for waiting publishers."""
        if self._pace is not None:
            self._pace.room()

    def give_up_held(self) -> list[tuple[bool, Buffer | str]]:
        """Return the frames that wait for their turn, for the session that takes over."""
        return self._pace.stop() if self._pace is not None else []

    @property
    def has_room(self) -> bool:
        """Whether no more than `max_outbox` bytes are waiting, or the session is closed."""
        return self.state is CLOSED or self.queue.waiting <= self._owner.limits.max_outbox

    async def room_again(self) -> None:
        """Wait until `has_room` may be true."""
        await self.paced().room_again()

    def hears(self, on: bool) -> None:
        """Reading has resumed, or paused: then no acknowledgement arrives that would allow more to be sent."""
        if self.flow is not None:
            self.flow.deaf = not on
            if not on and self.queue.waiting:
                self._pump()

    def _pump(self) -> None:
        """Send what may be sent now."""
        self._settle(self._sender.pump())
        if self._pace is not None:
            self._pace.moved()

    def _settle(self, messages: int) -> None:
        """Notify observers of this many queued messages that have been sent or dropped."""
        for notify in self._owner.observers.settled if messages else ():
            for _ in range(messages):
                notify(self)


def _unsendable(error: NotSerializable, method: str | None) -> tuple[int, str, str | None]:
    """Return the code, message and data of the error for a result that cannot be encoded."""
    logger.error("the result of %s cannot be sent: %s", method, error)
    return errors.RESULT_SERIALIZE_ERROR, "Method result cannot be serialized", method


def _sendable(encoder: Encoder, error: dict[str, Value]) -> dict[str, Value]:
    """Return `error` with its message as text, and its data replaced by a description if it cannot be encoded."""
    plain = {**error, "message": as_text(error["message"])}
    try:
        encoder.pack(plain)
    except NotSerializable as unsendable:
        plain["data"] = as_text(f"the data of this error cannot be sent: {unsendable}")
    return plain
