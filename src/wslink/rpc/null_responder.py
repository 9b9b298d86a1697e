"""The responder of a dispatcher whose connection has ended."""

from __future__ import annotations

from collections.abc import Callable

from wslink.rpc.call import Call
from wslink.rpc.streams import Streams
from wslink.wire.messages import Request
from wslink.wire.value import Value


class NullResponder:
    """Sends nothing (rpc.dispatcher.Responder)."""

    streams: Streams | None = None

    def result(self, id_: str, value: Value, method: str | None = None) -> None: ...

    def encoded(self, id_: str, value: Value, method: str) -> Value:
        return value

    def error(self, id_: str, code: int, message: str, data: Value = None, method: str | None = None) -> None: ...

    def unknown(self, request: Request) -> None: ...

    def reporter(self, call: Call) -> Callable[[Value], None] | None:
        return None

    def full(self) -> None: ...

    def room(self) -> None: ...


NULL_RESPONDER: NullResponder = NullResponder()
