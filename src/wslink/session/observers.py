"""Observers of the sessions of a server. They cost nothing if there are none."""

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
    """A publication, as observers see it.

    Attributes:
        topic: the topic's name.
        tags: its tags; None for a publication that was rendered for one subscription, whatever its filter.
        packed: the encoded payload; see Encoder.pack.
        size: bytes of the message that is sent to each client.
        clients: the sessions that it is sent to.
    """

    topic: str
    tags: Mapping[str, str | int | float | bool] | None
    packed: Value
    size: int
    clients: Sequence[SessionView]


class Observer:
    """Base class of observers. Override the methods that should be called; they run on the event loop's thread."""

    def opened(self, session: SessionView, opening: Opening) -> None:
        """A connection was opened, before hello. An exception closes the connection."""

    def wants_request(self) -> bool:
        """Whether `opened` needs `opening.request`, which some transports create only on demand."""
        return True

    def closed(self, session: SessionView) -> None:
        """A connection has ended, whether or not its client had authenticated."""

    def received(self, session: SessionView, request: Request) -> None:
        """A call has arrived, or a system message such as hello."""

    def unknown(self, session: SessionView, request: Request) -> None:
        """A method was called that does not exist."""

    def errored(self, session: SessionView, id_: str, code: int) -> None:
        """An error is sent for the request `id_`, which may have ended already."""

    def responded(self, session: SessionView, id_: str, method: str, message: Message) -> None:
        """The call `id_` of `method` ends with a result or an error, which `message` contains."""

    def streamed(self, session: SessionView, id_: str, message: Message) -> None:
        """The call `id_` yields an item of its stream, which `message` contains."""

    def asked(self, session: SessionView, id_: str, method: str, message: Message) -> None:
        """The server calls a method of the client, with `message`."""

    def replied(self, session: SessionView, message: Mapping[str, Value]) -> None:
        """The client's response to such a call: a map with its `id`, and `result` or `error`."""

    def delayed(self, session: SessionView, id_: str, method: str) -> None:
        """A response was queued instead of sent at once: a result of `method`, or an error (""). `session.queue.watch`
        calls back when its last frame has been taken, or it was dropped."""

    def published(self, publication: Published) -> None:
        """A publication is sent to clients. Called once for each encoding in use."""

    def acknowledged(self, session: SessionView, topic: str, settled: Settled) -> None:
        """A page has handled a publication (FLOW-5)."""

    def detached(self, session: SessionView) -> None:
        """A client has lost its connection, and may return."""

    def resumed(self, session: SessionView) -> None:
        """A client has returned."""

    def queued(self, session: SessionView) -> None:
        """A message was queued instead of sent at once."""

    def settled(self, session: SessionView) -> None:
        """A queued message has been sent, or was dropped."""


class Observers:
    """The observers of a server, grouped by the methods that they override. Sessions keep references to the lists,
    which change in place."""

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
        """Notify `observer` from now on."""
        for name, observers in vars(self).items():
            overridden = getattr(type(observer), name) is not getattr(Observer, name)
            if overridden or (name == "wants_request" and self._observes_opening(observer)):
                observers.append(getattr(observer, name))

    def _observes_opening(self, observer: Observer) -> bool:
        return type(observer).opened is not Observer.opened
