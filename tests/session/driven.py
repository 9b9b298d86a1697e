"""Sessions whose connections are driven by hand, frame by frame: no socket, no clock, and all that they are given."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgpack

from wslink.hub.hub import Hub
from wslink.session.identity import Opening
from wslink.session.session import Session
from wslink.session.stall import Progress
from wslink.wire.chunks import HEADER
from wslink.wire.extensions import is_uncounted
from wslink.wire.frames import Frame
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE
from wslink.wire.v2_msgpack import V2Decoder


class Line:
    """A connection of version 2, and the client at its other end.

    Attributes:
        messages: what the client has received, whole messages alone.
        numbers: their numbers (RES-2).
        sizes: of the frames.
        counted: bytes of those that are acknowledged (FLOW-1).
        closes: the codes and reasons with which the connection was closed.
        log: what the session did to it.
    """

    def __init__(self, hub: Hub, address: str = "192.0.2.1", **options: Any) -> None:
        self.messages: list[Any] = []
        self.numbers: list[int] = []
        self.sizes: list[int] = []
        self.counted = 0
        self.closes: list[tuple[int, str]] = []
        self.log: list[str] = []
        self.writable = True
        self.taken = 0
        self.carried: Any = None
        self._decoder = V2Decoder(Limits())
        self._decoder.accept_arrays()
        self._decoder.accept_ends()
        self._ids = itertools.count(1)
        self._last = 0
        self.session = Session(hub, self, Opening(address=address), **options)

    # What the session asks of its transport

    @property
    def progress(self) -> Progress:
        return Progress(self.taken)

    def carry(self, receiver: Any) -> None:
        self.carried = receiver

    def send(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            data = bytes(frame.joined())
            assert frame.size == len(data)
            self.sizes.append(len(data))
            message = self._decoder.receive(True, data)
            is_counted = any(data[:4]) and not (type(message) is list and is_uncounted(message))
            self.counted += len(data) if is_counted else 0
            if message is not INCOMPLETE:
                self.messages.append(message)
                self.numbers.append(self._decoder.number)

    def cork(self) -> None: ...
    def uncork(self) -> None: ...
    def limit_unsent(self, limit: int) -> None: ...

    def pause_reading(self) -> None:
        self.log.append("pause")

    def resume_reading(self) -> None:
        self.log.append("resume")

    def close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))

    # What the client does

    def give(self, message: Any, number: int | None = None) -> None:
        """The client sends a message, under the next number unless one is given."""
        if number is None:
            number = self._last + 1
        self._last = max(self._last, number)
        text = msgpack.packb(message)
        session = self.session if self.carried is None else self.carried
        session.receive(True, HEADER.pack(number, 0, len(text)) + text)

    def call(self, method: str, *args: Any, id_: str = "", **more: Any) -> Any:
        """Call, and give what has come of that id by now; None for nothing."""
        id_ = id_ or f"rpc:c0:{next(self._ids)}"
        self.give({"wslink": "1.0", "id": id_, "method": method, "args": list(args), **more})
        return self.answer(id_)

    def system(self, method: str, *args: Any) -> Any:
        return self.call(method, *args, id_=f"system:c0:{next(self._ids)}")

    def answer(self, id_: str) -> Any:
        found = [one for one in self.messages if isinstance(one, dict) and one.get("id") == id_]
        return {key: value for key, value in found[-1].items() if key in ("result", "error")} if found else None

    def hello(self, *features: str, **more: Any) -> Any:
        self.give(
            {"id": "system:c0:0", "method": "wslink.hello", "args": [{"features": list(features), **more}]}, number=0
        )
        self.counted = self.counted if "resume" in features else 0
        return self.answer("system:c0:0")

    def take(self) -> list[Any]:
        """What has come since."""
        found, self.messages, self.numbers = list(zip(self.numbers, self.messages, strict=True)), [], []
        return found

    def cut(self) -> None:
        """The connection is lost."""
        session = self.session if self.carried is None else self.carried
        session.closed()
