"""Interfaces of a session to its transport and to its server."""

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
    """The receiver of a transport's frames: a session, or several in turn."""

    @property
    def client_id(self) -> str: ...

    @property
    def state(self) -> State: ...

    @property
    def chunked(self) -> bool:
        """Whether binary frames are chunks of messages (G2-2), which a transport may divide into smaller ones."""

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one data frame from the transport. Never raises."""

    def uncount(self, size: int) -> None:
        """A chunk has been divided: what comes next begins with `size` bytes that the peer has not sent, and that do
        not count (FLOW-1)."""

    def charge(self, seconds: float) -> None:
        """The last frame took so long: more of those that came with it wait for the next turn (TURN-1)."""

    def resume(self) -> None:
        """The transport is writable again."""

    def close(self, code: int, reason: str) -> None:
        """End the session, and close the connection."""

    def closed(self, asked: bool = False) -> None:
        """The connection has ended; `asked`: by a close of the peer's with code 1000, 1001 or none. Safe to call more
        than once."""


class Transport(Protocol):
    """The carrier of a session's frames. All methods are called on the event loop's thread.

    `send` takes frames, in order, at any time and never raises: on a dead connection it does nothing. While `writable`
    is false, the session keeps frames in its own queue; the transport calls `resume` when it becomes true again.
    """

    @property
    def writable(self) -> bool: ...

    def carry(self, receiver: FrameReceiver) -> None:
        """Hand what arrives, and the end, to `receiver` from now on."""

    def send(self, frames: Sequence[Frame]) -> None: ...

    @property
    def progress(self) -> Progress:
        """What the peer has taken."""

    def cork(self) -> None:
        """Keep small frames until `uncork`, to write them together. Nothing where that gains nothing."""

    def uncork(self) -> None:
        """Write what was kept."""

    def pause_reading(self) -> None:
        """Read nothing more until `resume_reading`; what has been read is still handed over. Nothing where that cannot
        be done."""

    def resume_reading(self) -> None:
        """Read on. Safe to call where it was not paused."""

    def limit_unsent(self, limit: int) -> None:
        """Be writable only while less than `limit` bytes wait below, where nothing can be replaced or overtaken. A
        connection that cannot know does nothing."""

    def close(self, code: int, reason: str) -> None:
        """Close once what was sent has gone out; `reason` is cut to 123 bytes (RFC 6455, 5.5)."""


class Returnable(Protocol):
    """A session as its client's return sees it (RES-6)."""

    @property
    def client_id(self) -> str: ...

    @property
    def resumption(self) -> Resumption | None: ...

    def refuses(self, back: Return, features: tuple[str, ...], identity: Identity) -> str:
        """Why a client cannot return that has passed the checks of a hello; "" if it can, with its next token then."""

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one data frame."""

    def take_up(self, transport: Transport, decoder: Decoder, opening: Opening) -> None:
        """Go on over a new connection, whose client has been told so."""


class SessionOwner(Protocol):
    """The server of a session: what its sessions share, and whom they report to.

    Attributes:
        limits: see Limits.
        service: what runs calls.
        features: those that hello may grant.
        observers: see Observers.
        turns: what shares the event loop among clients whose frames wait.
        backlog: what waits in all queues.
        tokens: what leads clients back to their sessions.
        heartbeat: seconds of silence after which a client that can return asks for a sign of life (RES-11); below 1 it
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
        """A session has a connection; called for every session, once."""

    def authenticate(self, credentials: Credentials) -> Identity | Awaitable[Identity | None] | None:
        """Who a client is, or None to refuse it; now, or as soon as it is known."""

    def recall(self, token: str) -> Awaitable[None] | None:
        """Have the session of a token that is not known come here from another process; None where there is none."""

    def admit(self, session: SessionView, identity: Identity, opening: Opening) -> Caller:
        """A client has authenticated, and is about to be told so: the client as its calls see it."""

    def welcome(self, session: SessionView) -> None:
        """A client that was admitted has been told so."""

    def detached(self, session: SessionView) -> None:
        """A session has lost its connection, and waits for its client's return."""

    def resumed(self, session: SessionView, opening: Opening) -> None:
        """Its client has returned over another connection."""

    def merged(self, session: SessionView) -> None:
        """The connection of a session that was opened, and not admitted, has gone to the one that its client returns
        to: in place of `farewell`."""

    def farewell(self, session: SessionView) -> None:
        """A session has ended; called for every session that was opened, once."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> object:
        """Run a coroutine as a task that ends with the server at the latest."""


class HandshakeOwner(SessionOwner, Protocol):
    """A SessionOwner as what takes connections sees it."""

    def wants_requests(self) -> bool:
        """Whether the request that opens a connection is wanted, as `Opening.request`."""

    def wants_headers(self) -> bool:
        """Whether its headers are wanted until hello."""

    def is_application_behind(self) -> bool:
        """Whether as much waits for the application's own thread as may (LIM-10): no further clients are taken."""
