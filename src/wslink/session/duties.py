"""The base of a session, with the methods that its layers call before the layer that implements them.

A session is too large for one class. It is composed of layers, each a class that extends the previous one:

    Duties -> Outgoing -> Refusals -> Detachable -> Cancellable -> Streaming -> Moving -> Session

Each layer has one responsibility and a module of its own. Inheritance instead of delegation keeps the number of Python
functions small that a call passes through.
"""

from __future__ import annotations

from collections.abc import Sequence

from wslink.session.state import Stateful
from wslink.wire.frames import Buffer
from wslink.wire.value import Value


class Duties(Stateful):
    """The abstract methods of a session. Each raises NotImplementedError."""

    __slots__ = ()

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection."""
        raise NotImplementedError

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one data frame from the transport."""
        raise NotImplementedError

    def charge(self, seconds: float) -> None:
        """The last message took this long to handle: further ones wait for the client's next turn (TURN-1)."""
        raise NotImplementedError

    def has_many_calls(self) -> bool:
        """Whether the client has as many calls running as it may."""
        raise NotImplementedError

    def stalled(self, reason: str) -> None:
        """The client has accepted nothing for too long (LIM-6)."""
        raise NotImplementedError

    def check_kept(self) -> None:
        """More messages are waiting for a client that is away (RES-4)."""
        raise NotImplementedError

    def start_resume(self) -> None:
        """Acknowledge what arrives and keep what is sent, from now on (RES)."""
        raise NotImplementedError

    def void_previous_token(self) -> None:
        """Void the previous token: the client has shown that it knows its newest one (RES-7)."""
        raise NotImplementedError

    def accept_arrays(self) -> None:
        """Send and receive typed arrays from now on (ARR-1)."""
        raise NotImplementedError

    def accept_ends(self) -> None:
        """Drop messages that the client aborts before they are complete, from now on (CAN-3)."""
        raise NotImplementedError

    def cancel(self, id_: str) -> None:
        """Cancel one of the client's calls, at its request (CAN-1, CAN-2)."""
        raise NotImplementedError

    def take_stream(self, items: Sequence[Value]) -> None:
        """Handle a message of a stream (STR). Raises InvalidRequest."""
        raise NotImplementedError

    def start_streams(self) -> None:
        """Allow streams from now on (STR)."""
        raise NotImplementedError

    def accept_calls(self) -> None:
        """Allow the server to call the client's methods from now on (HND)."""
        raise NotImplementedError

    @property
    def awaits_response(self) -> bool:
        """Whether the server is waiting for a response from the client."""
        raise NotImplementedError
