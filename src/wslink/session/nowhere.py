"""Stand-ins for the transport of a detached session, and for the session of a connection that it has left (RES-6,
RES-9)."""

from __future__ import annotations

from collections.abc import Sequence

from wslink.session.stall import Progress
from wslink.session.state import CLOSED, State
from wslink.wire.frames import Buffer, Frame


class Nowhere:
    """The transport of a session that waits for its client to return: nothing can be sent (session.ports.Transport)."""

    __slots__ = ("_looks",)
    writable: bool = False

    def __init__(self) -> None:
        self._looks = 0

    @property
    def progress(self) -> Progress:
        """Changes every time: a client that is away does not count as stalled."""
        self._looks += 1
        return Progress(self._looks)

    def carry(self, receiver: object) -> None: ...

    def send(self, frames: Sequence[Frame]) -> None: ...

    def cork(self) -> None: ...

    def uncork(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def limit_unsent(self, limit: int) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Departed:
    """The receiver of a connection whose session has moved to another one (session.ports.FrameReceiver)."""

    __slots__ = ("client_id", "state")
    chunked: bool = False

    def __init__(self, client_id: str) -> None:
        self.client_id: str = client_id
        self.state: State = CLOSED

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Ignored: the client will send it again."""

    def uncount(self, size: int) -> None: ...

    def charge(self, seconds: float) -> None: ...

    def resume(self) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def closed(self, asked: bool = False) -> None: ...
