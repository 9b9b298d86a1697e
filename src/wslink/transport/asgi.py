"""Sessions over the WebSockets of ASGI servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from wslink.session.ports import FrameReceiver
from wslink.session.state import CLOSED
from wslink.transport.gate import ReadGate
from wslink.transport.turns import Share

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


class AsgiSocket:
    """The socket of a PumpedConnection. The ASGI server handles pings and compression.

    Args:
        receive, send: the callables of an accepted WebSocket, as ASGI defines them.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._gone = False
        self.asked: bool = False
        """Whether the peer has closed with code 1000."""
        self.on_failure: Callable[[Exception], object] = lambda error: None
        """Called when something could not be sent: nothing is from then on, since it would come after a gap."""

    async def send_bytes(self, data: bytes) -> None:
        await self._emit({"type": "websocket.send", "bytes": data})

    async def send_str(self, text: str) -> None:
        await self._emit({"type": "websocket.send", "text": text})

    async def close(self, code: int, message: bytes) -> None:
        await self._emit({"type": "websocket.close", "code": code, "reason": message.decode()})

    async def read(
        self, carried: Callable[[], FrameReceiver], max_frame: int, gate: ReadGate, hold: Callable[[bool], None]
    ) -> tuple[int, str]:
        """Pass what arrives to `carried` until the connection ends. Returns the close code and reason to send, or (0,
        "").

        Args:
            carried: returns the session, which may change.
            max_frame: the largest accepted message, in bytes (LIM-1).
            gate: while it is closed, nothing is read.
            hold: called for each message, with whether it arrived together with the previous one.
        """
        share = Share()
        while (event := await self._receive())["type"] == "websocket.receive":
            hold(share.begin())
            binary = event.get("bytes") is not None
            data = event["bytes"] if binary else event["text"]
            if len(data) > max_frame:
                return 1009, f"a message is at most {max_frame} bytes"
            carried().receive(binary, data)
            del event, data  # which may be large: it is not to be kept while the next one is waited for
            if carried().state is CLOSED:
                return 0, ""
            if gate.closed:
                await gate.wait()
            elif share.is_over():
                await share.turn()
        self._gone = True
        self.asked = event.get("code") in (1000, 1001)  # some servers report 1005 for a lost connection
        return 0, ""

    async def _emit(self, event: Event) -> None:
        if self._gone:
            return
        try:
            await self._send(event)
        except Exception as error:  # servers and middleware raise many different exceptions when the client has gone
            self._gone = True
            self.on_failure(error)
