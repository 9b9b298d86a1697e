"""The abstract methods of a session, which its base classes implement one after another."""

from __future__ import annotations

from collections.abc import Sequence

from wslink.session.state import Stateful
from wslink.wire.frames import Buffer
from wslink.wire.value import Value


class Duties(Stateful):
    """Each method raises NotImplementedError."""

    __slots__ = ()

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection."""
        raise NotImplementedError

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one data frame from the transport."""
        raise NotImplementedError

    def charge(self, seconds: float) -> None:
        """What it took last took so long: more of what the client sends waits for its next turn (TURN-1)."""
        raise NotImplementedError

    def has_many_calls(self) -> bool:
        """Whether the client has as many calls under way as it may."""
        raise NotImplementedError

    def stalled(self, reason: str) -> None:
        """The client has taken nothing for too long (LIM-6)."""
        raise NotImplementedError

    def check_kept(self) -> None:
        """More waits for a client that is away (RES-4)."""
        raise NotImplementedError

    def start_resume(self) -> None:
        """Acknowledge what arrives, and keep what is sent, from now on (RES)."""
        raise NotImplementedError

    def void_previous_token(self) -> None:
        """The client has acknowledged messages, and so knows its newest token (RES-7)."""
        raise NotImplementedError

    def accept_arrays(self) -> None:
        """Send and receive typed arrays from now on (ARR-1)."""
        raise NotImplementedError

    def accept_ends(self) -> None:
        """Drop messages that the client ends before they are whole, from now on (CAN-3)."""
        raise NotImplementedError

    def cancel(self, id_: str) -> None:
        """The client gave up a call of its own (CAN-1, CAN-2)."""
        raise NotImplementedError

    def take_stream(self, items: Sequence[Value]) -> None:
        """Take a message of a stream (STR). Raises InvalidRequest."""
        raise NotImplementedError

    def start_streams(self) -> None:
        """Stream from now on (STR)."""
        raise NotImplementedError

    def accept_calls(self) -> None:
        """Let the server call methods of the client, from now on (HND)."""
        raise NotImplementedError

    @property
    def awaits_response(self) -> bool:
        """Whether the server waits for a response of the client's."""
        raise NotImplementedError
