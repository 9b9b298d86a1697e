"""The interfaces between a session, its transport and its server."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, Protocol

from wslink.rpc.call import Caller
from wslink.rpc.dispatcher import Service
from wslink.session.features import Features
from wslink.session.identity import Credentials, Identity, Opening
from wslink.session.intake import Turns
from wslink.session.observers import Observers
from wslink.session.resumption import Resumption, Return
from wslink.session.send_queue import QueueLedger
from wslink.session.stall import Progress
from wslink.session.state import State
from wslink.session.tokens import Tokens
from wslink.session.view import SessionView
from wslink.wire.codec import Decoder
from wslink.wire.frames import Buffer, Frame
from wslink.wire.limits import Limits


class FrameReceiver(Protocol):
    """The receiver of a transport's frames: a session, or several one after another."""

    @property
    def client_id(self) -> str: ...

    @property
    def state(self) -> State: ...

    @property
    def chunked(self) -> bool:
        """Whether binary frames are chunks of messages (G2-2), which a transport may divide into smaller ones."""

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Handle one data frame. Never raises."""

    def uncount(self, size: int) -> None:
        """A chunk has been divided: what comes next begins with `size` bytes that the peer has not sent, and that do
        not count (FLOW-1)."""

    def charge(self, seconds: float) -> None:
        """The last frame took this long to handle: the ones that came with it wait for the next turn (TURN-1)."""

    def resume(self) -> None:
        """The transport is writable again."""

    def close(self, code: int, reason: str) -> None:
        """End the session, and close the connection."""

    def closed(self, asked: bool = False) -> None:
        """The connection has ended. `asked` means that the peer closed it with code 1000, 1001 or none. Safe to call
        more than once."""


class Transport(Protocol):
    """Carries a session's frames. All methods are called on the event loop's thread.

    `send` may be called at any time. It sends frames in order and never raises; on a dead connection it does nothing.
    While `writable` is false, the session keeps frames in its own queue. The transport calls `resume` when it becomes
    true again.
    """

    @property
    def writable(self) -> bool: ...

    def carry(self, receiver: FrameReceiver) -> None:
        """Pass incoming frames, and the end of the connection, to `receiver` from now on."""

    def send(self, frames: Sequence[Frame]) -> None: ...

    @property
    def progress(self) -> Progress:
        """How much the peer has accepted."""

    def cork(self) -> None:
        """Keep small frames until `uncork`, to write them together. Does nothing where that gains nothing."""

    def uncork(self) -> None:
        """Write the frames that were kept."""

    def pause_reading(self) -> None:
        """Stop reading until `resume_reading`; what has been read already is still passed on. Does nothing where it is
        not possible."""

    def resume_reading(self) -> None:
        """Resume reading. Safe to call if it was not paused."""

    def limit_unsent(self, limit: int) -> None:
        """Be writable only while less than `limit` bytes wait in the layers below, where they can no longer be replaced
        or overtaken. Does nothing on connections that cannot know."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection after what was sent has been written. `reason` is cut to 123 bytes (RFC 6455, 5.5)."""


class Returnable(Protocol):
    """A session to which its client may return (RES-6)."""

    @property
    def client_id(self) -> str: ...

    @property
    def resumption(self) -> Resumption | None: ...

    def refuses(self, back: Return, features: tuple[str, ...], identity: Identity) -> str:
        """Check whether a client that has authenticated can return. Returns the reason why not, or "" after renewing
        its token."""

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Handle one data frame."""

    def take_up(self, transport: Transport, decoder: Decoder, opening: Opening) -> None:
        """Continue over a new connection, after the client was notified."""


class SessionOwner(Protocol):
    """The server of a session: what its sessions share, and what they report to.

    Attributes:
        limits: see Limits.
        service: runs calls.
        features: the features that hello may grant.
        observers: see Observers.
        turns: divides the event loop's time among clients whose frames are waiting.
        backlog: counts what is waiting in all queues.
        tokens: finds the sessions of returning clients.
        heartbeat: seconds of silence after which a client that can return requests a sign of life (RES-11). Below 1 it
            does not.
    """

    @property
    def limits(self) -> Limits: ...
    @property
    def service(self) -> Service: ...
    @property
    def features(self) -> Features: ...
    @property
    def observers(self) -> Observers: ...
    @property
    def turns(self) -> Turns: ...
    @property
    def backlog(self) -> QueueLedger: ...
    @property
    def tokens(self) -> Tokens[Returnable]: ...
    @property
    def heartbeat(self) -> float: ...

    def opened(self, session: SessionView, opening: Opening) -> None:
        """A session has a connection. Called once for every session."""

    def authenticate(self, credentials: Credentials) -> Identity | Awaitable[Identity | None] | None:
        """Identify a client, or return None to refuse it; directly or as an awaitable."""

    def recall(self, token: str) -> Awaitable[None] | None:
        """Request the session of an unknown token from other processes; None if there are none."""

    def admit(self, session: SessionView, identity: Identity, opening: Opening) -> Caller:
        """A client has authenticated, and is about to be notified. Returns the client, for its calls."""

    def welcome(self, session: SessionView) -> None:
        """An admitted client was notified."""

    def detached(self, session: SessionView) -> None:
        """A session has lost its connection, and waits for its client to return."""

    def resumed(self, session: SessionView, opening: Opening) -> None:
        """The client has returned over another connection."""

    def merged(self, session: SessionView) -> None:
        """The connection of a session that was opened, but not admitted, has moved to the session that its client
        returned to. Called instead of `farewell`."""

    def farewell(self, session: SessionView) -> None:
        """A session has ended. Called once for every session that was opened."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> object:
        """Run a coroutine as a task that ends with the server at the latest."""


class HandshakeOwner(SessionOwner, Protocol):
    """A SessionOwner, as servers that accept connections need it."""

    def wants_requests(self) -> bool:
        """Whether `Opening.request` is needed."""

    def wants_headers(self) -> bool:
        """Whether the request's headers are needed until hello."""

    def is_application_behind(self) -> bool:
        """Whether the mailbox of the application's own thread is full (LIM-10), so that no further clients are
        accepted."""
