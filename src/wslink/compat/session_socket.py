"""A session in the shape of a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wslink.session.state import State
from wslink.session.view import SessionView
from wslink.wire.frames import Buffer, Frame, message, text_frame


class SessionSocket:
    """A session in the shape of a WebSocket, for software that looks into `WslinkHandler.connections`."""

    def __init__(self, session: SessionView, on_loop: Callable[[Callable[[], None]], None]) -> None:
        self._session = session
        self._on_loop = on_loop

    @property
    def closed(self) -> bool:
        return self._session.state is State.CLOSED

    async def send_bytes(self, data: Buffer) -> None:
        self._send(Frame(True, (data,), len(data), False))

    async def send_str(self, data: str) -> None:
        self._send(text_frame(data.encode()))

    async def close(self, *, code: int = 1000, message: bytes = b"") -> None:
        self._on_loop(partial(self._session.close, code, message.decode(errors="replace")))

    def _send(self, frame: Frame) -> None:
        self._on_loop(partial(self._session.send, message([frame])))
