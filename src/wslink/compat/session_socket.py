"""A session in the shape of a WebSocket."""

from __future__ import annotations

from wslink.session.state import State
from wslink.session.view import SessionView
from wslink.wire.frames import Buffer, Frame, message, text_frame


class SessionSocket:
    """A session in the shape of a WebSocket, for software that looks into `WslinkHandler.connections`."""

    def __init__(self, session: SessionView) -> None:
        self._session = session

    @property
    def closed(self) -> bool:
        return self._session.state is State.CLOSED

    async def send_bytes(self, data: Buffer) -> None:
        self._session.send(message([Frame(True, (data,), len(data), False)]))

    async def send_str(self, data: str) -> None:
        self._session.send(message([text_frame(data.encode())]))

    async def close(self, *, code: int = 1000, message: bytes = b"") -> None:
        self._session.close(code, message.decode(errors="replace"))
