"""Observers: what is told of the sessions of a server, and costs nothing where nobody observes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from wslink.session.identity import Opening
from wslink.session.view import SessionView
from wslink.session.window import Settled
from wslink.wire.frames import Message
from wslink.wire.messages import Request
from wslink.wire.value import Value


class Published(msgspec.Struct, frozen=True):
    """A publication, as observers are notified of it.

    Attributes:
        topic: the topic's name.
        tags: its tags; None of what is rendered for one subscription, whatever its filter.
        packed: the payload, encoded; see Encoder.pack.
        size: bytes of the message that is sent to each client.
        clients: those that it is sent to.
    """

    topic: str
    tags: Mapping[str, str | int | float | bool] | None
    packed: Value
    size: int
    clients: Sequence[SessionView]


class Observer:
    """Base of observers: each overrides the methods that it wants to be called. They run on the event loop's thread."""

    def opened(self, session: SessionView, opening: Opening) -> None:
        """A connection is open, before hello. An exception ends the connection."""

    def wants_request(self) -> bool:
        """Whether `opened` looks at `opening.request`, which some transports only make where somebody does."""
        return True

    def closed(self, session: SessionView) -> None:
        """A connection has ended, whether or not its client had authenticated."""

    def received(self, session: SessionView, request: Request) -> None:
        """A call has arrived, or a system message such as hello."""

    def unknown(self, session: SessionView, request: Request) -> None:
        """A call of a method that there is not."""

    def errored(self, session: SessionView, id_: str, code: int) -> None:
        """The request `id_`, which may have ended already, is sent an error."""

    def responded(self, session: SessionView, id_: str, method: str, message: Message) -> None:
        """The call `id_` of `method` ends with a result or an error, which is to be sent in `message`."""

    def streamed(self, session: SessionView, id_: str, message: Message) -> None:
        """The call `id_` gives an item of its stream, which is to be sent in `message`."""

    def asked(self, session: SessionView, id_: str, method: str, message: Message) -> None:
        """The server calls a method of the client, in `message`."""

    def replied(self, session: SessionView, message: Mapping[str, Value]) -> None:
        """The client's response to such a call: a map with its `id`, and `result` or `error`."""

    def delayed(self, session: SessionView, id_: str, method: str) -> None:
        """The response to a call, a result of `method` or an error (""), did not go out at once. `session.queue.watch`
        tells when its last frame has been taken, or it was given up."""

    def published(self, publication: Published) -> None:
        """A publication is sent to clients, encoded for some of them: once for each encoding."""

    def acknowledged(self, session: SessionView, topic: str, settled: Settled) -> None:
        """A page has dealt with a publication (FLOW-5)."""

    def detached(self, session: SessionView) -> None:
        """A client has lost its connection, and may return."""

    def resumed(self, session: SessionView) -> None:
        """It has returned."""

    def queued(self, session: SessionView) -> None:
        """A message did not go out at once: it waits for a client."""

    def settled(self, session: SessionView) -> None:
        """A message that waited has gone out, or never will."""


class Observers:
    """The observers of a server, by what they override. The lists are live: sessions keep them."""

    def __init__(self) -> None:
        self.opened: list[Callable[[SessionView, Opening], None]] = []
        self.wants_request: list[Callable[[], bool]] = []
        self.closed: list[Callable[[SessionView], None]] = []
        self.received: list[Callable[[SessionView, Request], None]] = []
        self.unknown: list[Callable[[SessionView, Request], None]] = []
        self.errored: list[Callable[[SessionView, str, int], None]] = []
        self.responded: list[Callable[[SessionView, str, str, Message], None]] = []
        self.streamed: list[Callable[[SessionView, str, Message], None]] = []
        self.asked: list[Callable[[SessionView, str, str, Message], None]] = []
        self.replied: list[Callable[[SessionView, Mapping[str, Value]], None]] = []
        self.delayed: list[Callable[[SessionView, str, str], None]] = []
        self.published: list[Callable[[Published], None]] = []
        self.acknowledged: list[Callable[[SessionView, str, Settled], None]] = []
        self.detached: list[Callable[[SessionView], None]] = []
        self.resumed: list[Callable[[SessionView], None]] = []
        self.queued: list[Callable[[SessionView], None]] = []
        self.settled: list[Callable[[SessionView], None]] = []

    def add(self, observer: Observer) -> None:
        """Tell `observer` from now on."""
        for name, observers in vars(self).items():
            overridden = getattr(type(observer), name) is not getattr(Observer, name)
            if overridden or (name == "wants_request" and self._observes_opening(observer)):
                observers.append(getattr(observer, name))

    def _observes_opening(self, observer: Observer) -> bool:
        return type(observer).opened is not Observer.opened
