"""What a session asks of the connection that carries it and of the server that it belongs to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wslink.rpc.methods import Methods
from wslink.rpc.ordering import AnswerFirst
from wslink.session.hello import Hello
from wslink.wire.frames import Buffer, Frame
from wslink.wire.limits import Limits
from wslink.wire.messages import CallEnvelope

if TYPE_CHECKING:
    from wslink.session.session import Session


class Carriable(Protocol):
    """What a connection carries: a session, or several in turn."""

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one data frame from the connection. Never raises."""

    def resume(self) -> None:
        """The connection is writable again."""

    def closed(self) -> None:
        """The connection has ended. Safe to call more than once."""


class Connection(Protocol):
    """What carries a session's frames. Backends implement it; all of it is called on the event loop's thread.

    `send` takes frames, in order, at any time and never raises: on a dead connection it does nothing. While `writable`
    is false, the session keeps frames in its own outbox; the connection calls `resume` when it becomes true again.
    """

    @property
    def writable(self) -> bool: ...

    def send(self, frames: Sequence[Frame]) -> None: ...

    def limit_unsent(self, limit: int) -> None:
        """Be writable only while less than `limit` bytes wait below, where nothing can be replaced or overtaken. A
        connection that cannot know does nothing."""

    def close(self, code: int, reason: str) -> None:
        """Close once what was sent has gone out; `reason` is cut to 123 bytes (RFC 6455, 5.5)."""


class Watch(Protocol):
    """What somebody is told of the messages of a host's sessions. A host without one pays nothing for it."""

    def received(self, call: CallEnvelope) -> None:
        """A call has arrived, or a hello."""

    def queued(self) -> None:
        """A message did not go out at once: it waits for a client."""

    def settled(self) -> None:
        """A message that waited has gone out, or never will."""


class Host(Protocol):
    """What a session asks of the server it belongs to."""

    limits: Limits
    methods: Methods
    ordering: AnswerFirst
    debug: bool
    owner: Any
    calls: int
    """Calls under way, also of clients that have gone (LIM-10)."""
    watch: Watch | None

    def wants_requests(self) -> bool:
        """Whether somebody looks at what opens a connection."""

    def opened(self, session: Session, request: Any) -> None:
        """`session` has a connection, which `request` opened; called for every session, once. `request` is None where
        nobody wants it."""

    def authenticate(self, hello: Hello, session: Session) -> bool | Awaitable[bool]: ...

    def welcome(self, session: Session) -> None:
        """`session` has authenticated, and has been told so."""

    def farewell(self, session: Session) -> None:
        """`session` has ended; called for every session that was opened, once."""

    def subscribe(self, session: Session, id_: Any, topic: Any, definition: Any) -> Callable[[], None]:
        """Add or change a subscription; returns what to do once the client knows. Raises PeerError."""

    def unsubscribe(self, session: Session, id_: Any) -> None:
        """End a subscription. Raises PeerError."""

    def delivery(self, topic: str) -> str: ...

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None: ...

    def run_in_thread(self, function: Callable[[], Any]) -> Awaitable[Any]: ...
